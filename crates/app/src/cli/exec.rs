//! `mainstay exec`

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use futures_util::StreamExt as _;
use mainstay_engine::docker::{Docker, Exec as Running, ExecOptions, LogStream};
use mainstay_model::declared::Hidden;
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::{Container, Scope, State};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::signal::unix::{SignalKind, signal};

use super::chosen;
use super::up::ServiceArg;
use crate::boot::{Boot, engine};
use crate::problem::{Outcome, Problem};
use crate::ui::report::report;
use crate::ui::terminal::{self, RawTerminal};

/// Run a command in a service's running container.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay exec db psql -U postgres\n  mainstay exec -T db pg_dump -U postgres shop > shop.sql\n  mainstay exec -u root -w /srv -e DEBUG=1 web sh\n\nThe exit code is the command's own; 126 or 127, with a report, when it could not be run."
)]
pub struct Exec {
    /// No terminal for the command, even when there is one here
    #[arg(long, short = 'T')]
    no_tty: bool,
    /// As this user
    #[arg(long, short = 'u', value_name = "USER")]
    user: Option<String>,
    /// With this variable; without a value it is taken from here; may be repeated
    #[arg(short = 'e', value_name = "NAME[=VALUE]")]
    variables: Vec<String>,
    /// In this folder
    #[arg(long, short = 'w', value_name = "DIR")]
    workdir: Option<String>,
    /// With every right that the engine can give
    #[arg(long)]
    privileged: bool,
    /// In the container of this number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    index: u32,
    /// The service
    #[arg(value_name = "SERVICE")]
    service: ServiceArg,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

pub async fn run(boot: &Boot, args: Exec) -> Outcome {
    boot.refuse_dry_run("exec")?;
    let stack = chosen::name_with(boot, "exec", &args.service.0).await?;
    let docker = boot.docker().await?;
    let container = args.container(&docker, &stack).await?;
    let tty = !args.no_tty && boot.ui.in_is_terminal && boot.ui.out_is_terminal;
    let program = args.command.first().cloned().unwrap_or_default();
    let options = ExecOptions {
        env: args.variables(boot),
        command: args.command,
        tty,
        stdin: true,
        user: args.user,
        working_dir: args.workdir,
        privileged: args.privileged,
    };
    let mut running = docker.exec(&container.id, options).await?;
    let keys = if tty { Some(RawTerminal::enter()?) } else { None };
    let told = talk_with(boot, &mut running, tty).await;
    drop(keys);
    let refused = told?;
    let code = running.exit_code().await?;
    if let Some(sentence) = refused {
        report(&boot.ui, &not_run(&program, &container, &args.service.0, &sentence));
    }
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// The engine's sentence about a program that never began, as our report. The exit code is the engine's, as with `docker`.
fn not_run(program: &str, container: &Container, service: &ServiceName, sentence: &str) -> Problem {
    let message = format!("`{program}` could not be run in `{}`", container.name);
    let mut problem = Problem::usage("not-run", message);
    problem.causes.push(sentence.trim().to_owned());
    if sentence.contains("executable file not found") {
        problem = problem.hint(format!("see which programs its image has: `mainstay exec {service} ls /bin /usr/bin`"));
    }
    problem
}

impl Exec {
    /// Those whose value is to be taken from where the command is typed.
    pub fn variables_from_here(&self) -> Vec<String> {
        self.variables.iter().filter(|text| !text.contains('=')).cloned().collect()
    }

    async fn container(&self, docker: &Docker, stack: &StackName) -> Result<Container, Problem> {
        let service = &self.service.0;
        let observed = engine::look(docker, &Scope::of_stack(stack.clone())).await?;
        let all = observed.of_service(service);
        let found = all.iter().find(|one| one.number == self.index).or(match all.as_slice() {
            // A container without a number stands for the only one.
            [one] if self.index == 1 => Some(one),
            _ => None,
        });
        match found {
            Some(container) if container.state == State::Running => Ok((*container).clone()),
            Some(container) => Err(Problem::world("not-running", format!("`{}` does not run", container.name))
                .hint(format!("see why: `mainstay logs {service}`, `mainstay ps`"))
                .hint(format!("start it: `mainstay up {service}`"))),
            None => {
                let message = format!("the stack `{stack}` has no container {} of the service `{service}`", self.index);
                let problem = Problem::world("no-container", message);
                Err(match all.as_slice() {
                    [] => problem.hint(format!("make it: `mainstay up {service}`")),
                    _ => problem.hint("`mainstay ps` shows which there are"),
                })
            }
        }
    }

    fn variables(&self, boot: &Boot) -> Vec<(String, Hidden)> {
        let variable = |text: &String| match text.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), Hidden::new(value))),
            None => boot.environment.variables.get(text).map(|value| (text.clone(), Hidden::new(value))),
        };
        self.variables.iter().filter_map(variable).collect()
    }
}

/// Carries input and output until the command has said all; gives the engine's sentence about one that never began.
async fn talk_with(boot: &Boot, running: &mut Running, tty: bool) -> Result<Option<String>, Problem> {
    let input = running.input.take();
    let sending = tokio::spawn(async move {
        let Some(mut input) = input else { return };
        let mut stdin = tokio::io::stdin();
        let mut buffer = vec![0; 32 * 1024];
        while let Ok(length @ 1..) = stdin.read(&mut buffer).await {
            if input.write_all(&buffer[..length]).await.is_err() || input.flush().await.is_err() {
                return;
            }
        }
        let _ = input.shutdown().await;
    });
    let received = receive(boot, running, tty).await;
    sending.abort();
    received
}

async fn receive(boot: &Boot, running: &mut Running, tty: bool) -> Result<Option<String>, Problem> {
    let mut resized = signal(SignalKind::window_change())
        .map_err(|error| Problem::world("signals", "the terminal's size cannot be followed").caused_by(&error))?;
    if tty {
        fit(running).await;
    }
    let mut is_first = true;
    let mut sentence: Option<String> = None;
    loop {
        tokio::select! {
            piece = running.output.next() => match piece {
                Some(piece) => {
                    let piece = piece?;
                    if std::mem::take(&mut is_first) && running.never_began().await? {
                        sentence = Some(String::new());
                    }
                    if let Some(sentence) = &mut sentence {
                        *sentence += &String::from_utf8_lossy(&piece.bytes);
                        continue;
                    }
                    match piece.stream {
                        LogStream::Out => boot.ui.raw_data(&piece.bytes)?,
                        LogStream::Err => {
                            let _ = std::io::stderr().lock().write_all(&piece.bytes);
                        }
                    }
                }
                None => return Ok(sentence),
            },
            Some(()) = resized.recv(), if tty => fit(running).await,
        }
    }
}

/// Tells the command how large the terminal is. A command that just ended has none any more, and that is fine.
async fn fit(running: &Running) {
    if let Some((columns, rows)) = terminal::size() {
        let _ = running.resize(columns, rows).await;
    }
}
