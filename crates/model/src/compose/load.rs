//! The door of the dialect: a request in, one settled project out.

use std::collections::{BTreeMap, BTreeSet};

use super::consequence::Known;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::dialect::{self, Dialect, Spoken};
use super::environment::{self, Environment};
use super::interpolate::{self, Interpolation};
use super::kept::{self, Kept};
use super::model::{ModelFile, Scope, load_model};
use super::name::{self, NameSources};
use super::reading::Reading;
use super::tree::{Map, Node, Sources, Span, Value};
use super::{consistency, filepath, normalize, profiles, scalar, service_files};

/// Who answers for files. Paths are absolute, joined and cleaned as text.
pub trait Files {
    /// The bytes of a file, at most `limit` of them: a larger file is [`FileProblem::TooLarge`].
    ///
    /// # Errors
    /// The reason why there is no content, in words that fit after the path.
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, FileProblem>;

    /// Whether the path is a directory (Compose allows one for `extends`, `include` and `build`).
    fn is_directory(&self, path: &str) -> bool;
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    #[error("does not exist")]
    Missing,
    #[error("is a directory")]
    Directory,
    #[error("may not be read: permission denied")]
    Denied,
    #[error("is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("could not be read: {0}")]
    Other(String),
}

/// What to load, with every input that the reading depends on.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// Absolute. Relative paths of flags start here.
    pub working_directory: String,
    /// `--project-directory`; else the folder of the first file.
    pub project_directory: Option<String>,
    /// The Compose files in merging order, absolute. Discovery and `COMPOSE_FILE` happened before (engine/sources).
    pub files: Vec<String>,
    /// `--project-name`; else `COMPOSE_PROJECT_NAME`, the files' `name`, the folder's name.
    pub project_name: Option<String>,
    /// `--env-file`, absolute. Empty means: `.env` in the project directory when there is one.
    pub env_files: Vec<String>,
    /// `--profile`; without any, those of `COMPOSE_PROFILES` in the environment or `.env`.
    pub profiles: Vec<String>,
    /// The caller's environment; it wins over `.env`.
    pub environment: BTreeMap<String, String>,
    pub options: LoadOptions,
    /// `--dialect`; without it, what `x-mainstay` says, or what the files show.
    pub dialect: Option<Dialect>,
    /// `--domain`: below it stand the hosts of addresses that are not named in full.
    pub domain: Option<String>,
    /// Values that were made up earlier and kept, by the names that the files have for them.
    pub generated: BTreeMap<String, String>,
    /// Secrets that are kept for the stack: variables below the env files.
    pub secrets: BTreeMap<String, String>,
}

/// The flags of `config`; the defaults are what every other command uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    pub interpolate: bool,
    /// Make relative paths absolute.
    pub resolve_paths: bool,
    /// Put the values of `env_file` into `environment`.
    pub resolve_env_files: bool,
    /// Bring to the long, completed form.
    pub normalize: bool,
    /// Refuse references to services, networks, volumes… that are not declared.
    pub consistency: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions {
            interpolate: true,
            resolve_paths: true,
            resolve_env_files: true,
            normalize: true,
            consistency: true,
        }
    }
}

/// A variable that the files use, for listing what a stack needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableUse {
    pub name: String,
    pub default: Option<String>,
    /// What stands for it when it is set: `${NAME:+alternate}`.
    pub alternate: Option<String>,
    pub required: bool,
    pub span: Span,
}

/// One settled project.
#[derive(Clone)]
pub struct Loaded {
    /// The project name, by Compose's rules.
    pub name: String,
    /// Absolute.
    pub project_directory: String,
    /// The whole project in its long form: `name`, `services`, `networks`, `volumes`, `configs`, `secrets`, `x-…`.
    /// Only services of active profiles stand in `services`.
    pub project: Node,
    /// Services that are off because no profile of theirs is active, in the same form.
    pub disabled_services: Node,
    /// Warnings; a load with errors is refused instead.
    pub warnings: Vec<Diagnostic>,
    pub variables: Vec<VariableUse>,
    /// What variables are looked up in: the caller's environment over the env files, with the project's name.
    pub environment: Environment,
    pub sources: Sources,
    /// What the load learned through the dialect of the files.
    pub spoken: Spoken,
    /// What it learned of secrets.
    pub kept: Kept,
    /// With what options it was loaded.
    pub options: LoadOptions,
}

