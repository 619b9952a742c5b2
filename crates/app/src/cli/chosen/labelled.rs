//! Chosen stacks for commands to which labels say the rest: files are read only to learn names.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_engine::journal::KnownStack;
use mainstay_engine::sources::{self, Find, SourcesError};
use mainstay_model::compose::schema::suggest;
use mainstay_model::compose::{LoadOptions, Loaded, Node};
use mainstay_model::identity::{ServiceName, StackName, container_name};
use mainstay_model::observed::Scope;
use mainstay_model::plan::HeldService;

use super::{NAMED_IN_A_HINT, Named, WITHOUT_FILES, all_named, find_here};
use crate::boot::{Boot, engine};
use crate::client::Memory;
use crate::problem::Problem;

/// So many replicas of one service are looked for by name.
const MOST_NAMES: u32 = 1000;

/// A chosen stack, for commands to which labels say the rest.
pub struct Chosen {
    pub name: StackName,
    /// The services of its files, those that are off too; `None` when it was chosen by its name alone.
    pub services: Option<BTreeSet<ServiceName>>,
    /// The keys and the engine's names of its files' volumes; empty when it was chosen by its name alone.
    pub volumes: BTreeSet<String>,
    /// The names that its files give to containers, with their services; empty when it was chosen by its name alone.
    pub container_names: BTreeMap<String, ServiceName>,
}

impl Chosen {
    /// A stack of the journal: what is held of it tells its containers' names.
    pub fn known(known: KnownStack) -> Self {
        let names = |held: HeldService| held.container_names.into_iter().map(move |name| (name, held.service.clone()));
        let container_names = known.held.into_iter().flat_map(names).collect();
        Chosen { container_names, ..Chosen::by_name(known.stack) }
    }

    fn by_name(name: StackName) -> Self {
        Chosen { name, services: None, volumes: BTreeSet::new(), container_names: BTreeMap::new() }
    }
}

/// The chosen stacks, for commands to which labels say the rest. Files are read only to learn names.
///
/// # Errors
/// When a name cannot be known.
pub fn stacks(boot: &Boot) -> Result<Vec<Chosen>, Problem> {
    if boot.global.stack.is_empty() {
        if let Some(name) = &boot.global.project_name {
            return Ok(vec![Chosen::by_name(StackName::new(name.as_str())?)]);
        }
        return Ok(vec![chosen_by(boot, &find_here(boot, LoadOptions::default()))?]);
    }
    let mut stacks: Vec<Chosen> = Vec::new();
    for named in all_named(boot)? {
        let chosen = match named {
            Named::Files(find) => chosen_by(boot, &find)?,
            Named::Name(name) => Chosen::by_name(name),
        };
        if stacks.iter().all(|one| one.name != chosen.name) {
            stacks.push(chosen);
        }
    }
    Ok(stacks)
}

/// A stack without containers that was named on the command line, and never brought up here, is most likely a name
/// mistyped.
///
/// # Errors
/// When there is such a one.
pub async fn must_be_known(boot: &Boot, names: &[StackName]) -> Result<(), Problem> {
    let known = match Memory::open(&boot.settings).await {
        Ok(memory) => memory.stacks().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let by_name = boot.global.stack.iter().filter_map(|named| StackName::new(named.as_str()).ok());
    let unknown = by_name.filter(|name| names.contains(name)).find(|name| known.iter().all(|one| one.stack != *name));
    match unknown {
        Some(name) => Err(unknown_name(&name, &known)),
        None => Ok(()),
    }
}

/// Adds the stacks that could be meant to a report that there are no files here.
pub async fn or_known(boot: &Boot, mut problem: Problem) -> Problem {
    let Ok(memory) = Memory::open(&boot.settings).await else { return problem };
    let known = memory.stacks().await.unwrap_or_default();
    let names: Vec<String> = known.iter().map(|one| format!("`--stack {}`", one.stack)).collect();
    let more = if names.len() > NAMED_IN_A_HINT { ", … (`mainstay stacks`)" } else { "" };
    if !names.is_empty() {
        let names = names[..names.len().min(NAMED_IN_A_HINT)].join(", ");
        problem.hints.retain(|hint| hint != WITHOUT_FILES);
        problem.hints.push(format!("what was brought up here can be named from anywhere: {names}{more}"));
    }
    problem
}

/// A stack was named that was never brought up here.
pub fn unknown_name(name: &StackName, known: &[KnownStack]) -> Problem {
    let problem = Problem::usage("unknown-stack", format!("nobody knows a stack `{name}` here"));
    match suggest(name.as_str(), known.iter().map(|one| one.stack.as_str())) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => problem.hint("`mainstay stacks` lists what was brought up here, `mainstay ps --all` what is there"),
    }
}

/// A folder for the state that is named in so many words and is not there: reading finds nothing in it.
///
/// # Errors
/// When it is so.
pub fn state_dir_must_exist(boot: &Boot) -> Result<(), Problem> {
    match &boot.global.state_dir {
        Some(named) if !boot.settings.state_dir.exists() => {
            let message = format!("`--state-dir {}`: there is no such folder", named.display());
            Err(Problem::usage("no-such-folder", message).hint("`mainstay up` or `mainstay serve` makes one"))
        }
        _ => Ok(()),
    }
}

/// The names of [`stacks`], when every service that is named stands in their files or has a container.
///
/// # Errors
/// As [`stacks`] and [`must_have`].
pub async fn names_with(boot: &Boot, services: &BTreeSet<ServiceName>) -> Result<Vec<StackName>, Problem> {
    let stacks = stacks(boot)?;
    must_have(boot, &stacks, services).await?;
    Ok(stacks.into_iter().map(|one| one.name).collect())
}

