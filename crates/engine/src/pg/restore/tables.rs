//! Selected tables: their rows, and where a table is gone, the table with everything that is its own, moved out of a restored copy
//! into the database that lives, in one transaction.

mod order;
mod rows;

use std::collections::BTreeMap;

use mainstay_model::postgres::restore::{ident, literal};

use standing_pool::tokio_postgres::error::SqlState;

use super::error::RestoreError;
use super::shape::{self, Section};
use super::whole::APPLICATION;
use crate::pg::backup::Source;
use crate::pg::drill::RestoredCopy;
use crate::pg::session::Session;

/// How long the transaction waits for the lock of a table.
const LOCK_WITHIN: &str = "15s";

/// Some tables of one copy.
pub struct Tables<'t> {
    source: &'t Source,
    copy: &'t RestoredCopy,
    chosen: Vec<Chosen>,
}

/// One table.
#[derive(Clone, Debug)]
struct Chosen {
    /// In quotes, with its schema.
    name: String,
    /// It has no rows of its own: those of its partitions are its.
    is_partitioned: bool,
    /// Whether it is there in the database that lives.
    is_there: bool,
    columns: Vec<String>,
    /// Those of the key; empty without one.
    key: Vec<String>,
    /// Those that may be given another value.
    settable: Vec<String>,
}

/// What a restore of one table does to its rows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Counted {
    pub table: String,
    /// It is not there, and is made anew with all that is its own.
    pub is_made: bool,
    pub rows_now: u64,
    pub rows_backed_up: u64,
    /// In the backup and not there now: they come back.
    pub come_back: u64,
    /// There now and not in the backup: they go.
    pub go: u64,
    /// There in both, with other values: they are set back.
    pub set_back: u64,
    /// Of the rows that are there now: consent is to these. None where there is no table.
    pub digest_now: Option<String>,
}

