//! From files to one merged project: each document is interpolated, completed by what it extends and
//! includes, and laid over what stood before.

use super::cast;
use super::changed;
use super::diagnostic::Diagnostic;
use super::dialect::{self, Values};
use super::environment::Environment;
use super::extends::Extender;
use super::interpolate::{self, Interpolation, interpolate};
use super::load::LoadOptions;
use super::merge::{Resets, merge_project, settle_lists};
use super::normalize;
use super::reading::Reading;
use super::schema;
use super::tree::{Map, Node, Span, Value};

/// What the files of one model share. An included file is a model of its own.
pub struct Scope<'a> {
    /// The absolute folder at which relative paths start.
    pub folder: String,
    /// The same folder as paths are printed from it: relative to the including model, absolute at the top.
    pub printed_folder: String,
    pub environment: Environment,
    pub options: LoadOptions,
    /// An included file always has its paths made to start at the folder of the file that includes it.
    pub resolve_paths: bool,
    pub home: Option<&'a str>,
    /// The files that include this one, the outermost first.
    pub chain: Vec<String>,
    /// What magic names stand for, in files of a dialect that has them.
    pub values: Option<&'a Values>,
}

impl Scope<'_> {
    /// The value of a variable: what the caller's environment says wins over what a dialect would say.
    pub fn value(&self, name: &str) -> Option<String> {
        let answered = self.values.and_then(|values| values.of(name));
        let set = self.environment.get(name).filter(|value| answered.is_none() || !value.is_empty());
        set.cloned().or(answered)
    }
}

/// A file of a model with its documents.
pub struct ModelFile {
    pub path: String,
    pub documents: Vec<Node>,
}

/// Merges the files of a model and gives them their long forms and defaults.
pub fn load_model(files: Vec<ModelFile>, scope: &Scope<'_>, reading: &mut Reading<'_>) -> Node {
    let mut project = Node::new(Value::Map(Map::default()), Span::NOWHERE);
    let mut extender = Extender::new(scope);
    for file in files {
        for document in file.documents {
            project = lay(project, document, &file.path, scope, &mut extender, reading);
        }
    }
    normalize::add_defaults(&mut project);
    normalize::check_exclusive(&project, &mut reading.diagnostics);
    if scope.resolve_paths {
        normalize::resolve_paths(&mut project, &scope.printed_folder, scope.home);
    }
    normalize::take_environment(&mut project, &scope.environment, scope.options.interpolate);
    project
}

fn lay(
    mut project: Node,
    mut document: Node,
    path: &str,
    scope: &Scope<'_>,
    extender: &mut Extender<'_>,
    reading: &mut Reading<'_>,
) -> Node {
    let Some(resets) = prepare(&mut document, scope, reading) else { return project };
    extender.extend_document(&mut document, path, &resets, reading);
    resets.apply(&mut project);
    super::include::include(&mut document, path, scope, reading);
    project = merge_project(project, document, &mut reading.diagnostics);
    settle_lists(&mut project);
    reading.diagnostics.extend(schema::check(&project));
    if let Some(map) = project.as_map_mut() {
        // The schema has said that it means nothing.
        map.remove("version");
    }
    normalize::expand(&mut project, !scope.options.interpolate, &mut reading.diagnostics);
    settle_lists(&mut project);
    project
}

/// Takes the merge tags out of a document and interpolates it; `None` when it is no mapping at all.
pub fn prepare(document: &mut Node, scope: &Scope<'_>, reading: &mut Reading<'_>) -> Option<Resets> {
    if document.as_map().is_none() {
        let message = format!("a Compose file is a mapping, but this is {}", document.kind());
        reading.say(
            Diagnostic::error("not-a-mapping", document.span, message).hint("begin with `services:` and indent below"),
        );
        return None;
    }
    let resets = Resets::take(document);
    if let Some(values) = scope.values {
        dialect::translate(document, values, reading);
    }
    if scope.options.interpolate {
        changed::check(document, &reading.sources, &mut reading.diagnostics);
        let lookup = |name: &str| scope.value(name);
        let mut gathered = Interpolation::default();
        gathered.suggests = scope.values.is_some();
        interpolate(document, &lookup, &mut gathered);
        reading.diagnostics.extend(gathered.diagnostics);
        reading.variables.extend(gathered.variables);
        reading.diagnostics.extend(cast::cast(document));
    } else {
        // Which variables the files use is known without their values too; what cannot be read stays as written.
        let mut gathered = Interpolation::default();
        interpolate::gather_uses(document, &mut gathered);
        reading.variables.extend(gathered.variables);
    }
    Some(resets)
}
