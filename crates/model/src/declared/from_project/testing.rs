//! For tests: a loaded project from JSON in the long form.

use crate::compose::dialect::Spoken;
use crate::compose::{Diagnostic, Entry, FileId, LoadOptions, Loaded, Map, Node, Sources, Span, Value};
use crate::declared::{Declared, Settled, declare};

/// A tree without places of its own.
pub(in crate::declared) fn node(json: &serde_json::Value) -> Node {
    let value = match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int.into()),
            None => Value::Float(number.as_f64().expect("a number of JSON is a float")),
        },
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(node).collect()),
        serde_json::Value::Object(entries) => {
            let mut map = Map::default();
            for (line, (key, value)) in entries.iter().enumerate() {
                let key_span = Span { file: FileId(0), line: line as u32 + 1, column: 1 };
                map.0.insert(key.clone(), Entry { key_span, node: node(value) });
            }
            Value::Map(map)
        }
    };
    Node::new(value, Span::NOWHERE)
}

pub(in crate::declared) fn loaded(json: &str) -> Loaded {
    let json: serde_json::Value = serde_json::from_str(json).expect("the test's project is JSON");
    let mut sources = Sources::default();
    sources.add("/srv/shop/compose.yaml", "");
    Loaded {
        name: json.get("name").and_then(serde_json::Value::as_str).unwrap_or("shop").to_owned(),
        project_directory: "/srv/shop".to_owned(),
        project: node(&json),
        disabled_services: Node::new(Value::Map(Map::default()), Span::NOWHERE),
        warnings: Vec::new(),
        variables: Vec::new(),
        environment: std::collections::BTreeMap::new(),
        sources,
        spoken: Spoken::default(),
        kept: Default::default(),
        options: LoadOptions::default(),
    }
}

pub(in crate::declared) fn settled(json: &str) -> Settled {
    declare(&loaded(json)).unwrap_or_else(|complaints| panic!("refused: {complaints:#?}"))
}

/// The declaration of a project that gives no warnings.
pub(in crate::declared) fn declared(json: &str) -> Declared {
    let settled = settled(json);
    assert_eq!(settled.warnings, Vec::new());
    settled.declared
}

/// One service `web` with `image: nginx` and the given keys besides.
pub(in crate::declared) fn web(keys: &str) -> Declared {
    declared(&web_project(keys))
}

pub(in crate::declared) fn web_project(keys: &str) -> String {
    format!(r#"{{"services": {{"web": {{"image": "nginx", {keys}}}}}}}"#)
}

pub(in crate::declared) fn container(keys: &str) -> crate::declared::ContainerSpec {
    web(keys).services.into_values().next().expect("the project has a service").container
}

pub(in crate::declared) fn refused(json: &str) -> Vec<String> {
    let complaints = declare(&loaded(json)).expect_err("the project is refused");
    complaints.into_iter().map(told).collect()
}

pub(in crate::declared) fn warned(json: &str) -> Vec<String> {
    settled(json).warnings.into_iter().map(told).collect()
}

/// The sentence and its hint.
fn told(complaint: Diagnostic) -> String {
    match complaint.hint {
        Some(hint) => format!("{} ({hint})", complaint.message),
        None => complaint.message,
    }
}
