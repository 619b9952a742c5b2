//! Which stacks a command is about: by their files, or only by name where labels say enough.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mainstay_engine::journal::KnownStack;
use mainstay_engine::sources::{self, Find, Read, SourcesError};
use mainstay_model::compose::schema::suggest;
use mainstay_model::compose::{LoadOptions, Loaded, Node};
use mainstay_model::identity::{ServiceName, StackName, container_name};
use mainstay_model::observed::Scope;
use mainstay_model::plan::HeldService;

use super::sent;
use crate::boot::{Boot, engine};
use crate::client::Memory;
use crate::problem::Problem;

/// File names by which Compose knows a stack's folder.
const COMPOSE_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// What labels make possible.
const WITHOUT_FILES: &str = "a stack can also be named without its files: `--stack NAME`";
/// No more known stacks are named in a hint.
const NAMED_IN_A_HINT: usize = 5;

/// So many replicas of one service are looked for by name.
const MOST_NAMES: u32 = 1000;

/// One stack as the command line names it.
enum Named {
    Files(Box<Find>),
    Name(StackName),
}

/// The stack of this folder, with every flag about files.
pub fn find_here(boot: &Boot, options: LoadOptions) -> Find {
    let global = &boot.global;
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    Find {
        working_directory: text(&boot.environment.working_directory),
        files: global.file.iter().map(text).collect(),
        env: global.env.clone(),
        project_name: global.project_name.clone(),
        project_directory: global.project_directory.as_ref().map(text),
        env_files: global.env_file.iter().map(text).collect(),
        profiles: global.profile.clone(),
        environment: boot.environment.variables.clone(),
        options,
        stdin: boot.stdin.clone(),
        dialect: global.dialect.map(Into::into),
        domain: global.domain.clone(),
        generated: std::collections::BTreeMap::new(),
        secrets: Some(boot.secrets()),
        drawn: std::collections::BTreeMap::new(),
    }
}

/// The stack in a folder, with the flags that make sense for any stack.
pub fn find_in(boot: &Boot, directory: &Path) -> Find {
    let here = find_here(boot, LoadOptions::default());
    let mut environment = here.environment;
    // These name the files and the stack of the folder that the command was run in, not of another one.
    environment.remove("COMPOSE_FILE");
    environment.remove("COMPOSE_PROJECT_NAME");
    Find {
        working_directory: directory.to_string_lossy().into_owned(),
        env: here.env,
        profiles: here.profiles,
        environment,
        dialect: here.dialect,
        domain: here.domain,
        secrets: here.secrets,
        ..Find::default()
    }
}

/// The one chosen stack by its name, and where its files are, when that is known. What is wrong with them is no matter.
///
/// # Errors
/// When there are several, or nobody knows it.
pub async fn name_and_files(boot: &Boot, command: &str) -> Result<(StackName, Option<Find>), Problem> {
    let mut all = all_named(boot)?;
    let find = match (all.pop(), all.is_empty()) {
        (_, false) => {
            return Err(
                Problem::usage("one-stack", format!("`{command}` is about one stack")).hint("give `--stack` once")
            );
        }
        (None, _) => find_here(boot, LoadOptions::default()),
        (Some(Named::Files(find)), _) => *find,
        (Some(Named::Name(name)), _) => {
            let known = Memory::open(&boot.settings).await?.stacks().await?;
            match known.iter().find(|one| one.stack == name) {
                Some(known) if Path::new(&known.directory).is_dir() => find_known(boot, known),
                Some(_) => return Ok((name, None)),
                None => return Err(unknown_name(&name, &known)),
            }
        }
    };
    match sources::name(&find)? {
        Some(name) => Ok((name, Some(find))),
        // Then reading them says why.
        None => Err(sources::read(&find).map_or_else(Problem::from, |_| {
            Problem::files("no-name", "the Compose files do not tell the name of the stack").hint("say it: `-p NAME`")
        })),
    }
}

/// The first chosen stack, which must have its files in a folder.
///
/// # Errors
/// When it is not a folder with a Compose file.
pub fn find_named(boot: &Boot, options: LoadOptions) -> Result<Find, Problem> {
    refuse_file_flags(boot)?;
    let value = boot.global.stack.first().map_or(".", String::as_str);
    match named(boot, value)? {
        Named::Files(find) => Ok(Find { options, ..*find }),
        Named::Name(_) => Err(unknown(boot, value)),
    }
}

