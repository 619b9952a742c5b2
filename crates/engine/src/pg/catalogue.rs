//! The questions to the catalogue. Each answers with the same five columns: kind, schema, part of what, name, facts.
//!
//! `information_schema` is never asked: it hides what the role may do nothing with, so that `missing` and `not allowed`
//! would look alike. What extensions bring, dropped columns and temporary tables are left out.

/// Tables that somebody rebuilds now: their definitions would be waited for.
pub(super) const LOCKED: &str = "SELECT coalesce(array_agg(DISTINCT l.relation), '{}') FROM pg_locks l \
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid() \
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// One question, and what is given to it.
pub(super) enum Query {
    Plain(String),
    /// `$1`: the numbers of tables that are locked.
    WithLocks(String),
    /// `$1`, and `$2`: the role whose privileges are told.
    OfRole(String),
}

/// Schemas of people.
const SCHEMAS: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
const NO: &str = "NULL::text";

/// Whether something belongs to an extension.
fn own(class: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{class}'::regclass AND e.objid = {oid} AND e.deptype = 'e')"
    )
}

/// A flag is there with `true`, or not at all.
fn flag(condition: &str) -> String {
    format!("CASE WHEN {condition} THEN 'true' END")
}

fn facts(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("'{name}', ({value})::text")).collect();
    format!("json_build_object({})::text", pairs.join(", "))
}

/// Unless the table that it belongs to is locked.
fn unlocked(table: &str, value: &str) -> String {
    format!("CASE WHEN {table} = ANY ($1) THEN NULL ELSE {value} END")
}

/// All of them, for a server of this version (`150004`).
pub(super) fn queries(version: i32) -> Vec<Query> {
    vec![
        schemas(),
        extensions(),
        relations(),
        columns(version),
        constraints(),
        indexes(),
        triggers(),
        policies(),
        rules(),
        types(),
        functions(version),
        relation_grants(),
        column_grants(),
        other_grants(),
    ]
}

fn schemas() -> Query {
    Query::Plain(format!(
        "SELECT 'schema', n.nspname::text, {NO}, n.nspname::text, {} FROM pg_namespace n WHERE {SCHEMAS} AND {}",
        facts(&[("owner", "pg_get_userbyid(n.nspowner)")]),
        own("pg_namespace", "n.oid")
    ))
}

fn extensions() -> Query {
    Query::Plain(format!(
        "SELECT 'extension', ''::text, {NO}, e.extname::text, {} FROM pg_extension e",
        facts(&[("version", "e.extversion")])
    ))
}

fn relations() -> Query {
    let depends_on_locked = "EXISTS (SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass \
         AND d.objid = w.oid WHERE w.ev_class = c.oid AND d.refobjid = ANY ($1))";
    let view = format!(
        "CASE WHEN c.relkind NOT IN ('v', 'm') OR c.oid = ANY ($1) OR {depends_on_locked} THEN NULL \
         ELSE pg_get_viewdef(c.oid) END"
    );
    let option = "(SELECT lower(o.option_value) FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'security_invoker')";
    let parent = "(SELECT p.relnamespace::regnamespace || '.' || p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent \
         WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1)";
    let sequence = "(SELECT format('%s increment %s from %s to %s start %s cache %s%s', format_type(s.seqtypid, NULL), s.seqincrement, \
         s.seqmin, s.seqmax, s.seqstart, s.seqcache, CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END) \
         FROM pg_sequence s WHERE s.seqrelid = c.oid)";
    let owned_by = "(SELECT t.relname || '.' || a.attname FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid WHERE c.relkind = 'S' AND d.classid = 'pg_class'::regclass \
         AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a' LIMIT 1)";
    // A schema that may not be used closes what is in it.
    let may = "(SELECT string_agg(p, ', ' ORDER BY number) FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'USAGE']) \
         WITH ORDINALITY AS x(p, number) WHERE CASE WHEN c.relkind = 'S' THEN p = 'USAGE' AND \
         has_sequence_privilege($2, c.oid, 'USAGE') ELSE p <> 'USAGE' AND has_table_privilege($2, c.oid, p) END \
         AND has_schema_privilege($2, c.relnamespace, 'USAGE'))";
    let sort = "CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' \
         WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' END";
    let unread = flag(&format!("c.relkind IN ('v', 'm') AND (c.oid = ANY ($1) OR {depends_on_locked})"));
    Query::OfRole(format!(
        "SELECT 'relation', n.nspname::text, {NO}, c.relname::text, {} FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {SCHEMAS} AND {} AND NOT (c.relkind = 'S' AND EXISTS \
         (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i'))",
        facts(&[
            ("sort", sort),
            ("owner", "pg_get_userbyid(c.relowner)"),
            ("unlogged", &flag("c.relpersistence = 'u'")),
            ("row-security", &flag("c.relrowsecurity")),
            ("force-row-security", &flag("c.relforcerowsecurity")),
            ("security-invoker", &flag(&format!("{option} IN ('true', 'on', 'yes', '1')"))),
            ("populated", "CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'false' END"),
            ("partition-key", "CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END"),
            ("partition-of", &format!("CASE WHEN c.relispartition THEN {parent} END")),
            ("inherits", &format!("CASE WHEN NOT c.relispartition THEN {parent} END")),
            (
                "bounds",
                &format!(
                    "CASE WHEN c.relispartition THEN {} END",
                    unlocked("c.oid", "pg_get_expr(c.relpartbound, c.oid)")
                )
            ),
            ("sequence", sequence),
            ("owned-by", owned_by),
            ("definition", &view),
            ("may", may),
            ("unread", &unread),
        ]),
        own("pg_class", "c.oid")
    ))
}

