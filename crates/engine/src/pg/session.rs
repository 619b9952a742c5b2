//! Sessions for work that needs one to itself; none is ever taken from a pool.

use std::time::{Duration, Instant};

use standing_pool::tokio_postgres::{Client, Row};
use standing_pool::{Access, Failure, Kind, Settings, TargetName};

use super::error::PgError;
use super::tunnel::Tunnel;

/// What sessions call themselves unless they are told another name, so that others see in `pg_stat_activity` who holds them
/// up.
const NAME: &str = "mainstay db migrate";

/// For so long a server that is starting, or full, is asked again.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(500);
/// Nobody waits for an answer to a page here: a server under load gets its time.
const CONNECT: Duration = Duration::from_secs(30);
/// Where a look waits for it, somebody does.
const CONNECT_FOR_A_LOOK: Duration = Duration::from_secs(3);

/// A server that can be reached, and as whom.
#[derive(Clone, Debug)]
pub struct Server {
    way: Way,
    application: String,
    /// For so long it is asked again.
    patience: Duration,
}

/// How it is reached.
#[derive(Clone, Debug)]
enum Way {
    /// By its address.
    Address(Box<Settings>),
    /// Through a program that runs beside it.
    Inside(Tunnel),
}

impl Server {
    pub fn new(settings: Settings) -> Server {
        let connect_timeout = settings.connect_timeout.max(CONNECT);
        let settings = Settings { connect_timeout, ..settings };
        Server { way: Way::Address(Box::new(settings)), application: NAME.to_owned(), patience: PATIENCE }
    }

    pub(super) fn inside(tunnel: Tunnel) -> Server {
        Server { way: Way::Inside(tunnel), application: NAME.to_owned(), patience: PATIENCE }
    }

    /// The same server, for sessions that call themselves so.
    #[must_use]
    pub fn called(&self, application: impl Into<String>) -> Server {
        Server { application: application.into(), ..self.clone() }
    }

    /// The same server, and another database of it.
    #[must_use]
    pub fn of_database(&self, database: &str) -> Server {
        let mut other = self.clone();
        match &mut other.way {
            Way::Address(settings) => settings.target = settings.target.with_database(database),
            Way::Inside(tunnel) => tunnel.database = database.to_owned(),
        }
        other
    }

    /// The same server, for a look: one that takes no writes will do.
    #[must_use]
    pub fn to_look_at(&self) -> Server {
        let mut other = self.clone();
        if let Way::Address(settings) = &mut other.way {
            settings.access = Access::Any;
        }
        other
    }

    /// How it is reached, when that is by its address.
    pub fn settings(&self) -> Option<&Settings> {
        match &self.way {
            Way::Address(settings) => Some(settings),
            Way::Inside(_) => None,
        }
    }

    /// The same, asked once and for a short time.
    #[must_use]
    pub fn for_a_look(mut self) -> Server {
        if let Way::Address(settings) = &mut self.way {
            settings.connect_timeout = CONNECT_FOR_A_LOOK;
        }
        self.patience = Duration::ZERO;
        self
    }

    /// What may be shown of it.
    pub fn name(&self) -> TargetName {
        match &self.way {
            Way::Address(settings) => settings.target.name(),
            Way::Inside(tunnel) => tunnel.name(),
        }
    }

    async fn connect(&self) -> Result<Client, Failure> {
        match &self.way {
            Way::Address(settings) => standing_pool::connect(settings).await,
            Way::Inside(tunnel) => tunnel.connect().await,
        }
    }

    pub(super) async fn open(&self) -> Result<Session, PgError> {
        let began = Instant::now();
        let client = loop {
            match self.connect().await {
                Ok(client) => break client,
                // Both pass by themselves: many runners at once, a server that has just been started.
                Err(failure)
                    if matches!(failure.kind, Kind::TooManyConnections | Kind::StartingUp)
                        && began.elapsed() < self.patience =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(failure) => {
                    return Err(PgError::Connect { target: Box::new(self.name()), failure: Box::new(failure) });
                }
            }
        };
        Session::of(client, self.application.clone(), None).await
    }
}

/// One session.
pub(super) struct Session {
    pub client: Client,
    application: String,
    /// The role that statements run as, where it is another one than that of the connection.
    role: Option<String>,
}

/// A server that waits for a lock, or computes, does not look whether its client is still there: after a `kill -9` its
/// statement would go on beside the next run's. Servers from 14 on can, where their system lets them.
const NOTICES_OUR_END: &str = "SELECT set_config(s, '1s', false) FROM (VALUES ('client_connection_check_interval')) v (s) \
                               WHERE current_setting(s, true) IS NOT NULL AND version() LIKE '%linux%'";

impl Session {
    pub async fn of(client: Client, application: String, role: Option<String>) -> Result<Session, PgError> {
        let session = Session { client, application, role };
        session.begin_anew().await?;
        Ok(session)
    }

    /// As a session begins: what a file before this one has set is gone. A file that was made by `pg_dump` leaves an
    /// empty `search_path` behind.
    pub async fn begin_anew(&self) -> Result<(), PgError> {
        // `DISCARD ALL` runs by itself only, and sets the role and every variable back.
        self.simple("DISCARD ALL", "resetting the session").await?;
        let pins = format!(
            "SET application_name = {}; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
             SET standard_conforming_strings = on; SET client_min_messages = warning; {NOTICES_OUR_END}",
            literal(&self.application)
        );
        self.simple(&pins, "preparing the session").await?;
        match &self.role {
            Some(role) => self.simple(&format!("SET SESSION AUTHORIZATION {}", name(role)), "taking on the role").await,
            None => Ok(()),
        }
    }

    /// The process of the server that answers now.
    pub async fn pid(&self) -> Result<i32, PgError> {
        Ok(self.one("SELECT pg_backend_pid()", "asking for the session").await?.get(0))
    }

    /// Statements without a result.
    pub async fn simple(&self, sql: &str, doing: &str) -> Result<(), PgError> {
        self.client.batch_execute(sql).await.map_err(PgError::lost(doing))
    }

    /// A query with one row.
    pub async fn one(&self, sql: &str, doing: &str) -> Result<Row, PgError> {
        self.client.query_one(sql, &[]).await.map_err(PgError::lost(doing))
    }
}

/// A name as SQL writes it.
pub(super) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A text as SQL writes it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
