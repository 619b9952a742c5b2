//! Why a `COPY` found nothing: the context is another folder than the Dockerfile's author thought of, or the ignore
//! file keeps the thing out. Says which context would have had it.

use std::path::{Component, Path, PathBuf};

use super::dockerignore::Ignore;
use super::recipe::{Instruction, Recipe, inside};

/// So many entries are looked at, at most, to find a thing of the same name.
const LOOKED_AT: usize = 5_000;
const DEEPEST: usize = 6;

/// Where a build's files come from.
pub(super) struct Grounds<'a> {
    /// The Compose file's folder: what is suggested is relative to it.
    pub(super) project: &'a Path,
    pub(super) context: &'a Path,
    /// `None` for an inline one.
    pub(super) dockerfile: Option<&'a Path>,
    pub(super) ignore: &'a Ignore,
    /// `.dockerignore`, or the one beside the Dockerfile.
    pub(super) ignore_name: &'a str,
    /// The root of a repository that was fetched for this build: its contexts are changed in a URL.
    pub(super) fetched: Option<&'a Path>,
}

/// A sentence for each source that the context does not have, with its instruction; those that the builder's
/// complaint names come first and alone.
pub(super) fn explain<'r>(
    recipe: &'r Recipe,
    grounds: &Grounds<'_>,
    complaint: &str,
) -> Vec<(&'r Instruction, String)> {
    let complaint = complaint.to_lowercase();
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for instruction in recipe.copies() {
        for source in &instruction.sources {
            let Some(sentence) = grounds.miss(source, instruction.line) else { continue };
            let path = inside(source).display().to_string().to_lowercase();
            let is_named = complaint.contains(&path) || complaint.contains(&source.to_lowercase());
            if is_named { &mut named } else { &mut others }.push((instruction, sentence));
        }
    }
    if named.is_empty() { others } else { named }
}

impl Grounds<'_> {
    /// Why a source is not in the context; `None` when it is.
    fn miss(&self, source: &str, line: usize) -> Option<String> {
        // Of a pattern, what stands before its first wildcard.
        let plain =
            source.find(['*', '?', '[']).map_or(source, |at| source[..at].rsplit_once('/').map_or("", |it| it.0));
        let path = inside(plain);
        if path.as_os_str().is_empty() {
            return None;
        }
        let copies =
            format!("the context is `{}`, and the Dockerfile copies `{source}` (line {line})", self.shown_context());
        let here = self.context.join(&path);
        if here.symlink_metadata().is_ok() {
            let (number, rule) = self.ignore.ignoring_line(&path.to_string_lossy())?;
            return Some(format!(
                "{copies}: it is there, and excluded by line {number} of {} (`{rule}`)",
                self.ignore_name
            ));
        }
        let found = self.found_above(plain, &path);
        let Some((root, found)) = found else {
            return Some(format!("{copies}, which is not there{}", self.alike(&path)));
        };
        let mut sentence = format!("{copies}: it exists in {}: {}", self.called(&root), self.set_context(&root));
        let from_root = relative(&root, &found).display().to_string();
        if from_root != plain.trim_start_matches("./").trim_end_matches('/') {
            sentence.push_str(&format!(", and copy `{from_root}`"));
        }
        sentence.push_str("; the Dockerfile's other paths then start there, too");
        Some(sentence)
    }

    /// The nearest folder above the context that would have had the thing, and the thing.
    fn found_above(&self, source: &str, path: &Path) -> Option<(PathBuf, PathBuf)> {
        let literal = lexical(&self.context.join(source));
        let limit = self.limit();
        if !literal.starts_with(self.context) && literal.starts_with(&limit) && literal.symlink_metadata().is_ok() {
            let root = self.context.ancestors().find(|above| literal.starts_with(above) && **above != literal)?;
            return Some((root.to_owned(), literal));
        }
        let above = self.context.ancestors().skip(1).take_while(|above| above.starts_with(&limit));
        above.map(|above| (above.to_owned(), above.join(path))).find(|(_, found)| found.symlink_metadata().is_ok())
    }

    /// How far up is looked: the repository's root, or else the Compose file's folder, or else one folder.
    fn limit(&self) -> PathBuf {
        if let Some(fetched) = self.fetched {
            return fetched.to_owned();
        }
        if let Some(root) = repository_of(self.context) {
            return root.to_owned();
        }
        match self.context.starts_with(self.project) {
            true => self.project.to_owned(),
            false => self.context.parent().unwrap_or(self.context).to_owned(),
        }
    }

    fn called(&self, root: &Path) -> String {
        if self.fetched == Some(root) || repository_of(self.context) == Some(root) {
            return "the repository's root".into();
        }
        if root == self.project {
            return "the Compose file's folder".into();
        }
        format!("`{}`", self.shown(root))
    }

    fn set_context(&self, root: &Path) -> String {
        let dockerfile = self.dockerfile.map(|path| relative(root, path).display().to_string());
        let dockerfile = dockerfile.map(|path| format!(" and `dockerfile: {path}`")).unwrap_or_default();
        match self.fetched {
            Some(fetched) if fetched == root => format!("take the subfolder away from the context's URL{dockerfile}"),
            Some(fetched) => {
                format!("let the context's URL end with `:{}`{dockerfile}", relative(fetched, root).display())
            }
            None => format!("set `context: {}`{dockerfile}", self.shown(root)),
        }
    }

    /// Something of the same name that the context has.
    fn alike(&self, path: &Path) -> String {
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().to_lowercase()) else {
            return String::new();
        };
        let mut left = LOOKED_AT;
        let found = self.search(self.context, &name, 0, &mut left);
        let found = found.map(|found| relative(self.context, &found).display().to_string());
        found.map(|found| format!("; the context has `{found}`: paths start at the context")).unwrap_or_default()
    }

    fn search(&self, folder: &Path, name: &str, depth: usize, left: &mut usize) -> Option<PathBuf> {
        let mut entries: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        let mut folders = Vec::new();
        for entry in entries {
            *left = left.checked_sub(1)?;
            let path = entry.path();
            let told = entry.file_name().to_string_lossy().to_lowercase();
            let stays_out = self.ignore.ignores(&relative(self.context, &path).to_string_lossy());
            if stays_out || matches!(told.as_str(), "node_modules" | ".git") {
                continue;
            }
            if told == name {
                return Some(path);
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && depth < DEEPEST {
                folders.push(path);
            }
        }
        folders.into_iter().find_map(|folder| self.search(&folder, name, depth + 1, left))
    }

    fn shown_context(&self) -> String {
        match self.fetched {
            Some(fetched) => relative(fetched, self.context).display().to_string(),
            None => self.shown(self.context),
        }
    }

    fn shown(&self, path: &Path) -> String {
        relative(self.project, path).display().to_string()
    }
}