impl<'t> Tables<'t> {
    /// Finds the tables by their names, in the copy and in the database that lives, and looks whether one can take the rows of the
    /// other.
    ///
    /// # Errors
    /// When a table is not in the backup, or is another one now: in its columns, its policies, its row security, its grants.
    pub async fn find(
        source: &'t Source,
        copy: &'t RestoredCopy,
        names: &[String],
    ) -> Result<Tables<'t>, RestoreError> {
        let of_copy = copy.server().open().await?;
        let live = source.server.called(APPLICATION).open().await?;
        let mut chosen: Vec<Chosen> = Vec::new();
        for told in names {
            let name = resolve(&of_copy, told).await?;
            if chosen.iter().any(|one| one.name == name) {
                continue;
            }
            let is_there = exists(&live, &name).await?;
            chosen.push(described(&of_copy, name, is_there).await?);
        }
        let tables = Tables { source, copy, chosen };
        for one in tables.chosen.iter().filter(|one| one.is_there) {
            tables.is_the_same(one).await?;
        }
        let order = order::by_references(&of_copy, &tables.names()).await?;
        let mut by_name: BTreeMap<String, Chosen> =
            tables.chosen.into_iter().map(|one| (one.name.clone(), one)).collect();
        let chosen = order.into_iter().filter_map(|name| by_name.remove(&name)).collect();
        Ok(Tables { source, copy, chosen })
    }

    /// The names, each before those that refer to it once they were found.
    pub fn names(&self) -> Vec<String> {
        self.chosen.iter().map(|one| one.name.clone()).collect()
    }

    async fn is_the_same(&self, one: &Chosen) -> Result<(), RestoreError> {
        let names = [one.name.clone()];
        let live = shape::of(&self.source.tools, &names, Section::All).await?;
        let backed_up = shape::of(self.copy.tools(), &names, Section::All).await?;
        let difference = shape::difference(&live, &backed_up);
        if difference.is_empty() {
            return Ok(());
        }
        let is_security = |line: &String| line.contains("ROW LEVEL SECURITY") || line.contains("POLICY");
        let what = if difference.iter().any(is_security) {
            "its row security would differ"
        } else {
            "it is made otherwise now"
        };
        let refused = RestoreError::refused(format!(
            "{} cannot take the rows of the backup: {what}; nothing was changed",
            one.name
        ));
        Err(refused
            .because(difference)
            .hint(format!("move it out of the way, and it is made as it was: ALTER TABLE {} RENAME TO …", one.name))
            .hint("or restore the whole backup beside it, and take what you want: `mainstay db restore --into NAME`"))
    }

    /// What it would do. Nothing is changed.
    ///
    /// # Errors
    /// When the rows cannot be compared, or one that goes would take rows of another table with it.
    pub async fn count(&self) -> Result<Vec<Counted>, RestoreError> {
        let live = self.begin().await?;
        let counted = async {
            let mut all = Vec::new();
            for (index, one) in self.chosen.iter().enumerate() {
                all.push(self.bring_and_count(&live, index, one).await?);
            }
            Ok(all)
        };
        let counted = counted.await;
        let _ = live.client.batch_execute("ROLLBACK").await;
        counted
    }

    /// Does it, when it would still do what was counted.
    ///
    /// # Errors
    /// When the rows have changed since they were counted, or anything fails: then nothing was changed.
    pub async fn restore(&self, agreed: &[Counted], told: &mut (dyn FnMut(String) + Send)) -> Result<(), RestoreError> {
        let live = self.begin().await?;
        let done = self.within(&live, agreed, told).await;
        match done {
            Ok(()) => live.simple("COMMIT", "committing the restore").await.map_err(Into::into),
            Err(error) => {
                let _ = live.client.batch_execute("ROLLBACK").await;
                Err(error)
            }
        }
    }

    async fn begin(&self) -> Result<Session, RestoreError> {
        let live = self.source.server.called(APPLICATION).open().await?;
        // With row security off, a statement that it would have filtered is refused.
        let begin = format!(
            "BEGIN; SET LOCAL row_security = off; SET LOCAL lock_timeout = {}; SET LOCAL search_path = pg_catalog",
            literal(LOCK_WITHIN)
        );
        live.simple(&begin, "beginning the restore").await?;
        Ok(live)
    }

    async fn within(
        &self,
        live: &Session,
        agreed: &[Counted],
        told: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), RestoreError> {
        let made: Vec<String> = self.chosen.iter().filter(|one| !one.is_there).map(|one| one.name.clone()).collect();
        if !made.is_empty() {
            told(format!("making {}", made.join(", ")));
            let sql = shape::of(self.copy.tools(), &made, Section::Before).await?;
            live.client.batch_execute(&sql).await.map_err(RestoreError::of(format!("making {}", made.join(", "))))?;
            live.simple("SET LOCAL search_path = pg_catalog; SET LOCAL row_security = off", "making tables").await?;
        }
        let existing: Vec<String> = self.chosen.iter().filter(|one| one.is_there).map(Chosen::its_own).collect();
        if !existing.is_empty() {
            let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", existing.join(", "));
            if let Err(error) = live.client.batch_execute(&lock).await {
                let is_late = error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
                let refused = RestoreError::of("locking the tables")(error);
                return Err(if is_late { self.who_locks().await.unwrap_or(refused) } else { refused });
            }
        }
        let mut counted = Vec::new();
        for (index, one) in self.chosen.iter().enumerate() {
            told(format!("bringing the rows of {}", one.name));
            counted.push(self.bring_and_count(live, index, one).await?);
        }
        if counted != agreed {
            return Err(RestoreError::refused("rows were written since they were counted; nothing was changed")
                .hint("run it again: it counts anew, and asks anew"));
        }
        self.move_in(live).await?;
        if !made.is_empty() {
            told(format!("making keys, indexes, triggers and policies of {}", made.join(", ")));
            let sql = shape::of(self.copy.tools(), &made, Section::After).await?;
            live.client.batch_execute(&sql).await.map_err(RestoreError::of("making what belongs to the tables"))?;
            live.simple("SET LOCAL search_path = pg_catalog; SET LOCAL row_security = off", "making tables").await?;
            self.refer_again(live, &made).await?;
        }
        self.set_sequences(live).await?;
        told("comparing".into());
        self.hold_against(live).await
    }

    /// Who holds locks on the tables that this one waited for; none when they are gone by now.
    async fn who_locks(&self) -> Option<RestoreError> {
        let session = self.source.server.called(APPLICATION).open().await.ok()?;
        let names: Vec<String> = self.chosen.iter().filter(|one| one.is_there).map(|one| one.name.clone()).collect();
        let sql = "SELECT DISTINCT a.pid, format('pid %s (`%s`, role %s), %s, holds %s of %s since %s s, last: %s', a.pid, \
                   a.application_name, a.usename, coalesce(a.state, 'of which this role may see no more'), l.mode, \
                   l.relation::regclass, coalesce(extract(epoch FROM now() - a.xact_start)::bigint, 0), \
                   coalesce(left(regexp_replace(a.query, '\\s+', ' ', 'g'), 80), '')) \
                   FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
                   WHERE l.granted AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = \
                   current_database()) AND l.relation = ANY (SELECT to_regclass(n) FROM unnest($1::text[]) AS n) \
                   AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') ORDER BY 1";
        let rows = session.client.query(sql, &[&names]).await.ok()?;
        let pid: i32 = rows.first()?.get(0);
        let refused = RestoreError::refused(format!(
            "the tables could not be locked within {LOCK_WITHIN}: somebody is writing to them; nothing was changed"
        ));
        let holders = rows.iter().map(|row| row.get::<_, String>(1));
        let end = format!("or end the transaction that holds it: SELECT pg_terminate_backend({pid}); in the database");
        Some(refused.because(holders).hint("run it again when that has ended").hint(end))
    }

    /// Foreign keys of tables that live toward those that were made, which went with them.
    async fn refer_again(&self, live: &Session, made: &[String]) -> Result<(), RestoreError> {
        let of_copy = self.copy.server().open().await?;
        // Definitions name what is in the path without its schema.
        of_copy.simple("SET search_path = pg_catalog", "reading foreign keys").await?;
        for name in made {
            let sql = "SELECT format('%I.%I', n.nspname, c.relname), k.conname::text, pg_get_constraintdef(k.oid) \
                       FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
                       WHERE k.contype = 'f' AND k.confrelid = to_regclass($1) AND k.conrelid <> k.confrelid AND k.conparentid = 0";
            let rows = of_copy.client.query(sql, &[name]).await.map_err(RestoreError::of("reading foreign keys"))?;
            for row in rows {
                let (table, constraint, definition): (String, String, String) = (row.get(0), row.get(1), row.get(2));
                let sql = "SELECT to_regclass($1) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_constraint \
                           WHERE conrelid = to_regclass($1) AND conname = $2)";
                let missing = live.client.query_one(sql, &[&table, &constraint]).await;
                if missing.map_err(RestoreError::of("reading foreign keys"))?.get(0) {
                    let sql = format!("ALTER TABLE {table} ADD CONSTRAINT {} {definition}", ident(&constraint));
                    let doing = format!("making the foreign key {constraint} of {table} anew");
                    live.client.batch_execute(&sql).await.map_err(RestoreError::of(doing))?;
                }
            }
        }
        Ok(())
    }

    /// A sequence that a table owns is nowhere behind what it was.
    async fn set_sequences(&self, live: &Session) -> Result<(), RestoreError> {
        let of_copy = self.copy.server().open().await?;
        for one in &self.chosen {
            let sql = "SELECT format('%I.%I', n.nspname, s.relname), q.seqincrement > 0 FROM pg_depend d \
                       JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace \
                       JOIN pg_sequence q ON q.seqrelid = s.oid \
                       WHERE d.refobjid = to_regclass($1) AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')";
            let doing = "setting sequences";
            let rows = of_copy.client.query(sql, &[&one.name]).await.map_err(RestoreError::of(doing))?;
            for row in rows {
                let (name, rises): (String, bool) = (row.get(0), row.get(1));
                let sql = format!("SELECT last_value, is_called FROM {name}");
                let there = of_copy.one(&sql, doing).await?;
                let (last, called): (i64, bool) = (there.get(0), there.get(1));
                let sign = if rises { "<" } else { ">" };
                let sql = format!(
                    "SELECT setval({}, {last}, {called}) FROM {name} WHERE last_value {sign} {last} OR (last_value = {last} AND NOT \
                     is_called AND {called})",
                    literal(&name)
                );
                live.client.batch_execute(&sql).await.map_err(RestoreError::of(doing))?;
            }
        }
        Ok(())
    }
}

