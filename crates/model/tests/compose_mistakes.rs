//! The commonest mistakes in Compose files, and what is said about each: the text that a person reads.
//!
//! `compose_mistakes/*.txt` holds the mistakes: a name (`== name`), and files (`-- file path`) in which `\xNN` stands
//! for a byte. `compose.yaml` is given to the loader, or what `-- given path` lists. The folder is `/srv/shop`. What
//! is said stands in the snapshot beside it, to be read from the top by somebody who is tired.

// A test may read its own data.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mainstay_model::compose::{Diagnostic, Diagnostics, FileProblem, Files, LoadRequest, Severity, load};
use mainstay_model::declared::{declare, judge_the_rest};

const FOLDER: &str = "/srv/shop";

struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        self.0.get(path).cloned().ok_or(FileProblem::Missing)
    }

    fn is_directory(&self, _path: &str) -> bool {
        false
    }
}

#[derive(Default)]
struct Mistake {
    name: String,
    given: Vec<String>,
    files: BTreeMap<String, String>,
}

fn read_mistakes(text: &str) -> Vec<Mistake> {
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut file = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            // The empty line in front of a name is no part of the file before it.
            if let Some(text) = mistakes.last_mut().and_then(|before| before.files.get_mut(&file)) {
                text.truncate(text.trim_end_matches('\n').len() + usize::from(!text.trim_end().is_empty()));
            }
            mistakes.push(Mistake { name: name.to_owned(), ..Mistake::default() });
            continue;
        }
        let Some(mistake) = mistakes.last_mut() else { continue };
        if let Some(path) = line.strip_prefix("-- file ") {
            file = format!("{FOLDER}/{path}");
            mistake.files.insert(file.clone(), String::new());
        } else if let Some(path) = line.strip_prefix("-- given ") {
            mistake.given.push(format!("{FOLDER}/{path}"));
        } else if let Some(text) = mistake.files.get_mut(&file) {
            let _ = writeln!(text, "{line}");
        }
    }
    mistakes
}

/// The bytes of a file: `\xNN` is one.
fn bytes(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes: Vec<u8> = parts.next().unwrap_or_default().into();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two hexadecimal digits"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// Everything that is said about a stack, as the program says it.
fn said(mistake: &Mistake) -> Diagnostics {
    let given = if mistake.given.is_empty() { vec![format!("{FOLDER}/compose.yaml")] } else { mistake.given.clone() };
    let request = LoadRequest {
        working_directory: FOLDER.to_owned(),
        files: given,
        environment: BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned())]),
        ..LoadRequest::default()
    };
    let files = Memory(mistake.files.iter().map(|(path, text)| (path.clone(), bytes(text))).collect());
    let loaded = match load(&request, &files) {
        Ok(loaded) => loaded,
        Err(refused) => return judge_the_rest(refused),
    };
    let list: Vec<Diagnostic> = match declare(&loaded) {
        Ok(settled) => settled.warnings,
        Err(list) => list,
    };
    let list = list.into_iter().chain(loaded.warnings).collect();
    let mut all = Diagnostics { list, sources: loaded.sources, partial: None };
    all.sort();
    all
}

fn told(text: &str) -> String {
    let mut told = String::new();
    for mistake in read_mistakes(text) {
        let said = said(&mistake);
        let _ = writeln!(told, "== {}\n\n{}", mistake.name, said.render());
        if !said.has_errors() {
            let _ = writeln!(told, "(taken)\n");
        }
    }
    told
}

macro_rules! mistakes {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "compose_mistakes" }, {
                    insta::assert_snapshot!(
                        stringify!($name),
                        told(include_str!(concat!("compose_mistakes/", stringify!($name), ".txt")))
                    );
                });
            }
        )*

        fn every_mistake() -> Vec<Mistake> {
            let texts = [$(include_str!(concat!("compose_mistakes/", stringify!($name), ".txt"))),*];
            texts.into_iter().flat_map(read_mistakes).collect()
        }
    };
}

mistakes!(yaml, shapes, keys, values, references, variables, ours, together);

#[test]
fn everything_that_is_said_has_a_place_and_an_error_says_what_to_write() {
    for mistake in every_mistake() {
        for one in said(&mistake).list {
            let is_about_a_missing_file = one.code == "file" || one.code == "empty-project";
            assert!(one.span.is_written() || is_about_a_missing_file, "{}: {one:#?}", mistake.name);
            assert!(one.hint.is_some() || one.severity == Severity::Warning, "{}: {one:#?}", mistake.name);
            assert!(!one.message.ends_with('.'), "{}: {one:#?}", mistake.name);
        }
    }
}

#[test]
fn nothing_is_said_twice() {
    for mistake in every_mistake() {
        let mut places = BTreeMap::new();
        for one in said(&mistake).list {
            let before = places.insert((one.span, one.severity), one.message.clone());
            assert!(
                before.is_none() || !one.span.is_written(),
                "{}: {} / {}",
                mistake.name,
                before.unwrap_or_default(),
                one.message
            );
        }
    }
}
