//! Rows: brought beside the table, counted against it, moved in.

use futures_util::{SinkExt, StreamExt};
use standing_pool::tokio_postgres::{CopyInSink, Row};

use super::{Chosen, Counted, Tables};
use crate::pg::restore::RestoreError;
use crate::pg::session::Session;

/// Two independent sums over the rows, and how many there are.
const SUMS: &str = "count(*)::text || ' ' || coalesce(sum(hashtextextended(r, 1)), 0)::text || ' ' || \
                    coalesce(sum(hashtextextended(r, 2)), 0)::text";
/// How a value is written must not depend on who asks.
const PINS: &str = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = postgres; \
     SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = hex; SET LOCAL lc_monetary = 'C'; SET LOCAL search_path = pg_catalog";

/// The rows of the backup, beside the table, until the transaction ends.
fn beside(index: usize) -> String {
    format!("pg_temp.mainstay_rows_{index}")
}

fn list(columns: &[String], of: &str) -> String {
    columns.iter().map(|column| format!("{of}.{column}")).collect::<Vec<_>>().join(", ")
}

impl Chosen {
    /// As a statement names it that means its rows, and not those of tables that inherit from it.
    pub(super) fn its_own(&self) -> String {
        if self.is_partitioned { self.name.clone() } else { format!("ONLY {}", self.name) }
    }

    fn columns_plain(&self) -> String {
        self.columns.join(", ")
    }

    /// Whether a row of the table and one beside it have the same key.
    fn same_key(&self) -> String {
        let pair = |column: &String| format!("t.{column} = i.{column}");
        self.key.iter().map(pair).collect::<Vec<_>>().join(" AND ")
    }

    /// As text, for types that know no equality.
    fn differs(&self) -> String {
        format!("ROW({})::text IS DISTINCT FROM ROW({})::text", list(&self.columns, "t"), list(&self.columns, "i"))
    }

    fn as_texts(&self, of: &str) -> String {
        format!("SELECT ROW({})::text COLLATE \"C\" FROM {of} AS t", list(&self.columns, "t"))
    }
}

fn number(row: &Row, index: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(index)).unwrap_or_default()
}