fn repository_of(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|above| above.join(".git").exists())
}

/// The way from one folder to a path, by their names alone; `.` when they are the same.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to) = (lexical(from), lexical(to));
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    if way.as_os_str().is_empty() { PathBuf::from(".") } else { way }
}

/// Without `.` and `..`.
fn lexical(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(found.pop()),
            part => found.push(part),
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new(files: &[&str]) -> Repository {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join(".git")).unwrap();
            for file in files {
                let at = folder.path().join(file);
                std::fs::create_dir_all(at.parent().unwrap()).unwrap();
                std::fs::write(at, "x").unwrap();
            }
            Repository(folder)
        }

        /// What is said of a Dockerfile in `apps/backend`, built with a context from a Compose file's folder.
        fn says(&self, dockerfile: &str, project: &str, context: &str, ignore: &str) -> Vec<String> {
            let at = |path: &str| lexical(&self.0.path().join(path));
            let grounds = Grounds {
                project: &at(project),
                context: &at(context),
                dockerfile: Some(&at("apps/backend/Dockerfile")),
                ignore: &Ignore::parse(ignore),
                ignore_name: ".dockerignore",
                fetched: None,
            };
            explain(&Recipe::read(dockerfile), &grounds, "").into_iter().map(|(_, sentence)| sentence).collect()
        }
    }

    #[test]
    fn a_context_that_is_too_small_is_told_with_the_one_that_fits() {
        let repository = Repository::new(&["packages/ui/a.ts", "apps/backend/package.json"]);
        let dockerfile = "FROM node\nCOPY package.json .\nCOPY ../packages ./packages\n";
        assert_eq!(
            repository.says(dockerfile, "apps/backend", "apps/backend", ""),
            [
                "the context is `.`, and the Dockerfile copies `../packages` (line 3): it exists in the repository's root: \
              set `context: ../..` and `dockerfile: apps/backend/Dockerfile`, and copy `packages`; \
              the Dockerfile's other paths then start there, too"
            ]
        );
        assert_eq!(
            repository.says("FROM node\nCOPY packages/ui ./ui\n", ".", "apps/backend", ""),
            ["the context is `apps/backend`, and the Dockerfile copies `packages/ui` (line 2): it exists in the \
              repository's root: set `context: .` and `dockerfile: apps/backend/Dockerfile`; the Dockerfile's other \
              paths then start there, too"]
        );
    }

    #[test]
    fn what_the_ignore_file_keeps_out_is_told_with_its_line() {
        let repository = Repository::new(&["packages/ui/a.ts", "apps/backend/package.json"]);
        assert_eq!(
            repository.says("FROM node\nCOPY packages/ui /ui\n", ".", ".", "# ours\n\npackages\n"),
            [
                "the context is `.`, and the Dockerfile copies `packages/ui` (line 2): it is there, and excluded by line 3 \
              of .dockerignore (`packages`)"
            ]
        );
    }

    #[test]
    fn a_path_that_starts_at_the_dockerfile_is_told_from_the_context() {
        let repository = Repository::new(&["apps/backend/package.json"]);
        let said = repository.says("FROM node\nCOPY package.json .\nCOPY nothing.txt .\n", ".", ".", "");
        assert!(
            said[0].ends_with(
                "which is not there; the context has `apps/backend/package.json`: paths start at the context"
            )
        );
        assert!(said[1].ends_with("copies `nothing.txt` (line 3), which is not there"), "{said:?}");
    }

    #[test]
    fn what_is_there_and_what_has_a_variable_are_no_miss() {
        let repository = Repository::new(&["src/a.ts", "package.json"]);
        let dockerfile = "FROM node\nCOPY . /app\nCOPY src/*.ts package*.json ./\nCOPY $WHAT /x\n";
        assert!(repository.says(dockerfile, ".", ".", "").is_empty());
    }

    #[test]
    fn what_the_builder_names_comes_alone() {
        let repository = Repository::new(&["package.json"]);
        let recipe = Recipe::read("FROM node\nCOPY other /\nCOPY meant /\n");
        let ignore = Ignore::default();
        let grounds = Grounds {
            project: repository.0.path(),
            context: repository.0.path(),
            dockerfile: None,
            ignore: &ignore,
            ignore_name: ".dockerignore",
            fetched: None,
        };
        let said = explain(&recipe, &grounds, "failed to compute cache key: \"/meant\" not found: not found");
        assert_eq!(said.iter().map(|(it, _)| it.line).collect::<Vec<_>>(), [3]);
    }
}
