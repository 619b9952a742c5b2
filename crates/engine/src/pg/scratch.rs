//! A database to try files on: in a container of its own that goes with this process, or, where that was said, beside the
//! real one on its server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use mainstay_model::declared::Hidden;
use mainstay_model::postgres::migration::MigrationSet;
use standing_pool::tokio_postgres::Client;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::error::PgError;
use super::ground::{self, Ground};
use super::session::{Server, Session, literal, name};
use super::tunnel::Tunnel;
use crate::WorldError;
use crate::docker::{Docker, Likeness, LogStream, Throwaway, ThrowawayWanted};

const START: &str = include_str!("scratch.sh");
const READY: &str = "mainstay: the scratch server is ready";
/// Making a server and running init files takes seconds; a disk may be slow.
const START_WITHIN: Duration = Duration::from_secs(180);
/// So many of the last lines are told when it does not start.
const LOG_TAIL: usize = 20;
/// What sessions in it call themselves.
const SESSION: &str = "mainstay db drift";
/// Databases that are made on a server of somebody's are known by it, and by the words beside it.
const PREFIX: &str = "mainstay_scratch_";
const COMMENT: &str = "made by mainstay to compare with, and dropped after it";
/// Where images keep what runs when a server is made.
const INIT_FILES: &str = "/docker-entrypoint-initdb.d";
/// What of an environment is a place or a secret in a file, and not there.
const NOT_THERE: &[&str] =
    &["PGDATA", "PGHOST", "PGPORT", "PGPASSFILE", "PATH", "HOME", "HOSTNAME", "POSTGRES_INITDB_WALDIR"];

/// Where a scratch database is made.
pub enum Ways {
    /// In a container like one that runs: of its image, with its init files and its environment.
    Like { docker: Box<Docker>, container: String },
    /// In a container of an image that is there.
    Image { docker: Box<Docker>, image: String },
    /// Beside the real one, on its server.
    OnServer,
}

/// Why there is none, or why files did not run on it.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    #[error(transparent)]
    World(#[from] WorldError),
    #[error(transparent)]
    Pg(#[from] PgError),
    #[error("interrupted")]
    Interrupted,
}

/// One scratch database, with a session in it that stands for the role that migrates.
pub(super) struct Scratch {
    pub session: Session,
    pub role: String,
    /// As who may do everything, where there is one.
    root: Option<Session>,
    place: Place,
}

enum Place {
    Container(Arc<Throwaway>),
    Server { server: Server, database: String },
}

impl Scratch {
    /// Makes one for the database that `server` leads to, on the ground that `live` stands on.
    ///
    /// # Errors
    /// When it cannot be made. Nothing is left then.
    pub async fn make(
        ways: &Ways,
        server: &Server,
        live: &Session,
        set: &MigrationSet,
        cancelled: &CancellationToken,
    ) -> Result<Scratch, ScratchError> {
        let ground = ground::read(&live.client, set).await?;
        let role: String = live.one("SELECT current_user::text", "asking for the role").await?.get(0);
        match ways {
            Ways::OnServer => on_server(server, live, &ground, role).await,
            Ways::Like { docker, container } => {
                let likeness = docker.likeness(container).await?;
                let tape = docker.folder_of(container, INIT_FILES).await?;
                in_container(docker, likeness, tape, server, &ground, role, cancelled).await
            }
            Ways::Image { docker, image } => {
                let likeness = Likeness { image: image.clone(), environment: Vec::new() };
                in_container(docker, likeness, Vec::new(), server, &ground, role, cancelled).await
            }
        }
    }

    /// A session that makes what is not the role's own.
    pub fn root(&self) -> &Session {
        self.root.as_ref().unwrap_or(&self.session)
    }

    /// Takes it away, and returns when it is gone.
    pub async fn remove(self) -> Result<(), ScratchError> {
        let Scratch { session, root, place, .. } = self;
        drop((session, root));
        match place {
            Place::Container(container) => Ok(container.let_go().await?),
            Place::Server { server, database } => {
                let session = server.open().await?;
                Ok(drop_database(&session, &database).await?)
            }
        }
    }
}

/// Removes what earlier processes left.
///
/// # Errors
/// When the engine or the server cannot be asked.
pub(super) async fn sweep(ways: &Ways, live: &Session) -> Result<(), ScratchError> {
    match ways {
        Ways::Like { docker, .. } | Ways::Image { docker, .. } => drop(docker.sweep().await?),
        Ways::OnServer => {
            // Whoever uses one has a session in it.
            let sql = "SELECT datname::text FROM pg_database d WHERE datname LIKE 'mainstay\\_scratch\\_%' \
                       AND shobj_description(d.oid, 'pg_database') = $1 \
                       AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid)";
            let rows = live.client.query(sql, &[&COMMENT]).await.map_err(PgError::lost("looking for what was left"))?;
            for row in rows {
                drop_database(live, row.get(0)).await?;
            }
        }
    }
    Ok(())
}

async fn drop_database(session: &Session, database: &str) -> Result<(), PgError> {
    let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name(database));
    session.simple(&sql, "dropping the scratch database").await
}

