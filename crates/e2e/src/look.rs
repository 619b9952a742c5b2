//! What tests ask of the real state, in one word each.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::engine::{docker, docker_json, docker_ok};

/// Whether the container's own resolver finds the name.
pub fn resolves(container: &str, name: &str) -> bool {
    docker(&["exec", container, "getent", "hosts", name]).status.success()
}

/// When the container's process was started: it moves with every restart.
#[track_caller]
pub fn started_at(container: &str) -> String {
    text(&docker_json(container)["State"]["StartedAt"])
}

#[track_caller]
pub fn id_of(name: &str) -> String {
    text(&docker_json(name)["Id"])
}

/// The id of an image of this engine.
#[track_caller]
pub fn image_id(image: &str) -> String {
    docker_ok(&["image", "inspect", "--format", "{{.Id}}", image])
}

/// The id of the image that a container was made from, however it was named to the engine.
#[track_caller]
pub fn image_of(container: &str) -> String {
    text(&docker_json(container)["Image"])
}

/// Whether the container exists and its process runs.
pub fn runs(container: &str) -> bool {
    let state = docker(&["inspect", "--format", "{{.State.Running}}", container]);
    String::from_utf8_lossy(&state.stdout).trim() == "true"
}

/// Whether a container, network or volume of this name exists (`kind` is `container`, `network` or `volume`).
pub fn exists(kind: &str, name: &str) -> bool {
    docker(&[kind, "inspect", name]).status.success()
}

/// The names of the networks that a container is on.
#[track_caller]
pub fn networks_of(container: &str) -> BTreeSet<String> {
    let inspected = docker_json(container);
    let networks = inspected["NetworkSettings"]["Networks"].as_object();
    networks.map(|networks| networks.keys().cloned().collect()).unwrap_or_default()
}

/// What a container printed, both streams.
#[track_caller]
pub fn logs_of(container: &str) -> String {
    let output = docker(&["logs", container]);
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs a shell line inside the container and gives what it printed.
#[track_caller]
pub fn inside(container: &str, line: &str) -> String {
    docker_ok(&["exec", container, "sh", "-c", line])
}

/// A JSON text value as text.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

/// A JSON list of texts, sorted.
#[track_caller]
pub fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().map(|list| list.iter().map(text).collect()).unwrap_or_default()
}
