//! Answers of the reference that were recorded beside the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::answer::Answer;
use super::cases::{Case, Reading};

/// The project name and the home with which the answers were recorded.
const PROJECT: &str = "corpus";
const HOME: &str = "/tmp/composelab/home";
/// What stands in the answers for the folder of the files.
const PLACEHOLDER: &str = "@CORPUS@";

/// A folder with `files/`, `expected/<reading>/<file>.json` and `index.json`.
pub struct Recorded {
    folder: PathBuf,
    /// Every file, with the readings in which the reference took it.
    index: BTreeMap<String, Vec<String>>,
}

impl Recorded {
    /// `None` when the folder holds files only.
    pub fn open(folder: &Path) -> Result<Option<Self>, String> {
        let path = folder.join("index.json");
        if !path.is_file() || !folder.join("files").is_dir() || !folder.join("expected").is_dir() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(|error| format!("`{}`: {error}", path.display()))?;
        let json: Json = serde_json::from_str(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
        let words = |value: &Json| value.as_str().map(str::to_owned);
        let entry = |entry: &Json| {
            let readings = entry["reference"].as_array().into_iter().flatten().filter_map(words).collect();
            Some((words(&entry["file"])?, readings))
        };
        let index = json.as_array().into_iter().flatten().filter_map(entry).collect();
        Ok(Some(Recorded { folder: folder.to_owned(), index }))
    }

    pub fn cases(&self) -> Vec<Case> {
        let case = |file: &String| Case {
            name: file.clone(),
            folder: self.folder.clone(),
            files: vec![self.folder.join("files").join(file)],
            project: Some(PROJECT),
            env_file: None,
        };
        self.index.keys().map(case).collect()
    }

    fn recorded(&self, reading: Reading, file: &str, ending: &str) -> Option<String> {
        let path = self.folder.join("expected").join(reading.name()).join(format!("{file}{ending}"));
        Some(fs::read_to_string(path).ok()?.replace(PLACEHOLDER, &self.folder.join("files").to_string_lossy()))
    }

    /// The environment in which a file was read.
    pub fn environment(&self, case: &Case, reading: Reading) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::from([("HOME".to_owned(), HOME.to_owned())]);
        // A file that was only taken in one of the interpolating readings has its environment there.
        let readings = [reading, Reading::Full, Reading::NoConsistency];
        let readings = readings.into_iter().filter(|_| reading != Reading::NoInterpolate);
        let text = readings.into_iter().find_map(|reading| self.recorded(reading, &case.name, ".env.json"));
        if let Some(Ok(Json::Object(variables))) = text.map(|text| serde_json::from_str(&text)) {
            environment
                .extend(variables.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))));
        }
        environment
    }

    /// What the reference said; `None` when that was not recorded.
    pub fn answer(&self, case: &Case, reading: Reading) -> Option<Answer> {
        if let Some(printed) = self.recorded(reading, &case.name, ".json") {
            return Some(Answer::Printed(printed));
        }
        let taken = self.index.get(&case.name)?;
        let is_refused = match reading {
            // What stands in full was not asked for again without the checks.
            Reading::NoConsistency => taken.is_empty(),
            Reading::Full | Reading::NoInterpolate => !taken.iter().any(|name| name == reading.name()),
        };
        is_refused.then(|| Answer::Refused("recorded as refused".to_owned()))
    }
}
