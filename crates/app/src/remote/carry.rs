//! This side of a command that runs elsewhere: what is typed goes there, what it writes comes here.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::Instant;

use super::address::Address;
use super::frames::{Begin, Frame, Hearing, Telling, Unheard, hear_greeting};
use super::{Link, https, ssh, travel};
use crate::boot::Boot;
use crate::boot::interrupt::Signals;
use crate::cli::Command;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::terminal::{self, RawTerminal};

const CHUNK: usize = 32 * 1024;
/// How often this side shows that it is there.
const PULSE: Duration = Duration::from_secs(10);
/// How long the other side may say nothing.
const SILENCE: Duration = Duration::from_secs(40);
/// How long the other side may take to greet, the way there included.
const GREETING: Duration = Duration::from_secs(45);

/// Runs a command on another machine.
///
/// # Errors
/// When it does not travel, the machine cannot be reached, or the connection breaks.
pub async fn run(boot: &Boot, address: &Address, command: &Command, args: Vec<String>) -> Outcome {
    let begin = travel::packed(boot, command, args)?;
    let host = address.to_string();
    let mut link = match address {
        Address::Ssh { .. } => ssh::reach(boot, address)?,
        Address::Https { .. } | Address::Http { .. } => https::reach(boot, address).await?,
    };
    let greeted = tokio::time::timeout(GREETING, hear_greeting(&mut link.from, &host)).await;
    match greeted {
        Ok(Ok(())) => {}
        Ok(Err(Unheard::Mismatch(problem))) => return Err(problem),
        Ok(Err(Unheard::Nothing)) => return Err(unreached(link, &host, None).await),
        Ok(Err(Unheard::Other(said))) => return Err(unreached(link, &host, Some(said)).await),
        Err(_) => {
            return Err(Problem::world("host-silent", format!("`{host}` took the connection and does not answer"))
                .hint("try it by hand: `ssh -v` shows how far it comes"));
        }
    }
    Talk { boot, host, command: command.name(), changes: changes(command) }.hold(begin, link).await
}

/// Why the other side did not greet.
async fn unreached(link: Link, host: &str, said: Option<String>) -> Problem {
    if let Some(client) = link.ssh {
        return client.why(host, said).await;
    }
    let problem = Problem::world("host-lost", format!("`{host}` ended the connection before it said anything"));
    match said {
        Some(said) if !said.is_empty() => problem.hint(format!("it said: {said}")),
        _ => problem.hint("look at the log of `mainstay serve` there"),
    }
}

/// One command that is under way.
struct Talk<'b> {
    boot: &'b Boot,
    host: String,
    command: &'static str,
    changes: Changes,
}

