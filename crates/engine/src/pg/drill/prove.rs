//! One drill, from a backup to its proof.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mainstay_model::declared::DrillProbe;
use mainstay_model::postgres::backup::{Difference, FORMAT, Proof, Verdict, compare};
use tokio_util::sync::CancellationToken;

use super::checks;
use super::copy::{Failed, RestoredCopy, Wanted};
use crate::pg::backup::BackupError;

/// What is drilled.
#[derive(Clone, Copy)]
pub struct Drill<'d> {
    pub wanted: Wanted<'d>,
    pub probes: &'d [DrillProbe],
    /// The version of Mainstay.
    pub made_by: &'d str,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Drilled {
    pub proof: Proof,
    /// What is worth knowing and is no difference: the copy is as the database was.
    pub notes: Vec<String>,
}

/// One thing that is told on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Doing(String),
    Compared { tables: usize, of: usize },
}

impl Drill<'_> {
    /// Restores the backup, compares everything, keeps the proof beside it, and takes the copy away. A backup that does not hold is
    /// no error here: its verdict says so.
    ///
    /// # Errors
    /// What says nothing of the backup: no engine, no image, no room, a store that is away. Then there is no proof, either.
    pub async fn run(
        self,
        cancelled: &CancellationToken,
        told: &mut (dyn FnMut(Told) + Send),
    ) -> Result<Drilled, BackupError> {
        let drilled = tokio::select! {
            drilled = self.prove(told) => drilled?,
            // The copy goes with what is dropped here.
            () = cancelled.cancelled() => return Err(BackupError::Interrupted),
        };
        self.wanted.vault.put_proof(&drilled.proof).await?;
        Ok(drilled)
    }

    async fn prove(&self, told: &mut (dyn FnMut(Told) + Send)) -> Result<Drilled, BackupError> {
        let (began, began_at) = (Instant::now(), Timestamp::now());
        let mut notes = Vec::new();
        let mut restore_ms = None;
        let made = RestoredCopy::make(self.wanted, &mut |doing| told(Told::Doing(doing.to_owned()))).await;
        let verdict = match made {
            Err(Failed::World(error)) => return Err(error),
            Err(Failed::Backup { doing, words }) => Verdict::Failed { doing, words },
            Ok(copy) => {
                restore_ms = Some(millis(copy.took));
                let held = self.held_against(&copy, &mut notes, told).await;
                copy.remove().await?;
                match held? {
                    differences if differences.is_empty() => Verdict::Proven,
                    differences => Verdict::Different(differences),
                }
            }
        };
        let proof = Proof {
            format: FORMAT,
            backup: self.wanted.manifest.id.clone(),
            began_at: shown(began_at),
            ended_at: shown(Timestamp::now()),
            made_by: self.made_by.to_owned(),
            verdict,
            restore_ms,
            total_ms: millis(began.elapsed()),
        };
        Ok(Drilled { proof, notes })
    }

    async fn held_against(
        &self,
        copy: &RestoredCopy,
        notes: &mut Vec<String>,
        told: &mut (dyn FnMut(Told) + Send),
    ) -> Result<Vec<Difference>, BackupError> {
        told(Told::Doing("comparing".into()));
        let backed_up = &self.wanted.manifest.contents;
        let contents = copy.contents(backed_up, |tables, of| told(Told::Compared { tables, of })).await?;
        let mut differences = compare(backed_up, &contents);
        told(Told::Doing("checking indexes, constraints and sequences".into()));
        let session = copy.server().open().await?;
        differences.extend(checks::probes(&session, self.probes).await?);
        notes.extend(checks::invalid(&session).await?.into_iter().map(|what| format!("{what}, as in the database")));
        notes.extend(checks::behind(&session).await?.into_iter().map(|what| format!("{what}, as in the database")));
        match checks::amcheck(&session).await? {
            Some(found) => differences.extend(found),
            None => notes.push("the image has no amcheck: the indexes were not checked".into()),
        }
        differences.sort();
        Ok(differences)
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
