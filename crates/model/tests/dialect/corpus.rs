//! Real templates: how many of them load and are declared, as a table.
//!
//! `MAINSTAY_CORPUS=<folder> cargo test -p mainstay-model --test dialect -- --nocapture corpus` reads every YAML file
//! below `<folder>/files/<repository>` for the repositories of platforms. Nothing of them lies in this repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mainstay_model::compose::{Dialect, FileProblem, Files, LoadRequest, Severity, load};
use mainstay_model::declared::declare;

/// A part of a repository's name, and the dialect of its files.
const PLATFORMS: &[(&str, Dialect)] = &[
    ("coolify", Dialect::Coolify),
    ("Dokploy", Dialect::Compose),
    ("umbrel", Dialect::Compose),
    ("runtipi", Dialect::Compose),
    ("CasaOS", Dialect::Compose),
];

struct Disk;

impl Files for Disk {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        std::fs::read(path).map_err(|_| FileProblem::Missing)
    }

    fn is_directory(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if matches!(path.extension().and_then(|ending| ending.to_str()), Some("yaml" | "yml")) {
            found.push(path);
        }
    }
    found.sort();
}

/// Loads and declares a file; the first complaint's code and sentence when that is refused.
fn try_file(path: &Path, dialect: Dialect, required: &[String]) -> Result<(), (String, String)> {
    let request = LoadRequest {
        working_directory: path.parent().unwrap().display().to_string(),
        files: vec![path.display().to_string()],
        project_name: Some("shop".into()),
        dialect: Some(dialect),
        environment: required.iter().map(|name| (name.clone(), "1".to_owned())).collect(),
        ..LoadRequest::default()
    };
    let told = |list: &[mainstay_model::compose::Diagnostic]| {
        let error = list.iter().find(|one| one.severity == Severity::Error);
        error.map_or(("?".to_owned(), String::new()), |one| (one.code.to_owned(), one.message.clone()))
    };
    let loaded = load(&request, &Disk).map_err(|complaints| told(&complaints.list))?;
    declare(&loaded).map(|_| ()).map_err(|complaints| told(&complaints))
}

/// A template leaves some variables to its user: those that it requires are set to something.
fn with_required(path: &Path, dialect: Dialect) -> Result<(), (String, String)> {
    let mut required = Vec::new();
    loop {
        match try_file(path, dialect, &required) {
            Err((code, message)) if code == "missing-variable" && required.len() < 50 => {
                let Some(name) = message.split('`').nth(1) else { return Err((code, message)) };
                required.push(name.to_owned());
            }
            answer => return answer,
        }
    }
}

#[test]
fn real_templates_are_taken() {
    let Ok(corpus) = std::env::var("MAINSTAY_CORPUS") else {
        eprintln!("SKIPPED: set MAINSTAY_CORPUS to the folder of the corpus");
        return;
    };
    let repositories: Vec<PathBuf> =
        std::fs::read_dir(format!("{corpus}/files")).unwrap().map(|entry| entry.unwrap().path()).collect();
    eprintln!("{:10} {:>6} {:>6}  refused by", "platform", "files", "taken");
    for (platform, dialect) in PLATFORMS {
        let mut files = Vec::new();
        for repository in &repositories {
            let name = repository.file_name().unwrap().to_string_lossy().to_lowercase();
            if name.contains(&platform.to_lowercase()) {
                yaml_files(repository, &mut files);
            }
        }
        let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in &files {
            if let Err((code, message)) = with_required(file, *dialect) {
                refused.entry(code).or_default().push(format!("{}: {message}", file.display()));
            }
        }
        let lost: usize = refused.values().map(Vec::len).sum();
        let codes: Vec<String> = refused.iter().map(|(code, all)| format!("{code} {}", all.len())).collect();
        eprintln!("{platform:10} {:>6} {:>6}  {}", files.len(), files.len() - lost, codes.join(", "));
        refused.values().flatten().for_each(|line| eprintln!("    {line}"));
        if *dialect == Dialect::Coolify {
            // Some are no YAML, or merge a list as if it were a mapping: those no reading can save.
            assert!(lost * 50 <= files.len(), "{platform}: {lost} of {} files are refused", files.len());
        }
    }
}
