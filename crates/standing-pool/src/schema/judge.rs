//! What is expected against what is there.

use std::fmt;

use serde::Serialize;

use super::expectation::{Column, Expectation, Relation};
use super::seen::{Seen, SeenRelation};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gravity {
    /// It serves, more slowly.
    Warning,
    /// What was written for the expected schema fails.
    NotReady,
    /// Rows are open that should not be.
    Critical,
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shortfall {
    /// How bad it is.
    pub gravity: Gravity,
    /// A word for it.
    pub code: &'static str,
    /// What is not there, as the server would say it.
    pub what: String,
    /// The file that brings it.
    pub file: Option<String>,
    /// What to do, where no file helps.
    pub hint: Option<String>,
    #[serde(skip)]
    pub(super) is_of_schema: bool,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}; {file} brings it", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// The worst first; of those that are as bad, what the earliest file brings.
pub(super) fn judge(expected: &Expectation, seen: &Seen) -> Vec<Shortfall> {
    let mut found = Vec::new();
    for relation in &expected.relations {
        of_relation(relation, seen, &mut found);
    }
    for one in &expected.enums {
        let labels = seen.enums.get(&(one.schema.clone(), one.name.clone()));
        let missing = one.labels.iter().find(|label| labels.is_none_or(|labels| !labels.contains(&label.name)));
        if let Some(label) = missing {
            let what = match labels {
                None => format!("type \"{}\" does not exist", shown(&one.schema, &one.name)),
                Some(_) => format!("enum \"{}\" has no label \"{}\"", shown(&one.schema, &one.name), label.name),
            };
            found.push(missing_thing(what, label.file.as_ref()));
        }
    }
    let place =
        |one: &Shortfall| one.file.as_ref().and_then(|file| expected.files.iter().position(|name| name == file));
    found.sort_by(|one, other| other.gravity.cmp(&one.gravity).then_with(|| place(one).cmp(&place(other))));
    found
}

fn of_relation(relation: &Relation, seen: &Seen, found: &mut Vec<Shortfall>) {
    let name = shown(&relation.schema, &relation.name);
    let there = seen.relations.get(&(relation.schema.clone(), relation.name.clone()));
    let Some(there) = there else {
        found.push(missing_thing(format!("relation \"{name}\" does not exist"), relation.file.as_ref()));
        return;
    };
    found.extend(hidden(relation, there, seen));
    for column in &relation.columns {
        found.extend(of_column(&name, column, there));
    }
    let may = there.privileges.as_deref().unwrap_or_default();
    let lacks: Vec<&str> = relation.privileges.iter().filter(|one| !may.contains(one)).map(String::as_str).collect();
    if !lacks.is_empty() {
        let lacks = lacks.join(", ");
        found.push(Shortfall {
            gravity: Gravity::NotReady,
            code: "no-privilege",
            what: format!("permission denied for relation \"{name}\": {lacks} is not granted"),
            file: None,
            hint: Some(format!("as its owner: GRANT {lacks} ON {name} TO the role of this service")),
            is_of_schema: false,
        });
    }
    if let Some(brought) = relation.row_security.as_ref().filter(|_| !there.row_security) {
        found.push(Shortfall {
            gravity: Gravity::Critical,
            code: "row-security-off",
            what: format!("row security is off on relation \"{name}\""),
            file: brought.file.clone(),
            hint: Some(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")),
            is_of_schema: false,
        });
    }
    for index in &relation.indexes {
        let state = there.indexes.as_ref().and_then(|indexes| indexes.get(&index.name));
        let what = match state {
            Some(true) => continue,
            Some(false) => format!("index \"{}\" is invalid", index.name),
            None => format!("index \"{}\" does not exist", index.name),
        };
        let missing = missing_thing(what, index.file.as_ref());
        found.push(Shortfall { gravity: Gravity::Warning, code: "no-index", ..missing });
    }
}

/// A name without a schema leads to another one.
fn hidden(relation: &Relation, there: &SeenRelation, seen: &Seen) -> Option<Shortfall> {
    if there.visible {
        return None;
    }
    let is_twin = |((_, name), other): &(&(String, String), &SeenRelation)| *name == relation.name && other.visible;
    let ((schema, _), _) = seen.relations.iter().find(is_twin)?;
    let name = shown(&relation.schema, &relation.name);
    Some(Shortfall {
        gravity: Gravity::NotReady,
        code: "hidden",
        what: format!(
            "relation \"{name}\" is hidden by \"{schema}.{}\", which comes first in the search_path",
            relation.name
        ),
        file: None,
        hint: Some(format!(
            "name the schema in statements, or take `{schema}` out of the path in front of `{}`",
            relation.schema
        )),
        is_of_schema: false,
    })
}

fn of_column(relation: &str, column: &Column, there: &SeenRelation) -> Option<Shortfall> {
    let Some(sort) = there.columns.as_ref().and_then(|columns| columns.get(&column.name)) else {
        let what = format!("column \"{}\" of relation \"{relation}\" does not exist", column.name);
        return Some(missing_thing(what, column.file.as_ref()));
    };
    if is_of_type(sort, column) {
        return None;
    }
    let what =
        format!("column \"{}\" of relation \"{relation}\" is {sort}, and has to be {}", column.name, column.sort);
    Some(missing_thing(what, column.type_file.as_ref().or(column.file.as_ref())))
}

/// Types of a schema in the path are told without it.
fn is_of_type(live: &str, column: &Column) -> bool {
    let base = live.split('(').next().unwrap_or(live).trim_end();
    live == column.sort
        || column.sort.rsplit_once('.').is_some_and(|(_, bare)| bare == live)
        || column.accepts.iter().any(|one| one == live || one == base)
}

fn missing_thing(what: String, file: Option<&String>) -> Shortfall {
    Shortfall {
        gravity: Gravity::NotReady,
        code: "schema-out-of-date",
        what,
        file: file.cloned(),
        hint: file.is_none().then(|| "it was there before the first migration".to_owned()),
        is_of_schema: true,
    }
}

/// As statements name it; the schema of everybody is left out.
fn shown(schema: &str, name: &str) -> String {
    if schema == "public" { name.to_owned() } else { format!("{schema}.{name}") }
}
