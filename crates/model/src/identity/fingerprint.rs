//! Fingerprints: which field of a container differs, told without keeping any value.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// Field name (`image`, `environment.LOG_LEVEL`, `ports`…) to the first 12 hex digits of its value's digest.
pub type Fields = BTreeMap<String, String>;

/// The short digest of any value, by its canonical JSON (maps in the model are sorted, so it is stable).
pub fn digest(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).unwrap_or_default();
    let hash = Sha256::digest(&json);
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// The fields in which two fingerprints differ, sorted; a field that one side lacks differs.
pub fn changed_fields(before: &Fields, after: &Fields) -> Vec<String> {
    let mut changed: Vec<String> = after
        .iter()
        .filter(|(field, digest)| before.get(*field) != Some(digest))
        .map(|(field, _)| field.clone())
        .collect();
    changed.extend(before.keys().filter(|field| !after.contains_key(*field)).cloned());
    changed.sort();
    changed
}
