//! A Postgres server that is thrown away after its use: for a drill, a rehearsal, or to see what migrations make.
//!
//! It runs the binaries of a given image and nothing else of it: no entry point, no init files, no configuration. It has no network, runs
//! no jobs, replicates nothing and archives nothing, so what is restored into it acts on nobody. It goes with the value
//! ([`crate::docker::Throwaway`]), also when the process is killed.
//!
//!     let server = ThrowawayServer::start(&docker, &Need { image, purpose: "drift", about, ..Need::default() }).await?;
//!     let session = server.server("postgres");        // a `Server`, for a `Migrator` or sessions
//!     server.remove().await?;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use mainstay_model::declared::Hidden;
use rustix::fs::statvfs;
use tokio::io::AsyncRead;
use tokio::sync::watch;

use super::backup::{BackupError, Tools};
use super::reach::Inside;
use super::session::Server;
use super::tool::{Ran, ToolError, no_input, run};
use super::tunnel::Tunnel;
use crate::docker::{Docker, Exec, Throwaway, ThrowawayWanted};
use crate::world::WorldError;

/// As whom everything in it runs, when the image does not say another user than root.
const USER: &str = "postgres";
/// The folder that is memory.
const IN_MEMORY: &str = "/mainstay";
/// Where the cluster is made. The image's own folder is a volume, as a rule, and is its user's.
const MAKE: &str = r#"d="${1:-${PGDATA:-/var/lib/postgresql/data}}"; mkdir -p "$d" 2>/dev/null; [ -w "$d" ] || d=/tmp
LC_ALL=C initdb -D "$d/mainstay" -U "$2" --auth=trust --encoding=UTF8 --locale=C --no-sync >&2 && printf %s "$d/mainstay""#;
const READY: &str = "database system is ready to accept connections";
const READY_WITHIN: Duration = Duration::from_secs(60);
const KEPT_LINES: usize = 40;
/// What is in memory may be no more than this part of what is free.
const SHARE_OF_MEMORY: u64 = 4;
const MOST_IN_MEMORY: u64 = 2 << 30;
/// What a cluster needs beside its rows: its catalogs and its log.
const BESIDE: u64 = 300 << 20;

/// What is needed.
#[derive(Clone, Debug, Default)]
pub struct Need {
    /// The image of the database that it stands for; it has to be there.
    pub image: String,
    /// One word, for the container's name.
    pub purpose: &'static str,
    /// For a person who looks: `stack/database`.
    pub about: String,
    /// The name of its first role, which is a superuser; default: `postgres`.
    pub superuser: Option<String>,
    /// How large the databases in it will be, in bytes; 0 for small ones.
    pub bytes: u64,
    /// Settings that it has to have, such as `shared_preload_libraries`; those that keep it quiet win.
    pub settings: Vec<(String, String)>,
}

/// Where the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereto {
    Memory,
    Disk,
}

/// One server.
#[derive(Debug)]
pub struct ThrowawayServer {
    container: Arc<Throwaway>,
    superuser: String,
    whereto: Whereto,
    told: Told,
}

/// What the server says.
#[derive(Clone, Debug)]
struct Told {
    lines: Arc<Mutex<VecDeque<String>>>,
    state: watch::Receiver<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Ready,
    Ended,
}

impl ThrowawayServer {
    /// Makes it, and returns when it answers.
    ///
    /// # Errors
    /// When the image is not there or holds no Postgres, when there is no room, or when the server does not start: with its own
    /// words.
    pub async fn start(docker: &Docker, need: &Need) -> Result<ThrowawayServer, WorldError> {
        let user = match docker.image_user(&need.image).await? {
            None => {
                return Err(WorldError::new(format!("the image `{}` is not there", need.image))
                    .hint(format!("bring it: `docker pull {}`", need.image)));
            }
            Some(user) if matches!(user.split(':').next(), Some("" | "root" | "0")) => USER.to_owned(),
            Some(user) => user,
        };
        let whereto = place(docker, need.bytes).await?;
        let memory = (whereto == Whereto::Memory).then(|| (IN_MEMORY.to_owned(), needed(need.bytes)));
        let wanted = ThrowawayWanted {
            image: need.image.clone(),
            purpose: need.purpose,
            about: need.about.clone(),
            user,
            memory,
        };
        let container = Arc::new(docker.throw_away(wanted).await?);
        let superuser = need.superuser.clone().unwrap_or_else(|| USER.into());
        let root = if whereto == Whereto::Memory { IN_MEMORY } else { "" };
        let folder = make_cluster(&container, root, &superuser).await?;
        let told = serve(&container, &folder, &need.settings).await?;
        Ok(ThrowawayServer { container, superuser, whereto, told })
    }

