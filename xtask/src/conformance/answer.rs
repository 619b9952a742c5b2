//! What a program says to one case, asked under limits of time and memory.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::cases::{Case, Reading};

/// Kilobytes of address space: a few hundred bytes of YAML can ask for more than a machine has.
const MOST_MEMORY: &str = "4000000";
const MOST_SECONDS: &str = "20";
const SIGKILL: i32 = 9;
/// The exit code of a Rust program that panicked; those above it are the shell's, for programs that were ended.
const PANICKED: i32 = 101;
/// A home of nobody, so that `~` means the same everywhere.
const HOME: &str = "/home/conformance";

/// An answer: the printed project, or what was said instead.
#[derive(Clone, Debug)]
pub enum Answer {
    Printed(String),
    Refused(String),
    /// No answer at all: the program was ended, or broke.
    Broke(String),
}

/// One of the two programs.
pub struct Program {
    path: PathBuf,
    is_compose: bool,
}

impl Program {
    pub fn mainstay(path: PathBuf) -> Self {
        Program { path, is_compose: false }
    }

    pub fn compose(path: PathBuf) -> Self {
        Program { path, is_compose: true }
    }

    /// Asks for the settled project.
    pub fn config(
        &self,
        case: &Case,
        reading: Reading,
        environment: Option<&BTreeMap<String, String>>,
        is_json: bool,
    ) -> Answer {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "ulimit -v \"$1\"; shift; exec timeout --signal=KILL \"$@\"",
            "sh",
            MOST_MEMORY,
            MOST_SECONDS,
        ]);
        command.arg(&self.path).current_dir(&case.folder).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", HOME);
        command.envs(environment.into_iter().flatten());
        for file in &case.files {
            command.arg(if self.is_compose { "-f" } else { "--file" }).arg(file);
        }
        if let Some(project) = case.project {
            command.args(["--project-name", project]);
        }
        if let Some(env_file) = &case.env_file {
            command.arg("--env-file").arg(env_file);
        }
        command.arg("config").args(reading.flag()).args(["--format", if is_json { "json" } else { "yaml" }]);
        // A machine without memory to spare ends the largest program there is: that is no answer yet.
        let was_killed = |output: &Output| output.status.signal() == Some(SIGKILL);
        let output = match command.output() {
            Ok(output) if was_killed(&output) => command.output().unwrap_or(output),
            Ok(output) => output,
            Err(error) => return Answer::Broke(format!("{} does not run: {error}", self.path.display())),
        };
        if output.status.success() {
            return Answer::Printed(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        // Our own refusals have their exit codes; whatever a reference that breaks says, it does not take the file.
        if !self.is_compose && !matches!(output.status.code(), Some(1..PANICKED)) {
            return Answer::Broke(format!("{} ({})", said.lines().next().unwrap_or("without a word"), output.status));
        }
        Answer::Refused(if said.is_empty() { format!("without a word ({})", output.status) } else { said })
    }
}
