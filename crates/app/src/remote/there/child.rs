//! The process that a command runs in, and what goes in and out of it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::There;
use crate::cli::db::CONFIRM_PROD;
use crate::problem::Problem;
use crate::remote::carried::{Carried, VARIABLE};
use crate::remote::frames::{Begin, Frame, Hearing, Telling};

/// So much is read at once.
const CHUNK: usize = 32 * 1024;
/// So many frames wait to be sent.
const AHEAD: usize = 16;
/// How often this side shows that it is there.
const PULSE: Duration = Duration::from_secs(10);
/// How long the other side may say nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// What is read yet when the process has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// What a process that nobody listens to any more may take to end.
const LAST_GRACE: Duration = Duration::from_secs(600);

/// A process with its streams.
struct Running {
    child: Child,
    input: Option<Sender<Bytes>>,
    output: Vec<JoinHandle<()>>,
    terminal: Option<File>,
}

/// Runs the command to its end. Gives back the teller when the command did not begin.
pub(super) async fn run<R, W>(
    there: &There,
    begin: &Begin,
    carried: &Carried,
    hearing: &mut Hearing<R>,
    telling: Telling<W>,
) -> Result<(), (Problem, Option<Telling<W>>)>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (frames, queue) = channel(AHEAD);
    let mut running = match start(there, begin, carried, &frames) {
        Ok(running) => running,
        Err(error) => {
            let problem = Problem::world("not-run", "the command could not be started there").caused_by(&error);
            return Err((problem, Some(telling)));
        }
    };
    let gone = CancellationToken::new();
    let teller = tokio::spawn(tell(telling, queue, gone.clone()));
    let code = running.until_it_ends(there, hearing, &gone).await;
    for output in std::mem::take(&mut running.output) {
        let _ = tokio::time::timeout(LAST_WORDS, output).await;
    }
    let _ = frames.send(Frame::End(code)).await;
    drop(frames);
    let _ = tokio::time::timeout(LAST_WORDS, teller).await;
    Ok(())
}

/// Sends what there is, and a pulse where there is nothing, until nobody has anything to say or nobody listens.
async fn tell<W: AsyncWrite + Unpin>(mut telling: Telling<W>, mut queue: Receiver<Frame>, gone: CancellationToken) {
    loop {
        let frame = match tokio::time::timeout(PULSE, queue.recv()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(_) => Frame::Pong,
        };
        let is_last = matches!(frame, Frame::End(_));
        if telling.tell(&frame).await.is_err() {
            gone.cancel();
            return;
        }
        if is_last {
            return;
        }
    }
}

/// The process that the command will be, without its streams.
pub(super) fn command_of(there: &There, begin: &Begin, carried: &Carried) -> std::io::Result<Command> {
    let settings = &there.settings;
    // Of this very program, also when another version lies in its place by now.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("mainstay").args(&begin.args).current_dir("/");
    command.env(VARIABLE, serde_json::to_string(carried)?);
    command.env("MAINSTAY_STATE_DIR", &settings.state_dir);
    if let Some(key) = &settings.key_file {
        command.env("MAINSTAY_KEY_FILE", key);
    }
    if let Some(docker) = &settings.docker_host {
        command.env("DOCKER_HOST", docker);
    }
    // The yes of whoever typed it, which comes with the command, and nobody else's.
    command.env_remove(CONFIRM_PROD);
    for name in
        ["NOTIFY_SOCKET", "COLUMNS", "COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES", "COMPOSE_ENV_FILES"]
    {
        command.env_remove(name);
    }
    command.envs(&begin.variables);
    Ok(command)
}

