//! What a database stands on that its migrations do not make: roles, who owns what, and what is granted to whom by
//! default. It is read where the database lives, and made on a scratch server, without any password.

use std::collections::BTreeSet;

use mainstay_model::postgres::migration::MigrationSet;
use standing_pool::tokio_postgres::Client;
use standing_pool::tokio_postgres::error::SqlState;

use super::error::PgError;

/// As statements, in the order in which they run; those of the second part run in the database itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Ground {
    /// The role that the server was made with.
    pub superuser: String,
    /// Libraries that the server loads at its start; extensions may need theirs.
    pub libraries: String,
    pub of_server: Vec<String>,
    pub of_database: Vec<String>,
}

const ROLES: &str = "SELECT rolname::text, concat_ws(' ', CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END, \
    CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END, \
    CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END, CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END, \
    CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END) FROM pg_roles WHERE rolname !~ '^pg_' AND oid <> 10 ORDER BY 1";
const MEMBERS: &str = "SELECT format('GRANT %I TO %I%s', r.rolname, m.rolname, CASE WHEN a.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END) \
    FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member ORDER BY 1";
const PATHS: &str = "SELECT CASE WHEN s.setrole = 0 THEN format('ALTER DATABASE %I SET %s', current_database(), c) \
    ELSE format('ALTER ROLE %I SET %s', r.rolname, c) END \
    FROM (SELECT s.setrole, s.setdatabase, regexp_replace(unnest(s.setconfig), '^search_path=', 'search_path = ') AS c FROM pg_db_role_setting s) s \
    LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE s.c LIKE 'search\\_path = %' AND s.c <> 'search_path = ' \
    AND (s.setrole = 0 OR r.rolname IS NOT NULL) \
    AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY 1";
const DATABASE: &str = "SELECT format('ALTER DATABASE %I OWNER TO %I', current_database(), pg_get_userbyid(datdba)) FROM pg_database \
    WHERE datname = current_database() UNION ALL SELECT format('GRANT %s ON DATABASE %I TO %s', x.privilege_type, current_database(), \
    CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END) FROM pg_database d, aclexplode(d.datacl) x \
    WHERE datname = current_database()";
/// Only of `public`: other schemas are made by who makes them.
const SCHEMA: &str = "SELECT s FROM (SELECT 1, format('ALTER SCHEMA public OWNER TO %I', pg_get_userbyid(nspowner)) FROM pg_namespace \
    WHERE nspname = 'public' UNION ALL SELECT 2, 'REVOKE ALL ON SCHEMA public FROM PUBLIC' UNION ALL \
    SELECT 3, format('GRANT %s ON SCHEMA public TO %s', x.privilege_type, CASE WHEN x.grantee = 0 THEN 'PUBLIC' \
    ELSE quote_ident(pg_get_userbyid(x.grantee)) END) FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x \
    WHERE n.nspname = 'public') AS x(n, s) ORDER BY n, s";
const DEFAULTS: &str = "SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s GRANT %s ON %s TO %s', pg_get_userbyid(d.defaclrole), \
    CASE WHEN n.nspname IS NULL THEN '' ELSE format(' IN SCHEMA %I', n.nspname) END, x.privilege_type, \
    CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END, \
    CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END) \
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace CROSS JOIN LATERAL aclexplode(d.defaclacl) x \
    WHERE x.grantee <> d.defaclrole ORDER BY 1";

/// Reads it. What the files make themselves is left to them.
pub(super) async fn read(client: &Client, set: &MigrationSet) -> Result<Ground, PgError> {
    let ask = async |sql: &str| -> Result<Vec<String>, PgError> {
        let rows = client.query(sql, &[]).await.map_err(PgError::lost("reading the roles"))?;
        Ok(rows.iter().filter_map(|row| row.get::<_, Option<String>>(0)).collect())
    };
    let own = roles_of(set);
    let rows = client.query(ROLES, &[]).await.map_err(PgError::lost("reading the roles"))?;
    let mut of_server = Vec::new();
    for row in &rows {
        let (role, how): (String, String) = (row.get(0), row.get(1));
        if !own.contains(&role) {
            let quoted = super::session::name(&role);
            of_server.extend([format!("CREATE ROLE {quoted}"), format!("ALTER ROLE {quoted} {how}")]);
        }
    }
    of_server.extend(ask(MEMBERS).await?);
    let mut of_database = Vec::new();
    for sql in [DATABASE, PATHS, SCHEMA] {
        of_database.extend(ask(sql).await?);
    }
    if !has(set, &["ALTER", "DEFAULT", "PRIVILEGES"]) {
        of_database.extend(ask(DEFAULTS).await?);
    }
    let superuser = ask("SELECT rolname::text FROM pg_roles WHERE oid = 10 AND rolname !~ '^pg_'").await?;
    // Not every role may see them.
    let libraries = client.query_one("SELECT current_setting('shared_preload_libraries', true)", &[]).await;
    Ok(Ground {
        superuser: superuser.into_iter().next().unwrap_or_else(|| "postgres".into()),
        libraries: libraries.ok().and_then(|row| row.get(0)).unwrap_or_default(),
        of_server,
        of_database,
    })
}

/// Makes one part of it. What cannot be made stays away: a role or a schema that this server does not have, or that is
/// there already.
pub(super) async fn make(client: &Client, statements: &[String]) -> Result<(), PgError> {
    for statement in statements {
        match client.batch_execute(statement).await {
            Err(error) if error.code().is_none_or(|code| *code == SqlState::ADMIN_SHUTDOWN) => {
                return Err(PgError::lost("preparing the scratch database")(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The roles that files make without asking whether they are there.
fn roles_of(set: &MigrationSet) -> BTreeSet<String> {
    let statements = set.files.values().flat_map(|file| &file.statements);
    let made = statements.filter_map(|statement| match statement.words.as_slice() {
        [create, sort, name, ..] if create == "CREATE" && ["ROLE", "USER", "GROUP"].contains(&sort.as_str()) => {
            Some(match name.strip_prefix('"') {
                Some(quoted) => quoted.trim_end_matches('"').replace("\"\"", "\""),
                None => name.to_lowercase(),
            })
        }
        _ => None,
    });
    made.collect()
}

fn has(set: &MigrationSet, words: &[&str]) -> bool {
    set.files.values().flat_map(|file| &file.statements).any(|statement| {
        statement.words.windows(words.len()).any(|run| run.iter().zip(words).all(|(one, other)| one == other))
    })
}
