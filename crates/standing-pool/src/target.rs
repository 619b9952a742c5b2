//! Which database, as whom, and how encrypted: from a URL or from `PG*` variables. Shows itself without its password.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::settings::{SettingsError, Vars};

/// How sure of the server a connection has to be, in libpq's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Encrypted or not, whoever answers: `disable`, `allow`, `prefer`, `require`.
    Anyone,
    /// Signed by a known authority and made out to the host: `verify-full`, and `verify-ca`, which is taken for it.
    Verified {
        /// A file of authorities in place of the system's.
        roots: Option<String>,
    },
}

/// One database of one server, and who connects to it.
#[derive(Clone)]
pub struct Target {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
}

/// What may be shown of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetName {
    /// The hosts, in the order in which they are tried.
    pub host: String,
    /// Their port.
    pub port: String,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
}

/// Half a minute after the last sign of life the system gives a silent connection up.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_TRIES: u32 = 3;
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

const ENCODE: &str =
    "characters such as @ : / ? # in the user or the password must be percent-encoded (@ is %40, / is %2F)";

impl Target {
    /// The target, and whether its URL says that a pooler stands in between.
    pub(crate) fn from_vars(vars: &Vars<'_>) -> Result<(Target, bool), SettingsError> {
        let (mut target, pooler) = match vars.get("DATABASE_URL") {
            Some(url) => from_url(&url)?,
            None => (from_pg(vars)?, false),
        };
        let config = &mut target.config;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(SettingsError::new("DATABASE_URL", "names no host"));
        }
        if config.get_password().is_none()
            && let Some(password) = vars.get("PGPASSWORD")
        {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            let name = vars.get("PGAPPNAME").unwrap_or_else(|| "standing-pool".into());
            config.application_name(name);
        }
        // What the user set in the URL stays.
        let fresh = Config::new();
        if config.get_keepalives_idle() == fresh.get_keepalives_idle() {
            config.keepalives_idle(KEEPALIVE_IDLE);
        }
        if config.get_keepalives_interval().is_none() {
            config.keepalives_interval(KEEPALIVE_INTERVAL);
        }
        if config.get_keepalives_retries().is_none() {
            config.keepalives_retries(KEEPALIVE_TRIES);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED);
        }
        Ok((target, pooler))
    }

    /// What may be shown.
    pub fn name(&self) -> TargetName {
        let config = &self.config;
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<String> = if config.get_hosts().is_empty() {
            config.get_hostaddrs().iter().map(ToString::to_string).collect()
        } else {
            config.get_hosts().iter().map(host).collect()
        };
        let ports: Vec<String> = config.get_ports().iter().map(ToString::to_string).collect();
        let user = config.get_user().unwrap_or("(as the system says)").to_owned();
        TargetName {
            host: hosts.join(","),
            port: if ports.is_empty() { "5432".into() } else { ports.join(",") },
            database: config.get_dbname().unwrap_or(&user).to_owned(),
            user,
        }
    }

    /// The same server, and another database of it.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Target {
        let mut other = self.clone();
        other.config.dbname(database);
        other
    }

    /// The variables by which a program that is made with libpq reaches it. The password is among them: they are for an
    /// environment, and never for a command line or a log.
    pub fn libpq_variables(&self) -> Vec<(&'static str, String)> {
        let TargetName { host, port, database, user } = self.name();
        let mode = match (self.config.get_ssl_mode(), &self.trust) {
            (SslMode::Disable, _) => "disable",
            (_, Trust::Verified { .. }) => "verify-full",
            (SslMode::Require, Trust::Anyone) => "require",
            _ => "prefer",
        };
        let mut variables = vec![
            ("PGHOST", host),
            ("PGPORT", port),
            ("PGDATABASE", database),
            ("PGUSER", user),
            ("PGSSLMODE", mode.to_owned()),
        ];
        variables.extend(self.password().map(|password| ("PGPASSWORD", password.to_owned())));
        variables
    }

    /// The file of authorities that the server's certificate is held against; nothing when any is believed, and `system` for
    /// the system's own.
    pub fn authorities(&self) -> Option<&str> {
        match &self.trust {
            Trust::Anyone => None,
            Trust::Verified { roots } => Some(roots.as_deref().unwrap_or("system")),
        }
    }

    /// What makes two targets one. Another password is another target, and stands here as a hash that is never shown.
    pub(crate) fn key(&self) -> String {
        let config = &self.config;
        let mut hasher = DefaultHasher::new();
        config.get_password().hash(&mut hasher);
        format!(
            "{self} {:?} {:?} {:?} {:?} {:x}",
            self.trust,
            config.get_ssl_mode(),
            config.get_hostaddrs(),
            config.get_options(),
            hasher.finish()
        )
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.config.get_password().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TargetName { host, port, database, user } = self.name();
        write!(f, "host={host} port={port} database={database} user={user}")
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

fn from_url(url: &str) -> Result<(Target, bool), SettingsError> {
    let wrong = |problem: String| SettingsError::new("DATABASE_URL", problem);
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if !is_url && url.contains("://") {
        return Err(wrong("begins neither with postgres:// nor with postgresql://".into()));
    }
    if !is_url {
        let config = Config::from_str(url).map_err(|error| wrong(reason(&error)))?;
        return Ok((Target { config, trust: Trust::Anyone }, false));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    if is_badly_encoded(base, query) {
        return Err(wrong(ENCODE.into()));
    }
    let mut kept = Vec::new();
    let (mut mode, mut roots, mut pooler) = (None, None, false);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("sslmode", value) => mode = Some(value.to_owned()),
            ("sslrootcert", value) => roots = Some(value.replace("%2F", "/").replace("%2f", "/")),
            ("pgbouncer", "true") => pooler = true,
            _ => kept.push(pair),
        }
    }
    let kept = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    let mut config = Config::from_str(&kept).map_err(|error| wrong(reason(&error)))?;
    let trust = encryption(&mut config, "DATABASE_URL", mode.as_deref(), roots)?;
    Ok((Target { config, trust }, pooler))
}

