//! A command that came from afar, as the program that runs it here sees it: one variable, set by whoever started it.

use serde::{Deserialize, Serialize};

use crate::cli::Global;

/// The variable that says so.
pub const VARIABLE: &str = "MAINSTAY_CARRIED";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// In the place of the stacks that were typed.
    pub stacks: Option<Vec<String>>,
    pub sent: Option<Sent>,
    /// SQL that the command line named, and that came along.
    pub given: Given,
    /// Who asks, for the record.
    pub by: String,
    /// Its standard streams are a terminal that was made for it.
    pub terminal: bool,
}

/// Compose files that came along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    pub stack: String,
    /// Absolute, in merging order.
    pub files: Vec<String>,
    /// The folder of this machine that relative paths start from, and that has the stack's `.env`.
    pub directory: String,
    /// The folder that the files lie in.
    pub folder: String,
}

/// Absolute paths of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// In the place of `--dir`.
    pub dir: Option<String>,
    /// In the place of `--before`.
    pub before: Option<String>,
}

impl Carried {
    /// What was typed on the other machine, as it is meant on this one: names of its files and folders mean nothing here.
    pub fn lay_over(&self, global: &mut Global) {
        global.host = None;
        if let Some(stacks) = &self.stacks {
            global.stack.clone_from(stacks);
        }
        global.file = Vec::new();
        global.env_file = Vec::new();
        global.project_name = None;
        global.project_directory = None;
        if let Some(sent) = &self.sent {
            global.stack = Vec::new();
            global.file = sent.files.iter().map(Into::into).collect();
            global.project_name = Some(sent.stack.clone());
            global.project_directory = Some((&sent.directory).into());
        }
    }
}
