//! One test's world: names of its own, folders of its own, and an end that leaves nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::between::Between;
use crate::engine::{docker, docker_ok};
use crate::running::Running;
use crate::server::Server;

static COUNT: AtomicU32 = AtomicU32::new(0);

pub struct Scene {
    /// Starts every name that this scene makes.
    prefix: String,
    folder: TempDir,
    /// Another engine than the machine's own.
    engine: Option<String>,
    stacks: std::cell::RefCell<BTreeSet<String>>,
    /// Volumes without a name of the scene, which Docker does not remove with their container when it lost them.
    volumes: std::cell::RefCell<Vec<String>>,
    /// Held from the first server of this scene to its end.
    alone: std::cell::OnceCell<fs::File>,
}

/// What came of one run of the binary.
#[derive(Debug)]
pub struct Ran {
    pub command: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Scene {
    /// A scene named after what it shows (`[a-z0-9]`, short).
    pub fn new(name: &str) -> Scene {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
        let nonce = since_epoch.subsec_nanos() ^ std::process::id().rotate_left(16);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("e2e-{name}-{nonce:08x}{number}");
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a temporary folder");
        Scene {
            prefix,
            folder,
            engine: None,
            stacks: Default::default(),
            volumes: Default::default(),
            alone: Default::default(),
        }
    }

    /// The same scene with its commands given to another engine.
    pub fn with_engine(mut self, host: &str) -> Scene {
        self.engine = Some(host.to_owned());
        self
    }

    /// The same scene with its commands given to the machine's engine by way of one who listens.
    pub fn with_between(mut self, between: &Between) -> Scene {
        // The engine is the one of all tests, so its servers still come one scene after the other.
        self.only_servers_here();
        self.engine = Some(between.host());
        self
    }

    /// The scene's own form of a name: of a stack, a container, a network that a test makes by hand.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Writes `<name>/compose.yaml`; in the text, `{stack:other}` becomes the scene's name of the stack `other`.
    /// The folder is named like the stack, so that `requires` finds it beside the others. Gives the folder.
    pub fn stack(&self, name: &str, compose: &str) -> PathBuf {
        let stack = self.name(name);
        self.stacks.borrow_mut().insert(stack.clone());
        let folder = self.folder.path().join(&stack);
        fs::create_dir_all(&folder).expect("the stack's folder");
        let text = format!("name: {stack}\n{}", self.fill(compose));
        fs::write(folder.join("compose.yaml"), text).expect("the Compose file");
        folder
    }

    /// Replaces `{stack:x}` by the scene's name of stack `x`.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        while let Some(start) = filled.find("{stack:") {
            let end = start + filled[start..].find('}').expect("`{stack:` is closed");
            let name = self.name(&filled[start + "{stack:".len()..end]);
            filled.replace_range(start..=end, &name);
        }
        filled
    }

    /// The container that Compose and Mainstay both would call number 1 of a service.
    pub fn container(&self, stack: &str, service: &str) -> String {
        format!("{}-{service}-1", self.name(stack))
    }

    /// The network that Compose makes for a stack without being asked.
    pub fn network(&self, stack: &str) -> String {
        format!("{}_default", self.name(stack))
    }

    /// The folder of a stack.
    pub fn dir(&self, stack: &str) -> PathBuf {
        self.folder.path().join(self.name(stack))
    }

    /// Writes a file into a stack's folder, with `{stack:x}` filled in.
    pub fn file(&self, stack: &str, path: &str, text: &str) -> PathBuf {
        let path = self.dir(stack).join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the file's folder");
        fs::write(&path, self.fill(text)).expect("a file of the stack");
        path
    }

    /// The names of all containers of a stack, in whatever state, sorted.
    pub fn containers(&self, stack: &str) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}", self.name(stack));
        let names = docker_ok(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
        let mut names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Remembers a stack that is made without [`Scene::stack`], so that it goes with the scene.
    pub(crate) fn owns_stack(&self, name: &str) {
        self.stacks.borrow_mut().insert(name.to_owned());
    }

    /// Remembers an anonymous volume, so that it goes with the scene whatever lost it.
    pub fn owns_volume(&self, name: &str) {
        self.volumes.borrow_mut().push(name.to_owned());
    }

    /// A network that somebody else made.
    pub fn foreign_network(&self, name: &str) -> String {
        let name = self.name(name);
        docker_ok(&["network", "create", &name]);
        name
    }

    /// A command of the built binary, sealed: own home and state, no colour, no terminal.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("MAINSTAY_STATE_DIR", self.state_dir())
            .env("NO_COLOR", "1")
            .env_remove("COMPOSE_FILE")
            .env_remove("COMPOSE_PROJECT_NAME")
            .env_remove("COMPOSE_PROFILES")
            .stdin(Stdio::null());
        if let Some(engine) = &self.engine {
            command.env("DOCKER_HOST", engine);
        }
        command
    }

    /// Runs the binary in the scene's folder.
    pub fn mainstay(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args))
    }

    /// Runs the binary on one stack of the scene: `mainstay --stack <folder> …`.
    pub fn on(&self, stack: &str, args: &[&str]) -> Ran {
        let folder = self.dir(stack);
        let folder = folder.to_str().expect("a temporary path is text");
        let mut all = vec!["--stack", folder];
        all.extend(args);
        self.mainstay(&all)
    }

    /// Starts the binary on one stack and lets it run.
    pub fn start(&self, stack: &str, args: &[&str]) -> Running {
        let folder = self.dir(stack);
        let mut all = vec!["--stack", folder.to_str().expect("a temporary path is text")];
        all.extend(args);
        Running::spawn(self.command(&all), format!("mainstay {}", all.join(" ")))
    }

    /// Runs the binary on one stack with this on its standard input.
    pub fn on_with_input(&self, stack: &str, args: &[&str], input: &str) -> Ran {
        let path = self.folder.path().join("input");
        fs::write(&path, input).expect("the input");
        let folder = self.dir(stack);
        let mut all = vec!["--stack", folder.to_str().expect("a temporary path is text")];
        all.extend(args);
        let mut command = self.command(&all);
        command.stdin(fs::File::open(&path).expect("the input"));
        Ran::of(command)
    }

    /// The entries of `mainstay history --json`, whether it prints a list or one entry a line.
    pub fn history(&self, args: &[&str]) -> Vec<Value> {
        let mut all = vec!["history", "--json"];
        all.extend(args);
        let ran = self.mainstay(&all).ok();
        if let Ok(Value::Array(list)) = serde_json::from_str(&ran.stdout) {
            return list;
        }
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("one entry a line")).collect()
    }

    /// The entries of one kind (`operation`, `step`, `repair`, `event`, `problem`) about this scene's stacks.
    pub fn history_of(&self, kind: &str) -> Vec<Value> {
        let of_kind = |entry: &Value| entry["kind"] == kind && entry.to_string().contains(&self.prefix);
        self.history(&["--steps", "--limit", "1000"]).into_iter().filter(of_kind).collect()
    }

    /// Starts `mainstay serve` and waits until its socket answers.
    ///
    /// A server holds every stack on its engine that carries Mainstay's labels, also those of other scenes. So that a
    /// test sees the doings of its own server only, one scene at a time has servers on the machine's engine.
    pub fn serve(&self) -> Server {
        self.only_servers_here();
        Server::start(self)
    }

    /// Starts `mainstay serve` with these flags and waits until its socket answers.
    pub fn serve_with(&self, flags: &[&str]) -> Server {
        self.only_servers_here();
        let mut server = Server::launch_with(self, flags);
        server.answers(self);
        server
    }

    /// Starts `mainstay serve` without waiting for it.
    pub fn launch(&self) -> Server {
        self.only_servers_here();
        Server::launch(self)
    }

    fn only_servers_here(&self) {
        if self.engine.is_some() {
            return;
        }
        self.alone.get_or_init(|| {
            let path = std::env::temp_dir().join("mainstay-e2e-server.lock");
            let lock = fs::File::options().create(true).append(true).open(path).expect("the lock file");
            lock.lock().expect("the lock is given");
            lock
        });
    }

    fn clean(&self) {
        for (list, remove) in [
            (vec!["ps", "--all", "--quiet"], vec!["rm", "--force", "--volumes"]),
            (vec!["network", "ls", "--quiet"], vec!["network", "rm"]),
            (vec!["volume", "ls", "--quiet"], vec!["volume", "rm"]),
        ] {
            for stack in self.stacks.borrow().iter() {
                let filter = format!("label=com.docker.compose.project={stack}");
                remove_all(&list, &filter, &remove);
            }
            remove_all(&list, &format!("name={}", self.prefix), &remove);
        }
        for volume in self.volumes.borrow().iter() {
            docker(&["volume", "rm", "--force", volume]);
        }
        for stack in self.stacks.borrow().iter() {
            // The names of ours that images of releases have; the images themselves have others.
            let filter = format!("reference=mainstay/{stack}/*");
            let kept = docker_ok(&["images", "--filter", &filter, "--format", "{{.Repository}}:{{.Tag}}"]);
            for name in kept.split_whitespace() {
                // By force where the image of a container of another test is in the way; only the name goes.
                let removed = docker(&["rmi", "--force", name]);
                if !removed.status.success() {
                    eprintln!("`{name}` is left: {}", String::from_utf8_lossy(&removed.stderr).trim());
                }
            }
        }
    }
}