/// A stack where the journal says that it was brought up from.
pub fn find_known(boot: &Boot, known: &KnownStack) -> Find {
    let mut find = find_in(boot, Path::new(&known.directory));
    find.project_name = Some(known.stack.to_string());
    find.files = known.files.clone();
    // The files may lie elsewhere, and what they name relatively does not.
    find.project_directory = Some(known.directory.clone());
    find.env = known.env.clone().or(find.env);
    if !known.profiles.is_empty() {
        find.profiles = known.profiles.clone();
    }
    find
}

/// Whether a folder has a Compose file of the usual name.
fn has_compose_file(directory: &Path) -> bool {
    COMPOSE_FILES.iter().any(|name| directory.join(name).is_file())
}

/// Reads the files of every chosen stack and tells the warnings. A service that is named is on, whatever its profile.
///
/// # Errors
/// When a stack has no files here, or they are refused.
pub fn read(boot: &Boot, known: &[KnownStack], services: &BTreeSet<ServiceName>) -> Result<Vec<Read>, Problem> {
    let find = |(value, named): (&String, Named)| match named {
        Named::Files(find) => Ok(*find),
        Named::Name(name) => {
            let known = known.iter().find(|one| one.stack == name);
            known.map(|one| find_known(boot, one)).ok_or_else(|| unknown(boot, value))
        }
    };
    if boot.global.stack.is_empty() {
        return Ok(vec![read_with(boot, find_here(boot, LoadOptions::default()), services)?]);
    }
    boot.global.stack.iter().zip(all_named(boot)?).map(|one| read_with(boot, find(one)?, services)).collect()
}

/// The one stack that was chosen by its name and is known here, when its files are not where they were.
///
/// # Errors
/// When the journal cannot be read, or the name is none.
pub async fn known_without_files(boot: &Boot) -> Result<Option<StackName>, Problem> {
    let all = all_named(boot)?;
    let [Named::Name(name)] = all.as_slice() else { return Ok(None) };
    let known = Memory::open(&boot.settings).await?.stacks().await?;
    let Some(known) = known.into_iter().find(|one| one.stack == *name) else { return Ok(None) };
    let is_there = known.files.iter().all(|file| Path::new(file).is_file());
    Ok((!is_there).then_some(known.stack))
}

/// The names of the chosen stacks, by their files where those are here.
///
/// # Errors
/// When there are no files here and no name, or the files do not tell one.
pub fn names_here(boot: &Boot) -> Result<Vec<String>, Problem> {
    let mut names = Vec::new();
    if boot.global.stack.is_empty() {
        match &boot.global.project_name {
            Some(name) => names.push(name.clone()),
            None => names.push(name_of(&find_here(boot, LoadOptions::default()))?),
        }
    }
    for named in all_named(boot)? {
        names.push(match named {
            Named::Files(find) => name_of(&find)?,
            Named::Name(name) => name.to_string(),
        });
    }
    Ok(names)
}

fn name_of(find: &Find) -> Result<String, Problem> {
    let name = sources::name(find).map_err(|error| Problem::from(error).hint(WITHOUT_FILES))?;
    name.map(|name| name.to_string()).ok_or_else(|| {
        Problem::files("no-name", "the Compose files do not tell the name of the stack").hint("say it: `-p NAME`")
    })
}

/// The files of the one chosen stack that are here; `None` where stacks are only named.
///
/// # Errors
/// When there are files here, and several stacks are meant.
pub fn files_here(boot: &Boot, options: LoadOptions) -> Result<Option<Find>, Problem> {
    let mut all = all_named(boot)?;
    if all.iter().all(|named| matches!(named, Named::Name(_))) && !all.is_empty() {
        return Ok(None);
    }
    match (all.pop(), all.is_empty()) {
        (None, _) => Ok(Some(find_here(boot, options))),
        (Some(Named::Files(find)), true) => Ok(Some(Find { options, ..*find })),
        _ => Err(Problem::usage("one-stack", "files of several stacks do not go to another machine at once")
            .hint("run the command for each of them")),
    }
}

