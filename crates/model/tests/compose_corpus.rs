//! The reading of real Compose files, compared with the reference's.
//!
//! The corpus is third parties' data and lives outside the repository:
//! `MAINSTAY_CORPUS=<folder> cargo test -p mainstay-model --test compose_corpus -- --nocapture`
//!
//! What is compared is acceptance: a file that the reference takes must pass here, with and without
//! interpolation. The other way round is counted only, because much of what the reference refuses is
//! found after this half (missing files, references that lead nowhere).
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::disallowed_types,
    reason = "a test reads files, times itself and says what it saw"
)]
#![allow(clippy::unwrap_used, reason = "a test that unwraps fails with the place")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mainstay_model::compose::interpolate::{self, Interpolation};
use mainstay_model::compose::{Diagnostic, FileId, Node, Severity, Tag, Value, cast, dotenv, schema, yaml};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    file: String,
    reference: Vec<String>,
}

/// Files whose acceptance differs for a known reason; each with the reason.
const KNOWN: &[(&str, &str)] = &[];

fn corpus() -> Option<String> {
    let corpus = std::env::var("MAINSTAY_CORPUS").ok();
    if corpus.is_none() {
        eprintln!("SKIPPED: set MAINSTAY_CORPUS to the folder of the corpus");
    }
    corpus
}

fn errors(list: Vec<Diagnostic>) -> Vec<String> {
    let errors = list.into_iter().filter(|d| d.severity == Severity::Error);
    errors.map(|d| format!("{}:{} [{}] {}", d.span.line, d.span.column, d.code, d.message)).collect()
}

/// What `!reset` marks is gone before the structure is checked.
fn drop_resets(node: &mut Node) {
    match &mut node.value {
        Value::List(items) => {
            items.retain(|item| item.tag != Tag::Reset);
            items.iter_mut().for_each(drop_resets);
        }
        Value::Map(map) => {
            map.0.retain(|_, entry| entry.node.tag != Tag::Reset);
            map.0.values_mut().for_each(|entry| drop_resets(&mut entry.node));
        }
        _ => {}
    }
}

fn read(bytes: &[u8], environment: Option<&BTreeMap<String, String>>) -> Result<(), Vec<String>> {
    let documents = yaml::parse(bytes, FileId(0)).map_err(errors)?;
    let mut found = Vec::new();
    if documents.is_empty() {
        found.push("empty".to_owned());
    }
    for mut document in documents {
        drop_resets(&mut document);
        if let Some(environment) = environment {
            let mut out = Interpolation::default();
            interpolate::interpolate(&mut document, &|name| environment.get(name).cloned(), &mut out);
            found.extend(errors(out.diagnostics));
            found.extend(errors(cast::cast(&mut document)));
        }
        found.extend(errors(schema::check(&document)));
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// The caller's environment over the `.env` beside the file.
fn with_dotenv(outer: BTreeMap<String, String>, file: &str) -> BTreeMap<String, String> {
    let folder = file.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let Ok(bytes) = std::fs::read(format!("{folder}/.env")) else { return outer };
    let found = dotenv::parse(&bytes, FileId(0), &|name| outer.get(name).cloned()).unwrap();
    let mut all: BTreeMap<String, String> = found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    all.extend(outer);
    all
}

#[test]
fn what_the_reference_takes_is_taken() {
    let Some(corpus) = corpus() else { return };
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(format!("{corpus}/index.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut longest = (Duration::ZERO, String::new());
    let start = Instant::now();
    for case in &cases {
        let Ok(bytes) = std::fs::read(format!("{corpus}/files/{}", case.file)) else {
            *counts.entry("not in the corpus".into()).or_default() += 1;
            continue;
        };
        let environment = std::fs::read(format!("{corpus}/expected/full/{}.env.json", case.file)).ok();
        let environment: Option<BTreeMap<String, String>> =
            environment.map(|json| serde_json::from_slice(&json).unwrap());
        let environment = environment.map(|outer| with_dotenv(outer, &format!("{corpus}/files/{}", case.file)));
        for reading in ["noint", "full"] {
            if reading == "full" && environment.is_none() {
                continue;
            }
            let taken = case.reference.iter().any(|name| name == reading);
            let begun = Instant::now();
            let ours = read(&bytes, environment.as_ref().filter(|_| reading == "full"));
            longest = longest.max((begun.elapsed(), case.file.clone()));
            let verdict = format!("{reading}: reference {taken}, ours {}", ours.is_ok());
            *counts.entry(verdict).or_default() += 1;
            let known = KNOWN.iter().any(|(file, _)| *file == case.file);
            if let (true, Err(complaints), false) = (taken, &ours, known) {
                wrong.push(format!("{reading} {}\n    {}", case.file, complaints.join("\n    ")));
            }
            if let (false, Ok(()), Ok(_)) = (taken, &ours, std::env::var("MAINSTAY_CORPUS_MILD")) {
                eprintln!("mild {reading} {}", case.file);
            }
        }
    }
    eprintln!("{counts:#?}\nin {:?}, the longest {longest:?}", start.elapsed());
    assert!(wrong.is_empty(), "{} files differ:\n{}", wrong.len(), wrong.join("\n"));
}
