//! A running `mainstay serve`, stopped or killed as a test wishes.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use crate::scene::Scene;
use crate::wait::eventually;

pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    pub(crate) fn start(scene: &Scene) -> Server {
        let mut server = Server::launch(scene);
        server.answers(scene);
        server
    }

    pub(crate) fn launch(scene: &Scene) -> Server {
        Server::launch_with(scene, &[])
    }

    pub(crate) fn launch_with(scene: &Scene, flags: &[&str]) -> Server {
        let log = scene.folder().join("serve.log");
        let out = File::options().create(true).append(true).open(&log).expect("the server's log");
        let child = scene
            .command(&["serve"])
            .args(flags)
            .stdout(Stdio::null())
            .stderr(out)
            .spawn()
            .expect("mainstay serve starts");
        Server { child, log }
    }

    /// Waits until the socket answers.
    #[track_caller]
    pub fn answers(&mut self, scene: &Scene) {
        let socket = scene.state_dir().join("mainstay.sock");
        eventually("the server's socket answers", Duration::from_secs(15), || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("mainstay serve ended with {status}:\n{}", self.log());
            }
            UnixStream::connect(&socket).ok()
        });
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }

    /// SIGTERM, and waits until it has ended by itself.
    pub fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.child.wait().expect("the server ends")
    }

    /// SIGTERM without waiting.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// How it ended, when it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the server can be asked")
    }

    /// Waits until it has ended by itself, within this time.
    #[track_caller]
    pub fn ends(mut self, within: Duration) -> ExitStatus {
        eventually("mainstay serve ends", within, || self.child.try_wait().expect("the server can be asked"))
    }

    /// Does something while the server does not look: it is stopped like a process that gets no time, and then goes on
    /// with whatever it missed.
    pub fn unaware<T>(&self, act: impl FnOnce() -> T) -> T {
        self.signal("-STOP");
        let result = act();
        self.signal("-CONT");
        result
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        std::process::Command::new("kill").args([signal, &pid]).status().expect("the `kill` command runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- mainstay serve said\n{}", self.log());
        }
        // A test that stopped it already finds nothing to kill here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
