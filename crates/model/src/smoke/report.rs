//! What is told of one check once it was asked.

use serde::{Deserialize, Serialize};

use super::Whence;

/// One check's end. Holds nothing that the request kept secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub name: Option<String>,
    pub method: String,
    /// Without the values of its query.
    pub url: String,
    /// Where it was asked from; another place than declared where there is no edge, and then a note says so.
    pub from: Whence,
    pub holds: bool,
    /// Of the last answer, if there was any.
    pub status: Option<u16>,
    /// Why it does not hold: whole sentences, the gravest first.
    pub reasons: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// What to know, though it holds: a certificate that ends soon.
    pub warnings: Vec<String>,
    pub attempts: u32,
    /// How long the last attempt took.
    pub answered_ms: u64,
    /// From the first attempt to the last answer.
    pub waited_ms: u64,
}