impl Talk<'_> {
    async fn hold(&self, begin: Begin, link: Link) -> Outcome {
        let has_terminal = begin.terminal.is_some();
        let raw = if has_terminal { Some(RawTerminal::enter()?) } else { None };
        let (frames, queue) = channel(16);
        let teller = tokio::spawn(tell(Telling::on(link.to), queue));
        let _ = frames.send(Frame::Begin(Box::new(begin))).await;
        if has_terminal || self.wants_input() {
            tokio::spawn(read_stdin(frames.clone()));
        } else {
            let _ = frames.send(Frame::InEnd).await;
        }
        let ended = self.hear(Hearing::on(link.from), &frames, has_terminal).await;
        drop(raw);
        drop(frames);
        teller.abort();
        if let Some(client) = link.ssh {
            client.end().await;
        }
        ended
    }

    /// What is typed at a terminal belongs to whoever reads it: to a pager behind a pipe, not to us.
    fn wants_input(&self) -> bool {
        !self.boot.ui.in_is_terminal || matches!(self.command, "exec" | "secret")
    }

    async fn hear(
        &self,
        mut hearing: Hearing<impl tokio::io::AsyncRead + Unpin>,
        frames: &tokio::sync::mpsc::Sender<Frame>,
        has_terminal: bool,
    ) -> Outcome {
        let mut signals = Signals::listen();
        let mut resized = signal(SignalKind::window_change())
            .map_err(|error| Problem::world("signals", "the terminal's size cannot be followed").caused_by(&error))?;
        let mut heard_at = Instant::now();
        let mut interrupted = false;
        loop {
            tokio::select! {
                frame = hearing.next() => {
                    heard_at = Instant::now();
                    match frame {
                        Some(Ok(Frame::Out(bytes))) => self.boot.ui.raw_data(&bytes)?,
                        Some(Ok(Frame::Err(bytes))) => {
                            let mut stderr = std::io::stderr().lock();
                            let _ = stderr.write_all(&bytes).and_then(|()| stderr.flush());
                        }
                        Some(Ok(Frame::End(code))) => return Ok(ExitCode::from(code)),
                        Some(Ok(Frame::Refused(body))) => return Err(Problem::from(*body)),
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => return Err(self.lost()),
                    }
                }
                () = signals.next() => {
                    if interrupted {
                        return Err(self.left());
                    }
                    interrupted = true;
                    // Behind what was typed before it, and never waited for.
                    let _ = frames.try_send(Frame::Interrupt);
                }
                Some(()) = resized.recv(), if has_terminal => {
                    if let Some((columns, rows)) = terminal::size() {
                        let _ = frames.try_send(Frame::Resize(columns, rows));
                    }
                }
                () = tokio::time::sleep_until(heard_at + SILENCE) => return Err(self.lost()),
            }
        }
    }

    /// The connection broke: what is known of the command, and how to see the rest.
    fn lost(&self) -> Problem {
        let (host, command) = (&self.host, self.command);
        let message = format!("the connection to `{host}` broke while `mainstay {command}` ran there");
        let problem = Problem::world("connection-lost", message);
        let problem = match self.changes {
            Changes::Nothing => problem,
            Changes::Containers => problem.hint(format!(
                "it ends there as by Ctrl-C: a release that was not committed is taken back; `mainstay {command}` again \
                 goes on from wherever things are"
            )),
            Changes::Database => problem.hint(format!(
                "it ends there as by Ctrl-C: a migration or a restore that was not committed is taken back, and a backup that \
                 was not whole is none; see `mainstay --host {host} db migrate status`, `… db backups`"
            )),
        };
        problem.hint(format!(
            "see where things stand: `mainstay --host {host} history --limit 5`, `… releases`, `… ps --all`"
        ))
    }

    fn left(&self) -> Problem {
        let (host, command) = (&self.host, self.command);
        Problem::new(Kind::Interrupted, "left", format!("left `mainstay {command}` on `{host}` before it had ended"))
            .hint(format!("see where things stand: `mainstay --host {host} history --limit 5`, `… ps --all`"))
    }
}

/// What a command may have begun to change.
#[derive(Clone, Copy)]
enum Changes {
    Nothing,
    Containers,
    Database,
}

fn changes(command: &Command) -> Changes {
    match command {
        Command::Db(args) if args.typed().only_looks => Changes::Nothing,
        Command::Db(_) => Changes::Database,
        Command::Ps(_)
        | Command::Logs(_)
        | Command::History(_)
        | Command::Releases(_)
        | Command::Stacks(_)
        | Command::Plan(_)
        | Command::Config(_)
        | Command::Version(_)
        | Command::Smoke(_)
        | Command::Exec(_) => Changes::Nothing,
        _ => Changes::Containers,
    }
}

/// Sends what there is, and a pulse where there is nothing.
async fn tell(mut telling: Telling<Box<dyn tokio::io::AsyncWrite + Send + Unpin>>, mut queue: Receiver<Frame>) {
    loop {
        let frame = match tokio::time::timeout(PULSE, queue.recv()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(_) => Frame::Ping,
        };
        if telling.tell(&frame).await.is_err() {
            return;
        }
    }
}

async fn read_stdin(frames: tokio::sync::mpsc::Sender<Frame>) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = stdin.read(&mut buffer).await {
        if frames.send(Frame::In(Bytes::copy_from_slice(&buffer[..length]))).await.is_err() {
            return;
        }
    }
    let _ = frames.send(Frame::InEnd).await;
}
