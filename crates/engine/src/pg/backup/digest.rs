//! The rows of tables, and large objects, as sums that do not depend on the order in which they lie.

use std::collections::BTreeMap;

use mainstay_model::postgres::backup::{LargeObjects, RowsAs, Table, TableDigest, TableKind, quoted};
use standing_pool::tokio_postgres::Row;

use super::contents::unsigned;
use super::error::BackupError;
use super::snapshot::Snapshot;

/// Of a row as text. The fence keeps the text from being made twice.
const OF_TEXT: &str = "count(*), coalesce(sum(hashtextextended(r, 1)), 0)::text || '-' || \
                       coalesce(sum(hashtextextended(r, 2)), 0)::text";
/// Of the hash of a row's values: sums of hashes of it, since how it is made of theirs is no good for sums.
const OF_HASH: &str = "count(*), coalesce(sum(hashint8extended(r, 1)), 0)::text || '-' || \
                       coalesce(sum(hashint8extended(r, 2)), 0)::text";
/// Types whose values are hashed as they lie: two that are written differently are not equal for the hash.
const HASHED: &str = "'{int2,int4,int8,oid,bool,date,time,timestamp,timestamptz,uuid,bytea}'";
/// Those too, byte by byte under the collation C.
const HASHED_TEXTS: &str = "'{text,varchar}'";
/// Types whose text is shorter made alone than as a part of a row's, and says everything. (Equal for the hash are `1.0` and `1.00`.)
const WRITTEN: &str = "'{numeric,json,jsonb,float4,float8,interval}'";
/// Of a large object, at a time.
const PIECE_BYTES: i32 = 1 << 20;