/// As [`read`], when no stack is chosen by a name that only the journal knows: a mistake in flags or files is then
/// told without an engine, a lock or a server.
///
/// # Errors
/// As [`read`].
pub fn read_early(boot: &Boot, services: &BTreeSet<ServiceName>) -> Result<Option<Vec<Read>>, Problem> {
    let needs_journal = all_named(boot)?.iter().any(|named| matches!(named, Named::Name(_)));
    if needs_journal { Ok(None) } else { read(boot, &[], services).map(Some) }
}

/// Reads one stack and tells the warnings.
///
/// # Errors
/// When there are no files, or they are refused.
pub fn read_one(boot: &Boot, find: &Find) -> Result<Read, Problem> {
    told(boot, sources::read(find)?)
}

/// Reads one stack; when a named service is off, reads it again with that service's profiles.
fn read_with(boot: &Boot, mut find: Find, services: &BTreeSet<ServiceName>) -> Result<Read, Problem> {
    let read = sources::read(&find)?;
    let off = services.iter().filter_map(|service| read.loaded.disabled_services.get(service.as_str()));
    let profiles = off.filter_map(|service| service.get("profiles")).filter_map(Node::as_list).flatten();
    let profiles: Vec<String> = profiles.filter_map(Node::as_str).map(str::to_owned).collect();
    if profiles.is_empty() {
        return told(boot, read);
    }
    find.profiles.extend(profiles);
    read_one(boot, &find)
}

fn told(boot: &Boot, read: Read) -> Result<Read, Problem> {
    boot.ui.redactions.learn(read.loaded.kept.values.values());
    sent::check(boot, &read)?;
    if !read.warnings.list.is_empty() {
        boot.ui.talk(read.warnings.render().trim_end());
    }
    Ok(read)
}

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

/// Every `--stack`; flags that do not go together are refused.
fn all_named(boot: &Boot) -> Result<Vec<Named>, Problem> {
    if !boot.global.stack.is_empty() {
        refuse_file_flags(boot)?;
    }
    boot.global.stack.iter().map(|value| named(boot, value)).collect()
}

/// A value with a slash is a folder; another one is a folder here when it has a Compose file, and else a name.
fn named(boot: &Boot, value: &str) -> Result<Named, Problem> {
    let path = boot.environment.working_directory.join(value);
    let says_folder = value.contains('/') || value == "." || value == "..";
    if boot.environment.carried.is_some() && !says_folder {
        // A folder of this machine that has the same name is not what somebody meant on another one.
        return Ok(Named::Name(StackName::new(value)?));
    }
    if says_folder && !path.is_dir() {
        return Err(Problem::usage("no-such-folder", format!("`--stack {value}`: there is no such folder")));
    }
    if says_folder || has_compose_file(&path) {
        return Ok(Named::Files(Box::new(find_in(boot, &path))));
    }
    let name = StackName::new(value).map_err(|error| {
        Problem::usage("no-such-stack", format!("`--stack {value}` is neither a folder with a Compose file nor a name"))
            .caused_by(&error)
    })?;
    Ok(Named::Name(name))
}

fn refuse_file_flags(boot: &Boot) -> Result<(), Problem> {
    let global = &boot.global;
    let given = [
        (!global.file.is_empty(), "--file"),
        (global.project_name.is_some(), "--project-name"),
        (global.project_directory.is_some(), "--project-directory"),
        (!global.env_file.is_empty(), "--env-file"),
    ];
    match given.iter().find(|(is_given, _)| *is_given) {
        Some((_, flag)) => Err(Problem::usage("flags-conflict", format!("`{flag}` and `--stack` do not go together"))
            .hint("`--stack` says where each stack is; the other flags are for the stack of one folder")),
        None => Ok(()),
    }
}

fn unknown(boot: &Boot, value: &str) -> Problem {
    let folder = boot.environment.working_directory.join(value);
    Problem::usage("no-such-stack", format!("the stack `{value}` is not known here"))
        .hint(format!("looked for a Compose file in `{}`, and among `mainstay stacks`", folder.display()))
        .hint("name its folder: `--stack DIR`")
}