fn remove_all(list: &[&str], filter: &str, remove: &[&str]) {
    let mut list = list.to_vec();
    list.extend(["--filter", filter]);
    for id in docker_ok(&list).split_whitespace() {
        let mut remove = remove.to_vec();
        remove.push(id);
        docker(&remove);
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("MAINSTAY_E2E_KEEP").is_some() {
            eprintln!("kept for a look: names starting with {}, folder {}", self.prefix, self.folder.path().display());
            self.folder.disable_cleanup(true);
            return;
        }
        self.clean();
    }
}

/// The binary: `MAINSTAY_BIN`, or the one built beside the tests.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("MAINSTAY_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("the test's own path");
    let target = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let binary = target.join("mainstay");
    assert!(binary.is_file(), "{} is not built: run `cargo build` first", binary.display());
    binary
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(mut command: Command) -> Ran {
        let output = command.output().expect("the command runs");
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
        Ran {
            command: format!("{} {}", command.get_program().to_string_lossy(), args.join(" ")),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Expects exit code 0.
    #[track_caller]
    pub fn ok(self) -> Ran {
        self.code(0)
    }

    /// Expects this exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Ran {
        assert_eq!(
            self.code,
            Some(code),
            "`{}`\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Expects a text on standard error, where people are talked to.
    #[track_caller]
    pub fn says(self, text: &str) -> Ran {
        assert!(self.stderr.contains(text), "`{}` does not say {text:?}:\n{}", self.command, self.stderr);
        self
    }

    /// Expects a text on standard output, where data is.
    #[track_caller]
    pub fn prints(self, text: &str) -> Ran {
        assert!(self.stdout.contains(text), "`{}` does not print {text:?}:\n{}", self.command, self.stdout);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("`{}` printed no JSON ({error}):\n{}", self.command, self.stdout))
    }
}
