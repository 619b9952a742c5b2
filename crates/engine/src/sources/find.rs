//! Which files: Compose's own search, and `--env`.

use std::path::Path;

use mainstay_model::compose::{Diagnostic, FileId, Files, Span, dotenv, environment};
use mainstay_model::identity::StackName;

use super::disk::Disk;
use super::paths;
use super::{Find, SourcesError};

/// In the order of preference.
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];
/// An env file that is looked into for `COMPOSE_FILE` is no larger.
const ENV_FILE_LIMIT: u64 = 1 << 20;

/// The files of a stack, absolute.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub files: Vec<String>,
    pub project_directory: Option<String>,
    /// Empty: the loader's own rule, `.env` in the project directory.
    pub env_files: Vec<String>,
    pub warnings: Vec<Diagnostic>,
}

pub(super) fn found(find: &Find, disk: &Disk) -> Result<Found, SourcesError> {
    let here = |path: &str| paths::join(&find.working_directory, path);
    let mut found = Found {
        project_directory: find.project_directory.as_deref().map(here),
        env_files: find.env_files.iter().map(|path| here(path)).collect(),
        ..Found::default()
    };
    let mut named = find.files.clone();
    if named.is_empty() {
        named = named_by_variable(find, &found, disk);
    }
    if named.is_empty() {
        found.search(find)?;
    }
    for name in &named {
        found.add_named(name, find)?;
    }
    if let Some(env) = &find.env {
        found.add_environment(env, find)?;
    }
    Ok(found)
}

impl Found {
    /// A file, a folder with one in it, or the standard input.
    fn add_named(&mut self, name: &str, find: &Find) -> Result<(), SourcesError> {
        if name == "-" {
            if find.stdin.is_none() {
                return Err(SourcesError::NoStdin);
            }
            self.files.push(paths::stdin(&find.working_directory));
            return Ok(());
        }
        let path = paths::join(&find.working_directory, name);
        if Path::new(&path).is_dir() {
            if !self.add_from_folder(&path, find.env.is_none()) {
                return Err(SourcesError::EmptyFolder { folder: path });
            }
        } else {
            // Whether it is there and can be read is said by the loader, together with all other complaints.
            self.files.push(path);
        }
        Ok(())
    }

    /// Here, or in the nearest folder above.
    fn search(&mut self, find: &Find) -> Result<(), SourcesError> {
        let start = match &self.project_directory {
            Some(directory) => directory.clone(),
            None => paths::join(&find.working_directory, "."),
        };
        let mut folder = Some(start.as_str());
        while let Some(here) = folder {
            if self.add_from_folder(here, find.env.is_none()) {
                return Ok(());
            }
            folder = paths::parent(here);
        }
        Err(SourcesError::NotFound { directory: start })
    }

    /// The Compose file of a folder, with its `.override` twin; `false` when there is none.
    fn add_from_folder(&mut self, folder: &str, with_override: bool) -> bool {
        let names = there(folder, &NAMES);
        let Some(first) = names.first() else { return false };
        self.tell_several(folder, &names);
        self.files.push(first.clone());
        let overrides = there(folder, &OVERRIDES);
        if let Some(first) = overrides.first() {
            if with_override {
                self.tell_several(folder, &overrides);
                self.files.push(first.clone());
            } else {
                let message = format!("`{}` is left out, because an environment was chosen", paths::name(first));
                self.warn("override-left-out", message, "name it with `--file` to have it as well");
            }
        }
        true
    }

    fn tell_several(&mut self, folder: &str, paths: &[String]) {
        if let [first, others @ ..] = paths
            && !others.is_empty()
        {
            let others: Vec<String> = others.iter().map(|path| format!("`{}`", paths::name(path))).collect();
            let message = format!(
                "`{folder}` has several Compose files: `{}` is taken, and {} left out",
                paths::name(first),
                others.join(", ")
            );
            self.warn("several-files", message, "name the one that you mean with `--file`");
        }
    }

    fn warn(&mut self, code: &'static str, message: String, hint: &str) {
        self.warnings.push(Diagnostic::warning(code, Span::NOWHERE, message).hint(hint));
    }

