//! The whole load: files to a settled project, to the declared wish, to print and back.
//!
//! The input is one text that holds several files: a line `#= name` begins the next one. What is taken must print, and
//! what is printed must read back the same.

use std::collections::BTreeMap;

use mainstay_model::compose::{
    Diagnostic, FileProblem, Files, LoadRequest, Loaded, Node, Sources, Span, Value, load, print,
};
use mainstay_model::declared::declare;

use crate::places;

const FOLDER: &str = "/srv/stack";

struct Given(BTreeMap<String, Vec<u8>>);

impl Files for Given {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        self.0.get(path).cloned().ok_or(FileProblem::Missing)
    }

    fn is_directory(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.0.keys().any(|file| file.starts_with(&folder))
    }
}

pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut files: Vec<(&str, Vec<u8>)> = vec![("compose.yaml", Vec::new())];
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("#= ").map(str::trim) {
            Some(name) if !name.is_empty() => files.push((name, Vec::new())),
            _ => files.last_mut().expect("one at least").1.extend(line.as_bytes()),
        }
    }
    whole(&files);
}

pub fn whole(files: &[(&str, Vec<u8>)]) {
    let at = |name: &str| if name.starts_with('/') { name.to_owned() } else { format!("{FOLDER}/{name}") };
    let given = Given(files.iter().map(|(name, text)| (at(name), text.clone())).collect());
    let loaded = match load(&request(), &given) {
        Ok(loaded) => loaded,
        Err(complaints) => {
            assert!(!complaints.list.is_empty(), "refused without a word");
            inside(&complaints.list, &complaints.sources, &given);
            assert!(!complaints.render().is_empty());
            return;
        }
    };
    inside(&loaded.warnings, &loaded.sources, &given);
    match declare(&loaded) {
        Ok(settled) => {
            inside(&settled.warnings, &loaded.sources, &given);
            reads_back(&loaded);
        }
        Err(complaints) => {
            assert!(!complaints.is_empty(), "refused without a word");
            inside(&complaints, &loaded.sources, &given);
        }
    }
}

fn request() -> LoadRequest {
    LoadRequest {
        working_directory: FOLDER.into(),
        files: vec![format!("{FOLDER}/compose.yaml")],
        environment: BTreeMap::from([("HOME".into(), "/root".into()), ("SET".into(), "a $b ${SET}".into())]),
        ..LoadRequest::default()
    }
}

fn inside(complaints: &[Diagnostic], sources: &Sources, given: &Given) {
    places::check(complaints, &|span: Span| given.0.get(sources.path(span.file)).cloned());
}

/// What `config` prints of a stack that `up` takes is a Compose file that says the same. In three cases Compose itself
/// prints something else, and so must we: a key with a `$`, which it doubles as in a value and does not read as one; a
/// build without a context; and an empty network mode, which keeps the default network from being written.
fn reads_back(loaded: &Loaded) {
    if has_dollar_key(&loaded.project) || services(loaded).any(|service| builds_nowhere(service) || is_nowhere(service))
    {
        return;
    }
    let printed = print::to_yaml(loaded);
    let given = Given(BTreeMap::from([(format!("{FOLDER}/compose.yaml"), printed.clone().into_bytes())]));
    match load(&request(), &given) {
        Ok(again) => {
            let second = print::to_yaml(&again);
            assert!(second == printed, "printed twice:\n{printed}\n--- and then\n{second}");
        }
        Err(complaints) => panic!("what was printed is refused:\n{printed}\n{}", complaints.render()),
    }
}

fn services(loaded: &Loaded) -> impl Iterator<Item = &Node> {
    let all = loaded.project.get("services").and_then(Node::as_map);
    all.into_iter().flat_map(|all| all.iter()).map(|(_, entry)| &entry.node)
}

fn builds_nowhere(service: &Node) -> bool {
    let build = service.get("build").filter(|build| build.as_map().is_some());
    build.is_some_and(|build| build.get("context").and_then(Node::as_str).is_none_or(str::is_empty))
}

fn is_nowhere(service: &Node) -> bool {
    service.get("network_mode").is_some_and(|mode| mode.as_str() == Some(""))
}

fn has_dollar_key(node: &Node) -> bool {
    match &node.value {
        Value::Map(map) => map.iter().any(|(key, entry)| key.contains('$') || has_dollar_key(&entry.node)),
        Value::List(items) => items.iter().any(has_dollar_key),
        _ => false,
    }
}
