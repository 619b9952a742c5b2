//! What an apply would do, and why it would not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::fault::Fault;
use super::file::{MigrationFile, Mode, hex};
use super::ledger::{LedgerName, LedgerRow};
use super::set::MigrationSet;
use super::status::{Drift, Standing, Status};

/// So much of a plan's digest is shown and typed.
const TYPED_DIGITS: usize = 12;

/// The one database that a plan is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The server's own, made when its data folder was: another server with the same name has another one.
    pub system_identifier: String,
    pub database: String,
    pub ledger: LedgerName,
}

/// The files that would be applied, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MigrationPlan {
    pub target: Target,
    pub steps: Vec<Step>,
    /// With one of these, nothing is applied.
    pub refusals: Vec<Refusal>,
    /// Consent is given to it: it changes with the target, the files, their order and their text.
    pub digest: String,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub file: String,
    pub sha256: String,
    pub mode: Mode,
    pub statements: usize,
    /// How many statements of a file without a transaction ran in an earlier attempt.
    pub done: usize,
}

/// Why nothing is applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    Fault(Fault),
    /// An applied file has another text now.
    Changed {
        file: String,
        drift: Drift,
    },
    /// A file comes before one that was applied, and is not allowed to.
    OutOfOrder {
        file: String,
        after: String,
    },
    /// The statements of an earlier attempt are not those of the file any more.
    ChangedUnderWay {
        file: String,
        done: usize,
    },
    /// A file that was allowed to come late is none that does.
    NoSuchFile {
        file: String,
    },
}

impl MigrationPlan {
    /// Decides. `attempts` has the hashes of the statements that ran of files without a transaction, in their order;
    /// `allowed` the files that may be applied although later ones were.
    pub fn decide(
        target: Target,
        set: &MigrationSet,
        ledger: &[LedgerRow],
        attempts: &BTreeMap<String, Vec<String>>,
        allowed: &BTreeSet<String>,
    ) -> MigrationPlan {
        let status = Status::of(set, ledger);
        let mut refusals: Vec<Refusal> = allowed
            .iter()
            .filter(|name| !status.files.contains_key(*name))
            .map(|name| Refusal::NoSuchFile { file: name.clone() })
            .collect();
        let mut steps = Vec::new();
        for (name, standing) in &status.files {
            match standing {
                Standing::Changed { drift, .. } => {
                    refusals.push(Refusal::Changed { file: name.clone(), drift: *drift });
                }
                Standing::OutOfOrder { after } if !allowed.contains(name) => {
                    refusals.push(Refusal::OutOfOrder { file: name.clone(), after: after.clone() });
                }
                Standing::Pending | Standing::OutOfOrder { .. } => match set.files.get(name) {
                    Some(file) => match step(file, attempts.get(name)) {
                        Ok(step) => steps.push(step),
                        Err(refusal) => refusals.push(refusal),
                    },
                    None => {
                        let faults = set.faulty.get(name).cloned().unwrap_or_default();
                        refusals.extend(faults.into_iter().map(Refusal::Fault));
                    }
                },
                Standing::Applied { .. } | Standing::Adopted { .. } | Standing::Unknown { .. } => {}
            }
        }
        let digest = digest(&target, &steps);
        MigrationPlan { target, steps, refusals, digest }
    }

    /// The part of the digest that is shown, and typed after `--confirm`.
    pub fn short_digest(&self) -> &str {
        &self.digest[..TYPED_DIGITS]
    }

    /// Whether what was typed means this plan.
    pub fn is_confirmed_by(&self, typed: &str) -> bool {
        typed.len() >= TYPED_DIGITS && self.digest.starts_with(&typed.to_lowercase())
    }
}

fn step(file: &MigrationFile, attempts: Option<&Vec<String>>) -> Result<Step, Refusal> {
    let ran = attempts.map(Vec::as_slice).unwrap_or_default();
    let matching = file.statements.iter().zip(ran).filter(|(one, hash)| file.hash_of(one) == **hash).count();
    if matching < ran.len() || file.mode == Mode::Transaction && !ran.is_empty() {
        return Err(Refusal::ChangedUnderWay { file: file.name.clone(), done: ran.len() });
    }
    Ok(Step {
        file: file.name.clone(),
        sha256: file.sha256.clone(),
        mode: file.mode,
        statements: file.statements.len(),
        done: ran.len(),
    })
}

fn digest(target: &Target, steps: &[Step]) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(&target.system_identifier);
    part(&target.database);
    part(&target.ledger.quoted());
    for step in steps {
        part(&step.file);
        part(&step.sha256);
        part(&step.done.to_string());
    }
    hex(&hash.finalize())
}

impl Refusal {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Refusal::Fault(fault) => fault.hint(),
            Refusal::Changed { file, .. } => format!(
                "put the file back as it was and write a new one; or, when the database is as the new text says: \
                 `mainstay db migrate accept {file} --reason …`"
            ),
            Refusal::OutOfOrder { file, .. } => format!("rename it, or allow it: `--out-of-order {file}`"),
            Refusal::ChangedUnderWay { .. } => {
                "put these statements back as they were; change only what has not run".into()
            }
            Refusal::NoSuchFile { .. } => "write the name of the file as `status` shows it".into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Fault(fault) => fault.fmt(f),
            Refusal::Changed { file, drift } => {
                let how = match drift {
                    Drift::Cosmetic => "in comments, spaces or the case of words only",
                    Drift::Semantic => "in its statements",
                    Drift::Untold => "and the ledger does not say how much",
                };
                write!(f, "{file}: was changed after it was applied, {how}")
            }
            Refusal::OutOfOrder { file, after } => {
                write!(f, "{file}: comes before `{after}`, which was applied already")
            }
            Refusal::ChangedUnderWay { file, done } => {
                write!(
                    f,
                    "{file}: {done} statements ran in an earlier attempt, and are not the first ones of the file any more"
                )
            }
            Refusal::NoSuchFile { file } => write!(f, "{file}: there is no such file"),
        }
    }
}
