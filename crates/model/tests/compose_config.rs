//! Real Compose files, read as the reference reads them.
//!
//! The files and the reference's answers are third parties' data and are not in this repository:
//! `MAINSTAY_CORPUS` names their folder. Without it the test says so and passes.
//! `MAINSTAY_CORPUS_SHOW=<words>` prints the differences of the files whose name has the words in it.

// A test may touch the disk and speak: it stands in for the rooms that do.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::disallowed_types)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mainstay_model::compose::{FileProblem, Files, LoadOptions, LoadRequest, load, print};
use serde_json::Value as Json;

struct Disk;

impl Files for Disk {
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, FileProblem> {
        let path = Path::new(path);
        if path.is_dir() {
            return Err(FileProblem::Directory);
        }
        let bytes = std::fs::read(path).map_err(|problem| match problem.kind() {
            std::io::ErrorKind::NotFound => FileProblem::Missing,
            _ => FileProblem::Other(problem.to_string()),
        })?;
        if bytes.len() as u64 > limit { Err(FileProblem::TooLarge { limit }) } else { Ok(bytes) }
    }

    fn is_directory(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }
}

/// One way in which the reference read the corpus.
#[derive(Clone, Copy)]
struct Reading {
    name: &'static str,
    interpolate: bool,
    consistency: bool,
    /// Whether a missing answer means that the reference refused the file in this reading.
    missing_is_refused: bool,
}

const READINGS: [Reading; 3] = [
    Reading { name: "full", interpolate: true, consistency: true, missing_is_refused: false },
    Reading { name: "nocons", interpolate: true, consistency: false, missing_is_refused: false },
    Reading { name: "noint", interpolate: false, consistency: true, missing_is_refused: true },
];

#[derive(Default)]
struct Count {
    same: usize,
    differs: Vec<String>,
    refused_by_both: usize,
    refused_by_us: Vec<String>,
    accepted_by_us: Vec<String>,
}

struct Corpus {
    folder: PathBuf,
    show: Option<String>,
}

impl Corpus {
    fn json(&self, path: &Path) -> Option<Json> {
        let text = std::fs::read_to_string(path).ok()?;
        let files = self.folder.join("files");
        let text = text.replace("@CORPUS@", files.to_str()?);
        Some(serde_json::from_str(&text).expect("the corpus holds JSON"))
    }

    fn expected(&self, reading: Reading, file: &str) -> Option<Json> {
        self.json(&self.folder.join("expected").join(reading.name).join(format!("{file}.json")))
    }

    fn environment(&self, reading: Reading, file: &str) -> BTreeMap<String, String> {
        let path = self.folder.join("expected").join(reading.name).join(format!("{file}.env.json"));
        let Some(Json::Object(variables)) = self.json(&path) else { return BTreeMap::new() };
        variables.into_iter().map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned())).collect()
    }

    fn check(&self, reading: Reading, file: &str, count: &mut Count) {
        let expected = self.expected(reading, file);
        if expected.is_none() && !reading.missing_is_refused {
            return;
        }
        let path = self.folder.join("files").join(file).to_str().expect("a name in UTF-8").to_owned();
        let mut environment = self.environment(reading, file);
        environment.entry("HOME".to_owned()).or_insert("/tmp/composelab/home".to_owned());
        let request = LoadRequest {
            working_directory: self.folder.to_str().expect("a name in UTF-8").to_owned(),
            files: vec![path],
            project_name: Some("corpus".to_owned()),
            environment,
            options: LoadOptions {
                interpolate: reading.interpolate,
                consistency: reading.consistency,
                ..LoadOptions::default()
            },
            ..LoadRequest::default()
        };
        let shown = self.show.as_ref().is_some_and(|words| file.contains(words.as_str()));
        match (load(&request, &Disk), expected) {
            (Ok(loaded), Some(expected)) => match difference(&print::to_json(&loaded), &expected, "") {
                None => count.same += 1,
                Some(place) => count.differs.push(format!("{file}: {place}")),
            },
            (Ok(_), None) => count.accepted_by_us.push(file.to_owned()),
            (Err(_), None) => count.refused_by_both += 1,
            (Err(complaints), Some(_)) => {
                if shown {
                    println!("{}", complaints.render());
                }
                let first = complaints.list.iter().find(|one| one.severity == mainstay_model::compose::Severity::Error);
                let first = first.map_or_else(String::new, |one| format!("{} {}", one.code, one.message));
                count.refused_by_us.push(format!("{file}: {first}"));
            }
        }
    }
}

/// The first place where two values differ.
fn difference(ours: &Json, theirs: &Json, place: &str) -> Option<String> {
    match (ours, theirs) {
        (Json::Object(a), Json::Object(b)) => {
            for (key, value) in b {
                match a.get(key) {
                    None => return Some(format!("{place}.{key} is missing: {value}")),
                    Some(own) => {
                        if let Some(found) = difference(own, value, &format!("{place}.{key}")) {
                            return Some(found);
                        }
                    }
                }
            }
            a.keys().find(|key| !b.contains_key(*key)).map(|key| format!("{place}.{key} is too much: {}", a[key]))
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| difference(a, b, &format!("{place}[{at}]")))
        }
        (Json::Number(a), Json::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        (a, b) => Some(format!("{place}: ours {a}, theirs {b}")),
    }
}

#[test]
fn files_of_the_corpus_are_read_as_the_reference_reads_them() {
    let Ok(folder) = std::env::var("MAINSTAY_CORPUS") else {
        println!("skipped: MAINSTAY_CORPUS does not name the folder of the corpus");
        return;
    };
    let corpus = Corpus { folder: folder.into(), show: std::env::var("MAINSTAY_CORPUS_SHOW").ok() };
    let index = corpus.json(&corpus.folder.join("index.json")).expect("index.json");
    let mut agreed = true;
    for is_real in [true, false] {
        for reading in READINGS {
            let mut count = Count::default();
            for entry in index.as_array().expect("a list") {
                if (entry["group"] != "fixture") == is_real {
                    corpus.check(reading, entry["file"].as_str().expect("a path"), &mut count);
                }
            }
            let group = if is_real { "real" } else { "fixture" };
            println!(
                "{group:8} {:7} same {} | differs {} | refused by both {} | refused by us alone {} | accepted by us alone {}",
                reading.name,
                count.same,
                count.differs.len(),
                count.refused_by_both,
                count.refused_by_us.len(),
                count.accepted_by_us.len()
            );
            for (what, list) in
                [("differs", &count.differs), ("refused", &count.refused_by_us), ("accepted", &count.accepted_by_us)]
            {
                list.iter().for_each(|line| println!("  {what}: {line}"));
            }
            agreed &= !is_real || (count.differs.is_empty() && count.refused_by_us.is_empty());
        }
    }
    assert!(agreed, "a real file is read differently");
}
