//! Migrates one database: looks at its ledger, and applies what a plan says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mainstay_model::observed::Ledger;
use mainstay_model::postgres::migration::{
    LedgerName, LedgerRow, MigrationFile, MigrationPlan, MigrationSet, Mode, Note, Refusal, Target,
};
use tokio_util::sync::CancellationToken;

use super::error::{Holder, PgError};
use super::ledger;
use super::lock::{Lock, Refused, Waiting};
use super::onlooker::Onlooker;
use super::session::{Server, Session, literal};
use super::single::{Ran, Single};

/// Codes with which a file is tried again: a lock that was not had in time, a deadlock, a transaction that lost a race.
const TRIED_AGAIN: &[&str] = &["55P03", "40P01", "40001"];

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Another runner.
    pub runner: Duration,
    /// One lock of a statement; the file is tried again then, for behind a statement that waits everybody waits.
    pub lock: Duration,
    /// How many times.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { runner: Duration::from_mins(5), lock: Duration::from_secs(5), tries: 5 }
    }
}

/// What an apply says while it goes on.
#[derive(Clone, Debug)]
pub enum MigrationEvent {
    Waiting {
        holder: Holder,
    },
    Began {
        file: String,
    },
    /// A statement of a file without a transaction, counted from 0.
    Statement {
        file: String,
        number: usize,
        of: usize,
    },
    Retried {
        file: String,
        why: String,
        again_in: Duration,
    },
    DroppedInvalid {
        file: String,
        index: String,
    },
    Done {
        file: String,
        took_ms: u64,
    },
    ByAnother {
        file: String,
    },
}

/// One database, one ledger.
pub struct Migrator {
    pub(super) server: Server,
    pub(super) ledger: LedgerName,
    patience: Patience,
    /// Who is written into rows.
    pub(super) by: String,
    /// Whether invalid indexes that a file makes are dropped before it runs.
    rebuild_invalid: bool,
    onlooker: Option<Arc<Onlooker>>,
}

/// The session that files run in.
struct Working {
    session: Session,
    /// By which a statement that runs can be cancelled.
    pid: i32,
}

/// A file whose row was written without running it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Adoption {
    Adopted,
    /// It has a row with this very hash.
    WasThere,
}

/// The hash of a file that was changed, before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub before: String,
    pub after: String,
}

impl Migrator {
    pub fn new(server: Server, ledger: LedgerName, patience: Patience, by: String) -> Migrator {
        Migrator { server, ledger, patience, by, rebuild_invalid: false, onlooker: None }
    }

    /// Drops invalid indexes that a file without a transaction makes, before it runs.
    #[must_use]
    pub fn rebuilding_invalid(mut self, yes: bool) -> Migrator {
        self.rebuild_invalid = yes;
        self
    }

    /// Lets somebody look on at every statement.
    #[must_use]
    pub(super) fn watched_by(mut self, onlooker: Arc<Onlooker>) -> Migrator {
        self.onlooker = Some(onlooker);
        self
    }

    /// The rows of the ledger; changes nothing.
    ///
    /// # Errors
    /// When the database cannot be asked, or the table is no ledger.
    pub async fn rows(&self) -> Result<Vec<LedgerRow>, PgError> {
        let session = self.server.open().await?;
        ledger::read(&session.client, &self.ledger).await
    }

