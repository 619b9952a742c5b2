use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mainstay_model::compose::{FileProblem, Files};
use mainstay_model::identity::StackName;

use super::*;

/// A folder with files in it: name and content.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Folder(folder)
    }

    fn path(&self, name: &str) -> String {
        let root: PathBuf = self.0.path().canonicalize().unwrap();
        paths::join(root.to_str().unwrap(), name)
    }

    fn find(&self) -> Find {
        Find { working_directory: self.path("."), ..Find::default() }
    }

    /// The names of the files found, relative to the folder.
    fn found(&self, find: &Find) -> Result<Vec<String>, SourcesError> {
        let disk = Disk::new(None);
        let root = format!("{}/", self.path("."));
        let found = find::found(find, &disk)?;
        Ok(found.files.iter().map(|path| path.strip_prefix(&root).unwrap_or(path).to_owned()).collect())
    }
}

const WEB: &str = "services:\n  web:\n    image: tiny:1\n";

#[test]
fn the_search_goes_by_preference_and_upwards_and_takes_the_override() {
    let folder = Folder::with(&[
        ("docker-compose.yml", WEB),
        ("compose.yml", WEB),
        ("compose.override.yaml", ""),
        ("deep/er/x.txt", ""),
        ("other/docker-compose.yaml", WEB),
    ]);
    assert_eq!(folder.found(&folder.find()).unwrap(), ["compose.yml", "compose.override.yaml"]);
    let deep = Find { working_directory: folder.path("deep/er"), ..Find::default() };
    assert_eq!(folder.found(&deep).unwrap(), ["compose.yml", "compose.override.yaml"]);
    let other = Find { working_directory: folder.path("other"), ..Find::default() };
    assert_eq!(folder.found(&other).unwrap(), ["other/docker-compose.yaml"]);
    let warnings = find::found(&folder.find(), &Disk::new(None)).unwrap().warnings;
    assert!(warnings[0].message.contains("`compose.yml` is taken, and `docker-compose.yml` left out"));
}

#[test]
fn nothing_found_says_where_it_was_looked_for() {
    let folder = Folder::with(&[("sub/x.txt", "")]);
    let find = Find { working_directory: folder.path("sub"), ..Find::default() };
    let Err(SourcesError::NotFound { directory }) = load(&find) else { panic!("found something") };
    assert_eq!(directory, folder.path("sub"));
    let find = Find { files: vec!["sub".into()], ..folder.find() };
    let Err(SourcesError::EmptyFolder { folder: told }) = load(&find) else { panic!("found something") };
    assert_eq!(told, folder.path("sub"));
}

#[test]
fn compose_file_names_the_files_from_the_environment_or_from_dotenv() {
    let folder = Folder::with(&[
        ("a.yaml", WEB),
        ("b.yaml", WEB),
        ("compose.yaml", WEB),
        (".env", "COMPOSE_PATH_SEPARATOR=;\nCOMPOSE_FILE=b.yaml;a.yaml\n"),
    ]);
    assert_eq!(folder.found(&folder.find()).unwrap(), ["b.yaml", "a.yaml"]);
    let mut find = folder.find();
    find.environment.insert("COMPOSE_FILE".into(), "a.yaml:b.yaml".into());
    assert_eq!(folder.found(&find).unwrap(), ["a.yaml", "b.yaml"]);
    find.files = vec!["compose.yaml".into()];
    assert_eq!(folder.found(&find).unwrap(), ["compose.yaml"], "`--file` wins");
}

#[test]
fn a_file_may_be_a_folder_or_the_standard_input() {
    let folder = Folder::with(&[("app/compose.yaml", WEB)]);
    let find = Find { files: vec!["app".into()], ..folder.find() };
    assert_eq!(folder.found(&find).unwrap(), ["app/compose.yaml"]);
    let mut find = Find { files: vec!["-".into()], project_name: Some("piped".into()), ..folder.find() };
    assert!(matches!(load(&find), Err(SourcesError::NoStdin)));
    find.stdin = Some(WEB.into());
    let read = read(&find).unwrap();
    assert_eq!(read.declared.stack.as_str(), "piped");
    assert_eq!(read.declared.services.len(), 1);
}

