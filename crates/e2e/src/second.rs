//! A second engine on this machine, in namespaces of its own, that a test may stop and start as it likes. The
//! machine's own engine, which all other tests share, is never restarted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::engine::require_engine;
use crate::small_disk::SmallDisk;
use crate::wait::eventually;

pub struct SecondEngine {
    folder: TempDir,
    live_restore: bool,
    /// Holds the namespaces while no engine runs in them: the networks of containers live there.
    holder: Child,
    engine: Option<Child>,
    /// Of its images and containers, where it is a small one.
    disk: Option<SmallDisk>,
}

impl SecondEngine {
    /// Starts one with the tiny image loaded, or says why that is not possible here. `live_restore` keeps containers
    /// running while the engine is away.
    pub fn start(live_restore: bool) -> Option<SecondEngine> {
        SecondEngine::start_on(live_restore, None)
    }

    /// The same without live restore, whose images and containers are on a disk of so many megabytes.
    pub fn start_small(megabytes: u32) -> Option<SecondEngine> {
        SecondEngine::start_on(false, Some(megabytes))
    }

    fn start_on(live_restore: bool, megabytes: Option<u32>) -> Option<SecondEngine> {
        if !require_engine() {
            return None;
        }
        let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        let dockerd = Command::new("dockerd").arg("--version").output().is_ok_and(|output| output.status.success());
        if !root || !dockerd {
            let must = std::env::var_os("MAINSTAY_REQUIRE_SECOND_ENGINE").is_some();
            assert!(!must, "a second engine needs root and `dockerd`");
            eprintln!("skipped: a second engine needs root and `dockerd`");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("e2e-engine-").tempdir().expect("a temporary folder");
        // Before its namespaces are made, so that the disk is in them too.
        let disk = match megabytes {
            Some(megabytes) => Some(SmallDisk::at(&folder.path().join("data"), megabytes)?),
            None => None,
        };
        let holder = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c"])
            .arg("mount --make-rprivate / && ip link set lo up && echo ready && exec sleep infinity")
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("ready")).expect("a file"))
            .spawn()
            .expect("`unshare` runs");
        let ready = folder.path().join("ready");
        eventually("the second engine's namespaces are there", Duration::from_secs(10), || {
            fs::read_to_string(&ready).is_ok_and(|text| text.starts_with("ready")).then_some(())
        });
        let mut second = SecondEngine { folder, live_restore, holder, engine: None, disk };
        second.resume();
        second.load("mainstay-test/tiny:1");
        Some(second)
    }

    /// `DOCKER_HOST` of this engine.
    pub fn host(&self) -> String {
        format!("unix://{}", self.path("sock").display())
    }

    /// Runs `docker` on this engine and gives what came of it.
    pub fn docker(&self, args: &[&str]) -> Output {
        Command::new("docker").args(["--host", &self.host()]).args(args).output().expect("the `docker` command runs")
    }

    /// Runs `docker` on this engine, expects success, and gives its standard output.
    #[track_caller]
    pub fn docker_ok(&self, args: &[&str]) -> String {
        let output = self.docker(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`docker {}` failed: {error}", args.join(" "));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Its disk, where it has a small one.
    pub fn disk(&self) -> &SmallDisk {
        self.disk.as_ref().expect("it was started with a small disk")
    }

    /// Whether a container on this engine resolves a name.
    pub fn resolves(&self, container: &str, name: &str) -> bool {
        self.docker(&["exec", container, "getent", "hosts", name]).status.success()
    }

    #[track_caller]
    pub fn started_at(&self, container: &str) -> String {
        self.docker_ok(&["inspect", "--format", "{{.State.StartedAt}}", container])
    }

    /// Stops the engine as an update of its package does; without live restore its containers stop with it.
    pub fn pause(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            let pid = fs::read_to_string(self.path("pid")).unwrap_or_else(|_| engine.id().to_string());
            let _ = Command::new("kill").args(["-TERM", pid.trim()]).status();
            let _ = engine.wait();
        }
    }

    /// Starts it again.
    pub fn resume(&mut self) {
        let log = File::options().create(true).append(true).open(self.path("log")).expect("the engine's log");
        let mut dockerd = Command::new("nsenter");
        dockerd
            .args(["--target", &self.holder.id().to_string(), "--net", "--mount", "dockerd", "--userland-proxy=false"])
            .args(["--data-root", &text(&self.path("data")), "--exec-root", &text(&self.path("x"))])
            .args(["--pidfile", &text(&self.path("pid")), "--host", &self.host()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if self.live_restore {
            dockerd.arg("--live-restore");
        }
        let mut engine = dockerd.spawn().expect("`nsenter` runs");
        eventually("the second engine answers", Duration::from_secs(30), || {
            if let Ok(Some(status)) = engine.try_wait() {
                panic!("dockerd ended with {status}:\n{}", fs::read_to_string(self.path("log")).unwrap_or_default());
            }
            self.docker(&["version"]).status.success().then_some(())
        });
        self.engine = Some(engine);
    }

    fn load(&self, image: &str) {
        let archive = self.path("image.tar");
        let saved = Command::new("docker").args(["save", "--output", &text(&archive), image]).status();
        assert!(saved.is_ok_and(|status| status.success()), "`docker save {image}`");
        self.docker_ok(&["load", "--input", &text(&archive)]);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a temporary path is text").to_owned()
}

impl Drop for SecondEngine {
    fn drop(&mut self) {
        if self.engine.is_some() {
            let all = self.docker(&["ps", "--all", "--quiet"]);
            for id in String::from_utf8_lossy(&all.stdout).split_whitespace() {
                self.docker(&["rm", "--force", "--volumes", id]);
            }
        }
        self.pause();
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        self.disk = None;
        // The mounts of the namespaces go a moment after their last process.
        for _ in 0..50 {
            if fs::remove_dir_all(self.folder.path()).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}
