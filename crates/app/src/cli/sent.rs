//! Files that came from another machine: what they name of that machine is not here.

use std::path::{Path, PathBuf};

use mainstay_engine::sources::{Arrived, Read};
use mainstay_model::declared::container::MountKind;

use crate::boot::Boot;
use crate::problem::Problem;
use crate::remote::carried::Sent;

/// Whether everything that a stack's files name can be had on this machine.
///
/// # Errors
/// With each thing that cannot, by name.
pub fn check(boot: &Boot, read: &Read) -> Result<(), Problem> {
    let Some(sent) = boot.environment.carried.as_ref().and_then(|carried| carried.sent.as_ref()) else {
        return Ok(());
    };
    if read.declared.stack.as_str() != sent.stack {
        return Ok(());
    }
    let mut missing = Vec::new();
    let mut from_here = Vec::new();
    for service in read.declared.services.values() {
        let name = &service.name;
        if let Some(build) = &service.build
            && build.context.starts_with('/')
        {
            missing.push(format!("`{name}` is built from a folder, and folders do not travel"));
        }
        let made: Vec<&str> = service.files.iter().map(|file| file.path.as_str()).collect();
        let binds = service.container.mounts.iter().filter(|mount| mount.kind == MountKind::Bind);
        for source in binds.filter_map(|mount| mount.source.as_deref()) {
            if !is_below(sent, source) || made.contains(&source) {
                continue;
            }
            match Path::new(source).exists() {
                true => from_here.push(format!("`{source}` for `{name}`")),
                false => missing.push(format!("`{name}` mounts `{source}`, which is not there")),
            }
        }
    }
    if !from_here.is_empty() {
        boot.ui.note(&format!(
            "taken as they are on this host, not as they are where you typed: {}",
            from_here.join(", ")
        ));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("the files of `{}` name what is not on this host; nothing was touched", sent.stack);
    let mut problem = Problem::files("not-on-this-host", message);
    problem.causes = missing;
    Err(problem
        .hint(format!(
            "mounts: copy them into `{}` on the host, or use a volume, or a config with `content`",
            sent.directory
        ))
        .hint("builds: let CI push the image, give the service its `image`, and `mainstay promote --tag` it")
        .hint("or bring the stack up on the host itself, where its files are"))
}

/// The folder of migrations that was named on the command line there, and came along.
pub fn dir(boot: &Boot) -> Option<PathBuf> {
    boot.environment.carried.as_ref()?.given.dir.as_ref().map(PathBuf::from)
}

/// As [`dir`], what `--before` names.
pub fn before(boot: &Boot) -> Option<PathBuf> {
    boot.environment.carried.as_ref()?.given.before.as_ref().map(PathBuf::from)
}

/// A folder as whoever asked knows it: where lies what came along is nothing to him.
pub fn shown(boot: &Boot, dir: &Path) -> String {
    let came_along =
        boot.environment.carried.is_some() && dir.components().any(|part| part.as_os_str() == Arrived::SETS);
    if came_along { "the folder that came along".to_owned() } else { format!("`{}`", dir.display()) }
}

/// Whether a command is about SQL of this host, which whoever asked from another machine may never have seen.
pub fn is_of_the_host(boot: &Boot) -> bool {
    boot.environment.carried.as_ref().is_some_and(|carried| carried.sent.is_none() && carried.given.dir.is_none())
}

/// A path as it is meant on this machine.
///
/// # Errors
/// When it is relative, and the command comes from another machine: nobody stands anywhere here.
pub fn here(boot: &Boot, flag: &str, path: &Path) -> Result<PathBuf, Problem> {
    if boot.environment.carried.is_some() && path.is_relative() {
        let message = format!("`{}` did not come along, and is no place of this host", path.display());
        return Err(Problem::usage("not-on-this-host", message)
            .hint(format!("name one of the host by its absolute path: `{flag} /PATH`"))
            .hint("or run it where the Compose files of the stack are: what they declare goes along"));
    }
    Ok(boot.environment.working_directory.join(path))
}

/// Whether a path was relative, or as good as that.
fn is_below(sent: &Sent, path: &str) -> bool {
    Path::new(path).starts_with(&sent.directory) || Path::new(path).starts_with(&sent.folder)
}
