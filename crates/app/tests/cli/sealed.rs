//! A sealed place to run the binary in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A home of its own, removed at the end.
pub struct Sealed {
    folder: tempfile::TempDir,
}

/// What a run said and how it ended.
#[must_use = "look at what it said"]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Sealed {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("home")).expect("a home");
        Sealed { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.path().join("state")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// The binary in this place, with nothing of the caller's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.path().join("home"))
            .env("MAINSTAY_STATE_DIR", self.state_dir())
            .env("DOCKER_HOST", format!("unix://{}", self.path().join("no-engine.sock").display()))
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().expect("the binary runs");
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("text");
            text.replace(&self.path().display().to_string(), "[PLACE]")
        };
        Ran { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
    }
}

impl Ran {
    /// Everything in one text, for a snapshot.
    pub fn whole(&self) -> String {
        let code = self.code.map_or("ended by a signal".to_owned(), |code| code.to_string());
        format!("exit code: {code}\n--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr)
    }
}