async fn on_server(server: &Server, live: &Session, ground: &Ground, role: String) -> Result<Scratch, ScratchError> {
    let mut nonce = [0; 4];
    getrandom::fill(&mut nonce).map_err(|error| WorldError::new("no random bytes").caused_by(error.to_string()))?;
    let database = format!("{PREFIX}{:08x}", u32::from_be_bytes(nonce));
    let made = live.client.batch_execute(&format!("CREATE DATABASE {}", name(&database))).await;
    made.map_err(|error| {
        let told = error.as_db_error().map_or_else(|| error.to_string(), |told| told.message().to_owned());
        WorldError::new(format!("no scratch database could be made on the server: {told}"))
            .hint("let the role do so (`ALTER ROLE … CREATEDB`), or name an image: `--scratch IMAGE`")
    })?;
    let prepared = async {
        let comment = format!("COMMENT ON DATABASE {} IS {}", name(&database), literal(COMMENT));
        live.simple(&comment, "preparing the scratch database").await?;
        let session = server.of_database(&database).open().await?;
        // What is said of the database by its name is said of another one; the rest is not.
        let of_it = ground.of_database.iter().filter(|one| !one.contains(" DATABASE ")).cloned().collect::<Vec<_>>();
        ground::make(&session.client, &of_it).await?;
        Ok::<_, PgError>(session)
    };
    match prepared.await {
        Ok(session) => {
            let place = Place::Server { server: server.clone(), database };
            Ok(Scratch { session, role, root: None, place })
        }
        Err(error) => {
            let _ = drop_database(live, &database).await;
            Err(error.into())
        }
    }
}

async fn in_container(
    docker: &Docker,
    likeness: Likeness,
    tape: Vec<u8>,
    server: &Server,
    ground: &Ground,
    role: String,
    cancelled: &CancellationToken,
) -> Result<Scratch, ScratchError> {
    let target = server.name();
    let wanted = ThrowawayWanted {
        image: likeness.image,
        purpose: "scratch",
        about: format!("{}/{}", target.host, target.database),
        user: "postgres".into(),
        memory: None,
    };
    let container = Arc::new(docker.throw_away(wanted).await?);
    let made = async {
        start(&container, &likeness.environment, &tape, ground).await?;
        let connect = async |database: &str| {
            let (container, user) = (container.clone(), ground.superuser.clone());
            let tunnel = Tunnel { container, database: database.to_owned(), user };
            tunnel
                .connect()
                .await
                .map_err(|failure| PgError::Connect { target: Box::new(tunnel.name()), failure: Box::new(failure) })
        };
        let first = connect("postgres").await?;
        ground::make(&first, &ground.of_server).await?;
        make_database(&first, &target.database).await?;
        let second = connect(&target.database).await?;
        ground::make(&second, &ground.of_database).await?;
        // Holds for sessions that begin after it.
        path_of(&second, &role, &target.database).await?;
        let third = connect(&target.database).await?;
        let role_there = (role != ground.superuser).then(|| role.clone());
        let of = |client, role| Session::of(client, SESSION.to_owned(), role);
        Ok::<_, ScratchError>((of(third, role_there).await?, of(second, None).await?))
    };
    let made = tokio::select! {
        made = tokio::time::timeout(START_WITHIN, made) => made.unwrap_or_else(|_| {
            let within = START_WITHIN.as_secs();
            Err(WorldError::new(format!("the scratch server was not ready within {within} s")).into())
        }),
        () = cancelled.cancelled() => Err(ScratchError::Interrupted),
    };
    match made {
        Ok((session, root)) => Ok(Scratch { session, role, root: Some(root), place: Place::Container(container) }),
        Err(error) => {
            let _ = container.let_go().await;
            Err(error)
        }
    }
}