    /// One of its databases, as its superuser.
    pub fn server(&self, database: &str) -> Server {
        self.server_as(database, &self.superuser)
    }

    /// One of its databases, as another role.
    pub fn server_as(&self, database: &str, user: &str) -> Server {
        Server::inside(Tunnel {
            container: self.container.clone(),
            database: database.to_owned(),
            user: user.to_owned(),
        })
    }

    /// Its image's own programs, for one of its databases.
    ///
    /// # Errors
    /// When the container is gone.
    pub async fn tools(&self, database: &str) -> Result<Tools, BackupError> {
        let variables = [
            ("PGHOST", "127.0.0.1"),
            ("PGPORT", "5432"),
            ("PGUSER", self.superuser.as_str()),
            ("PGDATABASE", database),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), Hidden::new(value))).collect();
        let (container, name) = (self.container.id().to_owned(), self.container.name().to_owned());
        Tools::inside(self.container.docker(), Inside { container, name, variables }).await
    }

    pub fn superuser(&self) -> &str {
        &self.superuser
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        self.container.name()
    }

    pub fn whereto(&self) -> Whereto {
        self.whereto
    }

    /// Runs one of its image's tools, which finds the server by itself (`PGHOST`, `PGUSER` are set).
    ///
    /// # Errors
    /// When the container, or the input, breaks off. A tool that fails is no error here: its code says so.
    pub async fn tool(&self, command: &[&str], input: impl AsyncRead + Send + Unpin) -> Result<Ran, ToolError> {
        run(self.exec(command).await?, input).await
    }

    async fn exec(&self, command: &[&str]) -> Result<Exec, WorldError> {
        let user = format!("PGUSER={}", self.superuser);
        let mut all = vec!["env", "PGHOST=127.0.0.1", "PGPORT=5432", &user, "LC_ALL=C"];
        all.extend(command);
        self.container.exec(&all, true).await
    }

    /// The last lines that the server said.
    pub fn last_words(&self) -> Vec<String> {
        self.told.last()
    }

    /// Whether it still runs.
    pub fn serves(&self) -> bool {
        *self.told.state.borrow() == State::Ready
    }

    /// Removes it, and returns when it is gone. Sessions with it are cut.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn remove(self) -> Result<(), WorldError> {
        self.container.let_go().await
    }
}

fn needed(bytes: u64) -> u64 {
    // Indexes are built beside what they are built from, and a checkpoint's log beside both.
    bytes + bytes / 2 + BESIDE
}

/// Memory when it is small beside what is free, else the disk when that has the room. What cannot be seen from here (an engine on
/// another machine) is taken to be there.
async fn place(docker: &Docker, bytes: u64) -> Result<Whereto, WorldError> {
    let needed = needed(bytes);
    let local = docker.process().await.is_some();
    let free = local.then(free_memory).flatten();
    if free.is_some_and(|free| needed <= MOST_IN_MEMORY.min(free / SHARE_OF_MEMORY)) {
        return Ok(Whereto::Memory);
    }
    if !local {
        return Ok(Whereto::Disk);
    }
    let Some(folder) = docker.root_folder().await else { return Ok(Whereto::Disk) };
    let disk = statvfs(folder.as_str()).ok().and_then(|stat| stat.f_bavail.checked_mul(stat.f_frsize));
    match disk {
        Some(disk) if disk < needed => Err(WorldError::new(format!(
            "there is no room for a copy: it needs {} and `{folder}` has {} free",
            megabytes(needed),
            megabytes(disk)
        ))
        .hint("make room there, then run it again; `docker system df` shows what takes it")),
        _ => Ok(Whereto::Disk),
    }
}

