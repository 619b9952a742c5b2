//! Making one connection, asking one connection whether it still serves, and making a pool of them: the only file that
//! opens sockets.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Connect, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use tokio::task::JoinHandle;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use crate::failure::{Failure, Kind};
use crate::settings::{Access, Settings};
use crate::shared::Shared;

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The world, as the task that tends a pool sees it. Tests of time put another one in its place.
pub(crate) trait Reach: Send + Sync + 'static {
    /// Makes a pool of which one connection has been proven.
    fn make(self: Arc<Self>, shared: Weak<Shared>, generation: u64) -> Boxed<'static, Result<Pool, Failure>>;
    /// Whether the server still serves.
    fn check(self: Arc<Self>, pool: Pool) -> Boxed<'static, Result<(), Failure>>;
}

/// A real server.
pub(crate) struct Server {
    pub settings: Settings,
}

impl Server {
    /// Who asks for a standby by name does not want to write.
    fn access(&self) -> Access {
        match self.settings.target.config.get_target_session_attrs() {
            TargetSessionAttrs::ReadOnly => Access::Any,
            _ => self.settings.access,
        }
    }

    fn config(&self) -> Config {
        let mut config = self.settings.target.config.clone();
        // With several hosts the driver goes on to the next one until it finds the primary.
        if self.access() == Access::ReadWrite && config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_connect_timeout().is_none() {
            // Of one address among several; the whole is bounded by the pool.
            config.connect_timeout(self.settings.connect_timeout);
        }
        config
    }

    fn told(&self, failure: Failure) -> Failure {
        failure.without(self.settings.target.password())
    }

    fn of_pool(&self, error: PoolError) -> Failure {
        match error {
            PoolError::Backend(error) => self.told(Failure::of(&error)),
            PoolError::Timeout(TimeoutType::Wait) => Failure::new(Kind::Other, "all connections are in use"),
            PoolError::Timeout(_) => Failure::timeout("connecting", self.settings.connect_timeout),
            other => Failure::new(Kind::Internal, other.to_string()),
        }
    }
}

impl Reach for Server {
    fn make(self: Arc<Self>, shared: Weak<Shared>, generation: u64) -> Boxed<'static, Result<Pool, Failure>> {
        Box::pin(async move {
            let settings = &self.settings;
            let encryption = Encryption::of(&self)?;
            let dial = Dial { server: self.clone(), shared, generation, encryption };
            let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let (access, within) = (self.access(), settings.check_timeout);
            let pool = Pool::builder(Manager::from_connect(self.config(), dial, how))
                .max_size(settings.max_size)
                .runtime(Runtime::Tokio1)
                .wait_timeout(Some(settings.acquire_timeout))
                .create_timeout(Some(settings.connect_timeout))
                .pre_recycle(ask_before_use(access, settings.check_after_idle, within))
                .build()
                .map_err(|error| Failure::new(Kind::Internal, error.to_string()))?;
            match pool.get().await {
                Ok(client) => probe(&client, access, within).await.map_err(|failure| self.told(failure))?,
                Err(error) => return Err(self.of_pool(error)),
            }
            Ok(pool)
        })
    }

    fn check(self: Arc<Self>, pool: Pool) -> Boxed<'static, Result<(), Failure>> {
        Box::pin(async move {
            let settings = &self.settings;
            let timeouts = deadpool_postgres::Timeouts { wait: Some(Duration::ZERO), ..pool.timeouts() };
            match pool.timeout_get(&timeouts).await {
                Ok(client) => {
                    let asked = probe(&client, self.access(), settings.check_timeout).await;
                    if asked.is_err() {
                        // What does not answer is not given to anyone else.
                        drop(deadpool_postgres::Object::take(client));
                    }
                    asked.map_err(|failure| self.told(failure))
                }
                // All are in use: the server is asked beside the pool, so that being busy is not taken for an outage.
                Err(PoolError::Timeout(TimeoutType::Wait)) => self.ask_beside().await,
                Err(error) => match self.of_pool(error) {
                    // No further connection is to be had, but those that callers hold serve.
                    failure if failure.kind == Kind::TooManyConnections && pool.status().size > 0 => Ok(()),
                    failure => Err(failure),
                },
            }
        })
    }
}

impl Server {
    async fn ask_beside(&self) -> Result<(), Failure> {
        let within = self.settings.connect_timeout;
        let asked = tokio::time::timeout(within, async {
            let encryption = Encryption::of(self)?;
            let opened = open(&self.config(), encryption, |_| {}).await;
            let (client, task) = opened.map_err(|error| Failure::of(&error))?;
            let asked = probe(&client, self.access(), self.settings.check_timeout).await;
            drop(client);
            task.abort();
            asked
        });
        match asked.await {
            Err(_) => Err(Failure::timeout("connecting", within)),
            // A server without a free connection is there.
            Ok(Err(failure)) if failure.kind == Kind::TooManyConnections => Ok(()),
            Ok(asked) => asked.map_err(|failure| self.told(failure)),
        }
    }
}

