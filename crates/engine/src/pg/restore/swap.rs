//! One database takes the name of another, which is kept under a third.

use std::time::{Duration, Instant};

use mainstay_model::postgres::restore::{ident, literal};
use standing_pool::tokio_postgres::error::SqlState;

use super::error::RestoreError;
use super::guard::Guard;
use super::whole::{administration, unmark};
use crate::pg::session::{Server, Session};

/// Postgres waits so long for sessions to go before it refuses a rename.
const TRIES: usize = 10;
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Between the name and the time.
const KEPT: &str = "_before_restore_";
/// No name may be longer.
const NAME_BYTES: usize = 63;

/// Both renames, or none: they are one transaction. Nothing in between is ever seen, also when the process is killed.
#[derive(Clone, Debug)]
pub struct Swap<'s> {
    pub server: &'s Server,
    /// The name that is taken.
    pub live: &'s str,
    /// The database that takes it.
    pub new: &'s str,
    /// The name under which the one before it is kept.
    pub kept: &'s str,
    /// Whether that database was restored just now, and is marked as half done until it has the name.
    pub is_marked: bool,
    /// How long transactions that are under way may go on.
    pub patience: Duration,
}

impl Swap<'_> {
    /// Waits for transactions, ends the sessions, and renames. What keeps others away from the database goes last: whoever
    /// waits for it comes to the one that has the name then.
    ///
    /// # Errors
    /// When sessions cannot be ended, or the role may not rename: then nothing was changed.
    pub async fn run(&self, guard: Guard, told: &mut (dyn FnMut(String) + Send)) -> Result<(), RestoreError> {
        let admin = administration(self.server, self.live);
        let (renaming, ending) = (admin.open().await?, admin.open().await?);
        self.wait(&ending, told).await?;
        guard.must_hold().await?;
        told("ending the sessions and renaming".into());
        let guard_pid = guard.pid();
        let mut guard = Some(guard);
        for tried in 1..=TRIES {
            match self.rename(&renaming, &ending, &mut guard).await {
                Ok(()) => return Ok(()),
                // Without the guard somebody may have been at the database since.
                Err(error) if tried < TRIES && guard.is_some() && error.code() == Some(&SqlState::OBJECT_IN_USE) => {}
                Err(error) => {
                    let refused = RestoreError::of(format!("renaming `{}`", self.live))(error);
                    return Err(self.who_stays(&ending, guard_pid, refused).await);
                }
            }
        }
        Ok(())
    }

    /// Until no transaction is under way, or the patience is over.
    async fn wait(&self, session: &Session, told: &mut (dyn FnMut(String) + Send)) -> Result<(), RestoreError> {
        let began = Instant::now();
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = {} AND backend_type = 'client backend' AND state <> 'idle'",
            literal(self.live)
        );
        let mut last = 0;
        while began.elapsed() < self.patience {
            let busy: i64 = session.one(&sql, "looking at the sessions").await?.get(0);
            if busy == 0 {
                return Ok(());
            }
            if busy != last {
                told(format!("waiting for {busy} transactions to end"));
                last = busy;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn rename(
        &self,
        renaming: &Session,
        ending: &Session,
        guard: &mut Option<Guard>,
    ) -> Result<(), standing_pool::tokio_postgres::Error> {
        let (live, new, kept) = (ident(self.live), ident(self.new), ident(self.kept));
        let unmark = if self.is_marked { unmark(self.live) + ";" } else { String::new() };
        let sql = format!(
            "BEGIN; ALTER DATABASE {live} RENAME TO {kept}; ALTER DATABASE {new} RENAME TO {live}; {unmark} COMMIT"
        );
        let renaming_pid = renaming.pid().await.unwrap_or_default();
        let mut renamed = std::pin::pin!(renaming.client.batch_execute(&sql));
        loop {
            tokio::select! {
                renamed = &mut renamed => {
                    if renamed.is_err() {
                        let _ = renaming.client.batch_execute("ROLLBACK").await;
                    }
                    return renamed;
                }
                () = tokio::time::sleep(LOOK_EVERY) => {
                    // A role may not end the sessions of one that is more: then the rename says who stays.
                    if self.end(ending, renaming_pid, guard.as_ref()).await == Some(0) {
                        *guard = None;
                    }
                }
            }
        }
    }

    /// Ends the sessions of both databases but the guard's. The rename holds the database's lock while it waits for them to
    /// go, so none comes after those that are ended now. Gives how many there were, once it holds that.
    async fn end(&self, ending: &Session, renaming_pid: i32, guard: Option<&Guard>) -> Option<i64> {
        let guard = guard.map_or(0, Guard::pid);
        let others = format!(
            "FROM pg_stat_activity WHERE datname IN ({}, {}) AND pid NOT IN (pg_backend_pid(), {guard}) \
             AND backend_type IS DISTINCT FROM 'autovacuum worker'",
            literal(self.live),
            literal(self.new)
        );
        let count = format!(
            "SELECT (SELECT count(*) {others}) WHERE EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = {renaming_pid} AND l.granted \
             AND l.locktype = 'object' AND l.classid = 'pg_database'::regclass AND l.mode = 'AccessExclusiveLock' \
             AND l.objid = (SELECT oid FROM pg_database WHERE datname = {}))",
            literal(self.live)
        );
        let there = ending.client.query_opt(&count, &[]).await.ok().flatten().map(|row| row.get(0));
        let _ = ending.client.batch_execute(&format!("SELECT pg_terminate_backend(pid) {others}")).await;
        there
    }

    async fn who_stays(&self, session: &Session, guard: i32, refused: RestoreError) -> RestoreError {
        let sql = format!(
            "SELECT format('pid %s: %s as %s, %s', pid, application_name, usename, state) FROM pg_stat_activity \
             WHERE datname = {} AND pid <> {guard}",
            literal(self.live)
        );
        let rows = session.client.query(&sql, &[]).await.unwrap_or_default();
        let (words, stay) = match refused {
            RestoreError::Tool { words, .. } if !rows.is_empty() => (words, rows),
            other => return other,
        };
        RestoreError::refused(format!("`{}` could not be renamed: {words}", self.live))
            .because(stay.iter().map(|row| row.get::<_, String>(0)))
            .hint("end these sessions, then run it again; the role needs pg_signal_backend to end those of others")
    }
}

/// The name under which a database is kept that another takes the place of.
pub fn kept_name(live: &str, digits: &str) -> String {
    let mut room = NAME_BYTES.saturating_sub(KEPT.len() + digits.len()).min(live.len());
    while !live.is_char_boundary(room) {
        room -= 1;
    }
    format!("{}{KEPT}{digits}", &live[..room])
}

/// The databases that were kept when another took the name, the newest first.
///
/// # Errors
/// When the server cannot be asked.
pub async fn kept_before(server: &Server, live: &str) -> Result<Vec<String>, RestoreError> {
    let session = administration(server, live).open().await?;
    let rows = session
        .client
        .query(
            "SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1) ORDER BY 1 DESC",
            &[&kept_name(live, "")],
        )
        .await
        .map_err(RestoreError::of("looking at the databases"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_name_is_no_longer_than_names_may_be() {
        assert_eq!(kept_name("crm", "20261126_030000"), "crm_before_restore_20261126_030000");
        let long = kept_name(&"ä".repeat(40), "20261126_030000");
        assert!(long.len() <= NAME_BYTES && long.ends_with("ä_before_restore_20261126_030000"), "{long}");
    }
}
