//! A backup, restored: the whole of it, into a server of its own.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use mainstay_model::postgres::backup::{Contents, Manifest};
use mainstay_model::postgres::restore;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

use crate::docker::Docker;
use crate::pg::backup::{Alone, BackupError, Snapshot, Tools, Vault};
use crate::pg::session::{Server, Session};
use crate::pg::throwaway::{Need, ThrowawayServer};
use crate::pg::tool::{Ran, ToolError};

const APPLICATION: &str = "mainstay db drill";
/// Extensions that are only there when their library was loaded with the server.
const PRELOADED: &[&str] = &["pg_cron", "timescaledb", "citus", "pgaudit", "pg_net"];

/// Of tables, sequences and large objects. A transaction holds a lock for each of them and for each of their indexes, and the
/// server has some eighty thousand ([`ThrowawayServer`]).
const MOST_AT_ONCE: u64 = 10_000;

/// What is to be restored, and where.
#[derive(Clone, Copy)]
pub struct Wanted<'w> {
    pub docker: &'w Docker,
    pub vault: &'w Vault,
    pub manifest: &'w Manifest,
    /// In place of the image of the manifest.
    pub image: Option<&'w str>,
    /// One word, for the container's name.
    pub purpose: &'static str,
}

/// Why there is no copy.
#[derive(Debug)]
pub enum Failed {
    /// The backup cannot be restored: what was being done, and the tool's own words.
    Backup { doing: String, words: String },
    /// The world is not as it has to be for that; it says nothing of the backup.
    World(BackupError),
}

impl<E: Into<BackupError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Failed::World(error.into())
    }
}

/// A server with one restored database. Everything goes with the value.
pub struct RestoredCopy {
    server: ThrowawayServer,
    tools: Tools,
    database: String,
    /// From nothing to a database that answers.
    pub took: Duration,
}

impl RestoredCopy {
    /// Restores it, with its roles, its settings and its privileges.
    ///
    /// # Errors
    /// [`Failed::Backup`] when that is the backup's fault.
    pub async fn make(wanted: Wanted<'_>, told: &mut (dyn FnMut(&str) + Send)) -> Result<RestoredCopy, Failed> {
        let began = Instant::now();
        let Wanted { vault, manifest, .. } = wanted;
        told("starting a throw-away server of the same image");
        let server = start(wanted).await?;
        let database = manifest.contents.database.name.clone();
        let copy = RestoredCopy { tools: server.tools(&database).await?, server, database, took: began.elapsed() };
        match copy.complete(vault, manifest, told).await {
            Ok(()) => Ok(RestoredCopy { took: began.elapsed(), ..copy }),
            Err(failed) => {
                // It would go by itself a moment later.
                let _ = copy.remove().await;
                Err(failed)
            }
        }
    }

    async fn complete(
        &self,
        vault: &Vault,
        manifest: &Manifest,
        told: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Failed> {
        self.prepare(&manifest.contents).await?;
        told("restoring");
        self.fill(vault, manifest).await?;
        let session = self.server.server("template1").called(APPLICATION).open().await?;
        for sql in restore::settings(&manifest.contents, &self.database, true) {
            // It holds a value, so it is not told.
            let doing = || "setting what roles and the database had set".to_owned();
            session.client.batch_execute(&sql).await.map_err(|error| refused(doing(), &error))?;
        }
        each(&session, restore::grants(&manifest.contents.database, &self.database)).await?;
        told("analyzing");
        let analyzed = self.server().open().await?;
        analyzed.client.batch_execute("ANALYZE").await.map_err(|error| refused("analyzing".into(), &error))
    }

    /// Roles, and the empty database.
    async fn prepare(&self, contents: &Contents) -> Result<(), Failed> {
        let major = contents.server.major();
        let session = self.server.server("template1").called(APPLICATION).open().await?;
        // A cluster has a database of that name from its beginning.
        let drop = format!("DROP DATABASE IF EXISTS {}", restore::ident(&self.database));
        each(&session, vec![drop]).await?;
        each(&session, restore::roles(&contents.roles, self.server.superuser())).await?;
        each(&session, restore::memberships(&contents.roles, major)).await?;
        each(&session, vec![restore::create_database(&contents.database, &self.database, major)]).await
    }

    async fn fill(&self, vault: &Vault, manifest: &Manifest) -> Result<(), Failed> {
        let opened = vault.data(manifest).await.map_err(of_stream)?;
        let mut input = StreamReader::new(opened.map_err(std::io::Error::other));
        let mut command = vec!["pg_restore", "--exit-on-error", "--no-password", "--dbname", &self.database];
        if objects(&manifest.contents) < MOST_AT_ONCE {
            // Rows then go into tables that nobody else can have seen, and not into the server's log: a fifth of the work.
            command.push("--single-transaction");
        }
        let ran = match self.server.tool(&command, &mut input).await {
            Ok(ran) => ran,
            Err(ToolError::World(error)) => return Err(error.into()),
            Err(ToolError::Input { source, .. }) => return Err(of_reading(source)),
        };
        if ran.code != 0 {
            // What is damaged makes the tool fail, too, and damage says more than what the tool made of it.
            rest_of(&mut input).await?;
            return Err(Failed::Backup { doing: format!("`pg_restore` ({})", ran.code), words: words(&ran) });
        }
        rest_of(&mut input).await
    }

    /// The restored database, as the superuser of its server.
    pub fn server(&self) -> Server {
        self.server.server(&self.database).called(APPLICATION)
    }

    /// The same, as another of its roles.
    pub fn server_as(&self, role: &str) -> Server {
        self.server.server_as(&self.database, role)
    }

    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// What the copy holds, read as that was which it is held against.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn contents(
        &self,
        backed_up: &Contents,
        told: impl FnMut(usize, usize),
    ) -> Result<Contents, BackupError> {
        let schema = self.tools.schema_text(None, APPLICATION).await?;
        let never = CancellationToken::new();
        let snapshot = Snapshot::take(&self.server(), Alone::No, &never, |_| {}).await?;
        snapshot.contents(schema, backed_up.rows_as, told).await
    }