/// Every service that is named must stand in the files of a stack, or have a container there: one that the files no
/// longer have can still be looked at and taken down.
///
/// # Errors
/// When it is most likely a name mistyped.
pub async fn must_have(boot: &Boot, stacks: &[Chosen], services: &BTreeSet<ServiceName>) -> Result<(), Problem> {
    let mut has: BTreeSet<ServiceName> = stacks.iter().flat_map(|one| one.services.iter().flatten()).cloned().collect();
    if services.is_subset(&has) {
        return Ok(());
    }
    let docker = boot.docker().await?;
    for stack in stacks {
        let observed = engine::look(&docker, &Scope::of_stack(stack.name.clone())).await?;
        let own = observed.containers.into_iter().filter(|one| one.stack.as_ref() == Some(&stack.name));
        has.extend(own.filter_map(|container| container.service));
    }
    match services.difference(&has).next() {
        Some(missing) => Err(no_such_service(stacks.iter().map(|one| &one.name), missing, has.iter())),
        None => Ok(()),
    }
}

/// A service was named that none of these stacks has.
pub fn no_such_service<'a>(
    stacks: impl Iterator<Item = &'a StackName>,
    missing: &ServiceName,
    has: impl Iterator<Item = &'a ServiceName> + Clone,
) -> Problem {
    let of: Vec<String> = stacks.map(|name| format!("`{name}`")).collect();
    let message = match of.as_slice() {
        [stack] => format!("the stack {stack} has no service `{missing}`"),
        _ => format!("none of the stacks {} has a service `{missing}`", of.join(", ")),
    };
    let problem = Problem::usage("no-such-service", message);
    let all: Vec<String> = has.clone().map(|name| format!("`{name}`")).collect();
    match suggest(missing.as_str(), has.map(ServiceName::as_str)) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None if all.is_empty() => problem.hint("it has no containers here; `mainstay stacks` lists what is known"),
        None => problem.hint(format!("{} {}", if of.len() == 1 { "it has" } else { "they have" }, all.join(", "))),
    }
}

/// The one chosen stack, for commands that take no more.
///
/// # Errors
/// As [`stacks`], and when there are several.
pub fn name(boot: &Boot, command: &str) -> Result<StackName, Problem> {
    only(stacks(boot)?, command).map(|one| one.name)
}

/// The one chosen stack, which must have this service.
///
/// # Errors
/// As [`name`] and [`must_have`].
pub async fn name_with(boot: &Boot, command: &str, service: &ServiceName) -> Result<StackName, Problem> {
    let stack = only(stacks(boot)?, command)?;
    must_have(boot, std::slice::from_ref(&stack), &BTreeSet::from([service.clone()])).await?;
    Ok(stack.name)
}

fn only(stacks: Vec<Chosen>, command: &str) -> Result<Chosen, Problem> {
    let [one] = <[Chosen; 1]>::try_from(stacks).map_err(|_| {
        Problem::usage("one-stack", format!("`{command}` is about one stack")).hint("give `--stack` once")
    })?;
    Ok(one)
}

fn chosen_by(boot: &Boot, find: &Find) -> Result<Chosen, Problem> {
    let loaded = match sources::load(find) {
        // Names can be had without: what runs is to be seen also when the key of the host is lost.
        Err(SourcesError::Secrets(error)) => {
            boot.ui.warn_of(&error.into());
            sources::load(&Find { secrets: None, ..find.clone() })
        }
        loaded => loaded,
    };
    let loaded = loaded.map_err(|error| Problem::from(error).hint(WITHOUT_FILES))?;
    let (services, volumes) = (services_of(&loaded), volumes_of(&loaded));
    let name = StackName::new(loaded.name.as_str())?;
    let container_names = container_names_of(&name, &loaded);
    Ok(Chosen { name, services: Some(services), volumes, container_names })
}

fn container_names_of(stack: &StackName, loaded: &Loaded) -> BTreeMap<String, ServiceName> {
    let mut names = BTreeMap::new();
    let all = loaded.project.get("services").and_then(Node::as_map);
    for (service, node) in all.into_iter().flat_map(|services| &services.0) {
        let Ok(service) = ServiceName::new(service.as_str()) else { continue };
        let node = &node.node;
        let deployed = node.get("deploy").and_then(|deploy| deploy.get("replicas"));
        let replicas = deployed.or_else(|| node.get("scale")).and_then(Node::as_int).unwrap_or(1);
        match node.get("container_name").and_then(Node::as_str) {
            Some(name) => names.extend([(name.to_owned(), service)]),
            None => {
                let numbers = 1..=u32::try_from(replicas).unwrap_or(1).min(MOST_NAMES);
                names.extend(numbers.map(|number| (container_name(stack, &service, number), service.clone())));
            }
        }
    }
    names
}

/// The keys and the engine's names of the volumes of a stack's files.
pub fn volumes_of(loaded: &Loaded) -> BTreeSet<String> {
    let all = loaded.project.get("volumes").and_then(Node::as_map);
    let mut names = BTreeSet::new();
    for (key, volume) in all.into_iter().flat_map(|volumes| &volumes.0) {
        names.insert(key.clone());
        names.extend(volume.node.get("name").and_then(Node::as_str).map(str::to_owned));
    }
    names
}

/// Every service of a stack's files, those that are off too.
pub fn services_of(loaded: &Loaded) -> BTreeSet<ServiceName> {
    let on = loaded.project.get("services").and_then(Node::as_map);
    let all = on.into_iter().chain(loaded.disabled_services.as_map()).flat_map(|services| services.0.keys());
    all.filter_map(|name| ServiceName::new(name.as_str()).ok()).collect()
}
