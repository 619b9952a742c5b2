//! What lies in the folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::compose::name::normalize;

/// The folder, as far as it was looked at.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The folder's own name.
    pub folder: String,
    /// Paths of files and folders below it, down to the third level; folders of dependencies are not looked into.
    pub paths: BTreeSet<String>,
    /// The text of those that [`Found::is_worth_reading`].
    pub texts: BTreeMap<String, String>,
}

/// Looked into by nobody: what is in them was made or fetched.
pub const SKIPPED: [&str; 12] = [
    "node_modules",
    "target",
    ".git",
    "dist",
    "build",
    ".next",
    ".nuxt",
    ".output",
    "venv",
    ".venv",
    "__pycache__",
    "vendor",
];

const READ: [&str; 12] = [
    "package.json",
    "Cargo.toml",
    "pyproject.toml",
    "requirements.txt",
    "Dockerfile",
    ".env.example",
    ".nvmrc",
    ".node-version",
    ".git/config",
    "src/main.rs",
    "manage.py",
    ".dockerignore",
];
const SOURCES: [&str; 5] = [".js", ".mjs", ".ts", ".py", ".rs"];

impl Found {
    /// Whether the text of a file says something about the app: what describes it, and its sources near the top.
    pub fn is_worth_reading(path: &str) -> bool {
        let is_source = SOURCES.iter().any(|end| path.ends_with(end));
        READ.contains(&path) || path.ends_with("/Cargo.toml") || is_source && path.matches('/').count() <= 2
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// The sources with these endings, those at the top first.
    pub(super) fn sources(&self, ends: &'static [&'static str]) -> impl Iterator<Item = (&str, &str)> + Clone {
        let is_one = move |path: &str| ends.iter().any(|end| path.ends_with(end));
        let mut sources: Vec<(&str, &str)> = self
            .texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .filter(|(path, _)| is_one(path))
            .collect();
        sources.sort_by_key(|(path, _)| path.matches('/').count());
        sources.into_iter()
    }

    /// A name that a stack can have, from the folder's.
    pub(super) fn stack_name(&self) -> String {
        let name = normalize(&self.folder.replace(['.', ' '], "-"));
        if name.is_empty() { "app".to_owned() } else { name }
    }

    /// `ghcr.io/acme/shop` where the folder is a clone from GitHub, else the stack's name.
    pub(super) fn image(&self) -> String {
        let config = self.text(".git/config").unwrap_or_default();
        let urls = config.lines().filter_map(|line| line.trim().strip_prefix("url")?.trim().strip_prefix('='));
        let repository = urls.filter_map(|url| {
            let (_, path) = url.trim().split_once("github.com")?;
            let path = path.trim_start_matches([':', '/']).trim_end_matches('/').trim_end_matches(".git");
            let (owner, name) = path.split_once('/')?;
            let fits = |part: &str| {
                !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
            };
            (fits(owner) && fits(name)).then(|| format!("ghcr.io/{owner}/{name}").to_ascii_lowercase())
        });
        repository.into_iter().next().unwrap_or_else(|| self.stack_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cloned_from(url: &str) -> String {
        let config = format!("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = {url}\n");
        Found { folder: "My Shop".into(), texts: [(".git/config".to_owned(), config)].into(), ..Found::default() }
            .image()
    }

    #[test]
    fn the_image_is_named_after_the_repository() {
        for url in
            ["git@github.com:Acme/Shop.git", "https://github.com/acme/shop", "ssh://git@github.com/acme/shop.git/"]
        {
            assert_eq!(cloned_from(url), "ghcr.io/acme/shop", "{url}");
        }
        for url in ["https://git.example/acme/shop", "https://github.com/", "https://github.com/a/b/c d"] {
            assert_eq!(cloned_from(url), "my-shop", "{url}");
        }
        assert_eq!(Found { folder: "…".into(), ..Found::default() }.image(), "app");
    }
}
