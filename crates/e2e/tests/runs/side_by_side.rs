//! One file, run by the one program and then by the other, on the same engine under the same names.

use std::path::Path;

use mainstay_e2e::{Ran, Scene, compose_v2, docker, docker_ok};
use serde_json::Value;

use crate::compare::{Difference, differences};
use crate::explained::unexplained;
use crate::normal::normalise;
use crate::snapshot::{clear, take};

/// A file to compare, and what to ask inside its containers (service, shell line).
#[derive(Default)]
pub struct Case<'a> {
    pub name: &'a str,
    pub compose: &'a str,
    /// Small neighbours: path and content.
    pub files: &'a [(&'a str, &'a str)],
    pub asked: &'a [(&'a str, &'a str)],
    /// Images that are made for this case: name (`{stack:x}`) and the lines of its Dockerfile.
    pub images: &'a [(&'a str, &'a str)],
    /// `docker` commands that make what somebody else would have made.
    pub outside: &'a [&'a [&'a str]],
}

/// How far a stack is brought.
#[derive(Clone, Copy, PartialEq)]
pub enum How {
    Started,
    /// Made, and not started: for files whose commands the images here do not have.
    Made,
}

/// Runs the case both ways, and fails with every difference that is not explained.
#[track_caller]
pub fn same(case: Case<'_>) {
    if !mainstay_e2e::require_engine() || !is_reference() {
        return;
    }
    let scene = Scene::new(case.name);
    let images = Images(case.images.iter().map(|(name, lines)| build(&scene, name, lines)).collect());
    scene.stack("one", case.compose);
    for (path, text) in case.files {
        scene.file("one", path, text);
    }
    for line in case.outside {
        let words: Vec<String> = line.iter().map(|word| scene.fill(word)).collect();
        docker_ok(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let project = scene.name("one");
    let asked: Vec<_> = case.asked.iter().map(|(service, line)| (*service, scene.fill(line))).collect();
    let left = both(&scene, &scene.dir("one"), &project, &asked, How::Started);
    drop(images);
    drop(Images(built(&project)));
    report(&left.unwrap_or_else(|problem| panic!("{problem}")));
}

/// Whether the Docker Compose at hand is one to compare with. Older ones make mounts otherwise, and hash otherwise.
pub fn is_reference() -> bool {
    let version = compose_v2(Path::new("/"), &["version", "--short"]).ok().stdout;
    let mut numbers = version.trim().trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    let is_reference = (numbers.next(), numbers.next()) >= (Some(2), Some(40));
    if !is_reference {
        eprintln!(
            "skipped: Docker Compose {} is here, and 2.40 is compared with (COMPOSE_V2 names one)",
            version.trim()
        );
    }
    is_reference
}

#[track_caller]
fn report(left: &[Difference]) {
    let told: Vec<String> = left.iter().map(Difference::to_string).collect();
    assert!(left.is_empty(), "{} differences that nobody has explained:\n{}", told.len(), told.join("\n"));
}

/// What differs and is not explained; or why there is nothing to compare.
pub fn both(
    scene: &Scene,
    folder: &Path,
    project: &str,
    asked: &[(&str, String)],
    how: How,
) -> Result<Vec<Difference>, String> {
    let config = compose_v2(folder, &["--project-name", project, "config", "--format", "json"]);
    if config.code != Some(0) {
        return Err(format!("`docker compose config` refuses it: {}", config.stderr));
    }
    let subnets = subnets_of(&config.json());
    let prefix = scene.name("");
    let prefix = prefix.trim_end_matches('-');

    let action: &[&str] = if how == How::Made { &["create"] } else { &["up", "--detach"] };
    let ran = compose_v2(folder, &[&["--project-name", project], action].concat());
    let theirs = (ran.code == Some(0)).then(|| normalise(take(project, asked), prefix, &subnets));
    clear(project);

    let mut up = scene.command(&["--project-name", project, "up", "--yes", "--no-wait"]);
    if how == How::Made {
        up.arg("--no-start");
    }
    up.current_dir(folder);
    let ours = Ran::of(up);
    let seen = (ours.code == Some(0)).then(|| normalise(take(project, asked), prefix, &subnets));
    clear(project);

    match (theirs, seen) {
        (Some(theirs), Some(seen)) => Ok(unexplained(differences(&theirs, &seen))),
        (None, None) => Err(format!("both fail:\n{}\n{}", ran.stderr, ours.stderr)),
        (None, Some(_)) => Err(format!("only `docker compose` fails:\n{}", ran.stderr)),
        (Some(_), None) => Err(format!("only Mainstay fails ({:?}):\n{}", ours.code, ours.stderr)),
    }
}

fn subnets_of(config: &Value) -> Vec<String> {
    let networks = config["networks"].as_object().into_iter().flatten();
    let pools = networks.flat_map(|(_, network)| network["ipam"]["config"].as_array().cloned().unwrap_or_default());
    pools.filter_map(|pool| pool["subnet"].as_str().map(str::to_owned)).collect()
}

/// The images that were built for services without a name of their own for them.
fn built(project: &str) -> Vec<String> {
    let filter = format!("label=com.docker.compose.project={project}");
    let found = docker_ok(&["image", "ls", "--filter", &filter, "--format", "{{.Repository}}:{{.Tag}}"]);
    found.lines().map(str::to_owned).collect()
}

/// Images of one case, taken away with it.
struct Images(Vec<String>);

impl Drop for Images {
    fn drop(&mut self) {
        for image in &self.0 {
            docker(&["image", "rm", "--force", image]);
        }
    }
}

fn build(scene: &Scene, name: &str, lines: &str) -> String {
    let folder = scene.folder().join("image").join(name.replace(['{', '}', ':'], "-"));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("Dockerfile"), lines).expect("a Dockerfile");
    let image = scene.fill(name);
    docker_ok(&["build", "--quiet", "--tag", &image, folder.to_str().expect("a path is text")]);
    image
}