impl std::fmt::Debug for Loaded {
    /// Without the values that files and caller gave: they may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Loaded { name, project_directory, options, .. } = self;
        f.debug_struct("Loaded")
            .field("name", name)
            .field("project_directory", project_directory)
            .field("options", options)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    /// Leaves only the named services on, and what they depend on.
    ///
    /// # Errors
    /// The first name that is no service which is on.
    pub fn select(&mut self, names: &[String]) -> Result<(), String> {
        let Some(services) = self.project.get("services").and_then(Node::as_map) else { return Ok(()) };
        let mut kept: BTreeSet<String> = BTreeSet::new();
        let mut ahead = names.to_vec();
        if let Some(unknown) = names.iter().find(|name| !services.contains(name)) {
            return Err(unknown.clone());
        }
        while let Some(name) = ahead.pop() {
            let Some(service) = services.get(&name) else { continue };
            if kept.insert(name) {
                let on = service.get("depends_on").and_then(Node::as_map);
                ahead.extend(on.into_iter().flat_map(Map::iter).map(|(name, _)| name.to_owned()));
            }
        }
        let services = self.project.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut);
        for (name, entry) in services.map(|services| std::mem::take(&mut services.0)).into_iter().flatten() {
            let place = if kept.contains(&name) { &mut self.project } else { &mut self.disabled_services };
            let map = if kept.contains(&name) {
                place.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut)
            } else {
                place.as_map_mut()
            };
            if let Some(map) = map {
                map.0.insert(name, entry);
            }
        }
        Ok(())
    }

    /// Whether values have their types. Without interpolation they cannot: the project then stands as written.
    pub fn is_settled(&self) -> bool {
        self.options.interpolate
    }

    /// The keys of a section (`networks`, `volumes`, `secrets`, `configs`, `models`) that an active service
    /// uses. What nobody uses is declared but not made.
    pub fn used(&self, section: &str) -> BTreeSet<&str> {
        let mut used = BTreeSet::new();
        let services = self.project.get("services").and_then(Node::as_map);
        for (_, entry) in services.into_iter().flat_map(Map::iter) {
            gather_used(&entry.node, section, &mut used);
        }
        used
    }
}

fn gather_used<'a>(service: &'a Node, section: &str, used: &mut BTreeSet<&'a str>) {
    let items = |node: Option<&'a Node>| node.and_then(Node::as_list).unwrap_or_default();
    let source = |item: &'a Node| item.get("source").and_then(Node::as_str).filter(|source| !source.is_empty());
    match section {
        "networks" | "models" => {
            let map = service.get(section).and_then(Node::as_map);
            used.extend(map.into_iter().flat_map(Map::iter).map(|(key, _)| key));
        }
        "volumes" => {
            let is_volume = |item: &&Node| item.get("type").and_then(Node::as_str) == Some("volume");
            used.extend(items(service.get("volumes")).iter().filter(is_volume).filter_map(source));
        }
        _ => {
            used.extend(items(service.get(section)).iter().filter_map(source));
            let build = service.get("build").and_then(|build| build.get(section));
            used.extend(items(build).iter().filter_map(source));
        }
    }
}

/// Reads, merges, checks and settles the files of a request.
///
/// # Errors
/// Every complaint of the whole load at once, each with its place.
pub fn load(request: &LoadRequest, files: &dyn Files) -> Result<Loaded, Diagnostics> {
    let mut reading = Reading::new(files);
    let loaded = load_with(request, &mut reading);
    let mut said = Diagnostics { list: reading.diagnostics, sources: reading.sources, partial: None };
    said.sort();
    if reading.lacks_variables {
        said.list.retain(|one| !matches!(one.code, "unset-variable" | "missing-variable"));
    }
    match loaded {
        Some(loaded) if !said.has_errors() => {
            Ok(Loaded { warnings: said.list, variables: reading.variables, sources: said.sources, ..loaded })
        }
        partial => Err(Diagnostics { partial: partial.map(Box::new), ..said }),
    }
}

/// The name of the stack that a request is about, whatever else its files say; `None` when they do not tell one.
pub fn name_of(request: &LoadRequest, files: &dyn Files) -> Option<String> {
    let mut reading = Reading::new(files);
    let project_directory = project_directory(request);
    let environment = environment::gather(request, &project_directory, &|_| None, &mut reading);
    let files = open_files(request, &environment, &mut reading)?;
    if reading.is_incomplete {
        // What cannot be read may be what says the name.
        return None;
    }
    let name = choose_name(request, &files, &environment, &project_directory, &mut reading);
    (!name.is_empty()).then_some(name)
}

