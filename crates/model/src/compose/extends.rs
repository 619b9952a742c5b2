//! `extends`: a service that starts from another one, of the same file or of another.

use std::collections::BTreeMap;

use super::diagnostic::Diagnostic;
use super::filepath;
use super::merge::{Resets, merge_project, merge_service, settle_lists};
use super::model::{Scope, prepare};
use super::normalize;
use super::reading::Reading;
use super::schema::suggest;
use super::tree::{Map, Node, Span, Value};

/// No person follows a longer chain.
const LONGEST_CHAIN: usize = 100;

/// The key under which the document that is being read stands among the sources.
const THIS_DOCUMENT: &str = "";

/// Services that others may start from.
struct Source {
    /// The file, as it is named to people.
    path: String,
    services: Map,
    resets: Resets,
}

/// Follows `extends` for the documents of one model; a file that is extended several times is read once.
pub struct Extender<'a> {
    scope: &'a Scope<'a>,
    sources: BTreeMap<String, Source>,
}

/// What an `extends` says.
struct Reference {
    service: String,
    file: Option<String>,
    at: Span,
    /// Where the file is named.
    file_at: Span,
}

impl<'a> Extender<'a> {
    pub fn new(scope: &'a Scope<'a>) -> Self {
        Extender { scope, sources: BTreeMap::new() }
    }

