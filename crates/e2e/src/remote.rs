//! The ways to another machine, which in tests is this one: an `sshd` of the test's own, and a server that listens.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::running::Running;
use crate::scene::{Ran, Scene, binary};
use crate::wait::eventually;

const SSHD: &str = "/usr/sbin/sshd";

/// An `sshd` on a port of its own, with keys of its own, and the client's side of it.
pub struct Sshd {
    child: Child,
    folder: PathBuf,
    port: u16,
}

/// Whether there is an `sshd`; where the engine is required, it is too.
pub fn require_sshd() -> bool {
    let is_there = Path::new(SSHD).exists();
    assert!(
        is_there || std::env::var_os("MAINSTAY_REQUIRE_ENGINE").is_none(),
        "there is no {SSHD}: `apt install openssh-server`"
    );
    is_there
}

impl Sshd {
    /// Starts it; whoever comes in over it has the scene's state folder.
    pub fn start(scene: &Scene) -> Sshd {
        let folder = scene.folder().join("ssh");
        fs::create_dir_all(&folder).expect("a folder");
        for key in ["host_key", "user_key", "other_key", "limited_key"] {
            let path = folder.join(key);
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(&path)
                .status()
                .expect("ssh-keygen");
            assert!(made.success());
        }
        let port = free_port();
        let sshd = Sshd { child: launch(scene, &folder, port), folder, port };
        sshd.let_in("user_key", "");
        let public = sshd.read("host_key.pub");
        sshd.write("known_hosts", &format!("[127.0.0.1]:{port} {public}"));
        sshd.client("user_key");
        eventually("sshd answers", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).ok());
        sshd
    }

    /// Lets a key in, with options in front of it.
    pub fn let_in(&self, key: &str, options: &str) {
        let mut keys = fs::read_to_string(self.folder.join("authorized_keys")).unwrap_or_default();
        keys += &format!("{options}{}", self.read(&format!("{key}.pub")));
        self.write("authorized_keys", &keys);
    }

    /// The `ssh` that the binary finds, with this key.
    pub fn client(&self, key: &str) {
        let text = format!(
            "#!/bin/sh\nexec /usr/bin/ssh -F none -o IdentitiesOnly=yes -o IdentityFile={0}/{key} \
             -o UserKnownHostsFile={0}/known_hosts -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes \"$@\"\n",
            self.folder.display()
        );
        self.write("bin/ssh", &text);
        fs::set_permissions(self.folder.join("bin/ssh"), fs::Permissions::from_mode(0o755)).expect("a program");
    }

    /// A shell script on this side, whose `ssh` leads to this server whatever host it names.
    pub fn script(&self, scene: &Scene, text: &str, variables: &[(&str, &str)]) -> Ran {
        let ssh = format!("#!/bin/sh\nexec {}/bin/ssh -p {} \"$@\"\n", self.folder.display(), self.port);
        self.write("script/ssh", &ssh);
        fs::set_permissions(self.folder.join("script/ssh"), fs::Permissions::from_mode(0o755)).expect("a program");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("bash");
        bash.args(["-e", "-c", text]).current_dir(elsewhere(scene)).envs(variables.iter().copied());
        bash.env("PATH", format!("{}:{path}", self.folder.join("script").display())).stdin(Stdio::null());
        Ran::of(bash)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner's alone");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).expect("a file")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn host(&self) -> String {
        format!("ssh://127.0.0.1:{}", self.port)
    }

    /// The binary on a machine that knows nothing of the scene but the way to it, in this folder.
    pub fn command(&self, scene: &Scene, folder: &Path, args: &[&str]) -> Command {
        let mut command = away(scene, folder, args);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", self.folder.join("bin").display()))
            .env("MAINSTAY_HOST", self.host())
            .env("MAINSTAY_HOST_COMMAND", binary());
        command
    }

    pub fn run(&self, scene: &Scene, args: &[&str]) -> Ran {
        Ran::of(self.command(scene, &elsewhere(scene), args))
    }

    pub fn run_in(&self, scene: &Scene, folder: &Path, args: &[&str]) -> Ran {
        Ran::of(self.command(scene, folder, args))
    }

    pub fn spawn(&self, scene: &Scene, args: &[&str]) -> Running {
        Running::spawn(self.command(scene, &elsewhere(scene), args), format!("mainstay {}", args.join(" ")))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- sshd said\n{}", fs::read_to_string(self.folder.join("sshd.log")).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(scene: &Scene, folder: &Path, port: u16) -> Child {
    let at = folder.display();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/authorized_keys\n\
         PidFile {at}/sshd.pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n\
         SetEnv MAINSTAY_STATE_DIR={} PATH={}:/usr/bin:/bin\n",
        scene.state_dir().display(),
        binary().parent().expect("its folder").display()
    );
    fs::write(folder.join("sshd_config"), config).expect("the configuration");
    // Debian keeps it on a file system that is made anew at each boot.
    let _ = fs::create_dir_all("/run/sshd");
    Command::new(SSHD)
        .args(["-D", "-E"])
        .arg(folder.join("sshd.log"))
        .arg("-f")
        .arg(folder.join("sshd_config"))
        .stdin(Stdio::null())
        .spawn()
        .expect("sshd starts")
}

/// A folder that belongs to no stack.
fn elsewhere(scene: &Scene) -> PathBuf {
    let folder = scene.folder().join("elsewhere");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The binary with nothing of the scene: no state, no engine.
fn away(scene: &Scene, folder: &Path, args: &[&str]) -> Command {
    let mut command = scene.command(args);
    command
        .current_dir(folder)
        .env("HOME", elsewhere(scene))
        .env("DOCKER_HOST", "unix:///nowhere.sock")
        .env_remove("MAINSTAY_STATE_DIR");
    command
}

/// A port that nobody has at this moment.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A scene's server as it is seen from outside, over HTTPS.
pub struct Outside {
    pub port: u16,
    pub fingerprint: String,
}

impl Outside {
    /// A server that listens, with what the log says of it.
    pub fn of(server: &crate::server::Server, port: u16) -> Outside {
        let log = eventually("the server tells its fingerprint", Duration::from_secs(15), || {
            let log = server.log();
            log.contains("sha256:").then_some(log)
        });
        let start = log.find("sha256:").expect("a fingerprint");
        let fingerprint = log[start..].split_whitespace().next().expect("a word").to_owned();
        Outside { port, fingerprint }
    }

    pub fn host(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The binary with a token, in a folder.
    pub fn command(&self, scene: &Scene, folder: &Path, token: &str, args: &[&str]) -> Command {
        let mut command = away(scene, folder, args);
        command
            .env("MAINSTAY_HOST", self.host())
            .env("MAINSTAY_HOST_FINGERPRINT", &self.fingerprint)
            .env("MAINSTAY_TOKEN", token);
        command
    }

    pub fn run(&self, scene: &Scene, token: &str, args: &[&str]) -> Ran {
        Ran::of(self.command(scene, &elsewhere(scene), token, args))
    }

    pub fn run_in(&self, scene: &Scene, folder: &Path, token: &str, args: &[&str]) -> Ran {
        Ran::of(self.command(scene, folder, token, args))
    }

    pub fn spawn(&self, scene: &Scene, token: &str, args: &[&str]) -> Running {
        let command = self.command(scene, &elsewhere(scene), token, args);
        Running::spawn(command, format!("mainstay {}", args.join(" ")))
    }
}
