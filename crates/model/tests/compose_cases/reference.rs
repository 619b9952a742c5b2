//! The cases, asked of the real `docker compose`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value as Json;

use super::{Case, sorted};

/// A program that takes Compose files, run under limits: YAML can ask for all memory.
pub struct Reference {
    program: PathBuf,
    pub version: String,
}

impl Reference {
    pub fn new(program: PathBuf) -> Self {
        let answer = Command::new(&program).args(["version", "--short"]).output().expect("the reference runs");
        let version = String::from_utf8_lossy(&answer.stdout).trim().trim_start_matches('v').to_owned();
        Reference { program, version }
    }

    /// How the recorded answer of a case differs from the program's; `None` when it does not.
    pub fn difference(&self, case: &Case, kind: &str, recorded: &str) -> Option<String> {
        let folder = std::env::temp_dir().join(format!("mainstay-case-{}", std::process::id()));
        write(case, &folder);
        let output = self.ask(case, kind, &folder);
        std::fs::remove_dir_all(&folder).expect("the folder of a case goes away");
        let printed = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let folder = folder.to_string_lossy();
            text.replace(&format!("{folder}/"), "/").replace(&*folder, "/")
        };
        let said = printed(&output.stderr);
        let theirs = printed(&output.stdout);
        match (kind, output.status.success()) {
            ("refused", true) => Some(format!("the reference takes it:\n{theirs}")),
            ("refused", false) => None,
            (_, false) => Some(format!("the reference refuses it:\n{said}")),
            ("yaml", true) => (theirs != recorded).then(|| format!("recorded:\n{recorded}\ntheirs:\n{theirs}")),
            (_, true) => {
                let read = |text: &str| serde_json::from_str::<Json>(text).map_or(text.to_owned(), sorted);
                let (recorded, theirs) = (read(recorded), read(&theirs));
                (theirs != recorded).then(|| format!("recorded:\n{recorded}\ntheirs:\n{theirs}"))
            }
        }
    }

    fn ask(&self, case: &Case, kind: &str, folder: &Path) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v 4000000; exec timeout 20 \"$@\"", "sh"]).arg(&self.program);
        command.current_dir(folder.join("work")).env_clear().env("HOME", "/home/me");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(&case.environment);
        for path in case.main_files() {
            command.arg("-f").arg(folder.join(path.trim_start_matches('/')));
        }
        for profile in &case.profiles {
            command.args(["--profile", profile]);
        }
        command.args(["--project-name", "proj", "config"]);
        if case.inconsistent {
            command.arg("--no-consistency");
        }
        match kind {
            "yaml" => {}
            "written" => drop(command.args(["--format", "json", "--no-interpolate"])),
            _ => drop(command.args(["--format", "json"])),
        }
        command.output().expect("the reference runs")
    }
}

fn write(case: &Case, folder: &Path) {
    for (path, text) in &case.files {
        let path = folder.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the case");
        std::fs::write(path, text).expect("a file of the case");
    }
}
