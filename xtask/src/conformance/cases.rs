//! Which Compose files a folder has, and in which combinations a person would use them.

use std::fs;
use std::path::{Path, PathBuf};

/// A way to read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    Full,
    NoInterpolate,
    NoConsistency,
}

impl Reading {
    pub const ALL: [Reading; 3] = [Reading::Full, Reading::NoInterpolate, Reading::NoConsistency];

    pub fn name(self) -> &'static str {
        match self {
            Reading::Full => "full",
            Reading::NoInterpolate => "noint",
            Reading::NoConsistency => "nocons",
        }
    }

    pub fn flag(self) -> Option<&'static str> {
        match self {
            Reading::Full => None,
            Reading::NoInterpolate => Some("--no-interpolate"),
            Reading::NoConsistency => Some("--no-consistency"),
        }
    }
}

/// One call of `config`.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// Where both programs run.
    pub folder: PathBuf,
    /// What they are given; nothing lets them search.
    pub files: Vec<PathBuf>,
    /// `--project-name`
    pub project: Option<&'static str>,
    /// `--env-file`
    pub env_file: Option<PathBuf>,
}

const MAIN: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const EXAMPLES: [&str; 7] =
    [".env.example", ".env.sample", ".env.dist", ".env.template", "env.example", "example.env", "sample.env"];
/// Folders that no person keeps a stack in.
const SKIPPED: [&str; 3] = [".git", "node_modules", "target"];

/// Every case below a folder, in the order of their names.
pub fn find(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    gather(folder, folder, &mut cases);
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn gather(root: &Path, folder: &Path, cases: &mut Vec<Case>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let files: Vec<PathBuf> = files.into_iter().filter(|path| is_compose(path)).collect();
    cases.extend(of_folder(root, folder, &files));
    for folder in folders.iter().filter(|path| !SKIPPED.contains(&name(path).as_str())) {
        gather(root, folder, cases);
    }
}

/// Each file alone; the folder as the programs find it; the main file with each other one over it; and all that
/// with the example of an env file where there is one and no real one.
fn of_folder(root: &Path, folder: &Path, files: &[PathBuf]) -> Vec<Case> {
    let shown = folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().into_owned();
    let case = |files: &[&PathBuf]| {
        let names: Vec<String> = files.iter().map(|path| name(path)).collect();
        let name = [shown.as_str(), &names.join(" + ")]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("/");
        Case {
            name,
            folder: folder.to_owned(),
            files: files.iter().map(|path| (*path).clone()).collect(),
            project: None,
            env_file: None,
        }
    };
    let mut cases: Vec<Case> = files.iter().map(|file| case(&[file])).collect();
    let main = MAIN.iter().find_map(|main| files.iter().find(|path| name(path) == *main));
    if let Some(main) = main
        && files.len() > 1
    {
        cases.push(Case { name: format!("{shown}/"), ..case(&[]) });
        let others = files.iter().filter(|path| *path != main && is_named_compose(path));
        cases.extend(others.map(|other| case(&[main, other])));
    }
    let example = EXAMPLES.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    if let Some(example) = example.filter(|_| !folder.join(".env").exists()) {
        let with = |case: &Case| Case {
            name: format!("{} ({})", case.name, name(&example)),
            env_file: Some(example.clone()),
            ..case.clone()
        };
        let more: Vec<Case> = cases.iter().map(with).collect();
        cases.extend(more);
    }
    cases
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_named_compose(path: &Path) -> bool {
    name(path).to_lowercase().contains("compose")
}

/// A YAML file that is called a Compose file, or that says so itself.
fn is_compose(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if !matches!(ending, "yml" | "yaml") {
        return false;
    }
    is_named_compose(path)
        || fs::read(path).is_ok_and(|bytes| {
            let text = String::from_utf8_lossy(&bytes);
            text.lines().any(|line| line.starts_with("services:") || line.starts_with("include:"))
        })
}
