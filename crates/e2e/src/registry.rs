//! A registry of images, on this machine and for one test.

use std::process::Command;
use std::time::Duration;

use crate::engine::{docker, docker_ok};
use crate::scene::Scene;
use crate::wait::eventually;

/// Docker's own registry in a container. It goes with the scene, whose name it carries; what it gave out goes with it.
pub struct Registry {
    container: String,
    /// `127.0.0.1:PORT`, where the engine needs no certificate.
    pub address: String,
    /// Under which images were put into it.
    names: std::cell::RefCell<Vec<String>>,
}

impl Registry {
    /// One that anybody may use.
    pub fn start(scene: &Scene) -> Registry {
        Registry::run(scene, &[])
    }

    /// One that lets in who has this line of an htpasswd file.
    pub fn start_guarded(scene: &Scene, htpasswd: &str) -> Registry {
        let file = scene.folder().join("htpasswd");
        std::fs::write(&file, htpasswd).expect("the file of passwords");
        let volume = format!("{}:/auth:ro", file.to_str().expect("a temporary path is text"));
        let auth = ["REGISTRY_AUTH=htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM=test", "REGISTRY_AUTH_HTPASSWD_PATH=/auth"];
        let flags: Vec<&str> = auth.iter().flat_map(|one| ["--env", one]).chain(["--volume", &volume]).collect();
        Registry::run(scene, &flags)
    }

    fn run(scene: &Scene, flags: &[&str]) -> Registry {
        let container = scene.name("registry");
        let run = ["run", "--detach", "--name", &container, "--publish", "127.0.0.1:0:5000"];
        docker_ok(&[&run[..], flags, &["registry:2"]].concat());
        let address = docker_ok(&["port", &container, "5000/tcp"]).lines().next().expect("a port").to_owned();
        let url = format!("http://{address}/v2/");
        eventually("the registry answers", Duration::from_secs(20), || {
            let asked =
                Command::new("curl").args(["--silent", "--noproxy", "*", "--output", "/dev/null", &url]).status();
            asked.is_ok_and(|status| status.success()).then_some(())
        });
        Registry { container, address, names: Default::default() }
    }

    /// The name of a repository in it.
    pub fn repository(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Puts an image of this machine under `NAME:TAG`, and takes that name away here, so that only the registry has it.
    /// Gives the digest.
    pub fn holds(&self, name_and_tag: &str, image: &str) -> String {
        self.holds_as(name_and_tag, image, &[])
    }

    /// The same, with more words for the `docker` command in front: a folder with its logins.
    pub fn holds_as(&self, name_and_tag: &str, image: &str, before: &[&str]) -> String {
        let name = self.repository(name_and_tag);
        docker_ok(&["tag", image, &name]);
        docker_ok(&[before, &["push", "--quiet", &name]].concat());
        let digests = docker_ok(&["image", "inspect", "--format", "{{join .RepoDigests \"\\n\"}}", &name]);
        let repository = name.rsplit_once(':').expect("a tag").0.to_owned();
        let of_repository = digests.lines().find_map(|one| one.strip_prefix(&format!("{repository}@")));
        let digest = of_repository.expect("a digest of what was pushed").to_owned();
        docker_ok(&["rmi", &name]);
        // An engine forgets the digest with the last tag of its repository; others keep it.
        docker(&["rmi", &format!("{repository}@{digest}")]);
        self.names.borrow_mut().push(repository);
        digest
    }

    pub fn stop(&self) {
        docker_ok(&["stop", "--time", "0", &self.container]);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.container]);
        // What was pulled from it stays under its address otherwise.
        for repository in self.names.borrow().iter() {
            let filter = format!("reference={repository}");
            let format = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}";
            let listed = docker_ok(&["images", "--digests", "--filter", &filter, "--format", format]);
            for name in listed.split_whitespace().filter(|name| !name.contains("<none>")) {
                docker(&["rmi", "--force", name]);
            }
        }
    }
}
