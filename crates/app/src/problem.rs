//! What the program says when it does not do what was asked: one value from every room, shown once at the door.
//!
//! The kind gives the exit code and the heading; `docs/EXIT-CODES.md` holds the table, and a test holds it to
//! [`Kind`]. Inside, errors stay the enums of their own rooms; only here do they become words for a person.

use std::borrow::Cow;
use std::error::Error;
use std::ops::{Deref, DerefMut};
use std::process::ExitCode;

use mainstay_engine::secrets::SecretsError;
use mainstay_engine::sources::SourcesError;
use mainstay_engine::{KeeperError, WorldError};
use mainstay_model::identity::{NameProblem, OperationId};
use mainstay_model::operation::Failure;
use mainstay_model::plan::Plan;

use crate::complaint::{self, Complaint};

/// Whose move it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An operation ran, and a step of it failed.
    Failed,
    /// The command line asks for something that does not exist or does not fit together.
    Usage,
    /// The stack's files are missing or refused.
    Files,
    /// The engine, the state folder or the server is not as needed.
    World,
    /// Consent was needed and not given; nothing was changed.
    Consent,
    /// `plan --check`: the world is not as declared.
    Drift,
    /// Our own mistake.
    Bug,
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// Nobody reads our output any more (`mainstay history | head`).
    BrokenPipe,
}

impl Kind {
    /// Every kind, in the order of the document.
    #[cfg(test)]
    pub const ALL: [Kind; 9] = [
        Kind::Failed,
        Kind::Usage,
        Kind::Files,
        Kind::World,
        Kind::Consent,
        Kind::Drift,
        Kind::Bug,
        Kind::Interrupted,
        Kind::BrokenPipe,
    ];

    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Files => 3,
            Kind::World => 4,
            Kind::Consent => 5,
            Kind::Drift => 6,
            Kind::Bug => 70,
            Kind::Interrupted => 130,
            Kind::BrokenPipe => 141,
        }
    }

    /// The word in front of the message.
    pub fn heading(self) -> &'static str {
        match self {
            Kind::Failed => "failed",
            Kind::Usage | Kind::Files | Kind::World => "error",
            Kind::Consent => "not done",
            Kind::Drift => "drift",
            Kind::Bug => "bug in mainstay",
            Kind::Interrupted => "interrupted",
            Kind::BrokenPipe => "output closed",
        }
    }
}

/// One problem, ready to be reported. It is small, so that passing it up costs the good case nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem(Box<Details>);

/// What there is to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    pub kind: Kind,
    /// A stable word for programs, such as `engine-away`.
    pub code: Cow<'static, str>,
    /// A lowercase fragment with names in backticks.
    pub message: String,
    /// Outermost first.
    pub causes: Vec<String>,
    /// What to run or change next.
    pub hints: Vec<String>,
    /// The last lines of the container or the build concerned.
    pub log_tail: Vec<String>,
    pub operation: Option<OperationId>,
    /// Text that is shown as it is, such as complaints with their places.
    pub exhibit: Option<String>,
    /// The same complaints as data.
    pub complaints: Vec<Complaint>,
}

/// What every command gives back: an exit code, or the one problem to report.
pub type Outcome = Result<ExitCode, Problem>;

impl Deref for Problem {
    type Target = Details;
    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl From<Details> for Problem {
    fn from(details: Details) -> Self {
        Problem(Box::new(details))
    }
}

impl Problem {
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        let details = Details {
            kind,
            code: Cow::Borrowed(code),
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            log_tail: Vec::new(),
            operation: None,
            exhibit: None,
            complaints: Vec::new(),
        };
        details.into()
    }

    pub fn into_details(self) -> Details {
        *self.0
    }

    pub fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Problem::new(Kind::Usage, code, message)
    }

    pub fn files(code: &'static str, message: impl Into<String>) -> Self {
        Problem::new(Kind::Files, code, message)
    }

    pub fn world(code: &'static str, message: impl Into<String>) -> Self {
        Problem::new(Kind::World, code, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the error below, and everything below that.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn Error) -> Self {
        self.causes.push(error.to_string());
        self.causes.extend(chain(error));
        self
    }

    #[must_use]
    pub fn operation(mut self, operation: OperationId) -> Self {
        self.operation = Some(operation);
        self
    }

    /// The refusals of a plan as one problem: each refusal is a cause, its hint a hint.
    pub fn refused(plan: &Plan) -> Self {
        let mut problem =
            Problem::world("plan-refused", format!("`{}` of `{}` cannot be done as things are", plan.verb, plan.stack));
        for refusal in plan.refusals() {
            problem.causes.push(refusal.message.clone());
            problem.hints.extend(refusal.hint.clone());
        }
        problem
    }

    /// One failed step's own words.
    pub fn failed(failure: &Failure) -> Self {
        let mut problem = Problem::new(Kind::Failed, "step-failed", failure.message.clone());
        problem.causes.clone_from(&failure.causes);
        problem.hints.clone_from(&failure.hints);
        problem.log_tail.clone_from(&failure.log_tail);
        problem
    }
}

/// The messages below an error, outermost first; a cause that only repeats the words above it is left out.
fn chain(error: &dyn Error) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    let mut above = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let message = cause.to_string();
        if !above.ends_with(&message) {
            messages.push(message.clone());
        }
        above = message;
        below = cause.source();
    }
    messages
}

impl From<WorldError> for Problem {
    fn from(error: WorldError) -> Self {
        let code = if error.transient { "engine-away" } else { "engine" };
        let mut problem = Problem::world(code, error.message.clone());
        problem.causes = chain(&error);
        problem.hints = error.hints;
        problem.log_tail = error.log_tail;
        problem
    }
}