    /// Takes it away.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn remove(self) -> Result<(), BackupError> {
        Ok(self.server.remove().await?)
    }
}

async fn start(wanted: Wanted<'_>) -> Result<ThrowawayServer, Failed> {
    let Wanted { docker, manifest, image, purpose, .. } = wanted;
    let contents = &manifest.contents;
    let image = match (image, &manifest.image) {
        (Some(image), _) => image.to_owned(),
        (None, Some(image)) => present(docker, image).await?,
        (None, None) => format!("postgres:{}", contents.server.major()),
    };
    let mut need = Need {
        image,
        purpose,
        about: manifest.of(),
        superuser: Some(restore::bootstrap(contents)),
        bytes: contents.database.bytes,
        settings: Vec::new(),
    };
    let loaded: Vec<&str> = PRELOADED.iter().copied().filter(|name| contents.extensions.contains_key(*name)).collect();
    if loaded.is_empty() {
        return Ok(ThrowawayServer::start(docker, &need).await?);
    }
    need.settings = vec![
        ("shared_preload_libraries".to_owned(), loaded.join(",")),
        ("cron.database_name".to_owned(), contents.database.name.clone()),
    ];
    match ThrowawayServer::start(docker, &need).await {
        Ok(server) => Ok(server),
        // An image without one of them is found out by the restore, which names it.
        Err(error) if error.log_tail.iter().any(|line| line.contains("could not access file")) => {
            need.settings.clear();
            Ok(ThrowawayServer::start(docker, &need).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// The very image, or, when the engine has it no more, the one that a registry knows by the same digest.
async fn present(docker: &Docker, image: &mainstay_model::postgres::backup::Image) -> Result<String, Failed> {
    let names = [Some(&image.id), image.repo_digest.as_ref()];
    for name in names.into_iter().flatten().filter(|name| !name.is_empty()) {
        if docker.image_user(name).await?.is_some() {
            return Ok(name.clone());
        }
    }
    // For the sentence that says what is missing.
    Ok(image.repo_digest.clone().unwrap_or_else(|| image.reference.clone()))
}

fn objects(contents: &Contents) -> u64 {
    (contents.tables.len() + contents.sequences.len()) as u64 + contents.large_objects.count
}

async fn each(session: &Session, statements: Vec<String>) -> Result<(), Failed> {
    for sql in statements {
        // Each by itself: several at once are one transaction, and some may stand in none.
        session.client.batch_execute(&sql).await.map_err(|error| refused(format!("`{sql}`"), &error))?;
    }
    Ok(())
}

fn refused(doing: String, error: &standing_pool::tokio_postgres::Error) -> Failed {
    match error.as_db_error() {
        Some(told) => Failed::Backup { doing, words: told.message().to_owned() },
        None => Failed::World(
            crate::pg::PgError::Lost { doing, failure: Box::new(standing_pool::Failure::of(error)) }.into(),
        ),
    }
}

/// The last lines, without what the tool says of its own course.
pub(crate) fn words(ran: &Ran) -> String {
    let lines = ran.words();
    lines.iter().map(|line| line.strip_prefix("pg_restore: ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Reads what the tool did not want any more: at its end stands whether everything was as it was stored.
pub(crate) async fn rest_of(input: &mut (impl AsyncRead + Unpin)) -> Result<(), Failed> {
    match tokio::io::copy(input, &mut tokio::io::sink()).await {
        Ok(_) => Ok(()),
        Err(error) => Err(of_reading(error)),
    }
}

pub(crate) fn of_reading(error: std::io::Error) -> Failed {
    let words = error.to_string();
    match error.into_inner().map(|inner| inner.downcast::<BackupError>()) {
        Some(Ok(error)) => of_stream(*error),
        _ => Failed::Backup { doing: "reading what is stored".into(), words },
    }
}

fn of_stream(error: BackupError) -> Failed {
    match error {
        // Another key than its own says nothing of a backup, and damage does.
        BackupError::Damaged { .. } => {
            Failed::Backup { doing: "reading what is stored".into(), words: error.to_string() }
        }
        other => Failed::World(other),
    }
}
