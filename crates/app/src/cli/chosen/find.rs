//! Where the files of a stack are looked for.

use std::path::{Path, PathBuf};

use mainstay_engine::journal::KnownStack;
use mainstay_engine::sources::Find;
use mainstay_model::compose::LoadOptions;

use crate::boot::Boot;
use crate::cli::remembered::NONE;

/// The stack of this folder, with every flag about files.
pub fn find_here(boot: &Boot, options: LoadOptions) -> Find {
    let global = &boot.global;
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    Find {
        working_directory: text(&boot.environment.working_directory),
        files: global.file.iter().map(text).collect(),
        env: global.env.clone().filter(|env| env != NONE),
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

/// A stack where the journal says that it was brought up from.
pub fn find_known(boot: &Boot, known: &KnownStack) -> Find {
    let mut find = find_in(boot, Path::new(&known.directory));
    find.project_name = Some(known.stack.to_string());
    find.files = known.files.clone();
    // The files may lie elsewhere, and what they name relatively does not.
    find.project_directory = Some(known.directory.clone());
    find.env = known.env.clone().filter(|_| !boot.global.no_env).or(find.env);
    if !known.profiles.is_empty() {
        find.profiles = known.profiles.clone();
    }
    find
}
