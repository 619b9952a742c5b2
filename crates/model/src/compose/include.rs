//! `include`: whole models, each with its own folder and its own `.env`, taken into this one.

use super::diagnostic::Diagnostic;
use super::environment::{add_missing, read_default, read_files};
use super::filepath;
use super::model::{ModelFile, Scope, load_model};
use super::reading::Reading;
use super::tree::{Entry, Map, Node, Sources, Span, Value};

/// Deeper nesting is a mistake, not a design.
const DEEPEST: usize = 20;

/// One entry of an `include` list in its long form.
struct Inclusion {
    paths: Vec<(String, Span)>,
    project_directory: Option<String>,
    env_files: Vec<String>,
    at: Span,
}

/// Takes the included models into a document and its `include` key away.
pub fn include(document: &mut Node, path: &str, scope: &Scope<'_>, reading: &mut Reading<'_>) {
    let Some(list) = document.as_map_mut().and_then(|map| map.remove("include")) else { return };
    let Value::List(items) = list.value else {
        if !matches!(list.value, Value::Null) {
            reading.say(
                Diagnostic::error("include-form", list.span, "`include` must be a list")
                    .hint("write `include: [file.yaml]`"),
            );
        }
        return;
    };
    for item in items {
        let Some(inclusion) = read(&item, reading) else { continue };
        if let Some(model) = load(inclusion, path, scope, reading) {
            take_in(document, model, reading);
        }
    }
}

fn read(item: &Node, reading: &mut Reading<'_>) -> Option<Inclusion> {
    let at = item.span;
    if let Some(path) = item.as_str() {
        let paths = vec![(path.to_owned(), at)];
        return Some(Inclusion { paths, project_directory: None, env_files: Vec::new(), at });
    }
    let paths: Vec<(String, Span)> = texts(item.get("path"));
    if paths.is_empty() {
        reading.say(
            Diagnostic::error("include-form", at, "this entry of `include` does not say which file")
                .hint("write the path, or a mapping with `path`"),
        );
        return None;
    }
    let project_directory = item.get("project_directory").and_then(Node::as_str).filter(|path| !path.is_empty());
    Some(Inclusion {
        paths,
        project_directory: project_directory.map(str::to_owned),
        env_files: texts(item.get("env_file")).into_iter().map(|(path, _)| path).collect(),
        at,
    })
}

/// A string, or a list of strings.
fn texts(node: Option<&Node>) -> Vec<(String, Span)> {
    let Some(node) = node else { return Vec::new() };
    let items = node.as_list().unwrap_or(std::slice::from_ref(node));
    items.iter().filter_map(|item| Some((item.as_str()?.to_owned(), item.span))).collect()
}

fn load(inclusion: Inclusion, from: &str, scope: &Scope<'_>, reading: &mut Reading<'_>) -> Option<Node> {
    let mut chain = scope.chain.clone();
    chain.push(from.to_owned());
    let mut files = Vec::new();
    for (path, at) in &inclusion.paths {
        if is_remote(path) {
            reading.is_incomplete = true;
            reading.say(remote(path, *at));
            return None;
        }
        let path = filepath::join(&scope.folder, path);
        if chain.contains(&path) || chain.len() > DEEPEST {
            reading.is_incomplete = true;
            let names: Vec<&str> = chain.iter().map(String::as_str).chain([path.as_str()]).collect();
            let message = format!("files include each other: {}", names.join(" → "));
            reading.say(Diagnostic::error("include-cycle", *at, message).hint("remove one of these `include`"));
            return None;
        }
        let Some(documents) = reading.documents(&path, *at) else {
            // Whatever refers to what stands there would look undefined.
            reading.is_incomplete = true;
            return None;
        };
        files.push(ModelFile { path, documents });
    }
    let scope = scope_of(&inclusion, &files[0].path, chain, scope, reading);
    Some(load_model(files, &scope, reading))
}

/// The included model's own folder and environment; the including model's variables win.
fn scope_of<'a>(
    inclusion: &Inclusion,
    first_file: &str,
    chain: Vec<String>,
    scope: &Scope<'a>,
    reading: &mut Reading<'_>,
) -> Scope<'a> {
    let folder = match &inclusion.project_directory {
        Some(directory) => filepath::join(&scope.folder, directory),
        None => filepath::folder(first_file),
    };
    let is_absolute = inclusion.project_directory.as_deref().is_some_and(filepath::is_absolute);
    let printed_folder = if is_absolute { folder.clone() } else { filepath::relative(&scope.folder, &folder) };
    let mut environment = scope.environment.clone();
    let answers = |name: &str| scope.values.and_then(|values| values.of(name));
    let said = if inclusion.env_files.is_empty() {
        read_default(&folder, &environment, &answers, inclusion.at, reading)
    } else {
        let paths: Vec<String> = inclusion.env_files.iter().map(|path| filepath::join(&scope.folder, path)).collect();
        read_files(&paths, &environment, &answers, inclusion.at, reading)
    };
    add_missing(&mut environment, said);
    Scope {
        folder,
        printed_folder,
        environment,
        options: scope.options,
        resolve_paths: true,
        home: scope.home,
        chain,
        values: scope.values,
    }
}

/// Adds the resources of an included model. The same resource twice must say the same.
fn take_in(document: &mut Node, model: Node, reading: &mut Reading<'_>) {
    let (Some(target), Value::Map(mut model)) = (document.as_map_mut(), model.value) else { return };
    for section in ["services", "volumes", "networks", "secrets", "configs", "models"] {
        let Some(Value::Map(resources)) = model.remove(section).map(|node| node.value) else { continue };
        if target.get(section).is_none_or(Node::is_null) {
            target.set(section, Node::new(Value::Map(Map::default()), Span::NOWHERE));
        }
        let Some(known) = target.get_mut(section).and_then(Node::as_map_mut) else { continue };
        for (name, entry) in resources.0 {
            match known.0.get(&name) {
                None => {
                    known.0.insert(name, entry);
                }
                Some(own) if own.node.same_as(&entry.node) => {}
                Some(own) => {
                    let problem = conflict(section, &name, own, &entry, &reading.sources);
                    reading.say(problem);
                }
            }
        }
    }
}

fn conflict(section: &str, name: &str, own: &Entry, other: &Entry, sources: &Sources) -> Diagnostic {
    let there = match other.key_span {
        span if span.is_written() => format!("`{}`, line {}", sources.path(span.file), span.line),
        _ => "an included file".to_owned(),
    };
    let at = if own.key_span.is_written() { own.key_span } else { other.key_span };
    Diagnostic::error("include-conflict", at, format!("`{section}.{name}` stands here, and differently in {there}"))
        .hint("rename one of them, or change the included one in an override file beside it: `path: [file, override]`")
}

/// Whether a path is fetched from elsewhere, which this program does not do.
pub fn is_remote(path: &str) -> bool {
    ["oci://", "https://", "http://", "git://", "ssh://", "git@", "github.com/"]
        .iter()
        .any(|start| path.starts_with(start))
}

/// The complaint about such a path.
pub fn remote(path: &str, at: Span) -> Diagnostic {
    Diagnostic::error("remote-file", at, format!("`{path}` is not a file of this machine"))
        .hint("fetch the file, keep it beside this one and name it by its path")
}