impl Tables<'_> {
    pub(super) async fn bring_and_count(
        &self,
        live: &Session,
        index: usize,
        one: &Chosen,
    ) -> Result<Counted, RestoreError> {
        let is_here = self.is_here(live, &one.name).await?;
        if is_here {
            self.bring(live, index, one).await?;
            self.count_against(live, index, one).await
        } else {
            let of_copy = self.copy.server().open().await?;
            let sql = format!("SELECT count(*) FROM {}", one.its_own());
            let rows = number(&of_copy.one(&sql, "counting rows").await?, 0);
            Ok(self.counted_anew(one, rows))
        }
    }

    fn counted_anew(&self, one: &Chosen, rows: u64) -> Counted {
        Counted {
            table: one.name.clone(),
            is_made: true,
            rows_now: 0,
            rows_backed_up: rows,
            come_back: rows,
            go: 0,
            set_back: 0,
            digest_now: None,
        }
    }

    /// In this transaction, which may have made it a moment ago.
    async fn is_here(&self, live: &Session, name: &str) -> Result<bool, RestoreError> {
        super::exists(live, name).await
    }

    async fn bring(&self, live: &Session, index: usize, one: &Chosen) -> Result<(), RestoreError> {
        let (beside, columns) = (beside(index), one.columns_plain());
        let make = format!(
            "CREATE TEMPORARY TABLE {beside} ON COMMIT DROP AS SELECT {columns} FROM {} WITH NO DATA",
            one.its_own()
        );
        let doing = || format!("bringing the rows of {}", one.name);
        live.client.batch_execute(&make).await.map_err(RestoreError::of(doing()))?;
        let of_copy = self.copy.server().open().await?;
        let out = format!("COPY (SELECT {columns} FROM {}) TO STDOUT", one.its_own());
        let out = of_copy.client.copy_out(&out).await.map_err(RestoreError::of(doing()))?;
        let into: CopyInSink<bytes::Bytes> = live
            .client
            .copy_in(&format!("COPY {beside} ({columns}) FROM STDIN"))
            .await
            .map_err(RestoreError::of(doing()))?;
        let (mut out, mut into) = (std::pin::pin!(out), std::pin::pin!(into));
        while let Some(piece) = out.next().await {
            into.send(piece.map_err(RestoreError::of(doing()))?).await.map_err(RestoreError::of(doing()))?;
        }
        into.finish().await.map_err(RestoreError::of(doing()))?;
        live.client.batch_execute(&format!("ANALYZE {beside}")).await.map_err(RestoreError::of(doing()))
    }

    async fn count_against(&self, live: &Session, index: usize, one: &Chosen) -> Result<Counted, RestoreError> {
        let (table, beside) = (one.its_own(), beside(index));
        let sql = if one.key.is_empty() {
            let (now, then) = (one.as_texts(&table), one.as_texts(&beside));
            format!(
                "SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM {beside}), \
                 (SELECT count(*) FROM ({then} EXCEPT ALL {now}) AS a), (SELECT count(*) FROM ({now} EXCEPT ALL {then}) AS b), 0::bigint"
            )
        } else {
            format!(
                "SELECT count(t.*), count(i.*), count(*) FILTER (WHERE t.{key} IS NULL), count(*) FILTER (WHERE i.{key} IS NULL), \
                 count(*) FILTER (WHERE t.{key} IS NOT NULL AND i.{key} IS NOT NULL AND {differs}) \
                 FROM {table} AS t FULL JOIN {beside} AS i ON {same}",
                key = one.key[0],
                differs = one.differs(),
                same = one.same_key()
            )
        };
        let row = live.client.query_one(&sql, &[]).await;
        let row = row.map_err(RestoreError::of(format!("counting the rows of {}", one.name)))?;
        Ok(Counted {
            table: one.name.clone(),
            is_made: !one.is_there,
            rows_now: number(&row, 0),
            rows_backed_up: number(&row, 1),
            come_back: number(&row, 2),
            go: number(&row, 3),
            set_back: number(&row, 4),
            digest_now: if one.is_there { Some(self.digest(live, one).await?) } else { None },
        })
    }

    /// Of all rows of the table, as it is now. The transaction's own settings stay as they are.
    async fn digest(&self, live: &Session, one: &Chosen) -> Result<String, RestoreError> {
        let doing = "reading the rows";
        live.simple(&format!("SAVEPOINT looking; {PINS}"), doing).await?;
        let sql = format!("SELECT {SUMS} FROM ({} OFFSET 0) AS q(r)", one.as_texts(&one.its_own()));
        let digest = live.client.query_one(&sql, &[]).await.map_err(RestoreError::of(doing))?.get(0);
        live.simple("ROLLBACK TO SAVEPOINT looking; RELEASE SAVEPOINT looking", doing).await?;
        Ok(digest)
    }

    /// What goes, last first; then what comes back, first first. Triggers of the user keep still: they would do now what was
    /// done then.
    pub(super) async fn move_in(&self, live: &Session) -> Result<(), RestoreError> {
        for (index, one) in self.chosen.iter().enumerate().filter(|(_, one)| one.is_there) {
            self.takes_nothing_along(live, index, one).await?;
        }
        let mut triggers = Vec::new();
        for one in &self.chosen {
            triggers.extend(quiet(live, one).await?);
        }
        // One that was made a moment ago has no rows; in a publication, none could be taken out of it before it has its key.
        for (index, one) in self.chosen.iter().enumerate().rev().filter(|(_, one)| one.is_there) {
            let sql = if one.key.is_empty() {
                format!("DELETE FROM {}", one.its_own())
            } else {
                let (table, beside, same) = (one.its_own(), beside(index), one.same_key());
                format!("DELETE FROM {table} AS t WHERE NOT EXISTS (SELECT 1 FROM {beside} AS i WHERE {same})")
            };
            live.client
                .batch_execute(&sql)
                .await
                .map_err(RestoreError::of(format!("taking rows out of {}", one.name)))?;
        }
        for (index, one) in self.chosen.iter().enumerate() {
            self.come_back(live, index, one).await?;
        }
        // What was put off is done now: a table with something pending takes no change.
        live.simple("SET CONSTRAINTS ALL IMMEDIATE", "checking foreign keys").await?;
        for sql in triggers {
            live.client.batch_execute(&sql).await.map_err(RestoreError::of("waking the triggers"))?;
        }
        Ok(())
    }

    async fn come_back(&self, live: &Session, index: usize, one: &Chosen) -> Result<(), RestoreError> {
        let (table, beside, columns) = (one.its_own(), beside(index), one.columns_plain());
        let mut statements = Vec::new();
        let mut only_new = String::new();
        if !one.key.is_empty() && one.is_there {
            if !one.settable.is_empty() {
                let set: Vec<String> = one.settable.iter().map(|column| format!("{column} = i.{column}")).collect();
                statements.push(format!(
                    "UPDATE {table} AS t SET {} FROM {beside} AS i WHERE {} AND {}",
                    set.join(", "),
                    one.same_key(),
                    one.differs()
                ));
            }
            only_new = format!(" WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {})", one.same_key());
        }
        statements.push(format!(
            "INSERT INTO {} ({columns}) OVERRIDING SYSTEM VALUE SELECT {} FROM {beside} AS i{only_new}",
            one.name,
            list(&one.columns, "i")
        ));
        for sql in statements {
            let doing = format!("bringing rows back into {}", one.name);
            live.client.batch_execute(&sql).await.map_err(RestoreError::of(doing))?;
        }
        Ok(())
    }

    /// A row that goes must not take rows of other tables with it, or change them.
    async fn takes_nothing_along(&self, live: &Session, index: usize, one: &Chosen) -> Result<(), RestoreError> {
        let doing = "looking at what refers to the rows";
        let sql = "SELECT format('%I.%I', n.nspname, c.relname), k.conname::text, c.relkind = 'p', \
                   (SELECT string_agg(format('o.%I = t.%I', a.attname, f.attname), ' AND ') \
                    FROM unnest(k.conkey, k.confkey) AS u(a, f) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.a \
                    JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = u.f) \
                   FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE k.contype = 'f' AND k.confrelid = to_regclass($1) AND k.confdeltype IN ('c', 'n', 'd') \
                   AND k.conparentid = 0";
        let keys = live.client.query(sql, &[&one.name]).await.map_err(RestoreError::of(doing))?;
        for key in keys {
            let (other, constraint, same): (String, String, String) = (key.get(0), key.get(1), key.get(3));
            // A key holds for the rows of its own table, or of its partitions.
            let only = if key.get(2) { "" } else { "ONLY " };
            // One that is restored as well is put right by its own rows.
            if self.is_chosen(live, &other).await? {
                continue;
            }
            let goes = if one.key.is_empty() {
                "true".to_owned()
            } else {
                format!("NOT EXISTS (SELECT 1 FROM {} AS i WHERE {})", beside(index), one.same_key())
            };
            let sql =
                format!("SELECT count(*) FROM {only}{other} AS o JOIN {} AS t ON {same} WHERE {goes}", one.its_own());
            let row = live.client.query_one(&sql, &[]).await.map_err(RestoreError::of(doing))?;
            let rows = number(&row, 0);
            if rows > 0 {
                return Err(RestoreError::refused(format!(
                    "rows of {} that would go have {rows} rows of {other} behind them ({constraint}), which would go or change \
                     with them; nothing was changed",
                    one.name
                ))
                .hint(format!("restore both: `--table {} --table {other}`", one.name)));
            }
        }
        Ok(())
    }

    async fn is_chosen(&self, live: &Session, name: &str) -> Result<bool, RestoreError> {
        let sql = "SELECT to_regclass($1) = ANY (SELECT to_regclass(n) FROM unnest($2::text[]) AS n)";
        let row = live.client.query_one(sql, &[&name, &self.names()]).await;
        Ok(row.map_err(RestoreError::of("looking at the tables"))?.get::<_, Option<bool>>(0).unwrap_or_default())
    }

    /// Each table as a whole, and its row security, against the copy's.
    pub(super) async fn hold_against(&self, live: &Session) -> Result<(), RestoreError> {
        let of_copy = self.copy.server().open().await?;
        of_copy.simple("BEGIN READ ONLY", "comparing").await?;
        for session in [live, &of_copy] {
            session.simple(PINS, "comparing").await?;
        }
        for one in &self.chosen {
            let rows = format!("SELECT {SUMS} FROM ({} OFFSET 0) AS q(r)", one.as_texts(&one.its_own()));
            let security = format!(
                "SELECT relrowsecurity::text || ' ' || relforcerowsecurity::text || ' ' || \
                 (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid)::text FROM pg_class c WHERE c.oid = to_regclass({})",
                mainstay_model::postgres::restore::literal(&one.name)
            );
            for (sql, what) in
                [(rows, "its rows are others than in the backup"), (security, "its row security would differ")]
            {
                let now: String = live.one(&sql, "comparing").await?.get(0);
                let then: String = of_copy.one(&sql, "comparing").await?.get(0);
                if now != then {
                    return Err(RestoreError::refused(format!("{}: {what}; nothing was changed", one.name))
                        .because([format!("now {now}, in the backup {then}")]));
                }
            }
        }
        Ok(())
    }
}

/// Stills the triggers that a user made; gives the statements that set each back to what it was.
async fn quiet(live: &Session, one: &Chosen) -> Result<Vec<String>, RestoreError> {
    let sql = "SELECT format('%I', tgname), tgenabled::text FROM pg_trigger WHERE tgrelid = to_regclass($1) AND NOT tgisinternal \
               AND tgenabled <> 'D' ORDER BY 1";
    let rows = live.client.query(sql, &[&one.name]).await.map_err(RestoreError::of("reading the triggers"))?;
    let mut back = Vec::new();
    for row in rows {
        let (name, enabled): (String, String) = (row.get(0), row.get(1));
        let how = match enabled.as_str() {
            "R" => "ENABLE REPLICA TRIGGER",
            "A" => "ENABLE ALWAYS TRIGGER",
            _ => "ENABLE TRIGGER",
        };
        let still = format!("ALTER TABLE {} DISABLE TRIGGER {name}", one.its_own());
        live.client.batch_execute(&still).await.map_err(RestoreError::of("stilling the triggers"))?;
        back.push(format!("ALTER TABLE {} {how} {name}", one.its_own()));
    }
    Ok(back)
}