async fn make_database(client: &Client, database: &str) -> Result<(), PgError> {
    let row = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&database]).await;
    if row.map_err(PgError::lost("preparing the scratch database"))?.is_none() {
        let sql = format!("CREATE DATABASE {}", name(database));
        client.batch_execute(&sql).await.map_err(PgError::lost("preparing the scratch database"))?;
    }
    Ok(())
}

/// What `search_path` a login of this role would have: taking on a role does not bring it.
async fn path_of(client: &Client, role: &str, database: &str) -> Result<(), PgError> {
    let sql = "SELECT regexp_replace(c, '^search_path=', '') FROM (SELECT unnest(s.setconfig) AS c, s.setrole, s.setdatabase \
               FROM pg_db_role_setting s) s WHERE c LIKE 'search\\_path=%' \
               AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = $1)) \
               AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = $2)) \
               ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1";
    let row = client.query_opt(sql, &[&role, &database]).await.map_err(PgError::lost("asking for the path"))?;
    let Some(path) = row.map(|row| row.get::<_, String>(0)) else { return Ok(()) };
    // `DISCARD ALL` sets back to what the role of the connection has.
    let sql = format!("ALTER ROLE CURRENT_USER IN DATABASE {} SET search_path = {path}", name(database));
    client.batch_execute(&sql).await.map_err(PgError::lost("preparing the scratch database"))
}

/// Starts the server in the container, runs the init files, and returns when both are done.
async fn start(
    container: &Throwaway,
    environment: &[(String, Hidden)],
    tape: &[u8],
    ground: &Ground,
) -> Result<(), WorldError> {
    let what = if tape.is_empty() { "bare" } else { "init" };
    let mut command = vec!["bash", "-c", START, "scratch", what];
    let libraries = format!("shared_preload_libraries={}", ground.libraries);
    if !ground.libraries.is_empty() {
        command.extend(["-c", &libraries]);
    }
    let mut exec = container.exec(&command, true).await?;
    if let Some(mut input) = exec.input.take() {
        let sent = async {
            input.write_all(&variables(environment, &ground.superuser)).await?;
            input.write_all(tape).await?;
            input.shutdown().await
        };
        // When it does not read, it has ended, and says why.
        let _ = sent.await;
    }
    let mut lines = Lines::default();
    while let Some(piece) = exec.output.next().await {
        let piece = piece?;
        if lines.push(piece.stream, &piece.bytes) {
            // What it says from here on is nobody's; not read, it would stand still.
            tokio::spawn(async move { while exec.output.next().await.is_some() {} });
            return Ok(());
        }
    }
    let mut error = WorldError::new("the scratch server did not start");
    error.log_tail = lines.last.into_iter().collect();
    Err(error.hint("it is made of the database's own image and runs its init files; another image: `--scratch IMAGE`"))
}

/// The environment as the script reads it: NUL after each.
fn variables(environment: &[(String, Hidden)], superuser: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |name: &str, value: &str| {
        bytes.extend_from_slice(format!("{name}={value}").as_bytes());
        bytes.push(0);
    };
    let is_ours = |name: &str| ["POSTGRES_USER", "POSTGRES_DB"].contains(&name);
    for (name, value) in environment {
        let is_file = name.starts_with("POSTGRES_") && name.ends_with("_FILE");
        if !is_file && !is_ours(name) && !NOT_THERE.contains(&name.as_str()) {
            put(name, value.reveal());
        }
    }
    let database = environment.iter().find(|(name, _)| name == "POSTGRES_DB").map(|(_, value)| value.reveal());
    put("POSTGRES_USER", superuser);
    put("POSTGRES_DB", database.filter(|name| !name.is_empty()).unwrap_or(superuser));
    bytes.push(0);
    bytes
}

/// The last lines of what a program says.
#[derive(Default)]
struct Lines {
    last: VecDeque<String>,
    rest: Vec<u8>,
}

impl Lines {
    /// Whether the server is ready now.
    fn push(&mut self, stream: LogStream, bytes: &Bytes) -> bool {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if stream == LogStream::Out && line == READY {
                return true;
            }
            if self.last.len() == LOG_TAIL {
                self.last.pop_front();
            }
            self.last.push_back(line);
        }
        false
    }
}
