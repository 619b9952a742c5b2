//! The rules of the house that need no judgement: who may depend on whom, which room may name which library,
//! every module says what it is for, and no drawer is called `util`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the model may be built from: parsing, data, hashing. Nothing that does I/O, no runtime, no clock. `http` is the
/// words of HTTP as types, without anything that speaks it.
const MODEL_MAY_USE: &[&str] = &[
    "aho-corasick",
    "base64",
    "croner",
    "granit-parser",
    "http",
    "indexmap",
    "regex-lite",
    "serde",
    "serde_json",
    "serde_path_to_error",
    "sha2",
    "squawk-linter",
    "squawk-syntax",
    "strsim",
    "thiserror",
    "toml",
];

/// Which workspace crate may depend on which.
const ARROWS: &[(&str, &[&str])] = &[
    ("mainstay-model", &[]),
    // Offered to services that know nothing of this house.
    ("standing-pool", &[]),
    ("mainstay-engine", &["mainstay-model", "standing-pool"]),
    ("mainstay", &["mainstay-engine", "mainstay-model"]),
    ("mainstay-e2e", &[]),
    ("mainstay-bench", &[]),
    ("pms-backend", &["standing-pool"]),
    ("xtask", &[]),
];

/// A library, and the only folders that may name it.
const ITS_ROOMS: &[(&str, &[&str])] = &[
    ("bollard", &["crates/engine/src/docker"]),
    ("rusqlite", &["crates/engine/src/journal"]),
    ("age", &["crates/engine/src/secrets"]),
    (
        "rustls",
        &[
            "crates/engine/src/smoke",
            "crates/engine/src/blobs",
            "crates/app/src/remote",
            "crates/app/src/api/door",
            "crates/standing-pool/src/tls",
        ],
    ),
    ("granit_parser", &["crates/model/src/compose"]),
    ("squawk_syntax", &["crates/model/src/postgres"]),
    ("squawk_linter", &["crates/model/src/postgres"]),
    ("axum", &["crates/app/src", "crates/standing-pool/src/health", "crates/standing-pool/examples"]),
    ("clap", &["crates/app/src"]),
    ("tokio_postgres", &["crates/standing-pool", "crates/engine/src/pg"]),
    ("deadpool_postgres", &["crates/standing-pool"]),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["manager", "helper", "helpers", "util", "utils", "common", "misc"];

/// A file past this many lines hides a second noun.
const MAX_LINES: usize = 600;

/// Every complaint about the tree at `root`.
pub fn check(root: &Path) -> Vec<String> {
    let mut complaints = dependencies(root);
    for file in rust_files(&root.join("crates")) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let name = file.strip_prefix(root).unwrap_or(&file).to_path_buf();
        complaints.extend(source_file(&name, &text));
    }
    complaints.extend(decisions(root));
    complaints.sort();
    complaints
}

fn dependencies(root: &Path) -> Vec<String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root)
        .output();
    let metadata: serde_json::Value = match output {
        Ok(output) if output.status.success() => serde_json::from_slice(&output.stdout).unwrap_or_default(),
        _ => return vec!["`cargo metadata` failed, so the dependencies could not be checked".into()],
    };
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    packages.iter().flat_map(package).collect()
}

fn package(package: &serde_json::Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, may)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
        return vec![format!("the crate `{name}` is not in the map of arrows (xtask/src/tidy.rs)")];
    };
    let ours: Vec<&str> = ARROWS.iter().map(|(crate_name, _)| *crate_name).collect();
    let mut complaints = Vec::new();
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let is_dev = dependency["kind"].as_str() == Some("dev");
        let used = dependency["name"].as_str().unwrap_or_default();
        // A crate may ask itself for a feature that its tests need.
        let is_itself = is_dev && used == name;
        if ours.contains(&used) && !may.contains(&used) && !is_itself {
            complaints.push(format!("`{name}` must not depend on `{used}`"));
        }
        if name == "mainstay-model" && !is_dev && !MODEL_MAY_USE.contains(&used) {
            complaints.push(format!("the model must stay pure: `{used}` is not on its allow-list"));
        }
    }
    complaints
}

