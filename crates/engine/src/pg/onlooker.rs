//! A second session that looks on while files run, and sees what locks they take.
//!
//! It looks after each statement and before the transaction ends, so nothing is missed and nothing is polled: a lock stays until
//! then. Names are those from before the file, for what it does is not to be seen from here before its commit.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_model::postgres::backup::{Contents, quoted};
use mainstay_model::postgres::migration::{LedgerName, MigrationFile};
use mainstay_model::postgres::rehearsal::{Fate, Held, Kind, LockMode, Rehearsed};
use standing_pool::tokio_postgres::Row;

use super::error::PgError;
use super::session::{Server, Session};

const LOOKING: &str = "looking at the locks";

/// Sees the files of one run, one after the other.
pub(super) struct Onlooker {
    session: Session,
    /// Of the backup, by quoted name.
    counted: BTreeMap<String, u64>,
    /// Whose locks are ours.
    ledger: LedgerName,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    run: Option<Run>,
    done: Vec<Rehearsed>,
}

/// One file under way.
struct Run {
    before: BTreeMap<u32, Relation>,
    transaction: Transaction,
    /// The longest time that each lock was held, and the line from which on.
    held: BTreeMap<(u32, LockMode), (Duration, u32)>,
    told: Rehearsed,
    took: Duration,
}

/// The transaction that is open.
#[derive(Default)]
struct Transaction {
    lasted: Duration,
    /// When each lock was taken, counted from its beginning, and the line of the statement.
    taken: BTreeMap<(u32, LockMode), (Duration, u32)>,
}

/// A relation as it was before a file.
struct Relation {
    shown: String,
    kind: Kind,
    rows: Option<u64>,
    /// Another one when all of its rows were written anew.
    filenode: Option<u32>,
}

impl Onlooker {
    pub async fn new(server: &Server, contents: &Contents, ledger: &LedgerName) -> Result<Onlooker, PgError> {
        let rows = |(name, table): (&String, &mainstay_model::postgres::backup::Table)| {
            table.digest.as_ref().map(|digest| (name.clone(), digest.rows))
        };
        let counted = contents.tables.iter().filter_map(rows).collect();
        Ok(Onlooker { session: server.open().await?, counted, ledger: ledger.clone(), state: Mutex::default() })
    }

    /// A file is about to run; what an attempt before this one was seen to do is forgotten.
    pub async fn begins(&self, file: &MigrationFile) -> Result<(), PgError> {
        let before = self.relations().await?;
        let told = Rehearsed {
            file: file.name.clone(),
            mode: file.mode,
            statements: 0,
            took_ms: 0,
            locks: Vec::new(),
            unseen: Vec::new(),
        };
        let (held, took) = (BTreeMap::new(), Duration::ZERO);
        self.state().run = Some(Run { before, transaction: Transaction::default(), held, told, took });
        Ok(())
    }

    /// So many statements from this line on ran, by this process of the server, whose transaction is open still.
    pub async fn saw(&self, pid: i32, line: u32, statements: usize, took: Duration) -> Result<(), PgError> {
        let sql = "SELECT relation, mode FROM pg_locks WHERE pid = $1 AND locktype = 'relation' AND granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let rows = self.session.client.query(sql, &[&pid]).await.map_err(PgError::lost(LOOKING))?;
        let mut state = self.state();
        let Some(run) = &mut state.run else { return Ok(()) };
        for row in rows {
            let Some(mode) = LockMode::of(row.get(1)) else { continue };
            run.transaction.taken.entry((row.get(0), mode)).or_insert((run.transaction.lasted, line));
        }
        run.transaction.lasted += took;
        run.told.statements += statements;
        Ok(())
    }

    /// A statement on this line ran whose transaction was over before it could be looked at.
    pub fn could_not_see(&self, line: u32, took: Duration) {
        let mut state = self.state();
        let Some(run) = &mut state.run else { return };
        run.took += took;
        run.told.statements += 1;
        run.told.unseen.push(line);
    }

    /// The open transaction ended, with or without its work; the last thing in it took so long.
    pub fn transaction_ended(&self, took: Duration) {
        let mut state = self.state();
        let Some(run) = &mut state.run else { return };
        let Transaction { lasted, taken } = std::mem::take(&mut run.transaction);
        let lasted = lasted + took;
        run.took += lasted;
        for (lock, (from, line)) in taken {
            let held = lasted.saturating_sub(from);
            let longest = run.held.entry(lock).or_insert((held, line));
            if held > longest.0 {
                *longest = (held, line);
            }
        }
    }

    /// All of the file ran.
    pub async fn ended(&self) -> Result<(), PgError> {
        let after = self.relations().await?;
        let mut state = self.state();
        if let Some(run) = state.run.take() {
            state.done.push(run.told_with(Some(&after)));
        }
        Ok(())
    }

    /// What was seen of the files that ran, and, as far as it came, of one that broke off.
    pub fn seen(&self) -> (Vec<Rehearsed>, Option<Rehearsed>) {
        let mut state = self.state();
        (std::mem::take(&mut state.done), state.run.take().map(|run| run.told_with(None)))
    }

    async fn relations(&self) -> Result<BTreeMap<u32, Relation>, PgError> {
        let sql = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, pg_relation_filenode(c.oid), \
                   c.reltuples::float8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_' \
                   AND n.nspname <> 'information_schema'";
        let rows = self.session.client.query(sql, &[]).await.map_err(PgError::lost(LOOKING))?;
        Ok(rows.iter().filter_map(|row| self.relation(row)).collect())
    }

    fn relation(&self, row: &Row) -> Option<(u32, Relation)> {
        let (schema, name): (String, String) = (row.get(1), row.get(2));
        let ours = [self.ledger.clone(), self.ledger.attempts()];
        if ours.iter().any(|one| one.schema == schema && one.table == name) {
            return None;
        }
        let kind = Kind::of(row.get(3))?;
        let (estimated, has_rows) = (row.get::<_, f64>(5), !matches!(kind, Kind::View | Kind::Sequence));
        let estimated = (has_rows && estimated >= 0.0).then_some(estimated as u64);
        let rows = self.counted.get(&quoted(&schema, &name)).copied().or(estimated);
        Some((row.get(0), Relation { shown: format!("{schema}.{name}"), kind, rows, filenode: row.get(4) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// Without what there is afterwards, nothing was kept.
    fn told_with(self, after: Option<&BTreeMap<u32, Relation>>) -> Rehearsed {
        let Run { before, held, told, took, .. } = self;
        let locks = held.into_iter().filter_map(|((oid, mode), (held, line))| {
            // What the file made itself nobody waits for.
            let relation = before.get(&oid)?;
            let fate = match after.map(|after| after.get(&oid)) {
                None => Fate::Stays,
                Some(None) => Fate::Dropped,
                Some(Some(now)) if now.filenode != relation.filenode => Fate::Rewritten,
                Some(Some(_)) => Fate::Stays,
            };
            let Relation { shown, kind, rows, .. } = relation;
            let (relation, kind, rows, held_ms) = (shown.clone(), *kind, *rows, millis(held));
            Some(Held { relation, kind, rows, mode, blocks: mode.blocks(), held_ms, line, fate })
        });
        Rehearsed { locks: Rehearsed::in_order(locks.collect()), took_ms: millis(took), ..told }
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