fn columns(version: i32) -> Query {
    let generated = if version >= 120_000 { "a.attgenerated" } else { "''" };
    let expression = unlocked("a.attrelid", "pg_get_expr(d.adbin, d.adrelid)");
    Query::WithLocks(format!(
        "SELECT 'column', n.nspname::text, c.relname::text, a.attname::text, {} FROM pg_attribute a \
         JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND {SCHEMAS} AND {}",
        facts(&[
            ("type", "format_type(a.atttypid, a.atttypmod)"),
            ("not-null", &flag("a.attnotnull")),
            ("default", &format!("CASE WHEN {generated} = '' THEN {expression} END")),
            ("generated", &format!("CASE WHEN {generated} <> '' THEN {expression} END")),
            ("identity", "CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END"),
            (
                "collation",
                "CASE WHEN a.attcollation <> t.typcollation THEN (SELECT collname FROM pg_collation WHERE oid = a.attcollation) END",
            ),
            ("unread", &flag("d.oid IS NOT NULL AND a.attrelid = ANY ($1)")),
        ]),
        own("pg_class", "c.oid")
    ))
}

fn constraints() -> Query {
    Query::WithLocks(format!(
        "SELECT 'constraint', n.nspname::text, c.relname::text, k.conname::text, {} FROM pg_constraint k \
         JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND NOT c.relispartition AND {SCHEMAS} AND {}",
        facts(&[
            ("definition", &unlocked("k.conrelid", "regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '')")),
            ("valid", "CASE WHEN NOT k.convalidated THEN 'false' END"),
            ("unread", &flag("k.conrelid = ANY ($1)")),
        ]),
        own("pg_class", "c.oid")
    ))
}

fn indexes() -> Query {
    // Without its own name, which stands in front.
    let definition = "CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || \
         ltrim(substring(pg_get_indexdef(i.indexrelid) FROM ' USING .*'))";
    Query::WithLocks(format!(
        "SELECT 'index', n.nspname::text, c.relname::text, x.relname::text, {} FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND {SCHEMAS} AND {} AND NOT EXISTS \
         (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))",
        facts(&[
            ("definition", &unlocked("i.indrelid", definition)),
            ("valid", "CASE WHEN NOT (i.indisvalid AND i.indisready) THEN 'false' END"),
            ("unread", &flag("i.indrelid = ANY ($1)")),
        ]),
        own("pg_class", "c.oid")
    ))
}

fn triggers() -> Query {
    Query::WithLocks(format!(
        "SELECT 'trigger', n.nspname::text, c.relname::text, t.tgname::text, {} FROM pg_trigger t \
         JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT t.tgisinternal AND NOT c.relispartition AND {SCHEMAS} AND {}",
        facts(&[
            ("definition", &unlocked("t.tgrelid", "pg_get_triggerdef(t.oid)")),
            ("enabled", "CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END"),
            ("unread", &flag("t.tgrelid = ANY ($1)")),
        ]),
        own("pg_class", "c.oid")
    ))
}

fn policies() -> Query {
    let roles = "(SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r) END, ', ' \
         ORDER BY CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r) END) FROM unnest(p.polroles) r)";
    Query::WithLocks(format!(
        "SELECT 'policy', n.nspname::text, c.relname::text, p.polname::text, {} FROM pg_policy p \
         JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {SCHEMAS} AND {}",
        facts(&[
            ("permissive", "p.polpermissive"),
            (
                "command",
                "CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END",
            ),
            ("roles", roles),
            ("using", &unlocked("p.polrelid", "pg_get_expr(p.polqual, p.polrelid)")),
            ("check", &unlocked("p.polrelid", "pg_get_expr(p.polwithcheck, p.polrelid)")),
            ("unread", &flag("p.polrelid = ANY ($1)")),
        ]),
        own("pg_class", "c.oid")
    ))
}

