//! `env_file` and `label_file` of services, read into `environment` and `labels`.

use super::diagnostic::Diagnostic;
use super::environment::{Environment, Lines, ServiceFile, read_service_file};
use super::filepath;
use super::model::Scope;
use super::reading::Reading;
use super::tree::{Map, Node, Span, Value};

/// Reads the files of the services that are on, and takes the keys that named them away.
pub fn read(project: &mut Node, scope: &Scope<'_>, reading: &mut Reading<'_>) {
    let services = project.as_map_mut().and_then(|project| project.get_mut("services")).and_then(Node::as_map_mut);
    for service in services.into_iter().flat_map(|map| map.0.values_mut()).filter_map(|entry| entry.node.as_map_mut()) {
        if scope.options.resolve_env_files {
            read_variables(service, scope, reading);
        }
        read_labels(service, &scope.folder, reading);
    }
}

fn read_variables(service: &mut Map, scope: &Scope<'_>, reading: &mut Reading<'_>) {
    fill_from_caller(service, &scope.environment);
    let Some(files) = service.remove("env_file") else { return };
    let own = service.get("environment").and_then(Node::as_map).cloned().unwrap_or_default();
    let own_text = |name: &str| own.get(name).and_then(Node::as_str).map(str::to_owned);
    let lookup = |name: &str| scope.value(name).or_else(|| own_text(name));
    let mut said: Lines = Vec::new();
    for file in files.as_list().unwrap_or_default() {
        let Some(path) = file.get("path").and_then(Node::as_str) else { continue };
        // A wish that is neither was complained about.
        let is_required = file.get("required").is_none_or(|wish| wish.as_bool() == Some(true));
        if path.is_empty() {
            if is_required {
                reading.say(no_path("env file", file.span));
            }
            continue;
        }
        let path = filepath::join(&scope.folder, path);
        let file = ServiceFile {
            path: &path,
            what: "env file",
            format: file.get("format").and_then(Node::as_str),
            is_required,
            at: file.get("path").map_or(file.span, |path| path.span),
        };
        said = read_service_file(said, &file, &lookup, reading);
    }
    let said = said.into_iter().filter_map(|(name, value)| Some((name, value?)));
    lay_over(service, "environment", said, files.span, own);
}

fn read_labels(service: &mut Map, folder: &str, reading: &mut Reading<'_>) {
    let Some(files) = service.remove("label_file") else { return };
    let own = service.get("labels").and_then(Node::as_map).cloned().unwrap_or_default();
    let mut said: Lines = Vec::new();
    for path in files.as_list().unwrap_or_default() {
        let Some(text) = path.as_str() else { continue };
        if text.is_empty() {
            reading.say(no_path("label file", path.span));
            continue;
        }
        let full = filepath::join(folder, text);
        let file = ServiceFile { path: &full, what: "label file", format: None, is_required: true, at: path.span };
        // Unlike variables, an earlier file's label wins inside the values of a later file.
        let before = said.clone();
        let known =
            |name: &str| before.iter().rev().find(|(known, _)| known == name).and_then(|(_, value)| value.clone());
        said.extend(read_service_file(Lines::new(), &file, &known, reading));
    }
    let said = said.into_iter().filter_map(|(name, value)| Some((name, value?)));
    lay_over(service, "labels", said, files.span, own);
}

fn no_path(what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("file", at, format!("the path of the {what} is empty"))
        .hint("name the file; when the path comes from a variable, give the variable a value")
}

/// Names without a value take the caller's.
fn fill_from_caller(service: &mut Map, environment: &Environment) {
    let Some(variables) = service.get_mut("environment").and_then(Node::as_map_mut) else { return };
    for (name, entry) in &mut variables.0 {
        if entry.node.is_null()
            && let Some(value) = environment.get(name)
        {
            entry.node.value = Value::String(value.clone());
        }
    }
}

/// What the service itself says wins over its files.
fn lay_over(service: &mut Map, key: &str, said: impl Iterator<Item = (String, String)>, at: Span, own: Map) {
    let mut all = Map::default();
    for (name, value) in said {
        all.set(name, Node::string(value, at));
    }
    if all.is_empty() {
        return;
    }
    for (name, entry) in own.0 {
        all.0.insert(name, entry);
    }
    let span = service.get(key).map_or(at, |node| node.span);
    service.set(key, Node::new(Value::Map(all), span));
}
