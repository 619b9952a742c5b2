//! A stack's Compose files as texts, to be read elsewhere: as they are written, with nothing put in for variables, and
//! without env files, whose values stay where they are.

use std::collections::BTreeMap;

use mainstay_model::compose::{self, LoadOptions, Node};
use mainstay_model::declared;
use mainstay_model::identity::StackName;

use super::{Disk, Find, SourcesError, find, paths, request};

/// What another machine needs to read the same files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// `None` where the files do not tell.
    pub stack: Option<StackName>,
    /// The main files, in merging order, by their paths in `files`.
    pub main: Vec<String>,
    /// Path and text of each, includes and extended files too. Paths are relative to the folder that all are in.
    pub files: Vec<(String, String)>,
    /// The folder that relative paths of the declaration start from. Absolute.
    pub directory: String,
    /// What the databases name of SQL, by their names under `x-mainstay.databases`.
    pub databases: BTreeMap<String, SqlPaths>,
}

/// As they are written: nothing is put in for variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlPaths {
    /// `migrations.dir`.
    pub dir: Option<String>,
    /// Whether a release is to apply what lies there, as far as that is written.
    pub release: bool,
    /// `drift.before`.
    pub before: Option<String>,
}

/// The texts of a stack's files.
///
/// # Errors
/// When there is no file, or one of them cannot be read as YAML.
pub fn texts(wanted: &Find) -> Result<Texts, SourcesError> {
    let disk = Disk::new(wanted.stdin.clone().map(|content| (paths::stdin(&wanted.working_directory), content)));
    let found = find::found(wanted, &disk)?;
    let stack = compose::name_of(&request(wanted, &found), &disk).and_then(|name| StackName::new(name).ok());
    let options = LoadOptions {
        interpolate: false,
        resolve_paths: false,
        resolve_env_files: false,
        normalize: false,
        consistency: false,
    };
    let mut environment = wanted.environment.clone();
    environment.insert("COMPOSE_DISABLE_ENV_FILE".to_owned(), "1".to_owned());
    environment.remove("COMPOSE_ENV_FILES");
    let plain = Find { options, environment, env_files: Vec::new(), generated: BTreeMap::new(), ..wanted.clone() };
    let mut asked = request(&plain, &found);
    asked.env_files = Vec::new();
    asked.project_name = stack.as_ref().map(ToString::to_string).or(asked.project_name);
    let refused = |refused| SourcesError::Refused(declared::judge_the_rest(refused));
    let loaded = compose::load(&asked, &disk).map_err(refused)?;
    let main = &found.files;
    let is_yaml = |path: &str| path.ends_with(".yaml") || path.ends_with(".yml") || path.ends_with(".json");
    let mut files: BTreeMap<&str, &str> = BTreeMap::new();
    for (path, text) in loaded.sources.without_values() {
        if is_yaml(path) || main.iter().any(|one| one == path) {
            files.insert(path, text);
        }
    }
    let root = common_folder(files.keys().copied());
    let below = |path: &str| path.strip_prefix(root.as_str()).unwrap_or(path).trim_start_matches('/').to_owned();
    Ok(Texts {
        stack,
        main: main.iter().map(|path| below(path)).collect(),
        files: files.into_iter().map(|(path, text)| (below(path), text.to_owned())).collect(),
        databases: sql_paths(&loaded.project),
        directory: loaded.project_directory,
    })
}

fn sql_paths(project: &Node) -> BTreeMap<String, SqlPaths> {
    let databases = project.get("x-mainstay").and_then(|words| words.get("databases")).and_then(Node::as_map);
    let text = |node: Option<&Node>| node.and_then(Node::as_str).map(str::to_owned);
    let paths = |database: &Node| {
        let migrations = database.get("migrations");
        let release = migrations.and_then(|one| one.get("release"));
        SqlPaths {
            dir: text(migrations.and_then(|one| one.get("dir"))),
            // A variable may say yes.
            release: release.is_some_and(|one| one.as_bool().unwrap_or(one.as_str() != Some("false"))),
            before: text(database.get("drift").and_then(|one| one.get("before"))),
        }
    };
    databases.into_iter().flat_map(|all| all.iter()).map(|(name, one)| (name.to_owned(), paths(&one.node))).collect()
}