/// A bare `@`, `/` or `?` in a password moves a part of it to where the host or an option would be, from where it would be
/// shown. Told before anything is parsed.
fn is_badly_encoded(base: &str, query: &str) -> bool {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    let ats = rest.matches('@').count();
    let at_after_slash = rest.split_once('/').is_some_and(|(_, path)| path.contains('@'));
    ats > 1 || at_after_slash || base.contains('#') || (ats == 0 && query.contains('@'))
}

fn from_pg(vars: &Vars<'_>) -> Result<Target, SettingsError> {
    let mut config = Config::new();
    match (vars.get("PGHOST"), vars.get("PGHOSTADDR")) {
        (None, None) => {
            return Err(SettingsError::new(
                "DATABASE_URL",
                "is not set, and neither is PGHOST: which database is meant?",
            ));
        }
        (host, address) => {
            for host in host.iter().flat_map(|hosts| hosts.split(',')) {
                config.host(host.trim());
            }
            for address in address.iter().flat_map(|all| all.split(',')) {
                let parsed = address.trim().parse();
                config.hostaddr(parsed.map_err(|_| {
                    SettingsError::new("PGHOSTADDR", format!("is `{address}`, and must be an IP address"))
                })?);
            }
        }
    }
    for port in vars.get("PGPORT").iter().flat_map(|ports| ports.split(',')) {
        let parsed = port.trim().parse();
        let problem = || SettingsError::new("PGPORT", format!("is `{port}`, and must be a port from 1 to 65535"));
        config.port(parsed.ok().filter(|port| *port > 0).ok_or_else(problem)?);
    }
    if let Some(user) = vars.get("PGUSER") {
        config.user(user);
    }
    if let Some(database) = vars.get("PGDATABASE") {
        config.dbname(database);
    }
    if let Some(options) = vars.get("PGOPTIONS") {
        config.options(options);
    }
    if let Some(attributes) = vars.get("PGTARGETSESSIONATTRS") {
        config.target_session_attrs(match attributes.as_str() {
            "any" => TargetSessionAttrs::Any,
            "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
            "read-only" | "standby" => TargetSessionAttrs::ReadOnly,
            other => {
                let problem = format!("is `{other}`, and must be `any`, `read-write` or `read-only`");
                return Err(SettingsError::new("PGTARGETSESSIONATTRS", problem));
            }
        });
    }
    let trust = encryption(&mut config, "PGSSLMODE", vars.get("PGSSLMODE").as_deref(), vars.get("PGSSLROOTCERT"))?;
    Ok(Target { config, trust })
}

fn encryption(
    config: &mut Config,
    variable: &str,
    mode: Option<&str>,
    roots: Option<String>,
) -> Result<Trust, SettingsError> {
    let (mode, trust) = match mode.unwrap_or("prefer") {
        "disable" => (SslMode::Disable, Trust::Anyone),
        "allow" | "prefer" => (SslMode::Prefer, Trust::Anyone),
        // As libpq: with a file of authorities, `require` verifies too.
        "require" if roots.is_none() => (SslMode::Require, Trust::Anyone),
        "require" | "verify-ca" | "verify-full" => (SslMode::Require, Trust::Verified { roots }),
        _ => {
            let words = "`disable`, `prefer`, `require`, `verify-ca` or `verify-full`";
            return Err(SettingsError::new(variable, format!("has an sslmode that is not one of {words}")));
        }
    };
    if !cfg!(feature = "tls") && mode == SslMode::Require {
        return Err(SettingsError::new(variable, "asks for encryption, and this program was built without it"));
    }
    config.ssl_mode(mode);
    Ok(trust)
}