impl From<KeeperError> for Problem {
    fn from(error: KeeperError) -> Self {
        let causes = chain(&error);
        let message = error.to_string();
        let mut problem = match error {
            KeeperError::World(world) => return world.into(),
            KeeperError::Secrets(error) => return error.into(),
            KeeperError::Refused { plan } => return Problem::refused(&plan),
            KeeperError::Locked { .. } => Problem::world("locked", message)
                .hint("wait until it is done, or use another folder with `--state-dir`"),
            KeeperError::PlanChanged { .. } => Problem::world("plan-changed", message).hint("run the command again"),
            KeeperError::Busy { operation, .. } => Problem::world("busy", message)
                .hint("wait until it is done: `mainstay history --follow` shows it")
                .operation(operation),
            KeeperError::Journal { source, .. } => {
                let mut problem = Problem::world("journal", message);
                problem.hints = source.hints;
                if problem.hints.is_empty() {
                    problem = problem.hint("another state folder, which this user may write to: `--state-dir DIR`");
                }
                problem
            }
        };
        problem.causes = causes;
        problem
    }
}

impl From<SecretsError> for Problem {
    fn from(error: SecretsError) -> Self {
        let problem = Problem::world("secrets", error.to_string());
        let from_a_kit = "put it back from its recovery kit: `mainstay secret restore-kit FILE`";
        match error {
            SecretsError::Damaged { path, .. } => problem.hint("put back a copy of it").hint(format!(
                "without one, move it away (`mv {0} {0}.damaged`); `mainstay secret ls` then tells what is missing",
                path.display()
            )),
            SecretsError::WrongKey { .. } => {
                problem.hint("say where the right key is: `--key-file FILE`, or `MAINSTAY_KEY_FILE`").hint(from_a_kit)
            }
            SecretsError::NoHostKey { .. } => {
                problem.hint(from_a_kit).hint("say where it is: `--key-file FILE`, or `MAINSTAY_KEY_FILE`")
            }
            SecretsError::OpenKey { path, .. } => {
                problem.hint(format!("make it its owner's alone: `chmod 600 {}`", path.display()))
            }
            SecretsError::NoIdentity { .. } => problem.hint(from_a_kit),
            SecretsError::BadEnvironment { env } => {
                Problem::usage("bad-environment", SecretsError::BadEnvironment { env }.to_string())
            }
            SecretsError::BadKit => problem.hint("name the file that `mainstay secret kit FILE` wrote"),
            SecretsError::WrongPassphrase => problem,
            SecretsError::OtherKey { path } => problem
                .hint("nothing was changed: what is sealed on this host may need that key")
                .hint(format!("to give it up, move it away: `mv {0} {0}.old`", path.display())),
            SecretsError::InTheWay { .. } => problem.hint("name another file, or remove that one"),

            SecretsError::Disk { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => problem
                .caused_by(&source)
                .hint("the kept values belong to the user who runs the stacks: run it as that user"),
            SecretsError::Disk { source, .. } => problem.caused_by(&source),
            SecretsError::Unreadable { .. } => {
                problem.hint("mend it, or move it away: the values are then read from the containers that carry them")
            }
            SecretsError::Random(_) | SecretsError::OtherRecipients { .. } => problem,
            SecretsError::NoRecipient { .. } => {
                problem.hint("write the public half of an age key: the line `# public key:` of its file shows it")
            }
            SecretsError::NoKey { .. } => problem.hint("set the key in `.env` beside the Compose file"),
        }
    }
}

impl From<SourcesError> for Problem {
    fn from(error: SourcesError) -> Self {
        let message = error.to_string();
        match error {
            SourcesError::NotFound { directory } => {
                Problem::files("no-compose-file", format!("no Compose file in `{directory}` or above it"))
                    .hint("go to the stack's folder, or name it: `--stack DIR`, `--file FILE`")
            }
            SourcesError::EmptyFolder { .. } => Problem::files("no-compose-file", message),
            SourcesError::NoEnvironment { .. } => Problem::files("no-environment", message),
            SourcesError::BadEnvironment { .. } => Problem::usage("bad-environment", message),
            SourcesError::Secrets(error) => error.into(),
            SourcesError::NoStdin => Problem::files("no-stdin", message),
            SourcesError::Arrived(_) => {
                Problem::world("sent-files", message).hint("send the files again: `mainstay --host URL up`")
            }
            SourcesError::Refused(diagnostics) => {
                let errors = diagnostics
                    .list
                    .iter()
                    .filter(|one| one.severity == mainstay_model::compose::Severity::Error)
                    .count();
                let words = if errors == 1 { "one error".to_owned() } else { format!("{errors} errors") };
                let mut problem = Problem::files("files-refused", format!("the Compose files are refused: {words}"));
                problem.exhibit = Some(diagnostics.render());
                problem.complaints = complaint::all(&diagnostics);
                problem
            }
        }
    }
}

impl From<NameProblem> for Problem {
    fn from(error: NameProblem) -> Self {
        Problem::usage("bad-name", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_of_exit_codes_must_list_every_kind() {
        let document = include_str!("../../../docs/EXIT-CODES.md");
        for kind in Kind::ALL {
            let row = format!("| {} |", kind.exit_code());
            assert!(document.contains(&row), "docs/EXIT-CODES.md lacks the row of {kind:?}: {row}");
        }
        let rows = document.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit());
        assert_eq!(rows.count(), Kind::ALL.len() + 1, "a row for each kind, and one for 0");
    }

    #[test]
    fn a_cause_that_repeats_the_words_above_it_must_not_be_told_twice() {
        let inner = std::io::Error::other("connection refused");
        let error = WorldError::new("the engine could not be reached").caused_by(inner);
        let problem = Problem::from(error);
        assert_eq!(problem.causes, ["connection refused"]);
    }
}
