//! From a loaded Compose project to the typed wish.
//!
//! The tree is read in the long form that `docker compose config` prints, with values as they are meant: `$$` was
//! unescaped before. Reading never stops at the first complaint, so that a file is corrected in one go.

mod backup;
mod buckets;
mod build;
mod check;
mod container;
#[cfg(test)]
mod corpus;
mod databases;
mod doubts;
mod drift;
mod drill_probes;
mod files;
#[cfg(test)]
mod from_files;
mod handling;
mod health;
pub mod keys;
mod limits;
mod mounts;
mod networks;
mod place;
mod ports;
mod probe;
mod refused;
mod restart;
mod rollout;
mod routes;
mod secrets;
mod service;
mod smoke;
#[cfg(test)]
pub(super) mod testing;
mod volumes;
mod watch;
mod x_mainstay;

use super::Declared;
use super::container::Hidden;
use crate::compose::{Diagnostic, Loaded, Severity};
use std::collections::{BTreeMap, BTreeSet};

use crate::identity::{ServiceName, StackName};
use place::{Complaints, Place};
pub use refused::judge_the_rest;
pub use watch::watched;

/// A wish, and what was warned about on the way.
#[derive(Clone, Debug)]
pub struct Settled {
    pub declared: Declared,
    pub warnings: Vec<Diagnostic>,
}

/// What every part of a declaration may need to know of the whole.
struct Project<'a> {
    stack: StackName,
    directory: &'a str,
    /// The socket of the caller's SSH agent.
    agent: Option<&'a str>,
    /// The values of the stack's secrets, by name.
    secrets: &'a BTreeMap<String, Hidden>,
    root: Place<'a>,
}

/// Reads the settled tree into types, and `x-mainstay` with it.
///
/// # Errors
/// Every complaint at once, each with its place: a key that Mainstay does not honour and may not ignore, a value
/// outside its range, an `x-mainstay` key that does not exist.
pub fn declare(loaded: &Loaded) -> Result<Settled, Vec<Diagnostic>> {
    let complaints = Complaints::default();
    let declared = read(loaded, &complaints);
    let mut list = complaints.into_list();
    list.sort_by_key(|complaint| (complaint.severity, complaint.span.file, complaint.span.line, complaint.span.column));
    list.dedup();
    match declared {
        Some(declared) if list.iter().all(|complaint| complaint.severity == Severity::Warning) => {
            Ok(Settled { declared, warnings: list })
        }
        _ => Err(list),
    }
}

/// Nothing only where there is nothing to go on with; otherwise the complaints decide.
fn read(loaded: &Loaded, complaints: &Complaints) -> Option<Declared> {
    let root = Place::root(&loaded.project, complaints);
    if !loaded.is_settled() {
        root.say(Diagnostic::error(
            "not-settled",
            root.span,
            "a project read without interpolation cannot be declared",
        ));
        return None;
    }
    let stack = match StackName::new(loaded.name.as_str()) {
        Ok(stack) => stack,
        Err(problem) => {
            root.say(Diagnostic::error("bad-name", root.span, problem.to_string()));
            return None;
        }
    };
    check::keys(&root);
    let agent = loaded.environment.get("SSH_AUTH_SOCK").map(String::as_str).filter(|socket| !socket.is_empty());
    let project = Project {
        stack: stack.clone(),
        directory: &loaded.project_directory,
        agent,
        secrets: &loaded.kept.values,
        root,
    };
    let networks = networks::declared(&project);
    let volumes = volumes::declared(&project);
    let mut services = service::all(&project, &networks, &volumes);
    let mut hashes = crate::compose::print::hashes(loaded);
    for (name, service) in &mut services {
        service.compose_hash = hashes.remove(name.as_str()).unwrap_or_default();
    }
    let x_mainstay::Top { requires, secrets } = x_mainstay::at_the_top(&project);
    let smoke = x_mainstay::smoke(&project, &services);
    let databases = x_mainstay::databases(&project, &services);
    let buckets = x_mainstay::buckets(&project, &services);
    routes::clashes(&project.root, &services);
    Some(Declared {
        stack,
        directory: loaded.project_directory.clone(),
        files: compose_files(loaded),
        disabled: disabled(loaded),
        networks: networks::used(networks, &services),
        volumes: volumes::used(volumes, &services),
        services,
        requires,
        secrets: super::Secrets { wishes: secrets, values: loaded.kept.values.clone() },
        smoke,
        databases,
        buckets,
    })
}

fn disabled(loaded: &Loaded) -> BTreeSet<ServiceName> {
    let names =
        loaded.disabled_services.as_map().into_iter().flat_map(|services| services.iter().map(|(name, _)| name));
    names.filter_map(|name| ServiceName::new(name).ok()).collect()
}

/// The Compose files among everything that was read, absolute.
fn compose_files(loaded: &Loaded) -> Vec<String> {
    let is_yaml = |path: &&str| path.ends_with(".yaml") || path.ends_with(".yml");
    let absolute = |path: &str| match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{}", loaded.project_directory.trim_end_matches('/'), path.trim_start_matches("./")),
    };
    loaded.sources.paths().filter(is_yaml).map(absolute).collect()
}
