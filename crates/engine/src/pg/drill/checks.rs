//! What is looked at in a restored copy beside its contents: indexes, sequences, and what the stack itself wants to know of it.

use mainstay_model::declared::DrillProbe;
use mainstay_model::postgres::backup::{Difference, Place};
use standing_pool::tokio_postgres::SimpleQueryMessage;

use crate::pg::PgError;
use crate::pg::session::{Session, literal};

const OURS: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Constraints that say of themselves that they were never checked, and indexes that serve nobody.
pub(super) async fn invalid(session: &Session) -> Result<Vec<String>, PgError> {
    let sql = format!(
        "SELECT format('constraint %I of %I.%I was never validated', k.conname, n.nspname, c.relname) \
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT k.convalidated AND {OURS} UNION ALL \
         SELECT format('index %I.%I is invalid', n.nspname, c.relname) FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT i.indisvalid AND {OURS} ORDER BY 1"
    );
    let rows = session.client.query(&sql, &[]).await.map_err(PgError::lost("looking at constraints"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Sequences that would give what a column has already.
pub(super) async fn behind(session: &Session) -> Result<Vec<String>, PgError> {
    let sql = format!(
        "SELECT format('%I.%I', sn.nspname, s.relname), format('%I.%I', n.nspname, c.relname), format('%I', a.attname), \
         q.seqincrement > 0 FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' \
         JOIN pg_namespace sn ON sn.oid = s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid \
         JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid \
         WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') \
         AND NOT q.seqcycle AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AND {OURS} ORDER BY 1"
    );
    let owned = session.client.query(&sql, &[]).await.map_err(PgError::lost("looking at sequences"))?;
    let mut behind = Vec::new();
    for row in owned {
        let (sequence, table, column): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (most, sign) = if row.get(3) { ("max", "<") } else { ("min", ">") };
        let sql = format!(
            "SELECT q.last_value, m.most FROM {sequence} AS q, (SELECT {most}({column})::bigint AS most FROM {table}) AS m \
             WHERE q.last_value {sign} m.most"
        );
        let found = session.client.query(&sql, &[]).await.map_err(PgError::lost("looking at sequences"))?;
        for row in found {
            let (last, most): (i64, i64) = (row.get(0), row.get(1));
            behind.push(format!("sequence {sequence} stands at {last}, and {table}.{column} has {most}"));
        }
    }
    Ok(behind)
}

/// What `amcheck` says of every B-tree; nothing where the image does not have it.
pub(super) async fn amcheck(session: &Session) -> Result<Option<Vec<Difference>>, PgError> {
    let doing = "checking the indexes";
    let has = "SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck')";
    if !session.one(has, doing).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    // The copy has been compared by now. In a schema of its own, for the user may have one of any name.
    let make =
        "CREATE SCHEMA IF NOT EXISTS mainstay_amcheck; CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA mainstay_amcheck";
    session.simple(make, doing).await?;
    let schema = "SELECT format('%I', n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
                  WHERE e.extname = 'amcheck'";
    let schema: String = session.one(schema, doing).await?.get(0);
    let sql = format!(
        "SELECT format('%I.%I', n.nspname, c.relname), c.oid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am m ON m.oid = c.relam \
         WHERE m.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence <> 't' AND i.indisvalid AND {OURS} ORDER BY 1"
    );
    let indexes = session.client.query(&sql, &[]).await.map_err(PgError::lost(doing))?;
    let mut found = Vec::new();
    for row in indexes {
        let (name, oid): (String, u32) = (row.get(0), row.get(1));
        let checked = session.client.batch_execute(&format!("SELECT {schema}.bt_index_check({oid}::regclass)")).await;
        match checked {
            Ok(()) => {}
            Err(error) => match error.as_db_error() {
                Some(told) => found.push(Difference { place: Place::Index(name), what: told.message().to_owned() }),
                None => return Err(PgError::lost(doing)(error)),
            },
        }
    }
    Ok(Some(found))
}

/// What the stack asks of every copy, each in a transaction that writes nothing.
pub(super) async fn probes(session: &Session, probes: &[DrillProbe]) -> Result<Vec<Difference>, PgError> {
    let mut found = Vec::new();
    for probe in probes {
        let place = || Place::Probe(probe.name.clone());
        let begin =
            format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {}", literal(&format!("{}s", probe.within_secs)));
        session.simple(&begin, "asking a probe").await?;
        let answer = session.client.simple_query(&probe.sql).await;
        let what = match answer {
            Ok(messages) => {
                let answer = text_of(&messages);
                (answer != probe.expect).then(|| format!("answers `{answer}`, and `{}` is expected", probe.expect))
            }
            Err(error) => match error.as_db_error() {
                Some(told) => Some(told.message().to_owned()),
                None => return Err(PgError::lost("asking a probe")(error)),
            },
        };
        session.simple("ROLLBACK", "asking a probe").await?;
        found.extend(what.map(|what| Difference { place: place(), what }));
    }
    Ok(found)
}

/// As `psql -At` writes it: columns with `|` between them, a line a row.
fn text_of(messages: &[SimpleQueryMessage]) -> String {
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let columns: Vec<&str> = (0..row.len()).map(|column| row.get(column).unwrap_or_default()).collect();
            Some(columns.join("|"))
        }
        _ => None,
    });
    rows.collect::<Vec<_>>().join("\n")
}
