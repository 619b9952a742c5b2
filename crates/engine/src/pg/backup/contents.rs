//! What a database holds, read in one snapshot.

use std::collections::BTreeMap;

use mainstay_model::declared::Hidden;
use mainstay_model::postgres::backup::{
    Contents, DatabaseFacts, Extension, Membership, Role, RoleAttributes, RowsAs, SchemaText, Sequence, ServerFacts,
    Setting, Settings, quoted,
};
use standing_pool::tokio_postgres::Row;

use super::error::BackupError;
use super::snapshot::Snapshot;

/// What is read while the dump is being taken, too.
pub(super) struct Facts {
    pub server: ServerFacts,
    pub database: DatabaseFacts,
    pub extensions: BTreeMap<String, Extension>,
    pub roles: BTreeMap<String, Role>,
    pub settings: Vec<Settings>,
    pub sequences: BTreeMap<String, Sequence>,
    /// RFC 3339.
    pub snapshot_at: String,
}

impl Snapshot {
    /// Everything, with the rows of every table, to be held against what was read in the same way; `told` hears how many
    /// tables are done, and of how many. The text of the schema comes from `pg_dump`.
    ///
    /// # Errors
    /// When something may not be read, or the database is lost.
    pub async fn contents(
        &self,
        schema: SchemaText,
        rows_as: RowsAs,
        told: impl FnMut(usize, usize),
    ) -> Result<Contents, BackupError> {
        let facts = self.facts().await?;
        self.completed(facts, schema, rows_as, told).await
    }

    pub(super) async fn completed(
        &self,
        facts: Facts,
        schema: SchemaText,
        rows_as: RowsAs,
        told: impl FnMut(usize, usize),
    ) -> Result<Contents, BackupError> {
        let tables = self.tables(rows_as, told).await?;
        let large_objects = self.large_objects().await?;
        let Facts { server, database, extensions, roles, settings, sequences, .. } = facts;
        Ok(Contents {
            server,
            database,
            extensions,
            roles,
            settings,
            tables,
            sequences,
            large_objects,
            schema,
            rows_as,
        })
    }

    /// Before the dump begins: it reads sequences outside of the snapshot, so what it reads is this or later.
    pub(super) async fn facts(&self) -> Result<Facts, BackupError> {
        let server = self.server().await?;
        let sql = "SELECT to_char(transaction_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
        let snapshot_at = self.row(sql, "reading the time").await?.get(0);
        Ok(Facts {
            database: self.database(server.major()).await?,
            extensions: self.extensions().await?,
            roles: self.roles(server.major()).await?,
            settings: self.settings().await?,
            sequences: self.sequences().await?,
            server,
            snapshot_at,
        })
    }

    async fn server(&self) -> Result<ServerFacts, BackupError> {
        let doing = "reading the server's version";
        let sql = "SELECT current_setting('server_version'), current_setting('server_version_num')::int, \
                   pg_is_in_recovery(), \
                   CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text ELSE pg_current_wal_lsn()::text END, \
                   has_function_privilege('pg_control_system()', 'EXECUTE')";
        let row = self.row(sql, doing).await?;
        let system_id = match row.get::<_, bool>(4) {
            true => Some(self.row("SELECT system_identifier::text FROM pg_control_system()", doing).await?.get(0)),
            false => None,
        };
        Ok(ServerFacts {
            version: row.get(0),
            version_num: unsigned(row.get::<_, i32>(1).into()) as u32,
            system_id,
            lsn: row.get(3),
            in_recovery: row.get(2),
        })
    }

    async fn database(&self, major: u32) -> Result<DatabaseFacts, BackupError> {
        let (provider, locale) = match major {
            ..15 => ("'c'", "NULL::text"),
            15 | 16 => ("datlocprovider", "daticulocale"),
            17.. => ("datlocprovider", "datlocale"),
        };
        let sql = format!(
            "SELECT datname::text, pg_get_userbyid(datdba)::text, pg_encoding_to_char(encoding)::text, datcollate::text, \
             datctype::text, {provider}::text, {locale}::text, \
             coalesce((SELECT array_agg(one::text ORDER BY one::text) FROM unnest(datacl) AS one), '{{}}'), \
             pg_database_size(oid) FROM pg_database WHERE datname = current_database()"
        );
        let row = self.row(&sql, "reading the database").await?;
        let provider = match row.get::<_, &str>(5) {
            "c" => "libc",
            "i" => "icu",
            "b" => "builtin",
            other => other,
        };
        Ok(DatabaseFacts {
            name: row.get(0),
            owner: row.get(1),
            encoding: row.get(2),
            collate: row.get(3),
            ctype: row.get(4),
            provider: provider.to_owned(),
            locale: row.get(6),
            acl: row.get(7),
            bytes: unsigned(row.get(8)),
        })
    }

