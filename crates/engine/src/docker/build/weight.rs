//! What a context weighs, and what of it weighs most: nobody means to send `node_modules`.

use std::collections::BTreeMap;

/// From here on a context is remarked on.
const HEAVY: u64 = 100_000_000;
/// Folders that a build makes anew, wherever they stand.
const MADE_ANEW: [&str; 7] = ["node_modules", ".git", "target", "dist", ".next", ".venv", "__pycache__"];

#[derive(Clone, Debug, Default)]
pub(super) struct Weight {
    total: u64,
    /// By the folder to blame: one that is made anew, or else the first word of the path.
    by_folder: BTreeMap<String, u64>,
}

impl Weight {
    pub(super) fn add(&mut self, path: &str, bytes: u64) {
        self.total += bytes;
        *self.by_folder.entry(blamed(path).to_owned()).or_default() += bytes;
    }

    /// What is worth saying of it.
    pub(super) fn remark(&self) -> Option<String> {
        if self.total < HEAVY {
            return None;
        }
        let (folder, bytes) = self.by_folder.iter().max_by_key(|(_, bytes)| **bytes)?;
        Some(format!(
            "the context weighs {} MB, {} MB of it in `{folder}`: what the build does not need belongs into .dockerignore",
            self.total / 1_000_000,
            bytes / 1_000_000,
        ))
    }
}

fn blamed(path: &str) -> &str {
    let mut end = 0;
    for word in path.split('/') {
        end += word.len();
        if MADE_ANEW.contains(&word) {
            return &path[..end];
        }
        end += 1;
    }
    path.split('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heavy_context_names_what_weighs() {
        let mut weight = Weight::default();
        weight.add("apps/web/node_modules/a/index.js", 90_000_000);
        weight.add("apps/web/src/a.ts", 1_000_000);
        assert_eq!(weight.remark(), None);
        weight.add("apps/web/node_modules/b/index.js", 50_000_000);
        let said = weight.remark().expect("141 MB are heavy");
        assert!(said.contains("141 MB, 140 MB of it in `apps/web/node_modules`"), "{said}");
    }
}