fn rules() -> Query {
    Query::WithLocks(format!(
        "SELECT 'rule', n.nspname::text, c.relname::text, w.rulename::text, {} FROM pg_rewrite w \
         JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE w.rulename <> '_RETURN' AND {SCHEMAS} AND {}",
        facts(&[("definition", &unlocked("c.oid", "pg_get_ruledef(w.oid)")), ("unread", &flag("c.oid = ANY ($1)")),]),
        own("pg_class", "c.oid")
    ))
}

fn types() -> Query {
    let labels = "(SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)";
    let columns = "(SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) \
         FROM pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)";
    let checks = "(SELECT string_agg(format('%I %s', k.conname, pg_get_constraintdef(k.oid)), ', ' ORDER BY k.conname) \
         FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')";
    let base = "CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) \
         WHEN 'r' THEN (SELECT format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid) END";
    Query::Plain(format!(
        "SELECT 'type', n.nspname::text, {NO}, t.typname::text, {} FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
         LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c') \
         AND {SCHEMAS} AND {}",
        facts(&[
            (
                "sort",
                "CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' ELSE 'composite' END"
            ),
            ("owner", "pg_get_userbyid(t.typowner)"),
            ("labels", &format!("CASE WHEN t.typtype = 'e' THEN coalesce({labels}, '') END")),
            ("base", base),
            ("not-null", &flag("t.typnotnull")),
            ("default", "t.typdefault"),
            ("checks", checks),
            ("columns", columns),
        ]),
        own("pg_type", "t.oid")
    ))
}

fn functions(version: i32) -> Query {
    // A body that was written as SQL is kept parsed, from 14 on.
    let text = if version >= 140_000 { "coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)" } else { "p.prosrc" };
    let body = format!("encode(sha256(convert_to({text}, 'UTF8')), 'hex')");
    Query::Plain(format!(
        "SELECT 'function', n.nspname::text, {NO}, {} , {} FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
         JOIN pg_language l ON l.oid = p.prolang WHERE {SCHEMAS} AND {} AND {}",
        SIGNATURE,
        facts(&[
            (
                "sort",
                "CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window' ELSE 'function' END"
            ),
            ("owner", "pg_get_userbyid(p.proowner)"),
            ("returns", "pg_get_function_result(p.oid)"),
            ("language", "l.lanname"),
            ("volatility", "CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END"),
            ("strict", &flag("p.proisstrict")),
            ("security-definer", &flag("p.prosecdef")),
            ("settings", "array_to_string(p.proconfig, ', ')"),
            ("parallel", "CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' END"),
            ("body", &body),
        ]),
        own("pg_proc", "p.oid"),
        // Those that a type of range makes for itself.
        "NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')"
    ))
}

const SIGNATURE: &str = "p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')'";
const GRANTEE: &str = "CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END";
const GRANTED: &str = "json_build_object('privileges', string_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable \
     THEN ' with grant option' ELSE '' END, ', '))::text";

fn relation_grants() -> Query {
    // Without a list, it is the owner's alone.
    Query::Plain(format!(
        "SELECT 'grant', n.nspname::text, c.relname::text, {GRANTEE}, {GRANTED} FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) x \
         WHERE c.relacl IS NOT NULL AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND x.grantee <> c.relowner AND {SCHEMAS} AND {} \
         AND NOT (c.relkind = 'S' AND EXISTS \
         (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')) GROUP BY 1, 2, 3, 4",
        own("pg_class", "c.oid")
    ))
}

fn column_grants() -> Query {
    Query::Plain(format!(
        "SELECT 'grant', n.nspname::text, c.relname::text, {GRANTEE} || '(' || a.attname || ')', {GRANTED} FROM pg_attribute a \
         JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         CROSS JOIN LATERAL aclexplode(a.attacl) x WHERE a.attacl IS NOT NULL AND NOT a.attisdropped \
         AND x.grantee <> c.relowner AND {SCHEMAS} AND {} GROUP BY 1, 2, 3, 4",
        own("pg_class", "c.oid")
    ))
}

fn other_grants() -> Query {
    Query::Plain(format!(
        "SELECT 'schema-grant', n.nspname::text, {NO}, {GRANTEE}, {GRANTED} FROM pg_namespace n \
         CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x WHERE x.grantee <> n.nspowner AND {SCHEMAS} AND {} \
         GROUP BY 1, 2, 3, 4 UNION ALL \
         SELECT 'function-grant', n.nspname::text, {SIGNATURE}, {GRANTEE}, {GRANTED} FROM pg_proc p \
         JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x \
         WHERE x.grantee <> p.proowner AND {SCHEMAS} AND {} GROUP BY 1, 2, 3, 4",
        own("pg_namespace", "n.oid"),
        own("pg_proc", "p.oid")
    ))
}
