//! A run of the binary that a test watches while it runs, and may interrupt or kill.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::scene::Ran;
use crate::wait::eventually;

pub struct Running {
    command: String,
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

struct Stream {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(from: impl Read + Send + 'static) -> Stream {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = lines.clone();
        let reader = thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                into.lock().expect("no reader panicked").push(line);
            }
        });
        Stream { lines, reader: Some(reader) }
    }

    fn text(&self) -> String {
        self.lines.lock().expect("no reader panicked").iter().map(|line| format!("{line}\n")).collect()
    }

    fn finish(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader ends");
        }
        self.text()
    }
}

impl Running {
    pub fn spawn(mut command: Command, said: String) -> Running {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the mainstay binary starts");
        let stdout = Stream::read(child.stdout.take().expect("piped"));
        let stderr = Stream::read(child.stderr.take().expect("piped"));
        Running { command: said, child, stdout, stderr }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("the child can be asked").is_some()
    }

    /// Lines on standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lines.lock().expect("no reader panicked").clone()
    }

    /// Lines on standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lines.lock().expect("no reader panicked").clone()
    }

    /// Waits until standard output has a line with the text.
    #[track_caller]
    pub fn awaits_stdout(&self, text: &str, within: Duration) {
        eventually(&format!("`{}` prints {text:?}", self.command), within, || {
            self.stdout().iter().any(|line| line.contains(text)).then_some(())
        });
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.signal("-INT");
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        Command::new("kill").args([signal, &pid]).status().expect("the `kill` command runs");
    }

    /// `kill -9`, and gives what it had said.
    pub fn kill(mut self) -> Ran {
        // It may have ended by itself a moment ago.
        let _ = self.child.kill();
        self.ended_as()
    }

    /// Waits until it ends by itself; one that does not is killed, and fails the test.
    #[track_caller]
    pub fn ends(mut self, within: Duration) -> Ran {
        eventually(&format!("`{}` ends", self.command), within, || self.ended().then_some(()));
        self.ended_as()
    }

    fn ended_as(&mut self) -> Ran {
        let status = self.child.wait().expect("the child ends");
        Ran {
            command: self.command.clone(),
            code: status.code(),
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
