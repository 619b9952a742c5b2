//! Whether the release that serves could be gone back to once the new one has taken its place.

use std::collections::BTreeMap;

use super::Seen;
use crate::plan::{Finding, Level, UpOptions};

/// The release that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    pub number: u32,
    /// What it declared is kept.
    pub is_kept: bool,
    /// Service to the engine's id of the image that runs.
    pub image_ids: BTreeMap<String, String>,
}

pub(super) fn find(last: &Last, options: &UpOptions, seen: &Seen) -> Option<Finding> {
    let gone = last.image_ids.iter().find(|(_, id)| !seen.images.contains_key(*id));
    let why = match gone {
        _ if !last.is_kept => "what it declared is not kept".to_owned(),
        Some((service, _)) => format!("the image of `{service}` is gone"),
        None => return None,
    };
    let message = format!("no way back to release {}, which serves: {why}", last.number);
    let (level, hint) = match options.way_back_required {
        true => (Level::Refusal, "`--require-way-back` was given; without it the release is made all the same"),
        false => (Level::Warning, "`--require-way-back` refuses such a release"),
    };
    Some(Finding { level, code: "no-way-back".into(), message, hint: Some(hint.into()) })
}
