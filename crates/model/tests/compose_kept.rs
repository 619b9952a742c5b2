//! Kept secrets as variables of a load: who wins, how they arrive, and what stands for one that is not there.

// A test may unwrap: it fails with the place.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use mainstay_model::compose::dialect::placeholder;
use mainstay_model::compose::kept::users;
use mainstay_model::compose::{FileProblem, Files, LoadRequest, Loaded, Shadow, load, name_of};
use mainstay_model::declared::declare;

struct Memory(BTreeMap<String, String>);

impl Files for Memory {
    fn read(&self, path: &str, _limit: u64) -> Result<Vec<u8>, FileProblem> {
        self.0.get(path).map(|text| text.clone().into_bytes()).ok_or(FileProblem::Missing)
    }

    fn is_directory(&self, _path: &str) -> bool {
        false
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const FILE: &str = r#"
services:
  web:
    image: nginx
    environment:
      - SESSION_SECRET
      - "URL=postgres://app:${DB_PASSWORD:?is needed}@db/app"
    secrets: [key]
  job:
    image: nginx
    profiles: [later]
    environment: { KEY: "${API_KEY}" }
secrets:
  key: { environment: API_KEY }
x-mainstay:
  secrets:
    SESSION_SECRET: { generate: 48 }
    DB_PASSWORD:
    API_KEY: { required: true }
    OPTIONAL: { required: false }
"#;

fn request(environment: &[(&str, &str)], secrets: &[(&str, &str)]) -> LoadRequest {
    LoadRequest {
        working_directory: "/srv/shop".to_owned(),
        files: vec!["/srv/shop/compose.yaml".to_owned()],
        environment: pairs(environment),
        secrets: pairs(secrets),
        ..LoadRequest::default()
    }
}

fn loaded(environment: &[(&str, &str)], dotenv: &str, secrets: &[(&str, &str)]) -> Loaded {
    let files = Memory(pairs(&[("/srv/shop/compose.yaml", FILE), ("/srv/shop/.env", dotenv)]));
    load(&request(environment, secrets), &files).unwrap()
}

fn variable(loaded: &Loaded, name: &str) -> String {
    let declared = declare(loaded).unwrap().declared;
    let web = declared.services.values().find(|service| service.name.as_str() == "web").unwrap();
    web.container.environment[name].reveal().to_owned()
}

#[test]
fn a_kept_value_arrives_byte_for_byte_and_is_not_read_again() {
    let awkward = "a$b ${HOME} $$ \"quoted\" 'single'\n# not a comment\t\\n€😀 = : {{.X}}";
    let all = [("SESSION_SECRET", awkward), ("DB_PASSWORD", awkward), ("API_KEY", awkward)];
    let loaded = loaded(&[("HOME", "/root")], "", &all);
    assert_eq!(variable(&loaded, "SESSION_SECRET"), awkward);
    assert_eq!(variable(&loaded, "URL"), format!("postgres://app:{awkward}@db/app"));
    let key = loaded.project.get("secrets").unwrap().get("key").unwrap().get("content").unwrap();
    assert_eq!(key.as_str(), Some(awkward));
    assert_eq!(loaded.kept.delivered.len(), 3);
    assert!(loaded.kept.absent.is_empty());
}

#[test]
fn the_environment_and_the_env_file_win_unless_they_say_nothing() {
    let kept = [("SESSION_SECRET", "kept"), ("DB_PASSWORD", "kept"), ("API_KEY", "kept")];
    let loaded = loaded(&[("DB_PASSWORD", "caller")], "SESSION_SECRET=file\nAPI_KEY=\n", &kept);
    assert_eq!(variable(&loaded, "SESSION_SECRET"), "file");
    assert_eq!(variable(&loaded, "URL"), "postgres://app:caller@db/app");
    let shadowed: Vec<_> = loaded.kept.shadowed.iter().map(|(name, by)| (name.as_str(), *by)).collect();
    assert_eq!(shadowed, [("DB_PASSWORD", Shadow::Caller), ("SESSION_SECRET", Shadow::EnvFile)]);
    assert!(loaded.kept.delivered.contains("API_KEY"));
    let values: Vec<&str> = loaded.kept.values.values().map(|value| value.reveal()).collect();
    assert_eq!(values, ["kept", "caller", "file"], "what has to be kept out of texts is the value in use");
}

#[test]
fn what_is_declared_and_not_there_keeps_no_file_from_being_read() {
    let loaded = loaded(&[], "", &[]);
    let absent: Vec<&str> = loaded.kept.absent.iter().map(String::as_str).collect();
    assert_eq!(absent, ["API_KEY", "DB_PASSWORD", "SESSION_SECRET"]);
    assert_eq!(variable(&loaded, "SESSION_SECRET"), placeholder("SESSION_SECRET"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.kept.declared["DB_PASSWORD"].line, 18);
}

#[test]
fn who_uses_a_secret_is_found_through_variables_lists_and_files() {
    let loaded = loaded(&[], "", &[("UNUSED", "\u{f8f0}UNUSED\u{f8f1}")]);
    let names: Vec<String> = ["API_KEY", "DB_PASSWORD", "SESSION_SECRET", "UNUSED"].map(str::to_owned).into();
    let users: Vec<String> = users(&loaded, &names)
        .into_iter()
        .map(|(name, users)| format!("{name}: {}", users.into_iter().collect::<Vec<_>>().join(" ")))
        .collect();
    assert_eq!(users, ["API_KEY: job web", "DB_PASSWORD: web", "SESSION_SECRET: web", "UNUSED: "]);
}

#[test]
fn the_name_of_a_stack_is_known_whatever_is_wrong_with_its_files() {
    let broken = "name: shop-${STAGE}\nservices: { a: { image: '${MISSING:?}', nonsense: 1 } }\n";
    let files = Memory(pairs(&[("/srv/shop/compose.yaml", broken), ("/srv/shop/.env", "STAGE=test\n")]));
    assert_eq!(name_of(&request(&[], &[]), &files).as_deref(), Some("shop-test"));
    assert_eq!(name_of(&request(&[], &[]), &Memory(BTreeMap::new())), None);
}