#[test]
fn an_environment_adds_its_files_and_leaves_the_override_out() {
    let folder = Folder::with(&[
        ("compose.yaml", "services:\n  web:\n    image: ${IMAGE}:${TAG}\n"),
        ("compose.override.yaml", "services:\n  dev:\n    image: dev:1\n"),
        ("compose.prod.yml", "services:\n  worker:\n    image: worker:1\n"),
        (".env", "IMAGE=web\nTAG=dev\n"),
        (".env.prod", "TAG=7\n"),
    ]);
    let find = Find { env: Some("prod".into()), ..folder.find() };
    let read = read(&find).unwrap();
    let images: Vec<&str> = read.declared.services.values().map(|service| service.image.as_str()).collect();
    assert_eq!(images, ["web:7", "worker:1"]);
    assert!(read.warnings.render().contains("`compose.override.yaml` is left out"));

    let find = Find { env: Some("stage".into()), ..folder.find() };
    let error = load(&find).unwrap_err().to_string();
    for name in ["no environment `stage`", "compose.stage.yaml", "compose.stage.yml", ".env.stage"] {
        assert!(error.contains(name), "{error}");
    }
    for bad in ["../prod", "", "a/b", "a b"] {
        let find = Find { env: Some(bad.into()), ..folder.find() };
        assert!(matches!(load(&find), Err(SourcesError::BadEnvironment { .. })), "{bad}");
    }
}

#[test]
fn a_refused_file_is_told_with_its_place() {
    let folder = Folder::with(&[("compose.yaml", "services:\n  web:\n    imag: tiny:1\n")]);
    let Err(SourcesError::Refused(diagnostics)) = read(&folder.find()) else { panic!("it was read") };
    assert!(diagnostics.render().contains("compose.yaml:3:"), "{}", diagnostics.render());
}

#[test]
fn the_disk_opens_nothing_that_hangs_or_has_no_end() {
    let folder = Folder::with(&[("large", "0123456789"), ("sub/x", "")]);
    let fifo = folder.path("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let disk = Disk::new(None);
    let began = Instant::now();
    assert!(matches!(disk.read(&fifo, 100), Err(FileProblem::Other(_))));
    assert!(matches!(disk.read("/dev/zero", 100), Err(FileProblem::Other(_))));
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(disk.read(&folder.path("large"), 9), Err(FileProblem::TooLarge { limit: 9 }));
    assert_eq!(disk.read(&folder.path("large"), 10).unwrap(), b"0123456789");
    assert_eq!(disk.read("/proc/self/status", 10), Err(FileProblem::TooLarge { limit: 10 }));
    assert_eq!(disk.read(&folder.path("sub"), 10), Err(FileProblem::Directory));
    assert_eq!(disk.read(&folder.path("none"), 10), Err(FileProblem::Missing));
    assert_eq!(disk.read(&folder.path("large/none"), 10), Err(FileProblem::Missing));
    assert_eq!(disk.read("/dev/null", 10).unwrap(), b"");
}

#[test]
fn a_required_stack_is_looked_for_beside_this_one() {
    let folder = Folder::with(&[("web/compose.yaml", WEB), ("supabase/docker-compose.yml", WEB), ("empty/x", "")]);
    let web = folder.path("web");
    let beside = |name: &str| sibling(&web, &StackName::new(name).unwrap());
    assert_eq!(beside("supabase"), Some(folder.path("supabase")));
    assert_eq!((beside("empty"), beside("none")), (None, None));
    assert!(Path::new(&folder.path("supabase")).is_dir());
}

#[test]
fn paths_are_cleaned_as_text() {
    assert_eq!(paths::join("/srv/shop", "../crm/./compose.yaml"), "/srv/crm/compose.yaml");
    assert_eq!(paths::join("/srv", "/etc//x"), "/etc/x");
    assert_eq!(paths::join("/", "../.."), "/");
    assert_eq!((paths::parent("/"), paths::parent("/srv"), paths::parent("/srv/a")), (None, Some("/"), Some("/srv")));
}