fn free_memory() -> Option<u64> {
    use procfs::Current as _;
    procfs::Meminfo::current().ok()?.mem_available
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

async fn make_cluster(container: &Throwaway, root: &str, superuser: &str) -> Result<String, WorldError> {
    let exec = container.exec(&["sh", "-c", MAKE, "sh", root, superuser], false).await?;
    let ran = match run(exec, no_input()).await {
        Ok(ran) => ran,
        Err(ToolError::World(error)) => return Err(error),
        Err(other) => return Err(WorldError::new(other.to_string())),
    };
    if ran.code == 0 {
        return Ok(ran.text());
    }
    let mut error =
        WorldError::new(format!("`initdb` made no cluster in `{}` (it ended with {})", container.name(), ran.code));
    error.log_tail = ran.words();
    if ran.errors.contains("not found") {
        error = error.hint("the image has to be one of Postgres, with `initdb` in its PATH");
    }
    Err(error)
}

/// Settings that keep the server from acting on anybody, and from caring for what is thrown away.
fn quiet() -> Vec<(String, String)> {
    let pairs = [
        ("listen_addresses", "127.0.0.1"),
        ("port", "5432"),
        ("unix_socket_directories", "/tmp"),
        ("ssl", "off"),
        ("cron.launch_active_jobs", "off"),
        ("max_logical_replication_workers", "0"),
        ("max_sync_workers_per_subscription", "0"),
        ("archive_mode", "off"),
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("autovacuum", "off"),
        ("checkpoint_timeout", "1h"),
        ("shared_buffers", "64MB"),
        ("maintenance_work_mem", "128MB"),
        ("max_connections", "20"),
        ("max_locks_per_transaction", "4096"),
        ("jit", "off"),
        ("lc_messages", "C"),
        ("logging_collector", "off"),
        ("log_destination", "stderr"),
        ("log_min_messages", "warning"),
        ("log_statement", "none"),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn serve(container: &Arc<Throwaway>, folder: &str, asked: &[(String, String)]) -> Result<Told, WorldError> {
    let mut command = vec!["postgres".to_owned(), "-D".into(), folder.to_owned()];
    for (name, value) in asked.iter().cloned().chain(quiet()) {
        command.extend(["-c".to_owned(), format!("{name}={value}")]);
    }
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let exec = container.exec(&words, false).await?;
    let mut told = hear(exec);
    let state = tokio::time::timeout(READY_WITHIN, told.state.wait_for(|state| *state != State::Starting)).await;
    let state = state.ok().and_then(Result::ok).map(|state| *state);
    if state == Some(State::Ready) {
        return Ok(told);
    }
    let what = if state.is_some() { "did not start" } else { "did not come up in time" };
    let mut error = WorldError::new(format!("the throw-away server in `{}` {what}", container.name()));
    error.log_tail = told.last();
    Err(error)
}

/// Listens to the server until it ends.
fn hear(mut exec: Exec) -> Told {
    let lines: Arc<Mutex<VecDeque<String>>> = Arc::default();
    let (tell, state) = watch::channel(State::Starting);
    let into = lines.clone();
    tokio::spawn(async move {
        let mut rest = String::new();
        while let Some(Ok(piece)) = exec.output.next().await {
            rest += &String::from_utf8_lossy(&piece.bytes);
            while let Some(end) = rest.find('\n') {
                let line: String = rest.drain(..=end).collect();
                if line.contains(READY) {
                    tell.send_replace(State::Ready);
                }
                let mut lines = into.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == KEPT_LINES {
                    lines.pop_front();
                }
                lines.push_back(line.trim_end().to_owned());
            }
        }
        tell.send_replace(State::Ended);
    });
    Told { lines, state }
}

impl Told {
    fn last(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