fn source_file(name: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let shown = name.display();
    let is_test = name.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
    if !is_test && !text.trim_start().starts_with("//!") {
        complaints.push(format!("{shown}: does not say what it is for (a `//!` line at the top)"));
    }
    if !is_test && text.lines().count() > MAX_LINES {
        complaints.push(format!("{shown}: {} lines; which second noun lives here?", text.lines().count()));
    }
    let stem = name.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let room = name.parent().and_then(Path::file_name).and_then(|room| room.to_str()).unwrap_or_default();
    if EMPTY_NAMES.contains(&stem) || EMPTY_NAMES.contains(&room) {
        complaints.push(format!("{shown}: the name says nothing about what is inside"));
    }
    for (library, rooms) in ITS_ROOMS {
        let names_it = names(text, &format!("{library}::")) || text.contains(&format!("use {library}"));
        let is_home = |room: &&str| name.starts_with(room) || name.with_extension("") == Path::new(room);
        if names_it && !rooms.iter().any(is_home) && !is_test {
            complaints.push(format!("{shown}: only {} may name `{library}`", rooms.join(" and ")));
        }
    }
    complaints
}

/// Whether a path begins so: `usage::` does not name `age::`.
fn names(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Decisions are numbered without gaps, so that one can be cited.
fn decisions(root: &Path) -> Vec<String> {
    let folder = root.join("docs/decisions");
    let mut numbers: Vec<usize> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.split('-').next()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let expected: Vec<usize> = (1..=numbers.len()).collect();
    if numbers == expected {
        Vec::new()
    } else {
        vec![format!("docs/decisions: numbered {numbers:?}, not 1 to {}", numbers.len())]
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let complaints = check(&root);
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }

    #[test]
    fn a_docker_client_outside_its_room_is_told() {
        let complaints = source_file(Path::new("crates/engine/src/apply/mod.rs"), "//! Walks.\nuse bollard::Docker;\n");
        assert_eq!(complaints, ["crates/engine/src/apply/mod.rs: only crates/engine/src/docker may name `bollard`"]);
    }

    #[test]
    fn a_library_with_two_rooms_is_at_home_in_both() {
        let text = "//! Speaks TLS.\nuse rustls::ClientConfig;\n";
        assert!(source_file(Path::new("crates/engine/src/smoke/ask.rs"), text).is_empty());
        assert!(source_file(Path::new("crates/standing-pool/src/tls.rs"), text).is_empty());
        let elsewhere = source_file(Path::new("crates/standing-pool/src/pool.rs"), text);
        assert_eq!(elsewhere.len(), 1, "{elsewhere:?}");
        assert!(elsewhere[0].contains("crates/engine/src/smoke and ") && elsewhere[0].ends_with("may name `rustls`"));
    }

    #[test]
    fn a_library_whose_name_ends_another_word_is_not_told() {
        let file = Path::new("crates/app/src/boot/mod.rs");
        assert!(source_file(file, "//! Boots.\nfn f() { usage::report() }\n").is_empty());
        assert_eq!(source_file(file, "//! Boots.\nfn f() { age::encrypt() }\n").len(), 1);
    }

    #[test]
    fn a_new_dependency_of_the_model_is_told() {
        let model = serde_json::json!({
            "name": "mainstay-model",
            "dependencies": [{ "name": "tokio", "kind": null }, { "name": "insta", "kind": "dev" }],
        });
        assert_eq!(package(&model), ["the model must stay pure: `tokio` is not on its allow-list"]);
    }

    #[test]
    fn an_arrow_against_the_direction_is_told() {
        let engine =
            serde_json::json!({ "name": "mainstay-engine", "dependencies": [{ "name": "mainstay", "kind": null }] });
        assert_eq!(package(&engine), ["`mainstay-engine` must not depend on `mainstay`"]);
    }

    #[test]
    fn a_drawer_without_a_name_is_told() {
        let complaints = source_file(Path::new("crates/app/src/util.rs"), "//! Odds and ends.\n");
        assert_eq!(complaints, ["crates/app/src/util.rs: the name says nothing about what is inside"]);
    }
}
