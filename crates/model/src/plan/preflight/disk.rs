//! Room on the disks that a release writes to.

use std::collections::BTreeMap;

use super::Seen;
use crate::declared::Declared;
use crate::observed::Observed;
use crate::plan::{Action, Finding, Level, Plan};

const MEGA: u64 = 1_000_000;
/// So much is left free on the engine's disk, or a twentieth of it where that is less.
const ENGINE_KEEPS_FREE: u64 = 1000 * MEGA;
/// The journal writes little, but it has to be able to.
const STATE_KEEPS_FREE: u64 = 50 * MEGA;

/// Whose folder is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskOf {
    /// The engine's images, containers and volumes.
    Engine,
    /// The state folder.
    State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    pub of: DiskOf,
    pub folder: String,
    /// Bytes that can still be written there.
    pub free: u64,
    pub total: u64,
}

/// For every image that the plan fetches: the one that the service runs now. How large the new one is nobody tells
/// before it is there; the one before it is the best that is known.
pub(super) fn of_like_size(declared: &Declared, plan: &Plan, observed: &Observed) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for image in fetched(plan) {
        let services = declared.services.values().filter(|service| service.image == image);
        let running = services.flat_map(|service| observed.of_service(&service.name));
        if let Some(container) = running.into_iter().next() {
            found.insert(image.to_owned(), container.image_id.clone());
        }
    }
    found
}

fn fetched(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::PullImage { image, .. } | Action::BuildImage { image, .. } => Some(image.as_str()),
        _ => None,
    })
}

pub(super) fn find(declared: &Declared, plan: &Plan, observed: &Observed, seen: &Seen) -> Vec<Finding> {
    let like = of_like_size(declared, plan, observed);
    let images: u64 = like.values().filter_map(|id| seen.images.get(id)).sum();
    let fetches = fetched(plan).next().is_some();
    seen.disks.iter().filter_map(|disk| judge(disk, images, fetches)).collect()
}

fn judge(disk: &Disk, images: u64, fetches: bool) -> Option<Finding> {
    let (keeps_free, needed, whose) = match disk.of {
        DiskOf::Engine => (ENGINE_KEEPS_FREE, images, "the engine's folder"),
        DiskOf::State => (STATE_KEEPS_FREE, 0, "the state folder"),
    };
    let keeps_free = keeps_free.min(disk.total / 20);
    if disk.free >= keeps_free + needed {
        return None;
    }
    // Without an image to fetch it most likely still fits; without a journal nothing can be done at all.
    let level = if fetches || disk.of == DiskOf::State { Level::Refusal } else { Level::Warning };
    let mut message =
        format!("{} are free for {whose} `{}`, and {} should be left", size(disk.free), disk.folder, size(keeps_free));
    if needed > 0 {
        let more = format!(" after images of about {} (the size of those that run now)", size(needed));
        message.push_str(&more);
    }
    let free_some = match disk.of {
        DiskOf::Engine => "`docker system df` says what takes the room",
        DiskOf::State => "make room there",
    };
    let hint = format!("{free_some}; `--skip-preflight disk` goes on all the same");
    Some(Finding { level, code: "disk-full".into(), message, hint: Some(hint) })
}

/// `1.2 GB`, `340 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / MEGA),
        _ => format!("{}.{} GB", bytes / (1000 * MEGA), bytes / (100 * MEGA) % 10),
    }
}