    /// Completes every service of a document that extends another one.
    pub fn extend_document(&mut self, document: &mut Node, path: &str, resets: &Resets, reading: &mut Reading<'_>) {
        let Some(services) = document.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut)
        else {
            return;
        };
        let extending = |entry: &super::tree::Entry| entry.node.get("extends").is_some();
        let names: Vec<String> =
            services.0.iter().filter(|(_, entry)| extending(entry)).map(|(name, _)| name.clone()).collect();
        if names.is_empty() {
            return;
        }
        let source = Source { path: path.to_owned(), services: std::mem::take(services), resets: resets.clone() };
        self.sources.insert(THIS_DOCUMENT.to_owned(), source);
        for name in names {
            self.extend(THIS_DOCUMENT, &name, &mut Vec::new(), reading);
        }
        if let Some(source) = self.sources.remove(THIS_DOCUMENT) {
            *services = source.services;
        }
    }

    /// Completes one service in place. `chain` holds the services that wait for it.
    fn extend(&mut self, key: &str, name: &str, chain: &mut Vec<(String, String)>, reading: &mut Reading<'_>) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let Some(service) = source.services.get_mut(name).and_then(Node::as_map_mut) else { return };
        let Some(extends) = service.remove("extends") else { return };
        let Some(reference) = read_reference(&extends, reading) else { return };
        chain.push((key.to_owned(), name.to_owned()));
        if let Some(base_key) = self.find(key, name, &reference, chain, reading) {
            self.extend(&base_key, &reference.service, chain, reading);
            self.lay_over_base(key, name, &base_key, &reference.service, reading);
        }
        chain.pop();
    }

    /// The key of the source that has the base; its absence and a circle are complained about.
    fn find(
        &mut self,
        key: &str,
        name: &str,
        reference: &Reference,
        chain: &[(String, String)],
        reading: &mut Reading<'_>,
    ) -> Option<String> {
        let base_key = match &reference.file {
            Some(file) => self.open(file, reference.file_at, reading)?,
            None => key.to_owned(),
        };
        let base = (base_key.clone(), reference.service.clone());
        if let Some(start) = chain.iter().position(|link| *link == base) {
            let names: Vec<&str> =
                chain[start..].iter().map(|(_, name)| name.as_str()).chain([reference.service.as_str()]).collect();
            reading.say(
                Diagnostic::error(
                    "extends-cycle",
                    reference.at,
                    format!("services extend each other: {}", names.join(" → ")),
                )
                .hint("remove one of these `extends`"),
            );
            return None;
        }
        if chain.len() >= LONGEST_CHAIN {
            let message = format!("`{name}` extends more than {LONGEST_CHAIN} services in a row");
            reading.say(Diagnostic::error("extends-too-long", reference.at, message));
            return None;
        }
        let source = self.sources.get(&base_key)?;
        if source.services.contains(&reference.service) {
            return Some(base_key);
        }
        let message = format!("`{name}` extends `{}`, which is not a service of {}", reference.service, source.path);
        let known = source.services.iter().map(|(name, _)| name);
        let hint = match suggest(&reference.service, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "name a service of that file".to_owned(),
        };
        reading.say(Diagnostic::error("extends-unknown", reference.at, message).hint(hint));
        None
    }

    fn lay_over_base(&mut self, key: &str, name: &str, base_key: &str, base: &str, reading: &mut Reading<'_>) {
        let Some(base) = self.sources.get(base_key).and_then(|source| source.services.get(base)) else { return };
        if base.is_null() {
            return;
        }
        if !reading.inherit(base) {
            reading.is_incomplete = true;
            let message = format!("`{name}` takes over more than a stack can have");
            reading.say(Diagnostic::error("extends-too-much", base.span, message));
            return;
        }
        let mut base = base.clone();
        let Some(source) = self.sources.get_mut(key) else { return };
        source.resets.apply_to_service(name, &mut base);
        if let Some(service) = source.services.get_mut(name) {
            let own = std::mem::replace(service, Node::new(Value::Null, service.span));
            *service = merge_service(name, base, own, &mut reading.diagnostics);
        }
    }

    /// Reads another file, once: its documents merged, in their long form, with paths that start where the
    /// paths of this model start.
    fn open(&mut self, file: &str, at: Span, reading: &mut Reading<'_>) -> Option<String> {
        let path = filepath::join(&self.scope.folder, file);
        if self.sources.contains_key(&path) {
            return Some(path);
        }
        let documents = reading.documents(&path, at)?;
        let mut project = Node::new(Value::Map(Map::default()), Span::NOWHERE);
        let mut resets = Resets::default();
        for mut document in documents {
            resets = prepare(&mut document, self.scope, reading)?;
            resets.apply(&mut project);
            project = merge_project(project, document, &mut reading.diagnostics);
            settle_lists(&mut project);
            normalize::expand(&mut project, !self.scope.options.interpolate, &mut reading.diagnostics);
            settle_lists(&mut project);
        }
        let folder = filepath::relative(&self.scope.folder, &filepath::folder(&path));
        normalize::resolve_paths(&mut project, &folder, self.scope.home);
        let services = project.as_map_mut().and_then(|map| map.remove("services"));
        let Some(Value::Map(services)) = services.map(|node| node.value) else {
            reading.say(
                Diagnostic::error("extends-unknown", at, format!("`{path}` has no services"))
                    .hint("name a Compose file that has the service"),
            );
            return None;
        };
        self.sources.insert(path.clone(), Source { path: path.clone(), services, resets });
        Some(path)
    }
}

fn read_reference(extends: &Node, reading: &mut Reading<'_>) -> Option<Reference> {
    if let Some(service) = extends.as_str() {
        return Some(Reference { service: service.to_owned(), file: None, at: extends.span, file_at: extends.span });
    }
    let Some(service) = extends.get("service").and_then(Node::as_str) else {
        reading.say(
            Diagnostic::error("extends-form", extends.span, "`extends` does not say which service")
                .hint("write `extends: {service: name}`, with `file` for a service of another file"),
        );
        return None;
    };
    let file = extends.get("file").filter(|file| !file.is_null());
    if let Some(file) = file
        && let Some(path) = file.as_str()
        && super::include::is_remote(path)
    {
        reading.say(super::include::remote(path, file.span));
        return None;
    }
    let file_at = file.map_or(extends.span, |file| file.span);
    let file = file.and_then(Node::as_str).map(str::to_owned);
    Some(Reference {
        service: service.to_owned(),
        file,
        file_at,
        at: extends.get("service").map_or(extends.span, |n| n.span),
    })
}