/// A table of the copy, by a name as SQL reads it.
async fn resolve(session: &Session, told: &str) -> Result<String, RestoreError> {
    let sql = "SELECT quote_ident(n.nspname), quote_ident(c.relname), c.relkind::text, n.nspname::text, c.relname::text FROM pg_class c \
               JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";
    let found = session.client.query_opt(sql, &[&told]).await;
    // A text that is no name at all is an error there.
    match found.ok().flatten() {
        Some(row) if matches!(row.get::<_, &str>(2), "r" | "p") => {
            Ok(mainstay_model::postgres::backup::quoted(row.get(3), row.get(4)))
        }
        Some(row) => {
            Err(RestoreError::refused(format!("{}.{} is no table", row.get::<_, &str>(0), row.get::<_, &str>(1)))
                .hint("views are made of their tables: restore those"))
        }
        None => Err(RestoreError::refused(format!("the backup has no table `{told}`")).hint(
            "name it with its schema, as SQL does: `--table public.guests`, `--table '\"we ird\".\"tab\"\"le\"'`",
        )),
    }
}

async fn exists(session: &Session, name: &str) -> Result<bool, RestoreError> {
    let row = session.client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await;
    Ok(row.map_err(RestoreError::of("looking at the table"))?.get(0))
}

async fn described(session: &Session, name: String, is_there: bool) -> Result<Chosen, RestoreError> {
    let sql = "SELECT quote_ident(a.attname), a.attidentity = 'a', coalesce(a.attnum = ANY (i.indkey), false) FROM pg_attribute a \
               LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary \
               WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
               ORDER BY a.attnum";
    let rows = session.client.query(sql, &[&name]).await.map_err(RestoreError::of("reading the table's columns"))?;
    let sql = "SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass($1)";
    let kind = session.client.query_one(sql, &[&name]).await.map_err(RestoreError::of("looking at the table"))?;
    let is_partitioned = kind.get(0);
    let (mut columns, mut key, mut settable) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let (column, is_always, is_key): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
        if is_key {
            key.push(column.clone());
        } else if !is_always {
            settable.push(column.clone());
        }
        columns.push(column);
    }
    Ok(Chosen { name, is_partitioned, is_there, columns, key, settable })
}
