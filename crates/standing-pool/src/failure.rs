//! Why a database could not be reached: the kind, the code, and plain words about what a person can do.

use std::error::Error as _;
use std::fmt;
use std::io;

use serde::Serialize;
use tokio_postgres::error::SqlState;

/// What stood in the way, by what has to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// The host's name does not resolve: the container is not there yet, or this process is not on its network.
    NameNotFound,
    /// The host answers, and nothing listens on the port.
    Refused,
    /// The host cannot be reached.
    Unreachable,
    /// The connection was closed in the middle.
    Closed,
    /// No answer in time.
    Timeout,
    /// The server is starting up or recovering (57P03).
    StartingUp,
    /// The server is shutting down, or an administrator ended the session (57P01, 57P02).
    ShuttingDown,
    /// No connection is left on the server (53300).
    TooManyConnections,
    /// The server takes no writes: a standby, or an old primary after a failover (25006).
    ReadOnly,
    /// The password is wrong, or the role is not there: the server does not tell which (28P01).
    WrongPassword,
    /// No password was given, and the server asks for one.
    NoPassword,
    /// The role does not exist or may not log in (28000).
    NoSuchRole,
    /// The server's `pg_hba.conf` has no line for this host, user and database (28000).
    NotAdmitted,
    /// The server only admits encrypted connections.
    TlsRequired,
    /// The server offers no encryption, or its certificate was refused.
    TlsFailed,
    /// The database does not exist (3D000).
    NoSuchDatabase,
    /// The role may not connect to the database (42501).
    NotPermitted,
    /// A prepared statement that is another session's, or nobody's: a pooler in transaction mode (26000, 42P05).
    Pooler,
    /// The attempt itself broke off. A mistake in this crate or in a library.
    Internal,
    /// Anything else; the code and the server's words are kept.
    Other,
}

impl Kind {
    /// The word that stands for the kind in logs and answers.
    pub fn word(self) -> &'static str {
        match self {
            Kind::NameNotFound => "name-not-found",
            Kind::Refused => "refused",
            Kind::Unreachable => "unreachable",
            Kind::Closed => "closed",
            Kind::Timeout => "timeout",
            Kind::StartingUp => "starting-up",
            Kind::ShuttingDown => "shutting-down",
            Kind::TooManyConnections => "too-many-connections",
            Kind::ReadOnly => "read-only",
            Kind::WrongPassword => "wrong-password",
            Kind::NoPassword => "no-password",
            Kind::NoSuchRole => "no-such-role",
            Kind::NotAdmitted => "not-admitted",
            Kind::TlsRequired => "tls-required",
            Kind::TlsFailed => "tls-failed",
            Kind::NoSuchDatabase => "no-such-database",
            Kind::NotPermitted => "not-permitted",
            Kind::Pooler => "pooler",
            Kind::Internal => "internal",
            Kind::Other => "other",
        }
    }

    /// Whether only a person can mend it. It is tried all the same, at the slow rate: a password may be changed back.
    pub fn is_yours(self) -> bool {
        matches!(
            self,
            Kind::WrongPassword
                | Kind::NoPassword
                | Kind::NoSuchRole
                | Kind::NotAdmitted
                | Kind::TlsRequired
                | Kind::TlsFailed
                | Kind::NoSuchDatabase
                | Kind::NotPermitted
        )
    }

    fn hint(self) -> Option<&'static str> {
        Some(match self {
            Kind::NameNotFound => {
                "the host's name does not resolve: is the database's container running, and is this process attached to its network?"
            }
            Kind::Refused => "nothing listens there: is the server running, and is the port right?",
            Kind::Unreachable => "there is no way to the host: check the network and the address",
            Kind::Closed => {
                "something accepted the connection and closed it: a proxy in front of a server that is not up yet?"
            }
            Kind::Timeout => "no answer in time: a firewall, a paused server, or one that is overloaded",
            Kind::StartingUp => "the server is starting or recovering; it usually needs a moment",
            Kind::ShuttingDown => "the server is being stopped or restarted",
            Kind::TooManyConnections => {
                "the server has no connection left: lower DB_POOL_MAX_SIZE, raise max_connections, or put a pooler in between"
            }
            Kind::ReadOnly => {
                "the server takes no writes: after a failover the name must lead to the new primary (or list both hosts in DATABASE_URL)"
            }
            Kind::WrongPassword => {
                "yours to mend: the password is wrong or the role does not exist; check DATABASE_URL or PGUSER and PGPASSWORD. \
                 A changed POSTGRES_PASSWORD does not change an existing database: ALTER ROLE … PASSWORD does"
            }
            Kind::NoPassword => {
                "yours to mend: the server asks for a password and none was given; set it in DATABASE_URL or PGPASSWORD"
            }
            Kind::NoSuchRole => {
                "yours to mend: the role does not exist or may not log in; CREATE ROLE … LOGIN, or correct the user"
            }
            Kind::NotAdmitted => {
                "yours to mend: the server's pg_hba.conf has no line that admits this host, user and database"
            }
            Kind::TlsRequired => {
                "yours to mend: the server only admits encrypted connections; set sslmode=require or verify-full"
            }
            Kind::TlsFailed => {
                "yours to mend: no encrypted connection could be made; check sslmode, sslrootcert and the server's certificate"
            }
            Kind::NoSuchDatabase => "yours to mend: the database does not exist; CREATE DATABASE, or correct its name",
            Kind::NotPermitted => {
                "yours to mend: the role may not connect to the database; GRANT CONNECT ON DATABASE … TO …"
            }
            Kind::Pooler => {
                "a pooler in transaction mode stands in between: set DB_POOLER=transaction, or use its session port or the server itself"
            }
            Kind::Internal => "a mistake in the pool, not in your settings; please report it with the log",
            Kind::Other => return None,
        })
    }
}