impl Snapshot {
    pub(super) async fn tables(
        &self,
        rows_as: RowsAs,
        mut told: impl FnMut(usize, usize),
    ) -> Result<BTreeMap<String, Table>, BackupError> {
        let sql = "SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity, \
                   e.extname::text, array_position(e.extconfig, c.oid) IS NOT NULL, \
                   e.extcondition[array_position(e.extconfig, c.oid)], c.relispopulated FROM pg_class c \
                   JOIN pg_namespace n ON n.oid = c.relnamespace \
                   LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' \
                     AND d.refclassid = 'pg_extension'::regclass \
                   LEFT JOIN pg_extension e ON e.oid = d.refobjid \
                   WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
                   AND n.nspname <> 'information_schema' ORDER BY 1, 2";
        let rows = self.rows(sql, "reading the tables").await?;
        let values = match rows_as {
            RowsAs::Text => BTreeMap::new(),
            RowsAs::Values => self.values().await?,
        };
        let mut tables = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            told(index, rows.len());
            let name = quoted(row.get(0), row.get(1));
            let kind = match row.get::<_, &str>(2) {
                "p" => TableKind::Partitioned,
                "m" => TableKind::MaterializedView,
                "f" => TableKind::Foreign,
                _ => TableKind::Table,
            };
            let extension: Option<String> = row.get(5);
            let is_dumped = extension.is_none() || row.get::<_, bool>(6);
            let digest = match kind {
                TableKind::Table if is_dumped => {
                    // As the extension wrote it, and as `pg_dump` hands it on.
                    let condition: Option<String> = row.get(7);
                    let condition = condition.as_deref().unwrap_or_default();
                    Some(self.digest(&name, values.get(&name).map(String::as_str), condition).await?)
                }
                TableKind::MaterializedView if row.get::<_, bool>(8) => {
                    Some(self.digest(&name, values.get(&name).map(String::as_str), "").await?)
                }
                _ => None,
            };
            let (row_security, row_security_forced) = (row.get(3), row.get(4));
            tables.insert(name, Table { kind, row_security, row_security_forced, extension, digest });
        }
        told(rows.len(), rows.len());
        Ok(tables)
    }

    /// What of its rows is hashed, by table: `ROW(t.id, t.name COLLATE "C", ROW(t.extra)::text COLLATE "C")`. Of a table
    /// without columns nothing.
    async fn values(&self) -> Result<BTreeMap<String, String>, BackupError> {
        let sql = format!(
            "SELECT n.nspname::text, c.relname::text, concat_ws(', ', string_agg(format(CASE \
             WHEN a.atttypid = ANY ({HASHED}::regtype[]) THEN 't.%I' \
             WHEN a.atttypid = ANY ({HASHED_TEXTS}::regtype[]) THEN 't.%I COLLATE \"C\"' \
             ELSE 't.%I::text COLLATE \"C\"' END, a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE k.is_known), \
             'ROW(' || string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE NOT k.is_known) \
             || ')::text COLLATE \"C\"') FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace, \
             LATERAL (SELECT a.atttypid = ANY ({HASHED}::regtype[] || {HASHED_TEXTS}::regtype[] || {WRITTEN}::regtype[]) \
               AS is_known) AS k \
             WHERE c.relkind IN ('r', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname !~ '^pg_' \
             AND n.nspname <> 'information_schema' GROUP BY 1, 2"
        );
        let rows = self.rows(&sql, "reading the columns").await?;
        let named = |row: &Row| (quoted(row.get(0), row.get(1)), format!("ROW({})", row.get::<_, &str>(2)));
        Ok(rows.iter().map(named).collect())
    }

    /// Of the rows' `values`, or of the rows as text: `(t.*)` is the whole row also where a column is called `t`.
    async fn digest(&self, name: &str, values: Option<&str>, condition: &str) -> Result<TableDigest, BackupError> {
        let (sums, of) = match values {
            Some(values) => (OF_HASH, format!("hash_record_extended({values}, 1)")),
            None => (OF_TEXT, "(t.*)::text COLLATE \"C\"".to_owned()),
        };
        let sql = format!("SELECT {sums} FROM (SELECT {of} AS r FROM ONLY {name} AS t {condition} OFFSET 0) AS q");
        let row = self.row(&sql, &format!("reading table {name}")).await?;
        Ok(TableDigest { rows: unsigned(row.get(0)), sums: row.get(1) })
    }

    /// Read as the objects that they are, not as pages: a restore fills holes.
    pub(super) async fn large_objects(&self) -> Result<LargeObjects, BackupError> {
        let doing = "reading the large objects";
        let mut found = LargeObjects::default();
        let mut sums = (0_i128, 0_i128);
        let mut offset: i64 = 0;
        let mut of = "SELECT oid FROM pg_largeobject_metadata".to_owned();
        loop {
            let sql = format!(
                "SELECT count(*), coalesce(sum(length(d)), 0)::bigint, coalesce(sum(hashtextextended(k, 1)), 0)::text, \
                 coalesce(sum(hashtextextended(k, 2)), 0)::text, \
                 coalesce(array_agg(oid) FILTER (WHERE length(d) = {PIECE_BYTES}), '{{}}') FROM \
                 (SELECT m.oid, d, oid || ':{offset}:' || encode(sha256(d), 'hex') COLLATE \"C\" AS k FROM ({of}) AS m, \
                 LATERAL (SELECT lo_get(m.oid, {offset}, {PIECE_BYTES}) AS d OFFSET 0) AS p OFFSET 0) AS q"
            );
            let row = self.row(&sql, doing).await?;
            if offset == 0 {
                found.count = unsigned(row.get(0));
            }
            found.bytes += unsigned(row.get(1));
            let sum = |text: &str| text.parse::<i128>().unwrap_or_default();
            sums = (sums.0 + sum(row.get(2)), sums.1 + sum(row.get(3)));
            let longer: Vec<u32> = row.get(4);
            if longer.is_empty() {
                break;
            }
            let ids: Vec<String> = longer.iter().map(ToString::to_string).collect();
            of = format!("SELECT unnest(ARRAY[{}]::oid[]) AS oid", ids.join(","));
            offset += i64::from(PIECE_BYTES);
        }
        found.sums = format!("{}-{}", sums.0, sums.1);
        Ok(found)
    }
}