/// `None` when the complaints so far leave nothing to go on with.
fn load_with(request: &LoadRequest, reading: &mut Reading<'_>) -> Option<Loaded> {
    let options = request.options;
    let project_directory = project_directory(request);
    let mut environment = environment::gather(request, &project_directory, &|_| None, reading);
    let files = open_files(request, &environment, reading)?;
    let name = choose_name(request, &files, &environment, &project_directory, reading);
    let wanted = environment.get("COMPOSE_PROFILES").map(String::as_str);
    let active = profiles::active(&request.profiles, wanted);
    environment.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
    let mut whole = environment.clone();
    let mut kept = Kept::default();
    if options.interpolate {
        kept = kept::deliver(request, &files, &mut environment);
    } else {
        // The caller's values stay out of what is printed as it was written.
        environment.retain(|key, _| key == "COMPOSE_PROJECT_NAME");
    }
    let values = dialect::speak(request, &files, &name, &environment, reading);
    if let Some(values) = &values
        && options.interpolate
        && !reading.lacks_variables
    {
        // The env files were read before anybody knew whose files these are: their magic names are answered now.
        environment = environment::gather(request, &project_directory, &|name| values.of(name), reading);
        environment.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
        whole.clone_from(&environment);
        kept = kept::deliver(request, &files, &mut environment);
    }
    let scope = Scope {
        folder: project_directory.clone(),
        printed_folder: project_directory.clone(),
        environment,
        options,
        resolve_paths: options.resolve_paths,
        home: request.environment.get("HOME").map(String::as_str),
        chain: Vec::new(),
        values: values.as_ref(),
    };
    let mut project = load_model(files, &scope, reading);
    if let Some(values) = &values {
        dialect::complete(&mut project, values, reading);
    }
    if project.as_map().is_none_or(Map::is_empty) && !reading.has_errors() {
        reading.say(
            Diagnostic::error("empty-project", Span::NOWHERE, format!("{} nothing", says(request)))
                .hint("begin with `services:`, and a service below it: `web:` with its `image:`"),
        );
    }
    if reading.is_incomplete || reading.lacks_variables {
        return None;
    }
    if options.normalize {
        normalize::complete(&mut project, &name, &scope.environment);
    }
    let disabled_services = settle(&mut project, &name, &active, &scope, reading);
    Some(Loaded {
        name,
        project_directory,
        project,
        disabled_services,
        warnings: Vec::new(),
        variables: Vec::new(),
        environment: whole,
        sources: Sources::default(),
        spoken: dialect::spoken(values.as_ref(), reading),
        kept,
        options,
    })
}

/// Who is empty.
fn says(request: &LoadRequest) -> String {
    match request.files.as_slice() {
        [one] => format!("the Compose file `{one}` says"),
        _ => "the Compose files say".to_owned(),
    }
}

/// Gives the project its types, turns off what no profile asks for, checks what refers to what and reads the
/// files of the services. Gives back the services that are off.
fn settle(project: &mut Node, name: &str, active: &[String], scope: &Scope<'_>, reading: &mut Reading<'_>) -> Node {
    let options = scope.options;
    if !options.interpolate {
        return Node::new(Value::Map(Map::default()), Span::NOWHERE);
    }
    let mut found = Vec::new();
    if let Some(map) = project.as_map_mut() {
        map.set("name", Node::string(name, Span::NOWHERE));
    }
    normalize::settle(project, &mut found);
    let disabled = profiles::take_disabled(project, active);
    if options.consistency {
        consistency::check(project, &disabled, &mut found);
        dialect::platforms::answer(project, &mut found, &mut reading.diagnostics);
    }
    // Said before the files of services are read: what these lack makes nothing else wrong.
    let known = Known::of(&reading.diagnostics, project);
    reading.diagnostics.extend(found.into_iter().filter(|one| !known.covers(one)));
    service_files::read(project, scope, reading);
    disabled
}

/// The folder that relative paths and the default name come from.
fn project_directory(request: &LoadRequest) -> String {
    match (&request.project_directory, request.files.first()) {
        (Some(directory), _) => filepath::join(&request.working_directory, directory),
        (None, Some(file)) => filepath::folder(&filepath::join(&request.working_directory, file)),
        (None, None) => request.working_directory.clone(),
    }
}

fn open_files(request: &LoadRequest, environment: &Environment, reading: &mut Reading<'_>) -> Option<Vec<ModelFile>> {
    let mut paths = request.files.clone();
    if paths.is_empty() {
        paths = environment::compose_files(environment);
    }
    if paths.is_empty() {
        reading.say(
            Diagnostic::error("no-file", Span::NOWHERE, "no Compose file was given")
                .hint("run this where a `compose.yaml` is, or name one with `--file`"),
        );
        return None;
    }
    let mut files = Vec::new();
    for path in paths {
        let path = filepath::join(&request.working_directory, &path);
        match reading.documents(&path, Span::NOWHERE) {
            Some(documents) => files.push(ModelFile { path, documents }),
            None => reading.is_incomplete = true,
        }
    }
    Some(files)
}

fn choose_name(
    request: &LoadRequest,
    files: &[ModelFile],
    environment: &Environment,
    project_directory: &str,
    reading: &mut Reading<'_>,
) -> String {
    let documents = files.iter().flat_map(|file| &file.documents);
    let mut named = documents.filter_map(|document| document.get("name")).filter_map(|name| {
        let text = scalar::text(name).filter(|text| !text.is_empty())?;
        Some((text, name.span))
    });
    let mut from_files = named.next_back();
    if let Some((text, span)) = &mut from_files
        && request.options.interpolate
    {
        let lookup = |name: &str| environment.get(name).cloned();
        // The whole document is interpolated later: its complaints and variables are told then.
        *text = interpolate::text(text, *span, &lookup, &mut Interpolation::default());
    }
    let sources = NameSources {
        flag: request.project_name.as_deref(),
        environment: environment.get("COMPOSE_PROJECT_NAME").map(String::as_str),
        files: from_files.as_ref().map(|(text, span)| (text.as_str(), *span)),
        project_directory,
    };
    name::choose(&sources).unwrap_or_else(|problem| {
        reading.say(problem);
        String::new()
    })
}