    async fn extensions(&self) -> Result<BTreeMap<String, Extension>, BackupError> {
        let sql = "SELECT extname::text, extversion, n.nspname::text FROM pg_extension e \
                   JOIN pg_namespace n ON n.oid = e.extnamespace";
        let rows = self.rows(sql, "reading the extensions").await?;
        Ok(rows.iter().map(|row| (row.get(0), Extension { version: row.get(1), schema: row.get(2) })).collect())
    }

    async fn roles(&self, major: u32) -> Result<BTreeMap<String, Role>, BackupError> {
        let sql = "SELECT rolname::text, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, \
                   rolbypassrls, rolconnlimit, rolvaliduntil::text FROM pg_roles WHERE rolname !~ '^pg_'";
        let role = |row: &Row| Role {
            attributes: RoleAttributes {
                superuser: row.get(1),
                inherit: row.get(2),
                create_role: row.get(3),
                create_db: row.get(4),
                login: row.get(5),
                replication: row.get(6),
                bypass_rls: row.get(7),
                connection_limit: row.get(8),
                valid_until: row.get(9),
            },
            member_of: Vec::new(),
        };
        let rows = self.rows(sql, "reading the roles").await?;
        let mut roles: BTreeMap<String, Role> = rows.iter().map(|row| (row.get(0), role(row))).collect();
        let options = if major >= 16 { "m.inherit_option, m.set_option" } else { "NULL::bool, NULL::bool" };
        // Since Postgres 16 several may have granted the same; the widest of it counts.
        let sql = format!(
            "SELECT pg_get_userbyid(m.member)::text, pg_get_userbyid(m.roleid)::text, bool_or(m.admin_option), \
             bool_or(o.inherit), bool_or(o.set) FROM pg_auth_members m, LATERAL (SELECT {options}) AS o(inherit, set) \
             GROUP BY 1, 2"
        );
        for row in self.rows(&sql, "reading the memberships of roles").await? {
            let membership = Membership { role: row.get(1), admin: row.get(2), inherit: row.get(3), set: row.get(4) };
            if let Some(role) = roles.get_mut(row.get::<_, &str>(0)) {
                role.member_of.push(membership);
                role.member_of.sort();
            }
        }
        Ok(roles)
    }

    async fn settings(&self) -> Result<Vec<Settings>, BackupError> {
        let sql = "SELECT r.rolname::text, s.setdatabase <> 0, s.setconfig FROM pg_db_role_setting s \
                   LEFT JOIN pg_roles r ON r.oid = s.setrole \
                   WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
                   ORDER BY 1 NULLS FIRST, 2";
        let rows = self.rows(sql, "reading the settings").await?;
        let settings = |row: &Row| {
            let pair = |text: String| match text.split_once('=') {
                Some((name, value)) => Setting { name: name.to_owned(), value: Hidden::new(value) },
                None => Setting { name: text, value: Hidden::new("") },
            };
            let settings = row.get::<_, Vec<String>>(2).into_iter().map(pair).collect();
            Settings { role: row.get(0), in_database: row.get(1), settings }
        };
        Ok(rows.iter().map(settings).collect())
    }

    /// Those that a dump has: of an extension's only what it says is configuration.
    async fn sequences(&self) -> Result<BTreeMap<String, Sequence>, BackupError> {
        let sql = "SELECT n.nspname::text, c.relname::text, s.seqincrement FROM pg_class c \
                   JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid \
                   WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
                   AND n.nspname <> 'information_schema' AND (NOT EXISTS (SELECT 1 FROM pg_depend d \
                     WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
                   OR EXISTS (SELECT 1 FROM pg_extension e WHERE c.oid = ANY (e.extconfig)))";
        let doing = "reading the sequences";
        let names: Vec<(String, i64)> =
            self.rows(sql, doing).await?.iter().map(|row| (quoted(row.get(0), row.get(1)), row.get(2))).collect();
        let mut sequences = BTreeMap::new();
        for some in names.chunks(SOME) {
            let selects: Vec<String> = some
                .iter()
                .map(|(name, _)| {
                    format!("SELECT {}, last_value, is_called FROM {name}", crate::pg::session::literal(name))
                })
                .collect();
            for (row, (name, increment)) in self.rows(&selects.join(" UNION ALL "), doing).await?.iter().zip(some) {
                debug_assert_eq!(row.get::<_, &str>(0), name);
                let sequence = Sequence { last_value: row.get(1), is_called: row.get(2), increment: *increment };
                sequences.insert(row.get(0), sequence);
            }
        }
        Ok(sequences)
    }
}

/// So many are asked for at a time.
const SOME: usize = 100;

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
