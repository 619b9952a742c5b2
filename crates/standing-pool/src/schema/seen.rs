//! What the catalogue says of the names that are expected.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokio_postgres::Row;

/// `$1`: names of relations, `$2`: of enums, `$3`: privileges, `$4`: the ledger. One row a thing, as JSON. Whatever schema
/// comes first in the path, the catalogue's own functions answer.
pub(super) const QUESTION: &str = r#"
SELECT 'relation', pg_catalog.json_build_object(
    'schema', n.nspname, 'name', c.relname, 'visible', pg_catalog.pg_table_is_visible(c.oid),
    'row_security', c.relrowsecurity,
    'privileges', (SELECT pg_catalog.array_to_json(pg_catalog.array_agg(p))
        FROM pg_catalog.unnest($3::pg_catalog.text[]) AS p
        WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, p)),
    'columns', (SELECT pg_catalog.json_object_agg(a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
        FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid
        AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped),
    'indexes', (SELECT pg_catalog.json_object_agg(x.relname, i.indisvalid) FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class x ON x.oid OPERATOR(pg_catalog.=) i.indexrelid
        WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid))::pg_catalog.text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[]) AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::"char"[])
UNION ALL
SELECT 'enum', pg_catalog.json_build_object('schema', n.nspname, 'name', t.typname, 'labels',
    (SELECT pg_catalog.array_to_json(pg_catalog.array_agg(e.enumlabel)) FROM pg_catalog.pg_enum e
     WHERE e.enumtypid OPERATOR(pg_catalog.=) t.oid))::pg_catalog.text
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
WHERE t.typname OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.name[]) AND t.typtype OPERATOR(pg_catalog.=) 'e'::"char"
UNION ALL
SELECT 'ledger', ''
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE pg_catalog.concat(n.nspname, '.', c.relname) OPERATOR(pg_catalog.=) $4::pg_catalog.text
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')"#;

/// What is there of what is expected.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub relations: BTreeMap<(String, String), SeenRelation>,
    pub enums: BTreeMap<(String, String), BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SeenRelation {
    schema: String,
    name: String,
    /// A name without a schema leads to it.
    pub visible: bool,
    pub row_security: bool,
    #[serde(default)]
    pub privileges: Option<Vec<String>>,
    #[serde(default)]
    pub columns: Option<BTreeMap<String, String>>,
    /// And whether each can be used.
    #[serde(default)]
    pub indexes: Option<BTreeMap<String, bool>>,
}

#[derive(Deserialize)]
struct SeenEnum {
    schema: String,
    name: String,
    #[serde(default)]
    labels: Option<BTreeSet<String>>,
}

pub(super) fn read(rows: &[Row]) -> Seen {
    let mut seen = Seen::default();
    for row in rows {
        let (kind, text): (&str, &str) = (row.get(0), row.get(1));
        match kind {
            "relation" => {
                if let Ok(relation) = serde_json::from_str::<SeenRelation>(text) {
                    seen.relations.insert((relation.schema.clone(), relation.name.clone()), relation);
                }
            }
            "enum" => {
                if let Ok(one) = serde_json::from_str::<SeenEnum>(text) {
                    seen.enums.insert((one.schema, one.name), one.labels.unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    seen
}

/// Whether there is a ledger that may be read.
pub(super) fn has_ledger(rows: &[Row]) -> bool {
    rows.iter().any(|row| row.get::<_, &str>(0) == "ledger")
}