/// Why an attempt, a check or a statement failed. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What stood in the way.
    pub kind: Kind,
    /// The server's five letters, when the server spoke.
    pub sqlstate: Option<String>,
    /// The reason in the words of the server or of the system.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { kind, sqlstate: None, message: message.into() }
    }

    pub(crate) fn timeout(what: &str, after: std::time::Duration) -> Failure {
        Failure::new(Kind::Timeout, format!("{what}: no answer within {:.1}s", after.as_secs_f64()))
    }

    /// The SQLSTATE, or the kind's word where the server was not reached.
    pub fn code(&self) -> &str {
        self.sqlstate.as_deref().unwrap_or_else(|| self.kind.word())
    }

    /// What to look at next.
    pub fn hint(&self) -> Option<&'static str> {
        self.kind.hint()
    }

    /// Reads an error of the driver.
    pub fn of(error: &tokio_postgres::Error) -> Failure {
        if let Some(db) = error.as_db_error() {
            return of_server(db);
        }
        let message = chain(error);
        let kind = match io_of(error) {
            Some(io) => of_io(io, &message),
            None => of_words(error, &message),
        };
        Failure::new(kind, message)
    }

    /// The same with a text taken out, wherever it stands.
    pub(crate) fn without(mut self, secret: Option<&str>) -> Failure {
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            self.message = self.message.replace(secret, "…");
        }
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.word())?;
        if let Some(state) = &self.sqlstate {
            write!(f, " {state}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Failure {}

fn of_server(db: &tokio_postgres::error::DbError) -> Failure {
    let code = db.code();
    let message = db.message();
    let kind = match code.code() {
        "57P03" => Kind::StartingUp,
        "57P01" | "57P02" => Kind::ShuttingDown,
        "53300" => Kind::TooManyConnections,
        "25006" => Kind::ReadOnly,
        "28P01" => Kind::WrongPassword,
        "3D000" => Kind::NoSuchDatabase,
        "28000" => of_refused_login(message),
        "26000" | "42P05" => Kind::Pooler,
        "42501" if message.starts_with("permission denied for database") => Kind::NotPermitted,
        other if other.starts_with("08") => Kind::Closed,
        _ => Kind::Other,
    };
    Failure { kind, sqlstate: Some(code.code().to_owned()), message: message.to_owned() }
}

/// The server has one code for several refusals; only its English words tell them apart. In another language the general
/// one is left.
fn of_refused_login(message: &str) -> Kind {
    if message.contains("pg_hba.conf") {
        let plain = message.contains("no encryption") || message.contains("SSL off");
        return if plain && !message.contains("rejects") { Kind::TlsRequired } else { Kind::NotAdmitted };
    }
    if message.starts_with("role ") { Kind::NoSuchRole } else { Kind::NotAdmitted }
}

fn of_io(error: &io::Error, message: &str) -> Kind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Kind::Refused,
        io::ErrorKind::NotFound if !message.contains("lookup") => Kind::Refused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
            Kind::Unreachable
        }
        io::ErrorKind::TimedOut => Kind::Timeout,
        // The driver says so when a host of the list is not the wished one.
        io::ErrorKind::PermissionDenied if message.contains("does not allow writes") => Kind::ReadOnly,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Kind::Closed,
        io::ErrorKind::InvalidData if is_tls(message) => Kind::TlsFailed,
        _ if message.contains("lookup address") || message.contains("could not resolve") => Kind::NameNotFound,
        _ if is_tls(message) => Kind::TlsFailed,
        _ => Kind::Other,
    }
}