/// An idle connection is asked before it is handed out. When one keeps silent, those that were idle then are dropped
/// without being asked, so that a caller waits for one silence and not for as many as there are connections.
fn ask_before_use(access: Access, after: Duration, within: Duration) -> Hook {
    let silence: Arc<Mutex<Option<Instant>>> = Arc::default();
    Hook::async_fn(move |client, metrics| {
        let silence = silence.clone();
        let used = metrics.recycled.unwrap_or(metrics.created);
        Box::pin(async move {
            let silent_since = *silence.lock().unwrap_or_else(PoisonError::into_inner);
            if client.is_closed() || silent_since.is_some_and(|since| used < since) {
                return Err(HookError::message("closed"));
            }
            if used.elapsed() < after {
                return Ok(());
            }
            let asked = probe(client, access, within).await;
            if asked.as_ref().is_err_and(|failure| failure.kind == Kind::Timeout) {
                *silence.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            asked.map_err(|failure| HookError::message(failure.to_string()))
        })
    })
}

/// Makes the connections of one pool, and reports the one that is lost.
struct Dial {
    server: Arc<Server>,
    shared: Weak<Shared>,
    generation: u64,
    encryption: Encryption,
}

impl Connect for Dial {
    fn connect(&self, config: &Config) -> Boxed<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        let config = config.clone();
        let (server, shared, generation) = (self.server.clone(), self.shared.clone(), self.generation);
        let encryption = self.encryption.clone();
        Box::pin(async move {
            open(&config, encryption, move |error| {
                if let Some(shared) = shared.upgrade() {
                    shared.report(generation, &server.told(Failure::of(error)));
                }
            })
            .await
        })
    }
}

/// How connections of one pool are encrypted, settled when the pool is made.
#[derive(Clone)]
enum Encryption {
    #[cfg(feature = "tls")]
    Rustls(tokio_postgres_rustls::MakeRustlsConnect),
    None,
}

impl Encryption {
    fn of(server: &Server) -> Result<Encryption, Failure> {
        #[cfg(feature = "tls")]
        {
            let target = &server.settings.target;
            if target.config.get_ssl_mode() != tokio_postgres::config::SslMode::Disable {
                return crate::tls::connector(&target.trust).map(Encryption::Rustls);
            }
        }
        let _ = server;
        Ok(Encryption::None)
    }
}

async fn open(
    config: &Config,
    encryption: Encryption,
    lost: impl FnOnce(&tokio_postgres::Error) + Send + 'static,
) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
    match encryption {
        #[cfg(feature = "tls")]
        Encryption::Rustls(tls) => {
            let (client, connection) = config.connect(tls).await?;
            Ok((client, tokio::spawn(serve(connection, lost))))
        }
        Encryption::None => {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
            Ok((client, tokio::spawn(serve(connection, lost))))
        }
    }
}

async fn serve(
    connection: impl Future<Output = Result<(), tokio_postgres::Error>>,
    lost: impl FnOnce(&tokio_postgres::Error),
) {
    if let Err(error) = connection.await {
        lost(&error);
    }
}

/// Asks a connection whether it still serves what is needed.
pub(crate) async fn probe(client: &Client, access: Access, within: Duration) -> Result<(), Failure> {
    let question = match access {
        Access::ReadWrite => "SHOW transaction_read_only",
        // Nothing to run: whether the server answers at all.
        Access::Any => "",
    };
    let answer = tokio::time::timeout(within, client.simple_query(question)).await;
    let rows = match answer {
        Err(_) => return Err(Failure::timeout("a connection was asked", within)),
        Ok(Err(error)) => return Err(Failure::of(&error)),
        Ok(Ok(rows)) => rows,
    };
    let is_read_only = rows.iter().any(|row| matches!(row, SimpleQueryMessage::Row(row) if row.get(0) == Some("on")));
    if is_read_only {
        let mut failure = Failure::new(Kind::ReadOnly, "the server takes no writes");
        failure.sqlstate = Some("25006".into());
        return Err(failure);
    }
    Ok(())
}

/// Makes one connection that belongs to no pool: for work that needs a session to itself, such as a migration. It is
/// closed when the client is dropped.
///
/// # Errors
/// Why there is none, without the password.
pub async fn connect(settings: &Settings) -> Result<Client, Failure> {
    let server = Server { settings: settings.clone() };
    let within = settings.connect_timeout;
    let asked = tokio::time::timeout(within, async {
        let encryption = Encryption::of(&server)?;
        let (client, _) =
            open(&server.config(), encryption, |_| {}).await.map_err(|error| server.told(Failure::of(&error)))?;
        Ok(client)
    });
    asked.await.unwrap_or_else(|_| Err(Failure::timeout("connecting", within)))
}
