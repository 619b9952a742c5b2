//! Real projects, as the reference settled them: each is declared, or refused in sentences. Nothing panics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::testing::loaded;
use crate::compose::Severity;
use crate::declared::{declare, warnings};
use crate::observed::Observed;

/// The folder of the corpus; without it there is nothing to test.
const VARIABLE: &str = "MAINSTAY_CORPUS";

#[allow(clippy::disallowed_methods, reason = "a test reads the corpus from the disk")]
fn projects(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the corpus is a folder") {
        let path = entry.expect("the corpus can be read").path();
        let name = path.to_string_lossy();
        if path.is_dir() {
            projects(&path, found);
        } else if name.ends_with(".json") && !name.ends_with(".env.json") {
            found.push(path);
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a test reads the corpus and tells its counts")]
fn every_real_project_is_declared_or_refused_in_sentences() {
    let Ok(corpus) = std::env::var(VARIABLE) else { return };
    let mut paths = Vec::new();
    projects(&Path::new(&corpus).join("expected/full"), &mut paths);
    paths.sort();
    let mut declared = 0;
    let mut refused = 0;
    let mut findings: BTreeMap<String, usize> = BTreeMap::new();
    let mut sentences: BTreeMap<String, usize> = BTreeMap::new();
    for path in &paths {
        let text = std::fs::read_to_string(path).expect("the corpus can be read").replace("@CORPUS@", "/corpus");
        let complaints = match declare(&loaded(&text)) {
            Ok(settled) => {
                declared += 1;
                let nothing = Observed::empty(settled.declared.stack.clone());
                for finding in warnings::find(&settled.declared, &nothing) {
                    *findings
                        .entry(format!(
                            "{:?} {} {} ({})",
                            finding.level,
                            finding.code,
                            finding.message,
                            finding.hint.unwrap_or_default()
                        ))
                        .or_default() += 1;
                }
                settled.warnings
            }
            Err(complaints) => {
                refused += 1;
                assert!(complaints.iter().any(|complaint| complaint.severity == Severity::Error), "{}", path.display());
                complaints
            }
        };
        for complaint in complaints {
            assert!(!complaint.message.is_empty() && !complaint.message.ends_with('.'), "{}", complaint.message);
            *sentences
                .entry(format!("{:?} {} {}", complaint.severity, complaint.code, complaint.message))
                .or_default() += 1;
        }
    }
    println!("{} projects: {declared} declared, {refused} refused", paths.len());
    for (sentence, times) in sentences.into_iter().chain(findings) {
        println!("{times:4} {sentence}");
    }
    assert!(declared * 10 >= paths.len() * 9, "nine of ten projects are declared: {declared} of {}", paths.len());
}
