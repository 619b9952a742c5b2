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

/// What `config` prints of a stack that `up` takes is a Compose file that says the same. In five cases Compose itself
/// prints something else, and so must we: a host that is given one address twice (`a=1.2.3.4,1.2.3.4`), which it prints as
/// two lines and refuses in a list; a key with a `$`, which it doubles as in a value and does not read as one, or `<<`,
/// which it writes bare and reads as a merge; an empty text, which it leaves out, so that a default takes its place when it is read again; an empty name, which it takes
/// in a list (`- ""`) and refuses in the mapping that it prints; and services that are off, which are not printed, though
/// others may name them.
fn reads_back(loaded: &Loaded) {
    let is_off = loaded.disabled_services.as_map().is_some_and(|services| !services.is_empty());
    let odd = has_odd_key(&loaded.project) || says_nothing(&loaded.project) || has_host_twice(&loaded.project);
    if is_off || odd {
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

/// Mappings whose values are the user's own: an empty one is kept.
const FREE: [&str; 7] = ["environment", "labels", "args", "annotations", "options", "driver_opts", "sysctls"];

/// Has an empty text where Compose would put a default, or a build without a context.
fn says_nothing(node: &Node) -> bool {
    match &node.value {
        Value::Map(map) => map.iter().any(|(key, entry)| match key {
            key if FREE.contains(&key) => false,
            // Of devices: none, which is left out, and then means all.
            "count" if matches!(entry.node.value, Value::Int(0)) => true,
            "build" if entry.node.as_map().is_some() && entry.node.get("context").is_none() => true,
            _ => entry.node.as_str() == Some("") || says_nothing(&entry.node),
        }),
        Value::List(items) => items.iter().any(says_nothing),
        _ => false,
    }
}

/// Gives a host one address twice.
fn has_host_twice(node: &Node) -> bool {
    match &node.value {
        Value::Map(map) => map.iter().any(|(key, entry)| match (key, &entry.node.value) {
            ("extra_hosts", Value::List(lines)) => repeats(lines),
            _ => has_host_twice(&entry.node),
        }),
        Value::List(items) => items.iter().any(has_host_twice),
        _ => false,
    }
}

fn repeats(lines: &[Node]) -> bool {
    let mut texts: Vec<&str> = lines.iter().filter_map(Node::as_str).collect();
    texts.sort_unstable();
    texts.windows(2).any(|pair| pair[0] == pair[1])
}

/// One that Compose prints and does not read again.
fn has_odd_key(node: &Node) -> bool {
    match &node.value {
        Value::Map(map) => map
            .iter()
            .any(|(key, entry)| key.is_empty() || key == "<<" || key.contains('$') || has_odd_key(&entry.node)),
        Value::List(items) => items.iter().any(has_odd_key),
        _ => false,
    }
}
