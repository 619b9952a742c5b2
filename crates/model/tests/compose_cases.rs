//! Small Compose files and what they settle to, case by case: the rules of merging, of short forms, of
//! `extends`, `include`, profiles and consistency, proven without the corpus.
//!
//! A case in `compose_cases/*.txt` is a name (`== name`), its files (`-- file path`; those called `f0.yaml`,
//! `f1.yaml`… are given to the loader in that order), what else it needs (`-- env NAME=value`,
//! `-- profile name`, `-- inconsistent`), and one answer or several: `-- yaml`, `-- json`, `-- written` (JSON without
//! interpolation), or `-- refused` with the codes of the complaints. The answers agree with Docker Compose
//! 2.40.3: `MAINSTAY_REFERENCE` names a `docker compose` program, and then it is asked too. The folder of the project
//! is `/work`, the home `/home/me`.

// A test may read its own data and speak.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::disallowed_types)]

#[path = "compose_cases/reference.rs"]
mod reference;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mainstay_model::compose::{
    Diagnostics, FileProblem, Files, LoadOptions, LoadRequest, Loaded, Severity, load, print,
};
use serde_json::Value as Json;

struct Memory(BTreeMap<String, String>);

impl Files for Memory {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        self.0.get(path).map(|text| text.clone().into_bytes()).ok_or(FileProblem::Missing)
    }

    fn is_directory(&self, _path: &str) -> bool {
        false
    }
}

#[derive(Default)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    profiles: Vec<String>,
    inconsistent: bool,
    answers: Vec<(String, String)>,
}

impl Case {
    /// The files that are given to the loader, in that order.
    fn main_files(&self) -> Vec<String> {
        let is_main = |path: &&String| path.strip_prefix("/work/f").is_some_and(|rest| rest.len() == "0.yaml".len());
        self.files.keys().filter(is_main).cloned().collect()
    }
}

fn read_cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case { name: name.to_owned(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        let Some(part) = line.strip_prefix("-- ") else {
            let block = match case.answers.last_mut() {
                Some((_, text)) => text,
                None => case.files.values_mut().last().expect("a file before its text"),
            };
            let _ = writeln!(block, "{line}");
            continue;
        };
        match part.split_once(' ').unwrap_or((part, "")) {
            ("file", path) => drop(case.files.insert(format!("/work/{path}"), String::new())),
            ("env", pair) => {
                let (name, value) = pair.split_once('=').expect("NAME=value");
                case.environment.insert(name.to_owned(), value.to_owned());
            }
            ("profile", name) => case.profiles.push(name.to_owned()),
            ("inconsistent", _) => case.inconsistent = true,
            (kind, rest) => case.answers.push((kind.to_owned(), rest.to_owned())),
        }
    }
    cases
}

fn run(case: &Case, interpolate: bool) -> Result<Loaded, Diagnostics> {
    let mut environment = case.environment.clone();
    environment.insert("HOME".to_owned(), "/home/me".to_owned());
    let request = LoadRequest {
        working_directory: "/work".to_owned(),
        files: case.main_files(),
        project_name: Some("proj".to_owned()),
        profiles: case.profiles.clone(),
        environment,
        options: LoadOptions { interpolate, consistency: !case.inconsistent, ..LoadOptions::default() },
        ..LoadRequest::default()
    };
    load(&request, &Memory(case.files.clone()))
}