fn of_words(error: &tokio_postgres::Error, message: &str) -> Kind {
    if error.is_closed() {
        Kind::Closed
    } else if message.contains("password missing") {
        Kind::NoPassword
    } else if is_tls(message) {
        Kind::TlsFailed
    } else if message.contains("unexpected message") {
        Kind::Closed
    } else {
        Kind::Other
    }
}

fn is_tls(message: &str) -> bool {
    ["TLS", "certificate", "tls handshake"].iter().any(|word| message.contains(word))
}

fn io_of(error: &tokio_postgres::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(io);
        }
        source = cause.source();
    }
    None
}

/// An error and its causes in one line, without saying anything twice.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}

/// What an error of a statement means for the connection that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The statement's own affair.
    Statement,
    /// The session is gone, or leads to a server that cannot serve.
    Connection,
    /// Nothing may be written: a server that takes no writes any more, or a transaction that was begun read-only.
    ReadOnly,
    /// A cached plan is older than a change of the schema.
    StalePlan,
    /// A table or a column is missing: the schema may be behind.
    Schema,
}

pub(crate) fn meaning(error: &tokio_postgres::Error) -> Meaning {
    match error.code() {
        None if error.is_closed() || io_of(error).is_some() => Meaning::Connection,
        None => Meaning::Statement,
        Some(code) if *code == SqlState::FEATURE_NOT_SUPPORTED && is_stale_plan(error) => Meaning::StalePlan,
        Some(code) if *code == SqlState::UNDEFINED_TABLE || *code == SqlState::UNDEFINED_COLUMN => Meaning::Schema,
        Some(code) => match code.code() {
            "25006" => Meaning::ReadOnly,
            "57P01" | "57P02" | "57P03" | "26000" | "42P05" => Meaning::Connection,
            other if other.starts_with("08") => Meaning::Connection,
            _ => Meaning::Statement,
        },
    }
}

/// 0A000 is every feature that is not supported; the routine tells in any language.
fn is_stale_plan(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|db| {
        db.routine() == Some("RevalidateCachedQuery") || db.message().contains("cached plan must not change")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_told_by_its_words() {
        let hba = r#"no pg_hba.conf entry for host "10.0.0.7", user "app", database "crm", no encryption"#;
        assert_eq!(of_refused_login(hba), Kind::TlsRequired);
        let encrypted = r#"no pg_hba.conf entry for host "10.0.0.7", user "app", database "crm", SSL encryption"#;
        assert_eq!(of_refused_login(encrypted), Kind::NotAdmitted);
        let rejected = r#"pg_hba.conf rejects connection for host "10.0.0.7", user "app", no encryption"#;
        assert_eq!(of_refused_login(rejected), Kind::NotAdmitted);
        assert_eq!(of_refused_login(r#"role "app" does not exist"#), Kind::NoSuchRole);
    }

    #[test]
    fn a_secret_leaves_a_message() {
        let failure = Failure::new(Kind::Other, "the server repeats hunter2 to you").without(Some("hunter2"));
        assert_eq!(failure.message, "the server repeats … to you");
    }

    #[test]
    fn what_is_yours_says_so_in_its_hint() {
        for kind in [Kind::WrongPassword, Kind::NoSuchDatabase, Kind::NoSuchRole, Kind::NotAdmitted, Kind::TlsRequired]
        {
            assert!(kind.is_yours());
            assert!(kind.hint().is_some_and(|hint| hint.starts_with("yours to mend: ")), "{kind:?}");
        }
        assert!(!Kind::Refused.is_yours());
    }
}