fn start(there: &There, begin: &Begin, carried: &Carried, frames: &Sender<Frame>) -> std::io::Result<Running> {
    let mut command = command_of(there, begin, carried)?;
    if let Some(facts) = &begin.terminal {
        match &facts.kind {
            Some(kind) => command.env("TERM", kind),
            None => command.env_remove("TERM"),
        };
        if facts.no_color {
            command.env("NO_COLOR", "1");
        }
        return start_on_terminal(command, (facts.columns, facts.rows), frames);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        output.push(tokio::spawn(read(stdout, frames.clone(), Frame::Out)));
    }
    if let Some(stderr) = child.stderr.take() {
        output.push(tokio::spawn(read(stderr, frames.clone(), Frame::Err)));
    }
    let input = child.stdin.take().map(|mut stdin| {
        let (input, mut queue) = channel::<Bytes>(AHEAD);
        tokio::spawn(async move {
            while let Some(bytes) = queue.recv().await {
                if stdin.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        });
        input
    });
    Ok(Running { child, input, output, terminal: None })
}

/// On a terminal of its own, as `ssh -t` does it.
fn start_on_terminal(mut command: Command, size: (u16, u16), frames: &Sender<Frame>) -> std::io::Result<Running> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let path = std::path::PathBuf::from(std::ffi::OsString::from(name.to_string_lossy().into_owned()));
    let slave = File::options().read(true).write(true).open(path)?;
    let master = File::from(master);
    resize(&master, size);
    command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
    let child = command.spawn()?;
    // The command holds the terminal's other end, and this must not: its end is how its end is seen.
    drop(command);
    let (mut reader, mut writer) = (master.try_clone()?, master.try_clone()?);
    let told = frames.clone();
    let output = tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; CHUNK];
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            if told.blocking_send(Frame::Out(Bytes::copy_from_slice(&buffer[..length]))).is_err() {
                return;
            }
        }
    });
    let (input, mut queue) = channel::<Bytes>(AHEAD);
    tokio::task::spawn_blocking(move || {
        while let Some(bytes) = queue.blocking_recv() {
            if writer.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    Ok(Running { child, input: Some(input), output: vec![output], terminal: Some(master) })
}

fn resize(terminal: &File, (columns, rows): (u16, u16)) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let _ = tcsetwinsize(terminal, size);
}

async fn read(mut stream: impl AsyncRead + Unpin, frames: Sender<Frame>, frame: fn(Bytes) -> Frame) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        if frames.send(frame(Bytes::copy_from_slice(&buffer[..length]))).await.is_err() {
            return;
        }
    }
}

impl Running {
    /// Hears the other side until the process has ended, and gives its exit code.
    async fn until_it_ends<R>(&mut self, there: &There, hearing: &mut Hearing<R>, gone: &CancellationToken) -> u8
    where
        R: AsyncRead + Send + Unpin,
    {
        let mut waiting: Option<Bytes> = None;
        let mut heard_at = Instant::now();
        loop {
            let input = self.input.clone();
            let takes = async {
                match &input {
                    Some(input) if waiting.is_some() => input.reserve().await.ok(),
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                status = self.child.wait() => return code(status),
                permit = takes => match (permit, waiting.take()) {
                    (Some(permit), Some(bytes)) => permit.send(bytes),
                    // It reads no more, and may well go on.
                    _ => self.input = None,
                },
                frame = hearing.next(), if waiting.is_none() => {
                    heard_at = Instant::now();
                    match frame {
                        Some(Ok(Frame::In(bytes))) if self.input.is_some() => waiting = Some(bytes),
                        Some(Ok(Frame::InEnd)) if self.terminal.is_none() => self.input = None,
                        Some(Ok(Frame::Interrupt)) => self.interrupt(),
                        Some(Ok(Frame::Resize(columns, rows))) => {
                            if let Some(terminal) = &self.terminal {
                                resize(terminal, (columns, rows));
                            }
                        }
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => return self.alone().await,
                    }
                }
                () = tokio::time::sleep_until(heard_at + SILENCE), if waiting.is_none() => return self.alone().await,
                () = gone.cancelled() => return self.alone().await,
                () = there.stopping.cancelled() => return self.alone().await,
            }
        }
    }

    /// Nobody is there any more: the command ends as by Ctrl-C, and what it had begun is settled.
    async fn alone(&mut self) -> u8 {
        self.input = None;
        self.interrupt();
        match tokio::time::timeout(LAST_GRACE, self.child.wait()).await {
            Ok(status) => code(status),
            Err(_) => {
                let _ = self.child.kill().await;
                137
            }
        }
    }

    fn interrupt(&self) {
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
            let _ = kill_process(pid, Signal::INT);
        }
    }
}

fn code(status: std::io::Result<std::process::ExitStatus>) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let Ok(status) = status else { return 70 };
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(70);
    u8::try_from(code).unwrap_or(70)
}
