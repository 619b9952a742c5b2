//! What a program needs of its schema, as a file that it takes along: small, and cheap to ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compare::Judged;
use super::difference::Severity;
use super::inventory::Inventory;
use super::object::{Facet, Facets, ObjectKey, ObjectKind};
use super::replay::Replay;
use super::severity::of_missing;
use super::types::is_narrower;

/// Types that may hold all that another one does.
const PLAIN_TYPES: &[&str] = &["integer", "bigint", "numeric", "double precision", "text", "timestamp with time zone"];

/// The version of the format.
pub const FORMAT: u32 = 1;

/// Written by `mainstay db drift --write-expectation`, read by services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// [`FORMAT`].
    pub expectation: u32,
    /// What applies a file that is missing.
    pub command: String,
    /// Of the schema that the files make.
    pub fingerprint: String,
    /// Every file, in order: a service that knows fewer than the ledger is behind its database, and serves.
    pub files: Vec<String>,
    /// The ledger, as `schema.table`.
    pub ledger: String,
    pub relations: Vec<Relation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enums: Vec<Enum>,
}

/// One relation and what has to be of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    /// The file that brings it; none when it was there before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privileges: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_security: Option<Brought>,
    pub columns: Vec<Column>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Brought>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub sort: String,
    /// Types that hold all that it holds, with or without a length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepts: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The file that made it so, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_file: Option<String>,
}

/// A thing by its name, and the file that brings it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enum {
    pub schema: String,
    pub name: String,
    pub labels: Vec<Brought>,
}

impl Expectation {
    /// Of what a replay ends in. Only what a file brings or changes is expected, and the columns beside that.
    pub fn of(replay: &Replay, judged: &Judged, ledger: &str, command: &str) -> Expectation {
        let wanted = replay.wanted();
        let of_kind = |kind| wanted.objects.iter().filter(move |(key, _)| key.kind == kind && judged.holds(key));
        let relations = of_kind(ObjectKind::Relation).filter(|(key, facets)| is_asked_for(key, facets));
        Expectation {
            expectation: FORMAT,
            command: command.to_owned(),
            fingerprint: wanted.fingerprint(judged),
            files: replay.files().to_vec(),
            ledger: ledger.to_owned(),
            relations: relations.map(|(key, facets)| relation(replay, &wanted, key, facets)).collect(),
            enums: of_kind(ObjectKind::Type).filter_map(|(key, facets)| labels(replay, key, facets)).collect(),
        }
    }
}

/// Sequences come with what uses them; partitions with their table.
fn is_asked_for(key: &ObjectKey, facets: &Facets) -> bool {
    let is_sequence = facets.get(&Facet::Sort).is_some_and(|sort| sort == "sequence");
    !is_sequence && of_missing(key, facets) >= Severity::NotReady
}

fn relation(replay: &Replay, wanted: &Inventory, key: &ObjectKey, facets: &Facets) -> Relation {
    let parts = |kind| wanted.parts(&key.schema, &key.name, kind);
    let column = |(key, facets): (&ObjectKey, &Facets)| {
        let (file, type_file) = (replay.brings(key), replay.sets(key, Facet::Type));
        let sort = facets.get(&Facet::Type).cloned().unwrap_or_default();
        let wider = PLAIN_TYPES.iter().filter(|other| is_narrower(&sort, other));
        Column {
            name: key.name.clone(),
            accepts: wider.map(|other| (*other).to_owned()).collect(),
            sort,
            not_null: facets.contains_key(&Facet::NotNull),
            type_file: type_file.filter(|other| Some(other) != file.as_ref()),
            file,
        }
    };
    let may = facets.get(&Facet::May).map(String::as_str).unwrap_or_default();
    Relation {
        schema: key.schema.clone(),
        name: key.name.clone(),
        file: replay.brings(key),
        privileges: may.split(", ").filter(|one| !one.is_empty()).map(str::to_owned).collect(),
        row_security: facets
            .contains_key(&Facet::RowSecurity)
            .then(|| Brought { name: String::new(), file: replay.sets(key, Facet::RowSecurity) }),
        columns: parts(ObjectKind::Column).map(column).collect(),
        indexes: parts(ObjectKind::Index)
            .map(|(key, _)| Brought { name: key.name.clone(), file: replay.brings(key) })
            .collect(),
    }
}

/// An enum with the file that brings each of its labels.
fn labels(replay: &Replay, key: &ObjectKey, facets: &Facets) -> Option<Enum> {
    let split = |text: &str| -> Vec<String> {
        text.split(", ").map(|label| label.trim_matches('\'').replace("''", "'")).collect()
    };
    let wanted = split(facets.get(&Facet::Labels)?);
    let mut since: BTreeMap<String, usize> = BTreeMap::new();
    for (_, states) in replay.states().filter(|(other, _)| *other == key) {
        for (number, state) in states {
            for label in state.and_then(|facets| facets.get(&Facet::Labels)).map(|text| split(text)).unwrap_or_default()
            {
                since.entry(label).or_insert(number);
            }
        }
    }
    let file = |label: &String| replay.files().get(since.get(label)?.checked_sub(1)?).cloned();
    let labels = wanted.into_iter().map(|label| Brought { file: file(&label), name: label }).collect();
    Some(Enum { schema: key.schema.clone(), name: key.name.clone(), labels })
}
