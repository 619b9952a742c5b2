//! Those who are measured: bare engine calls, `docker compose`, and Mainstay with and without its server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::api::Api;

pub const IMAGE: &str = "mainstay-test/tiny:1";

/// A stack of small services, written once and used by every subject.
pub struct Stack {
    pub name: String,
    pub folder: PathBuf,
    pub services: usize,
}

impl Stack {
    /// Each round has a name of its own, so that a network that the engine cannot remove is in no other round's way.
    pub fn write(root: &Path, services: usize, round: usize) -> Stack {
        let name = format!("mainstay-bench-{services}-{round}");
        let folder = root.join(&name);
        fs::create_dir_all(&folder).expect("the stack's folder");
        let stack = Stack { name, folder, services };
        stack.rewrite("0");
        stack
    }

    /// Writes the file anew; `mark` is a value in the environment of the first service.
    pub fn rewrite(&self, mark: &str) {
        let mut text = format!("name: {}\nservices:\n", self.name);
        for number in 1..=self.services {
            let mark = if number == 1 { mark } else { "0" };
            text += &format!(
                "  s{number}:\n    image: {IMAGE}\n    stop_grace_period: 2s\n    environment: {{ MARK: '{mark}' }}\n"
            );
        }
        fs::write(self.folder.join("compose.yaml"), text).expect("the Compose file");
    }
}

/// The same calls that any client has to make: a network, then for each service create, start and one look.
pub fn floor_up(stack: &Stack) {
    let network = format!("{}_default", stack.name);
    let labels = json!({ "com.docker.compose.project": stack.name });
    Api::connect().ok(
        "POST",
        "/v1.41/networks/create",
        Some(&json!({ "Name": network, "CheckDuplicate": true, "Labels": labels })),
    );
    thread::scope(|scope| {
        for worker in 0..stack.services.min(16) {
            let (network, labels) = (&network, &labels);
            scope.spawn(move || {
                let mut api = Api::connect();
                for number in (1..=stack.services).skip(worker).step_by(16) {
                    let service = format!("s{number}");
                    let body = json!({
                        "Image": IMAGE, "Env": ["MARK=0"], "Labels": labels,
                        "HostConfig": { "NetworkMode": network },
                        "NetworkingConfig": { "EndpointsConfig": { network.as_str(): { "Aliases": [service] } } },
                    });
                    let path = format!("/v1.41/containers/create?name={}-{service}-1", stack.name);
                    let made = api.ok("POST", &path, Some(&body));
                    let id = made["Id"].as_str().expect("the engine gives an id");
                    api.ok("POST", &format!("/v1.41/containers/{id}/start"), None);
                    api.ok("GET", &format!("/v1.41/containers/{id}/json"), None);
                }
            });
        }
    });
}

/// Stop, remove, and the network: the calls that any `down` has to make.
pub fn floor_down(stack: &Stack) {
    thread::scope(|scope| {
        for worker in 0..stack.services.min(16) {
            scope.spawn(move || {
                let mut api = Api::connect();
                for number in (1..=stack.services).skip(worker).step_by(16) {
                    let name = format!("{}-s{number}-1", stack.name);
                    api.ok("POST", &format!("/v1.41/containers/{name}/stop?t=2"), None);
                    api.ok("DELETE", &format!("/v1.41/containers/{name}"), None);
                }
            });
        }
    });
    Api::connect().ok("DELETE", &format!("/v1.41/networks/{}_default", stack.name), None);
}

/// The one listing that any no-op has to make.
pub fn floor_look(stack: &Stack) {
    let filters = format!("%7B%22label%22%3A%5B%22com.docker.compose.project%3D{}%22%5D%7D", stack.name);
    Api::connect().ok("GET", &format!("/v1.41/containers/json?all=1&filters={filters}"), None);
}

/// `docker compose`, from the plugin's own binary.
pub struct Compose {
    pub plugin: PathBuf,
}

impl Compose {
    pub fn run(&self, stack: &Stack, args: &[&str]) {
        quiet(self.command(stack).args(args));
    }

    /// `down`, given once more when it fails: now and then the engine still counts an endpoint of a container that is
    /// gone, refuses to remove the network, and `docker compose` leaves it at that. A user would type it again too.
    pub fn down(&self, stack: &Stack) {
        let once = self.command(stack).arg("down").stdin(Stdio::null()).output().expect("the command runs");
        if once.status.success() {
            return;
        }
        eprintln!("`docker compose down` failed, and is given once more");
        let twice = self.command(stack).arg("down").stdin(Stdio::null()).output().expect("the command runs");
        if !twice.status.success() {
            eprintln!("it failed again; to be removed by hand:\n{}", String::from_utf8_lossy(&twice.stderr));
        }
    }

    /// Called by its own path, which spares it the detour through the `docker` command.
    fn command(&self, stack: &Stack) -> Command {
        let mut command = Command::new(&self.plugin);
        command.arg("--project-directory").arg(&stack.folder).arg("--file").arg(stack.folder.join("compose.yaml"));
        command
    }
}

/// The built binary with one state folder; with a server there, it uses it.
pub struct Mainstay {
    pub binary: PathBuf,
    pub state: PathBuf,
}

impl Mainstay {
    pub fn run(&self, stack: &Stack, args: &[&str]) {
        let mut command = Command::new(&self.binary);
        command.arg("--state-dir").arg(&self.state).arg("--stack").arg(&stack.folder).args(args);
        quiet(&mut command);
    }

    /// Starts `mainstay serve` and waits for its socket.
    pub fn serve(&self) -> Serving {
        let child = Command::new(&self.binary)
            .arg("--state-dir")
            .arg(&self.state)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mainstay serve starts");
        let socket = self.state.join("mainstay.sock");
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        Serving(child)
    }
}

/// A running server; ended when dropped.
pub struct Serving(Child);

impl Serving {
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn quiet(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the command runs");
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}
