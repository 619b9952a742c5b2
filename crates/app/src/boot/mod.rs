//! Reads the flags, builds everything once, runs the command, and is the door at which a problem is reported.

pub mod engine;
pub mod interrupt;
pub mod notify;
pub mod socket;
mod usage;

use std::io::Read as _;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use mainstay_engine::Machine;
use mainstay_engine::docker::Docker;
use mainstay_engine::machine::Vaults;
use mainstay_engine::secrets::Secrets;
use mainstay_engine::timetable::Keys;
use tokio::sync::OnceCell;

use crate::cli::db::shelf;
use crate::cli::{Cli, Command, Global};
use crate::config::{Environment, Settings};
use crate::problem::{Kind, Outcome, Problem};
use crate::remote::address::Address;
use crate::remote::{carry, travel};
use crate::ui::{Ui, report};

/// Everything that a command may need.
#[derive(Clone)]
pub struct Boot {
    pub global: Global,
    pub environment: Environment,
    pub settings: Settings,
    pub ui: Ui,
    /// The standard input, read when a flag says that a file comes from there.
    pub stdin: Option<Vec<u8>>,
    /// One connection serves the whole command.
    engine: OnceCell<Docker>,
}

impl Boot {
    /// The connection to the engine, made when it is first asked for.
    ///
    /// # Errors
    /// When there is no engine.
    pub async fn docker(&self) -> Result<Docker, Problem> {
        let connect = || async {
            let docker = engine::connect(self.settings.docker_host.as_deref()).await?;
            // What a command that was killed left over goes with the next one, whichever that is.
            for name in docker.sweep().await.unwrap_or_default() {
                self.ui.note(&format!("`{name}` was left over by a command that was killed; it is removed"));
            }
            Ok(docker)
        };
        self.engine.get_or_try_init(connect).await.cloned()
    }

    /// Where secrets are kept.
    pub fn secrets(&self) -> Secrets {
        Secrets::of(&self.settings.state_dir, self.settings.key_file.clone())
    }

    /// The host that orders are carried out on, by this process.
    pub fn machine(&self, docker: Docker) -> Machine {
        let vaults = Vaults::of(self.secrets()).with(self.keys(), env!("CARGO_PKG_VERSION"));
        Machine::new(docker, &self.settings.state_dir).with_vaults(vaults)
    }

    /// What the environment of this process knows of places of backups.
    pub fn keys(&self) -> Keys {
        let environment = self.environment.clone();
        Arc::new(move |to| shelf::with_keys(to, &environment))
    }

    /// The same, which tells nothing but problems.
    pub fn quietly(&self) -> Boot {
        let mut boot = self.clone();
        boot.ui.quiet = true;
        boot
    }

    /// The same, for what a person has agreed to already.
    pub fn agreed(&self) -> Boot {
        let mut boot = self.clone();
        boot.settings.yes = true;
        boot
    }

    /// The machine on which the command is to run, when it is another one. Where only the environment names one, commands
    /// that are for this machine run here.
    fn host(&self, command: &Command) -> Result<Option<Address>, Problem> {
        if self.environment.carried.is_some() {
            return Ok(None);
        }
        match (&self.global.host, self.environment.get("MAINSTAY_HOST")) {
            (Some(told), _) => Address::parse(told).map(Some),
            (None, Some(_)) if travel::is_for_here(command) => Ok(None),
            (None, Some(told)) => Address::parse(told).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// For a command that has nothing to show instead of doing it.
    ///
    /// # Errors
    /// When `--dry-run` was given: what it promises would not be kept.
    pub fn refuse_dry_run(&self, command: &str) -> Result<(), Problem> {
        if !self.settings.dry_run {
            return Ok(());
        }
        let message =
            format!("`mainstay {command}` makes no plan, so `--dry-run` has nothing to show; nothing was done");
        Err(Problem::usage("no-dry-run", message).hint("leave `--dry-run` out to do it"))
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage::report(error)),
    };
    let (mut global, command) = cli.parts();
    let built = Environment::of_process().and_then(|environment| {
        if let Some(carried) = &environment.carried {
            carried.lay_over(&mut global);
            arrived(carried.terminal);
        }
        let settings = Settings::of(&global, &environment)?;
        let ui = Ui::of(&settings, &environment);
        Ok(Boot { global: global.clone(), environment, settings, ui, stdin: stdin(&global)?, engine: OnceCell::new() })
    });
    let boot = match built {
        Ok(boot) => boot,
        Err(problem) => {
            crate::ui::report_without_settings(&problem, global.json);
            return ExitCode::from(problem.kind.exit_code());
        }
    };
    // Whatever goes wrong from here on: it is told without them. Where they cannot be opened, who needs them says so.
    boot.ui.redactions.learn(&boot.secrets().everything(None).unwrap_or_default());
    let ui = boot.ui.clone();
    let host = match boot.host(&command) {
        Ok(host) => host,
        Err(problem) => {
            report::report(&ui, &problem);
            return ExitCode::from(problem.kind.exit_code());
        }
    };
    run(boot, command, host).unwrap_or_else(|problem| {
        report::report(&ui, &problem);
        ExitCode::from(problem.kind.exit_code())
    })
}

/// A command that was carried here ends with whoever carries it, and takes the terminal that was made for it.
fn arrived(terminal: bool) {
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::INT));
    if terminal && rustix::process::setsid().is_ok() {
        let _ = rustix::process::ioctl_tiocsctty(std::io::stdin());
    }
}

fn stdin(global: &Global) -> Result<Option<Vec<u8>>, Problem> {
    if !global.file.iter().any(|file| file.as_os_str() == "-") {
        return Ok(None);
    }
    let mut content = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut content)
        .map_err(|error| Problem::files("no-stdin", "the standard input could not be read").caused_by(&error))?;
    Ok(Some(content))
}

/// Runs a command on a runtime of its size; a panic becomes a report of our own mistake.
fn run(boot: Boot, command: Command, host: Option<Address>) -> Outcome {
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let runtime = match &command {
            Command::Serve(_) => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .max_blocking_threads(8)
                .enable_all()
                .build(),
            _ => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        };
        let runtime =
            runtime.map_err(|error| Problem::world("runtime", "the program could not be started").caused_by(&error))?;
        let outcome = runtime.block_on(async {
            match host {
                Some(host) => carry::run(&boot, &host, &command, typed()).await,
                None => command.run(&boot).await,
            }
        });
        // A read of stdin that nobody answers any more must not keep the process.
        runtime.shutdown_timeout(Duration::ZERO);
        outcome
    }));
    caught.unwrap_or_else(|panic| Err(bug(&*panic)))
}

/// The command line without the program's own name.
fn typed() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

fn bug(panic: &(dyn std::any::Any + Send)) -> Problem {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the program stopped where it never should");
    Problem::new(Kind::Bug, "panic", words)
}
