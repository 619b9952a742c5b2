//! One way in which a live schema is not as wanted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::object::{Facet, ObjectKey};

/// In which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    Missing,
    /// It is there, and otherwise.
    Different,
    /// No file makes it.
    Extra,
    /// It is there, and a role may not do with it what it should.
    Unprivileged,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Slower, or less kept in order, than wanted.
    Warning,
    /// A program that was written for the wanted schema fails on this one.
    NotReady,
    /// Rows are open that should not be.
    Critical,
}

/// One fact that is otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub facet: Facet,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<String>,
}

/// One object that is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    #[serde(flatten)]
    pub key: ObjectKey,
    pub grade: Grade,
    pub severity: Severity,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// How many parts of it are missing, or extra, with it.
    #[serde(skip_serializing_if = "is_zero")]
    pub parts: usize,
    /// The file that brings it, or that made it so; of what is extra, the one that takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What may have happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(parts: &usize) -> bool {
    *parts == 0
}

impl Grade {
    pub fn word(self) -> &'static str {
        match self {
            Grade::Missing => "missing",
            Grade::Different => "different",
            Grade::Extra => "extra",
            Grade::Unprivileged => "unprivileged",
        }
    }
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::NotReady => "not ready",
            Severity::Critical => "critical",
        }
    }
}

/// `type is integer, wanted bigint`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.facet.words();
        match (self.live.as_deref(), self.wanted.as_deref()) {
            (Some("true"), None) => write!(f, "{word} is on, wanted off"),
            (None, Some("true")) => write!(f, "{word} is off, wanted on"),
            (Some(live), Some(_)) if self.facet == Facet::Body => write!(f, "another body ({})", short(live)),
            (live, wanted) => {
                let told = |value: Option<&str>| value.map_or_else(|| "none".to_owned(), one_line);
                write!(f, "{word} is {}, wanted {}", told(live), told(wanted))
            }
        }
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Difference {
    /// What is to be said of it after its name: what is otherwise, and what may have happened.
    pub fn detail(&self) -> String {
        let mut words: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        if self.parts > 0 {
            words.push(format!("with {} {}", self.parts, if self.parts == 1 { "part" } else { "parts" }));
        }
        words.extend(self.remark.clone());
        words.join("; ")
    }
}