    /// The role that files run as. Behind a pooler it may have another name than the one that connects.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn role(&self) -> Result<String, PgError> {
        let session = self.server.open().await?;
        Ok(session.one("SELECT session_user::text", "asking for the role").await?.get(0))
    }

    /// What an apply would do; changes nothing.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn plan(&self, set: &MigrationSet, allowed: &BTreeSet<String>) -> Result<MigrationPlan, PgError> {
        let session = self.server.open().await?;
        self.plan_on(&session, set, allowed).await
    }

    /// All that the database says of its migrations; changes nothing.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn ledger(&self) -> Result<Ledger, PgError> {
        let session = self.server.open().await?;
        self.ledger_on(&session).await
    }

    async fn ledger_on(&self, session: &Session) -> Result<Ledger, PgError> {
        Ok(Ledger {
            target: self.target(session).await?,
            rows: ledger::read(&session.client, &self.ledger).await?,
            attempts: ledger::attempts(&session.client, &self.ledger).await?,
        })
    }

    async fn plan_on(
        &self,
        session: &Session,
        set: &MigrationSet,
        allowed: &BTreeSet<String>,
    ) -> Result<MigrationPlan, PgError> {
        let Ledger { target, rows, attempts } = self.ledger_on(session).await?;
        Ok(MigrationPlan::decide(target, set, &rows, &attempts, allowed))
    }

    async fn target(&self, session: &Session) -> Result<Target, PgError> {
        let named = session.one(
            "SELECT current_database()::text, oid::text FROM pg_database WHERE datname = current_database()",
            "asking for the database",
        );
        let row = named.await?;
        let (database, oid): (String, String) = (row.get(0), row.get(1));
        // Not every role may ask for it; the number of the database in its server has to do then.
        let asked = session.client.query_one("SELECT system_identifier::text FROM pg_control_system()", &[]).await;
        let system_identifier = asked.map_or_else(|_| format!("database {oid}"), |row| row.get(0));
        Ok(Target { system_identifier, database, ledger: self.ledger.clone() })
    }

    /// Applies the plan's files, in order. What another runner applied meanwhile is passed over.
    ///
    /// # Errors
    /// The first failure; files before it stay applied.
    pub async fn apply(
        &self,
        set: &MigrationSet,
        plan: &MigrationPlan,
        cancelled: &CancellationToken,
        mut told: impl FnMut(MigrationEvent),
    ) -> Result<usize, PgError> {
        let Some(first) = plan.steps.first() else { return Ok(0) };
        let waiting = |holder: &Holder| told(MigrationEvent::Waiting { holder: holder.clone() });
        let (lock, waited) = self.locked(&first.file, cancelled, waiting).await?;
        if waited {
            self.must_still_be_the_plan(&lock.session, set, plan).await?;
        }
        let work = self.server.open().await?;
        lock.must_be_alone_with(&work, &self.server).await?;
        let work = Working { pid: work.pid().await?, session: work };
        ledger::make(&work.session.client, &self.ledger).await?;
        // Another runner may have come further with a file since the plan was made.
        let attempts = ledger::attempts(&work.session.client, &self.ledger).await?;
        let mut applied = 0;
        for step in &plan.steps {
            // A plan is made of files of its set.
            let Some(file) = set.files.get(&step.file) else { continue };
            if cancelled.is_cancelled() {
                return Err(PgError::Interrupted { file: step.file.clone() });
            }
            told(MigrationEvent::Began { file: step.file.clone() });
            let ran = attempts.get(&step.file).map(Vec::as_slice).unwrap_or_default();
            let matching =
                file.statements.iter().zip(ran).take_while(|(one, hash)| file.hash_of(one) == **hash).count();
            let done = step.done.max(matching);
            match self.with_tries(&lock, &work, file, done, cancelled, &mut told).await? {
                Ran::Applied { took_ms } => {
                    applied += 1;
                    told(MigrationEvent::Done { file: step.file.clone(), took_ms });
                }
                Ran::ByAnother => told(MigrationEvent::ByAnother { file: step.file.clone() }),
            }
        }
        Ok(applied)
    }

    /// What was waited for may have been a restore. A file that was applied when the plan was made, and is not in the database
    /// that has its name now, is not to be passed over.
    async fn must_still_be_the_plan(
        &self,
        session: &Session,
        set: &MigrationSet,
        plan: &MigrationPlan,
    ) -> Result<(), PgError> {
        let agreed: BTreeSet<String> = plan.steps.iter().map(|step| step.file.clone()).collect();
        let now = self.plan_on(session, set, &agreed).await?;
        let late = now.refusals.iter().filter_map(|refusal| match refusal {
            Refusal::OutOfOrder { file, .. } => Some(file),
            _ => None,
        });
        let pending = now.steps.iter().map(|step| &step.file).chain(late);
        let others: Vec<String> = pending.filter(|file| !agreed.contains(*file)).cloned().collect();
        if others.is_empty() { Ok(()) } else { Err(PgError::OtherDatabase { files: others }) }
    }

    async fn with_tries(
        &self,
        lock: &Lock,
        work: &Working,
        file: &MigrationFile,
        done: usize,
        cancelled: &CancellationToken,
        told: &mut impl FnMut(MigrationEvent),
    ) -> Result<Ran, PgError> {
        let mut pause = Duration::from_secs(1);
        let mut done = done;
        for attempt in 1.. {
            let ran = self.once(lock, work, file, done, cancelled, told).await;
            let error = match ran {
                Err(PgError::Statement(error)) if TRIED_AGAIN.contains(&error.sqlstate.as_str()) => error,
                ended => return ended,
            };
            // A deadlock may have left an index behind; what ran before stays done.
            if attempt >= self.patience.tries {
                return Err(PgError::Statement(error));
            }
            done = done.max(error.done);
            let why = error.message.clone();
            told(MigrationEvent::Retried { file: file.name.clone(), why, again_in: pause });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancelled.cancelled() => return Err(PgError::Interrupted { file: file.name.clone() }),
            }
            pause = (pause * 2).min(Duration::from_secs(15));
        }
        unreachable!("the attempts end above")
    }

    /// One attempt; when it is cancelled, the statement that runs is cancelled too, from the other session.
    async fn once(
        &self,
        lock: &Lock,
        work: &Working,
        file: &MigrationFile,
        done: usize,
        cancelled: &CancellationToken,
        told: &mut impl FnMut(MigrationEvent),
    ) -> Result<Ran, PgError> {
        let single = Single {
            session: &work.session,
            ledger: &self.ledger,
            file,
            lock_timeout_ms: u64::try_from(self.patience.lock.as_millis()).unwrap_or(u64::MAX),
            by: &self.by,
            onlooker: self.onlooker.as_deref(),
        };
        let run = async {
            if file.mode == Mode::Transaction {
                return single.in_a_transaction().await;
            }
            self.clear_invalid(&single, told).await?;
            let of = file.statements.len();
            single
                .by_statements(done, |number| told(MigrationEvent::Statement { file: file.name.clone(), number, of }))
                .await
        };
        tokio::pin!(run);
        tokio::select! {
            ran = &mut run => ran,
            () = cancelled.cancelled() => {
                let sql = format!("SELECT pg_cancel_backend({})", work.pid);
                lock.session.simple(&sql, "cancelling the statement").await?;
                // It ends as it ends: applied, when it was that far.
                run.await
            }
        }
    }

    async fn clear_invalid(&self, single: &Single<'_>, told: &mut impl FnMut(MigrationEvent)) -> Result<(), PgError> {
        if self.rebuild_invalid {
            for index in single.drop_invalid().await? {
                told(MigrationEvent::DroppedInvalid { file: single.file.name.clone(), index });
            }
            return Ok(());
        }
        match single.invalid_index().await? {
            Some(index) => Err(PgError::InvalidIndex { file: single.file.name.clone(), index }),
            None => Ok(()),
        }
    }

    /// Writes the row of a file whose work is in the database already, without running it.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn adopt(&self, file: &MigrationFile, cancelled: &CancellationToken) -> Result<Adoption, PgError> {
        let (lock, _) = self.locked(&file.name, cancelled, |_| {}).await?;
        let client = &lock.session.client;
        ledger::make(client, &self.ledger).await?;
        let note = Note { tokens_sha256: Some(file.tokens_sha256.clone()), took_ms: None, by: Some(self.by.clone()) };
        let sql = format!(
            "{} ON CONFLICT (filename) DO UPDATE SET sha256 = EXCLUDED.sha256, \
             notes = concat_ws('; ', {}.notes, EXCLUDED.notes) WHERE {}.sha256 IS NULL OR {}.sha256 = ''",
            ledger::insert(&self.ledger, &file.name, &file.sha256, &format!("adopted; {note}")),
            quoted_table(&self.ledger),
            quoted_table(&self.ledger),
            quoted_table(&self.ledger)
        );
        let changed = client.execute(&sql, &[]).await.map_err(PgError::lost("writing the ledger"))?;
        Ok(if changed > 0 { Adoption::Adopted } else { Adoption::WasThere })
    }

    /// Takes a changed file's text for the one that was applied. `None` when the file has no row with another hash.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn accept(
        &self,
        file: &MigrationFile,
        reason: &str,
        cancelled: &CancellationToken,
    ) -> Result<Option<Accepted>, PgError> {
        let (lock, _) = self.locked(&file.name, cancelled, |_| {}).await?;
        let client = &lock.session.client;
        let rows: BTreeMap<String, LedgerRow> =
            ledger::read(client, &self.ledger).await?.into_iter().map(|row| (row.filename.clone(), row)).collect();
        let before = rows.get(&file.name).and_then(|row| row.sha256.clone());
        let Some(before) = before.filter(|hash| *hash != file.sha256) else { return Ok(None) };
        ledger::make(client, &self.ledger).await?;
        let note = Note { tokens_sha256: Some(file.tokens_sha256.clone()), took_ms: None, by: Some(self.by.clone()) };
        let words = format!("accepted {before} -> {}: {reason}; {note}", file.sha256);
        let sql = format!(
            "UPDATE {} SET sha256 = {}, notes = concat_ws('; ', notes, {}) WHERE filename = {} AND sha256 = {}",
            self.ledger.quoted(),
            literal(&file.sha256),
            literal(&words),
            literal(&file.name),
            literal(&before)
        );
        client.execute(&sql, &[]).await.map_err(PgError::lost("writing the ledger"))?;
        Ok(Some(Accepted { before, after: file.sha256.clone() }))
    }

    pub(super) async fn locked(
        &self,
        file: &str,
        cancelled: &CancellationToken,
        told: impl FnMut(&Holder),
    ) -> Result<(Lock, bool), PgError> {
        let waiting = Waiting { patience: self.patience.runner, cancelled };
        match Lock::take(&self.server, &self.ledger, waiting, told).await {
            Ok(taken) => Ok(taken),
            Err(Refused::Error(error)) => Err(error),
            Err(Refused::Cancelled) => Err(PgError::Interrupted { file: file.to_owned() }),
        }
    }
}

/// The table as `ON CONFLICT … DO UPDATE` names it.
fn quoted_table(ledger: &LedgerName) -> String {
    format!("\"{}\"", ledger.table.replace('"', "\"\""))
}
