//! The environment of a load: the caller's variables, and under them what the env files say.

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::dotenv;
use super::filepath;
use super::load::{FileProblem, LoadRequest};
use super::reading::Reading;
use super::scalar;
use super::tree::Span;

/// Names and values; of one name there is one value.
pub type Environment = BTreeMap<String, String>;

/// The Compose files that `COMPOSE_FILE` names, as they are written there. `COMPOSE_PATH_SEPARATOR` may say
/// what stands between them.
pub fn compose_files(environment: &Environment) -> Vec<String> {
    let separator = environment.get("COMPOSE_PATH_SEPARATOR").map(String::as_str).filter(|text| !text.is_empty());
    let names = environment.get("COMPOSE_FILE").map(String::as_str).unwrap_or_default();
    names.split(separator.unwrap_or(":")).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What stands for a name beside the environment: a dialect's answers to its magic names.
pub type Answers<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The caller's environment, completed from the env files of the request. Their values may use what `answers` knows.
pub fn gather(
    request: &LoadRequest,
    project_directory: &str,
    answers: Answers<'_>,
    reading: &mut Reading<'_>,
) -> Environment {
    let mut environment = request.environment.clone();
    let mut files = request.env_files.clone();
    if files.is_empty() {
        files = named_by_variable(request);
    }
    if !files.is_empty() {
        let said = read_files(&files, &environment, answers, Span::NOWHERE, reading);
        add_missing(&mut environment, said);
        return environment;
    }
    if !is_default_off(&environment) {
        let mut said = read_default(project_directory, &environment, answers, Span::NOWHERE, reading);
        // A file that turns itself off still says what is meant for Compose.
        if !environment.contains_key(OFF) && is_default_off(&said) {
            said.retain(|name, _| name.starts_with("COMPOSE_"));
        }
        add_missing(&mut environment, said);
    }
    let wish = environment.get(OFF).filter(|text| !text.is_empty());
    if let Some(text) = wish
        && scalar::truth(text).is_none()
    {
        let message = format!("`{OFF}` is `{text}`, which is neither true nor false");
        reading.say(Diagnostic::error("bad-variable", Span::NOWHERE, message).hint("set it to `1`, or unset it"));
    }
    environment
}

const OFF: &str = "COMPOSE_DISABLE_ENV_FILE";

/// Whether `COMPOSE_DISABLE_ENV_FILE` says that the `.env` beside the files is not read.
pub fn is_default_off(environment: &Environment) -> bool {
    environment.get(OFF).and_then(|text| scalar::truth(text)) == Some(true)
}

fn named_by_variable(request: &LoadRequest) -> Vec<String> {
    let names = request.environment.get("COMPOSE_ENV_FILES").map(String::as_str).unwrap_or_default();
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| filepath::join(&request.working_directory, name)).collect()
}

/// What stands in `.env` of a folder; a folder without one says nothing.
pub fn read_default(
    folder: &str,
    environment: &Environment,
    answers: Answers<'_>,
    at: Span,
    reading: &mut Reading<'_>,
) -> Environment {
    let path = filepath::join(folder, ".env");
    match reading.content(&path) {
        Err(FileProblem::Missing | FileProblem::Directory) => Environment::new(),
        _ => read_files(&[path], environment, answers, at, reading),
    }
}

/// What several env files say together, the later over the earlier.
pub fn read_files(
    paths: &[String],
    environment: &Environment,
    answers: Answers<'_>,
    at: Span,
    reading: &mut Reading<'_>,
) -> Environment {
    let mut said: Lines = Vec::new();
    for path in paths {
        let Some((file, bytes)) = reading.required(path, "env file", at) else {
            reading.lacks_variables = true;
            continue;
        };
        reading.sources.hide_values(file);
        let lookup = |name: &str| environment.get(name).cloned().or_else(|| answers(name));
        match dotenv::parse_after(said.clone(), &bytes, file, &lookup) {
            Ok(lines) => said = lines,
            Err(problems) => {
                reading.lacks_variables = true;
                reading.diagnostics.extend(problems);
            }
        }
    }
    said.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Adds what is not there yet.
pub fn add_missing(environment: &mut Environment, more: Environment) {
    for (name, value) in more {
        environment.entry(name).or_insert(value);
    }
}

/// Names in the order in which files say them, with a value or without.
pub type Lines = Vec<(String, Option<String>)>;

/// Adds what one env file or label file of a service says to what the files before it said.
pub fn read_service_file(
    before: Lines,
    file: &ServiceFile<'_>,
    lookup: &dyn Fn(&str) -> Option<String>,
    reading: &mut Reading<'_>,
) -> Lines {
    let content = match reading.content(file.path) {
        Err(FileProblem::Missing) if !file.is_required => None,
        Err(_) => reading.required(file.path, file.what, file.at),
        Ok(content) => Some(content),
    };
    let Some((id, bytes)) = content else { return before };
    reading.sources.hide_values(id);
    let lines = match file.format {
        None => dotenv::parse_after(before.clone(), &bytes, id, lookup),
        Some("raw") => dotenv::parse_raw(&bytes, id).map(|lines| {
            let raw: Vec<&String> = lines.iter().map(|(name, _)| name).collect();
            let kept = before.iter().filter(|(name, _)| !raw.contains(&name)).cloned();
            kept.chain(lines.iter().cloned()).collect()
        }),
        Some(format) => Err(vec![
            Diagnostic::error("env-file-format", file.at, format!("the env file format `{format}` is not known"))
                .hint("write `format: raw`, or leave it out"),
        ]),
    };
    lines.unwrap_or_else(|problems| {
        reading.diagnostics.extend(problems);
        before
    })
}

/// A file of variables or labels that a service names.
pub struct ServiceFile<'a> {
    pub path: &'a str,
    pub what: &'a str,
    pub format: Option<&'a str>,
    pub is_required: bool,
    pub at: Span,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compose_file_names_are_split_by_the_separator() {
        let environment = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert_eq!(compose_files(&environment(&[("COMPOSE_FILE", "a.yaml:b.yaml")])), ["a.yaml", "b.yaml"]);
        let named = [("COMPOSE_FILE", "a:1;b"), ("COMPOSE_PATH_SEPARATOR", ";")];
        assert_eq!(compose_files(&environment(&named)), ["a:1", "b"]);
        assert!(compose_files(&environment(&[])).is_empty());
    }
}