/// The parser's reason. It names options, and never repeats values.
fn reason(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    format!("cannot be read: {}", cause.unwrap_or_else(|| error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn of(vars: &'static [(&'static str, &'static str)]) -> Result<Target, SettingsError> {
        let get = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::from_vars(get).map(|settings| settings.target)
    }

    #[test]
    fn a_url_is_shown_without_its_password() {
        let target =
            of(&[("DATABASE_URL", "postgresql://app:hunter2@db.internal:6543/crm?sslmode=verify-full")]).unwrap();
        assert_eq!(target.to_string(), "host=db.internal port=6543 database=crm user=app");
        assert!(!format!("{target:?} {target} {}", target.key()).contains("hunter2"));
        assert_eq!(target.trust, Trust::Verified { roots: None });
    }

    #[test]
    fn another_password_or_encryption_is_another_target() {
        let key = |url: &str| Settings::for_url(url).unwrap().target.key();
        let keys = ["app:a@db/crm", "app:b@db/crm", "app:a@db/crm?sslmode=disable", "app:a@db/crm?sslmode=verify-full"]
            .map(|rest| key(&format!("postgres://{rest}")));
        for (at, one) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(one), "{one}");
        }
        assert_eq!(keys[0], key("postgres://app:a@db/crm"));
    }

    #[test]
    fn the_pg_variables_name_a_target_too() {
        let target = of(&[("PGHOST", "a,b"), ("PGPORT", "5433"), ("PGUSER", "app"), ("PGPASSWORD", "x")]).unwrap();
        assert_eq!(target.to_string(), "host=a,b port=5433 database=app user=app");
    }

    #[test]
    fn a_password_beside_the_url_is_taken_when_it_has_none() {
        let target = of(&[("DATABASE_URL", "postgres://app@db/crm"), ("PGPASSWORD", "hunter2")]).unwrap();
        assert_eq!(target.password(), Some("hunter2"));
        let target = of(&[("DATABASE_URL", "postgres://app:own@db/crm"), ("PGPASSWORD", "hunter2")]).unwrap();
        assert_eq!(target.password(), Some("own"));
    }

    #[test]
    fn no_target_at_all_is_told() {
        assert!(of(&[]).unwrap_err().to_string().contains("neither is PGHOST"));
    }

    #[test]
    fn a_password_that_is_not_encoded_is_never_repeated() {
        for url in [
            "postgres://app:hunter2@home@db/crm",
            "postgres://app:hun/ter2@db/crm",
            "postgres://app:hun?ter2@db/crm",
            "postgres://app:hun#ter2@db/crm",
            "postgres://app:hunter2@db:port/crm",
            "postgres://app:hunter2@db/crm?schema=public",
            "mysql://app:hunter2@db/crm",
            "host=db user=app password='hunter2",
            "host=db user=app password=hunter2 nonsense=1",
        ] {
            let error = match Settings::for_url(url) {
                Err(error) => error.to_string(),
                Ok(settings) => panic!("{url} was taken as {}", settings.target),
            };
            assert!(error.starts_with("DATABASE_URL: "), "{error}");
            assert!(!error.contains("hun") && !error.contains("ter2"), "{url} → {error}");
        }
    }

    #[test]
    fn a_wrong_port_is_told_with_its_variable() {
        let error = of(&[("PGHOST", "db"), ("PGPORT", "many")]).unwrap_err().to_string();
        assert_eq!(error, "PGPORT: is `many`, and must be a port from 1 to 65535");
    }

    #[test]
    fn silent_connections_are_given_up_by_the_system() {
        let config = of(&[("DATABASE_URL", "postgres://app@db/crm")]).unwrap().config;
        assert_eq!(config.get_keepalives_idle(), KEEPALIVE_IDLE);
        assert_eq!(config.get_tcp_user_timeout(), Some(&UNACKNOWLEDGED));
        let own = of(&[("DATABASE_URL", "postgres://app@db/crm?keepalives_idle=60")]).unwrap().config;
        assert_eq!(own.get_keepalives_idle().as_secs(), 60);
    }

    #[test]
    fn a_url_that_names_a_pooler_is_believed() {
        let settings = Settings::for_url("postgres://app@db:6543/crm?pgbouncer=true").unwrap();
        assert_eq!(settings.pooler, crate::Pooler::Transaction);
    }
}