    /// `compose.<env>.yaml` beside the first file, and `.env` and then `.env.<env>` in the project directory.
    fn add_environment(&mut self, env: &str, find: &Find) -> Result<(), SourcesError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if env.is_empty() || env.contains("..") || !env.chars().all(fits) {
            return Err(SourcesError::BadEnvironment { env: env.to_owned() });
        }
        let first = self.files.first().cloned().unwrap_or_default();
        let folder = paths::parent(&first).unwrap_or("/").to_owned();
        let twins = twins(paths::name(&first), env);
        let twins: Vec<String> = twins.iter().map(|name| paths::join(&folder, name)).collect();
        let twin = twins.iter().find(|path| Path::new(path).is_file());
        let project = self.project_directory.clone().unwrap_or(folder);
        let (plain, own) = (paths::join(&project, ".env"), paths::join(&project, &format!(".env.{env}")));
        let has_own = Path::new(&own).exists();
        if twin.is_none() && !has_own {
            let looked_for = twins.into_iter().chain([own]).collect();
            return Err(SourcesError::NoEnvironment { env: env.to_owned(), looked_for });
        }
        if let Some(twin) = twin
            && !self.files.contains(twin)
        {
            self.files.push(twin.clone());
        }
        if has_own {
            // Named env files replace the default one, so the default has to be named as well.
            let named_by_variable = find.environment.contains_key("COMPOSE_ENV_FILES");
            if self.env_files.is_empty() && !named_by_variable && Path::new(&plain).is_file() {
                self.env_files.push(plain);
            } else if self.env_files.is_empty() && named_by_variable {
                self.env_files = env_files_of_variable(find);
            }
            self.env_files.push(own);
        }
        Ok(())
    }
}

/// `compose.prod.yaml` for `compose.yaml`; the other ending is as good.
fn twins(first: &str, env: &str) -> Vec<String> {
    let (stem, endings) = match first.rsplit_once('.') {
        Some((stem, "yml")) => (stem, ["yml", "yaml"]),
        Some((stem, _)) => (stem, ["yaml", "yml"]),
        None => ("compose", ["yaml", "yml"]),
    };
    let stem = if first == "-" { "compose" } else { stem };
    let mut names: Vec<String> = endings.iter().map(|ending| format!("{stem}.{env}.{ending}")).collect();
    if stem == "docker-compose" {
        names.extend(["yaml", "yml"].map(|ending| format!("compose.{env}.{ending}")));
    }
    names
}

/// The files of the list that are in a folder, in the list's order.
fn there(folder: &str, names: &[&str]) -> Vec<String> {
    let paths = names.iter().map(|name| paths::join(folder, name));
    // Anything but a folder counts: what it is and why it cannot be read is said when it is read.
    paths.filter(|path| Path::new(path).symlink_metadata().is_ok() && !Path::new(path).is_dir()).collect()
}

/// `COMPOSE_FILE`, from the caller's environment or from the env files that Compose reads before it looks for files.
fn named_by_variable(find: &Find, found: &Found, disk: &Disk) -> Vec<String> {
    let mut variables = find.environment.clone();
    if !variables.contains_key("COMPOSE_FILE") {
        let mut env_files = found.env_files.clone();
        if env_files.is_empty() {
            env_files = env_files_of_variable(find);
        }
        if env_files.is_empty() && !environment::is_default_off(&find.environment) {
            let project = found.project_directory.as_deref().unwrap_or(&find.working_directory);
            env_files.push(paths::join(project, ".env"));
        }
        for path in env_files {
            // A file that is broken is complained about when it is loaded.
            let Ok(content) = disk.read(&path, ENV_FILE_LIMIT) else { continue };
            let lookup = |name: &str| find.environment.get(name).cloned();
            let entries = dotenv::parse(&content, FileId(0), &lookup).unwrap_or_default();
            let wanted = entries.into_iter().filter(|(name, _)| name.starts_with("COMPOSE_"));
            for (name, value) in wanted.filter_map(|(name, value)| Some((name, value?))) {
                if !find.environment.contains_key(&name) {
                    variables.insert(name, value);
                }
            }
        }
    }
    environment::compose_files(&variables)
}

fn env_files_of_variable(find: &Find) -> Vec<String> {
    let names = find.environment.get("COMPOSE_ENV_FILES").map(String::as_str).unwrap_or_default();
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| paths::join(&find.working_directory, name)).collect()
}

/// The folder of another stack beside this one: `../<stack>`, when there is a Compose file in it. Stacks that require
/// each other usually stand side by side.
pub fn sibling(directory: &str, stack: &StackName) -> Option<String> {
    let folder = paths::join(directory, &format!("../{stack}"));
    (!there(&folder, &NAMES).is_empty()).then_some(folder)
}
