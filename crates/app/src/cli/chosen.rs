//! Which stacks a command is about: by their files, or only by name where labels say enough.

mod find;
mod labelled;

use std::collections::BTreeSet;
use std::path::Path;

use mainstay_engine::journal::KnownStack;
use mainstay_engine::sources::{self, Find, Read};
use mainstay_model::compose::{LoadOptions, Node};
use mainstay_model::identity::{ServiceName, StackName};

use super::sent;
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::Problem;
pub use find::{find_here, find_in, find_known};
pub use labelled::{
    Chosen, must_be_known, must_have, name, name_with, names_with, no_such_service, or_known, services_of, stacks,
    state_dir_must_exist, unknown_name, volumes_of,
};

/// File names by which Compose knows a stack's folder.
const COMPOSE_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// What labels make possible.
const WITHOUT_FILES: &str = "a stack can also be named without its files: `--stack NAME`";
/// No more known stacks are named in a hint.
const NAMED_IN_A_HINT: usize = 5;

/// One stack as the command line names it.
enum Named {
    Files(Box<Find>),
    Name(StackName),
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

/// Whether a folder has a Compose file of the usual name.
fn has_compose_file(directory: &Path) -> bool {
    COMPOSE_FILES.iter().any(|name| directory.join(name).is_file())
}

/// Reads the files of every chosen stack and tells the warnings. A service that is named is on, whatever its profile.
///
/// # Errors
/// When a stack has no files here, or they are refused.
pub fn read(boot: &Boot, known: &[KnownStack], services: &BTreeSet<ServiceName>) -> Result<Vec<Read>, Problem> {
    let find = |(value, named): (&String, Named)| -> Result<Find, Problem> {
        match named {
            Named::Files(find) => Ok(*find),
            Named::Name(name) => {
                let known = known.iter().find(|one| one.stack == name).ok_or_else(|| unknown(boot, value))?;
                let find = find_known(boot, known);
                // What was said in so many words counts more than what is remembered.
                Ok(Find { env: boot.global.env.clone().or(find.env), ..find })
            }
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

/// The names of the stacks that are meant, as far as files and flags tell them: what is wrong with them is told by whoever
/// reads them.
pub fn names_without_environment(boot: &Boot) -> Vec<StackName> {
    let of_files = |find: &Find| sources::name(find).ok().flatten();
    if boot.global.stack.is_empty() {
        return of_files(&find_here(boot, LoadOptions::default())).into_iter().collect();
    }
    let named = boot.global.stack.iter().filter_map(|value| named(boot, value).ok());
    let names = named.filter_map(|one| match one {
        Named::Files(find) => of_files(&find),
        Named::Name(name) => Some(name),
    });
    names.collect()
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
