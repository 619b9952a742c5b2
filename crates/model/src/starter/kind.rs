//! What sort of app it is.

use std::fmt;

use serde::Serialize;

use super::{DOCKERFILE, Found};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Whatever it is, somebody said how its image is built.
    Dockerfile,
    Node,
    Rust,
    Python,
    Static,
}

impl Kind {
    /// The first one that is found wins.
    const ALL: [Kind; 5] = [Kind::Dockerfile, Kind::Node, Kind::Rust, Kind::Python, Kind::Static];

    pub(super) fn all_in(found: &Found) -> Vec<Kind> {
        Kind::ALL.into_iter().filter(|kind| kind.marks().iter().any(|mark| found.has(mark))).collect()
    }

    fn marks(self) -> &'static [&'static str] {
        match self {
            Kind::Dockerfile => &[DOCKERFILE],
            Kind::Node => &["package.json"],
            Kind::Rust => &["Cargo.toml"],
            Kind::Python => &["pyproject.toml", "requirements.txt"],
            Kind::Static => &["index.html", "public/index.html"],
        }
    }

    pub(super) fn sign(self) -> &'static str {
        self.marks()[0]
    }

    /// Every file that something is known by.
    pub(super) fn signs() -> String {
        let all: Vec<String> = Kind::ALL.iter().flat_map(|kind| kind.marks()).map(|mark| format!("`{mark}`")).collect();
        all.join(", ")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Dockerfile => "Dockerfile",
            Kind::Node => "Node.js",
            Kind::Rust => "Rust",
            Kind::Python => "Python",
            Kind::Static => "static",
        })
    }
}
