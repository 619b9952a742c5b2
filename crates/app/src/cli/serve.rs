//! `mainstay serve`

mod outside;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mainstay_engine::Keeper;
use mainstay_engine::docker::Docker;
use mainstay_engine::journal::{EntryKind, HistoryFilter};
use mainstay_engine::pg::drill::scheduled;
use mainstay_engine::timetable::{Drilling, Timetable};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::{Api, Running, router};
use crate::boot::interrupt::Signals;
use crate::boot::{Boot, engine, notify, socket};
use crate::client::served::Served;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::Ui;
use crate::ui::show::count;

/// The longest pause between two tries to reach the engine.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What a cancelled operation may take to end, and an open answer to close.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// Hold every stack that was brought up here, and take orders on a socket in the state folder.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay serve                              until SIGTERM or Ctrl-C\n  mainstay serve --socket-group docker        members of `docker` may give orders\n  mainstay serve --listen 0.0.0.0:7443        so may those with a token (docs/REMOTE.md)\n  systemd: Type=notify, ExecStart=/usr/local/bin/mainstay serve\n\nA second server for the same state folder is refused with exit code 4."
)]
pub struct Serve {
    /// A group whose members may give orders too; they are then as powerful as with the Docker engine
    #[arg(long, value_name = "GROUP")]
    socket_group: Option<String>,
    #[command(flatten)]
    outside: outside::Outside,
    /// Seconds that running operations get to end when the server is stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    stop_timeout: u64,
}

pub async fn run(boot: &Boot, args: Serve) -> Outcome {
    boot.refuse_dry_run("serve")?;
    let ui = &boot.ui;
    let mut signals = Signals::listen();
    if let Some(other) = Served::find(&boot.settings).await? {
        return Err(Problem::world(
            "already-served",
            format!("a server runs here already (pid {})", other.version.pid),
        )
        .hint("stop it first, or serve another folder: `--state-dir DIR`"));
    }
    let docker = tokio::select! {
        docker = reach_engine(boot) => docker?,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let drilling = scheduled(docker.clone(), env!("CARGO_PKG_VERSION"));
    let machine = boot.machine(docker);
    let keeper = Keeper::open(boot.settings.state_dir.clone(), machine).await?.with_secrets(boot.secrets());
    // Before anybody can order anything.
    for told in keeper.settle_releases().await? {
        ui.say(&told);
    }
    let outside = args.outside.bind(&boot.settings.state_dir).await?;
    let listener = socket::listen(&boot.settings.socket, args.socket_group.as_deref())?;
    let engine = engine::version(&keeper.docker);
    let api = Api { keeper, engine, running: Arc::new(Running::default()), stopping: CancellationToken::new() };
    let mut tasks = Tasks::start(ui, &api, listener);
    ui.say(&format!("mainstay {} serves on {}", env!("CARGO_PKG_VERSION"), boot.settings.socket.display()));
    ui.say(&format!("engine {} (API {})", api.engine.version, api.engine.api_version));
    tasks.loops.push(keep_timetable(boot, &api, drilling));
    if let Some(outside) = outside {
        outside.told().iter().for_each(|line| ui.say(line));
        tasks.loops.push(outside.serve(boot, api.stopping.clone()));
    }
    ui.say(&format!("{} known", count(api.keeper.stacks()?.len(), "stack")));
    notify::tell(&boot.environment, "READY=1");
    signals.next().await;
    notify::tell(&boot.environment, "STOPPING=1");
    stop(ui, &api, Duration::from_secs(args.stop_timeout)).await;
    tasks.end().await;
    let _ = std::fs::remove_file(&boot.settings.socket);
    ui.say("stopped; the stacks run on, and nothing holds their attachments until the next `mainstay serve`");
    Ok(ExitCode::SUCCESS)
}

/// Backups and drills by their schedules, beside everything else.
fn keep_timetable(boot: &Boot, api: &Api, drilling: Drilling) -> JoinHandle<()> {
    let (keeper, state_dir) = (api.keeper.acting_for("schedule"), boot.settings.state_dir.clone());
    let timetable = Timetable::new(keeper, boot.secrets(), state_dir, env!("CARGO_PKG_VERSION"), boot.keys());
    let timetable = timetable.drilling(drilling);
    let stopping = api.stopping.clone();
    tokio::spawn(async move { timetable.keep(stopping).await })
}

/// Tries until the engine answers, and says so once for each new reason. An address that is none never will.
async fn reach_engine(boot: &Boot) -> Result<Docker, Problem> {
    let mut pause = Duration::from_millis(250);
    let mut told = String::new();
    loop {
        match boot.docker().await {
            Err(problem) if problem.kind != Kind::Usage => {
                let words = std::iter::once(&problem.message).chain(&problem.causes).cloned().collect::<Vec<_>>();
                let words = words.join(": ");
                if words != told {
                    boot.ui.say(&format!("the engine does not answer, trying on: {words}"));
                    told = words;
                }
            }
            reached => return reached,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Refuses new orders, waits for running ones, and ends those that take too long.
async fn stop(ui: &Ui, api: &Api, patience: Duration) {
    let open = api.running.stop_taking();
    if open > 0 {
        let seconds = patience.as_secs();
        ui.say(&format!("stopping: waiting up to {seconds} s for {}", count(open, "running operation")));
    } else {
        ui.say("stopping");
    }
    if tokio::time::timeout(patience, api.running.all_done()).await.is_err() {
        ui.say("stopping: what still runs is cancelled; the next `mainstay up` goes on from there");
        api.running.cancel_all();
        let _ = tokio::time::timeout(LAST_GRACE, api.running.all_done()).await;
    }
    api.stopping.cancel();
}

/// What runs beside the waiting for a signal.
struct Tasks {
    loops: Vec<JoinHandle<()>>,
}

impl Tasks {
    fn start(ui: &Ui, api: &Api, listener: UnixListener) -> Self {
        let (keeper, stopping) = (api.keeper.clone(), api.stopping.clone());
        let hold = tokio::spawn(async move { keeper.hold(stopping).await });
        let serving =
            axum::serve(listener, router(api.clone())).with_graceful_shutdown(api.stopping.clone().cancelled_owned());
        let serve = tokio::spawn(async move {
            let _ = serving.await;
        });
        let log = tokio::spawn(log(ui.clone(), api.clone()));
        Tasks { loops: vec![hold, serve, log] }
    }

    /// Waits a little for each to end by itself.
    async fn end(self) {
        for task in self.loops {
            let _ = tokio::time::timeout(LAST_GRACE, task).await;
        }
    }
}

/// Writes repairs, problems and operations to the log as the journal gets them.
async fn log(ui: Ui, api: Api) {
    let mut changes = api.keeper.journal.changes();
    let mut filter = HistoryFilter { limit: Some(1), ..HistoryFilter::default() };
    filter.go_on_after(&api.keeper.history(&filter).unwrap_or_default());
    loop {
        tokio::select! {
            () = api.stopping.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
        let Ok(entries) = api.keeper.history(&filter) else { continue };
        filter.go_on_after(&entries);
        for entry in &entries {
            if matches!(entry.kind, EntryKind::Event | EntryKind::Step) {
                continue;
            }
            let stack = entry.stack.as_ref().map_or(String::new(), |stack| format!("{stack}: "));
            let cause = entry.cause.as_ref().map_or(String::new(), |cause| format!(" (because {cause})"));
            ui.say(&format!("{stack}{}{cause}", entry.summary));
        }
    }
}