fn codes(complaints: &Diagnostics) -> String {
    let mut codes: Vec<&str> =
        complaints.list.iter().filter(|one| one.severity == Severity::Error).map(|one| one.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.join(" ")
}

/// What a case answers in one form, beside what it should.
fn answer(case: &Case, kind: &str, expected: &str) -> (String, String) {
    let json = |text: &str| serde_json::from_str::<Json>(text).map_or(text.to_owned(), |json| format!("{json:#}"));
    let loaded = run(case, kind != "written");
    let (expected, ours) = match (kind, &loaded) {
        ("refused", Ok(_)) => (expected.trim().to_owned(), "accepted".to_owned()),
        ("refused", Err(complaints)) => (expected.trim().to_owned(), codes(complaints)),
        (_, Err(complaints)) => (expected.to_owned(), complaints.render()),
        ("yaml", Ok(loaded)) => (expected.to_owned(), print::to_yaml(loaded)),
        (_, Ok(loaded)) => (json(expected), sorted(print::to_json(loaded))),
    };
    (expected, ours)
}

/// Keys in the order of the alphabet, as the cases are written.
fn sorted(mut json: Json) -> String {
    json.sort_all_objects();
    format!("{json:#}")
}

fn check(file: &str, text: &str) {
    let cases = read_cases(text);
    assert!(!cases.is_empty(), "{file} has no cases");
    let mut report = String::new();
    for case in &cases {
        assert!(!case.answers.is_empty(), "{file}: `{}` has no answer", case.name);
        for (kind, expected) in &case.answers {
            let (expected, ours) = answer(case, kind, expected);
            if expected != ours {
                let _ = writeln!(report, "== {} ({kind})\nexpected:\n{expected}\nours:\n{ours}", case.name);
            }
        }
    }
    assert!(report.is_empty(), "{file}\n{report}");
}

/// Cases whose print the reference itself would not read back, each with the reason.
const NOT_AGAIN: [(&str, &str); 6] = [
    ("env empty key", "a variable without a name is taken from a list and refused in a mapping"),
    ("stop", "`memswap_limit: -1` is printed as a text, and read as a number only"),
    ("extra_hosts", "an address that came from a mapping and from a list stands twice, which a list may not"),
    ("interp env", "`$` in a key is doubled, but keys are never interpolated"),
    ("links self", "a link of three parts becomes a dependency with colons in its name"),
    ("disabled dep opt", "a service that is off is not printed, what may depend on it is"),
];

/// A printed project reads back as itself: what `config` prints is a Compose file that says the same.
fn check_printed_again(file: &str, text: &str) {
    let mut report = String::new();
    for case in read_cases(text) {
        if NOT_AGAIN.iter().any(|(name, _)| *name == case.name) {
            continue;
        }
        let Some((_, printed)) = case.answers.iter().find(|(kind, _)| kind == "yaml") else { continue };
        let again = Case {
            files: BTreeMap::from([("/work/f0.yaml".to_owned(), printed.clone())]),
            profiles: case.profiles.clone(),
            inconsistent: case.inconsistent,
            ..Case::default()
        };
        match run(&again, true) {
            Ok(loaded) if print::to_yaml(&loaded) == *printed => {}
            Ok(loaded) => {
                let _ = writeln!(report, "== {}\nfirst:\n{printed}\nagain:\n{}", case.name, print::to_yaml(&loaded));
            }
            Err(complaints) => {
                let _ = writeln!(report, "== {}\n{}", case.name, complaints.render());
            }
        }
    }
    assert!(report.is_empty(), "{file}\n{report}");
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        const ALL: &[(&str, &str)] =
            &[$((stringify!($name), include_str!(concat!("compose_cases/", stringify!($name), ".txt")))),*];
    $(
        #[test]
        fn $name() {
            check(stringify!($name), include_str!(concat!("compose_cases/", stringify!($name), ".txt")));
        }
    )*};
}

#[test]
fn a_printed_project_reads_back_as_itself() {
    check_printed_again("merging", include_str!("compose_cases/merging.txt"));
    check_printed_again("short_forms", include_str!("compose_cases/short_forms.txt"));
    check_printed_again("commands", include_str!("compose_cases/commands.txt"));
    check_printed_again("sources", include_str!("compose_cases/sources.txt"));
    check_printed_again("printing", include_str!("compose_cases/printing.txt"));
}

cases!(merging, short_forms, commands, sources, refusals, printing, values);

/// Cases that the reference answers otherwise, each with the reason; `docs/COMPOSE.md` tells them to users.
const NOT_THEIRS: &[(&str, &str)] =
    &[("an empty device, which the reference takes", "a device without a name fails when the container is made")];

#[test]
fn the_reference_answers_the_same() {
    let Some(reference) = std::env::var_os("MAINSTAY_REFERENCE").filter(|path| !path.is_empty()) else {
        println!("SKIPPED: MAINSTAY_REFERENCE does not name a `docker compose` program");
        return;
    };
    let reference = reference::Reference::new(reference.into());
    let mut report = String::new();
    for (file, text) in ALL {
        for case in read_cases(text) {
            if NOT_THEIRS.iter().any(|(name, _)| *name == case.name) {
                continue;
            }
            for (kind, recorded) in &case.answers {
                if let Some(difference) = reference.difference(&case, kind, recorded) {
                    let _ = writeln!(report, "== {file}: {} ({kind})\n{difference}", case.name);
                }
            }
        }
    }
    println!("compared with Docker Compose {}", reference.version);
    if reference.version.starts_with("2.40.") {
        assert!(report.is_empty(), "{report}");
    } else if !report.is_empty() {
        println!("this is not the version that is followed, so these differences are only told:\n{report}");
    }
}