/// The nearest folder that all of these are in.
fn common_folder<'p>(mut all: impl Iterator<Item = &'p str>) -> String {
    let folder = |path: &'p str| paths::parent(path).unwrap_or("/");
    let Some(first) = all.next() else { return "/".to_owned() };
    let mut common: Vec<&str> = folder(first).split('/').collect();
    for path in all {
        let other: Vec<&str> = folder(path).split('/').collect();
        let same = common.iter().zip(&other).take_while(|(one, other)| one == other).count();
        common.truncate(same);
    }
    common.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        folder
    }

    fn find_in(folder: &std::path::Path) -> Find {
        Find { working_directory: folder.display().to_string(), ..Find::default() }
    }

    #[test]
    fn files_must_be_taken_as_written_and_env_files_left() {
        let compose = "name: shop\ninclude: [../shared/db.yaml]\nservices:\n  web:\n    image: a:${TAG:?no tag}\n    \
                       env_file: [web.env]\n";
        let folder = folder(&[
            ("app/compose.yaml", compose),
            ("app/.env", "TAG=secret-tag\n"),
            ("app/web.env", "KEY=hunter2\n"),
            ("shared/db.yaml", "services:\n  db: { image: b }\n"),
            ("shared/.env", "OTHER=hunter3\n"),
        ]);
        let texts = texts(&find_in(&folder.path().join("app"))).expect("texts");
        assert_eq!(texts.stack.expect("a name").as_str(), "shop");
        assert_eq!(texts.main, ["app/compose.yaml"]);
        let paths: Vec<&str> = texts.files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["app/compose.yaml", "shared/db.yaml"]);
        assert_eq!(texts.files[0].1, compose);
        let all: String = texts.files.iter().map(|(_, text)| text.as_str()).collect();
        assert!(!all.contains("hunter") && !all.contains("secret-tag"));
    }

    #[test]
    fn the_file_of_an_environment_must_be_among_them() {
        let folder = folder(&[
            ("compose.yaml", "name: shop\nservices:\n  web: { image: a }\n"),
            ("compose.prod.yaml", "services:\n  web: { image: b }\n"),
        ]);
        let texts = texts(&Find { env: Some("prod".to_owned()), ..find_in(folder.path()) }).expect("texts");
        assert_eq!(texts.main, ["compose.yaml", "compose.prod.yaml"]);
    }

    #[test]
    fn what_databases_name_of_sql_must_be_known_as_it_is_written() {
        let databases = "name: shop\nservices:\n  db: { image: 'postgres:${PG:-17}' }\nx-mainstay:\n  databases:\n    \
                         crm: { service: db, migrations: { dir: ./sql, release: true } }\n    \
                         pms: { service: db, migrations: { dir: '${SQL:?}', release: '${NOW}' }, drift: { before: b.sql } }\n    \
                         old: { service: db }\n";
        let folder = folder(&[
            ("app/compose.yaml", databases),
            ("app/compose.prod.yaml", "x-mainstay:\n  databases:\n    crm: { migrations: { dir: ../sql } }\n"),
            ("app/.env", "SQL=/of/this/machine\n"),
        ]);
        let app = folder.path().join("app");
        let texts = texts(&Find { env: Some("prod".to_owned()), ..find_in(&app) }).expect("texts");
        assert_eq!(texts.directory, app.display().to_string());
        let of = |name: &str| texts.databases[name].clone();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(of("crm"), SqlPaths { dir: text("../sql"), release: true, before: None });
        assert_eq!(of("pms"), SqlPaths { dir: text("${SQL:?}"), release: true, before: text("b.sql") });
        assert_eq!(of("old"), SqlPaths::default());
    }
}
