//! Values that somebody has to make up: which are asked for, and what stands in their place.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::compose::dialect::{Kind, Worn, placeholder, recover};
use mainstay_model::compose::{Dialect, LoadRequest};
use mainstay_model::declared::{Declared, Hidden, declare};
use mainstay_model::identity::ServiceName;

use super::{FILE, Memory, declared, declared_with, load_with, loaded, set, variable};

const STACK: &str = "
services:
  web:
    image: a
    command: serve --key ${SERVICE_HEX_32_KEY}
    environment:
      DATABASE_URL: postgres://$SERVICE_USER_DB:${SERVICE_PASSWORD_64_DB:-unused}@db:5432/app
      SERVICE_BASE64_APP:
      PLAIN: ${SERVICE_OPENAI_KEY:-none}
  db:
    image: b
    environment:
      - SERVICE_PASSWORD_64_DB
      - POSTGRES_USER=$SERVICE_USER_DB
      - POSTGRES_PASSWORD=$SERVICE_PASSWORD_64_DB
      - PEER=$SERVICE_NAME_WEB
";

const NAMES: [&str; 4] = ["SERVICE_BASE64_APP", "SERVICE_HEX_32_KEY", "SERVICE_PASSWORD_64_DB", "SERVICE_USER_DB"];

fn give(request: &mut mainstay_model::compose::LoadRequest) {
    request.generated = NAMES.iter().map(|name| ((*name).to_owned(), format!("v${}", name.len()))).collect();
}

#[test]
fn each_is_asked_for_once_with_its_kind_and_place() {
    let spoken = loaded(STACK).spoken;
    let asked: Vec<(&str, u32)> = spoken.generated.iter().map(|one| (one.name.as_str(), one.span.line)).collect();
    assert_eq!(asked, NAMES.into_iter().zip([8, 5, 7, 7]).collect::<Vec<_>>());
    assert_eq!(spoken.generated[2].kind, Kind::Password { length: 64, symbols: false });
    assert_eq!(spoken.missing().count(), 4);
    let declared = declared(STACK);
    assert_eq!(variable(&declared, "db", "POSTGRES_USER"), placeholder("SERVICE_USER_DB"));
    assert_eq!(variable(&declared, "db", "PEER"), "web");
    assert_eq!(variable(&declared, "web", "PLAIN"), "none");
}

#[test]
fn a_kept_value_stands_everywhere_as_it_is() {
    assert_eq!(load_with(STACK, give).unwrap().spoken.missing().count(), 0);
    let declared = declared_with(STACK, give);
    assert_eq!(variable(&declared, "web", "DATABASE_URL"), "postgres://v$15:v$22@db:5432/app");
    assert_eq!(variable(&declared, "web", "SERVICE_BASE64_APP"), "v$18");
    assert_eq!(variable(&declared, "db", "SERVICE_PASSWORD_64_DB"), "v$22");
}

#[test]
fn what_the_environment_says_wins_and_is_not_asked_for() {
    let change = |request: &mut mainstay_model::compose::LoadRequest| {
        give(request);
        set(request, &[("SERVICE_PASSWORD_64_DB", "mine"), ("SERVICE_USER_DB", "")]);
    };
    let spoken = load_with(STACK, change).unwrap().spoken;
    assert_eq!(spoken.generated.iter().filter(|one| one.name == "SERVICE_PASSWORD_64_DB").count(), 0);
    let declared = declared_with(STACK, change);
    assert_eq!(variable(&declared, "db", "POSTGRES_PASSWORD"), "mine");
    assert_eq!(variable(&declared, "db", "POSTGRES_USER"), "v$15", "an empty variable says nothing");
}

#[test]
fn a_token_asks_for_its_key_unless_the_environment_has_it() {
    let text = "services: { web: { image: a, environment: ['ANON=${SERVICE_SUPABASEANON_KEY}'] } }";
    let asked = |text: &str, key: &[(&str, &str)]| {
        let spoken = load_with(text, |request| set(request, key)).unwrap().spoken;
        spoken
            .generated
            .into_iter()
            .map(|one| (one.name, one.key.map(|key| key.reveal().to_owned())))
            .collect::<Vec<_>>()
    };
    let token = |key: Option<&str>| ("SERVICE_SUPABASEANON_KEY".to_owned(), key.map(str::to_owned));
    assert_eq!(asked(text, &[]), [("SERVICE_PASSWORD_JWT".to_owned(), None), token(None)]);
    assert_eq!(asked(text, &[("SERVICE_PASSWORD_JWT", "k")]), [token(Some("k"))]);
}

fn worn(service: &str, environment: &[(&str, &str)], command: &[&str]) -> Worn {
    let hidden = |(name, value): &(&str, &str)| ((*name).to_owned(), Hidden::new(*value));
    Worn {
        service: ServiceName::new(service).unwrap(),
        container: format!("shop-{service}-1"),
        environment: environment.iter().map(hidden).collect(),
        command: command.iter().map(|word| Hidden::new(*word)).collect(),
    }
}

fn recovered(declared: &Declared, worn: &[Worn]) -> (BTreeMap<String, String>, Vec<String>) {
    let names: BTreeSet<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    let told = recover(&names, declared, worn);
    let values = told.values.into_iter().map(|(name, value)| (name, value.reveal().to_owned())).collect();
    (values, told.disagreements.into_iter().map(|one| one.name).collect())
}

#[test]
fn lost_values_are_read_from_the_containers_that_carry_them() {
    let declared = declared(STACK);
    let web = worn(
        "web",
        &[("DATABASE_URL", "postgres://ann:s3cret@db:5432/app"), ("SERVICE_BASE64_APP", "app")],
        &["serve", "--key", "0f"],
    );
    let (values, disagreements) = recovered(&declared, std::slice::from_ref(&web));
    let told: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(told, NAMES.into_iter().zip(["app", "0f", "s3cret", "ann"]).collect::<Vec<_>>());
    assert!(disagreements.is_empty());
    let db = worn("db", &[("POSTGRES_PASSWORD", "another")], &[]);
    let (values, disagreements) = recovered(&declared, &[web, db]);
    assert_eq!(disagreements, ["SERVICE_PASSWORD_64_DB"]);
    assert!(!values.contains_key("SERVICE_PASSWORD_64_DB"));
}

#[test]
fn magic_names_in_env_files_are_answered() {
    let compose = "
services:
  app:
    image: a
    env_file: app.env
    environment: {USER: $DB_USER, SERVICE_URL_APP_8080: }
";
    let files = [
        ("compose.yaml", compose),
        (".env", "DB_USER=$SERVICE_USER_DB\nSERVICE_PASSWORD_ADMIN=mine\nDOOR=$SERVICE_URL_APP/in\n"),
        (
            "app.env",
            "DB=pg://$DB_USER:$SERVICE_PASSWORD_DB@db\nADMIN=$SERVICE_PASSWORD_ADMIN\nSERVICE_HEX_32_KEY\nIN=$DOOR\n",
        ),
    ];
    let load = |given: &[(&str, &str)]| {
        let request = LoadRequest {
            working_directory: "/srv/shop".into(),
            files: vec![FILE.into()],
            dialect: Some(Dialect::Coolify),
            generated: given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..LoadRequest::default()
        };
        let files = files.iter().map(|(path, text)| (format!("/srv/shop/{path}"), (*text).to_owned()));
        let loaded = mainstay_model::compose::load(&request, &Memory(files.collect()));
        loaded.unwrap_or_else(|complaints| panic!("{}", complaints.render()))
    };
    let names = ["SERVICE_HEX_32_KEY", "SERVICE_PASSWORD_DB", "SERVICE_USER_DB"];
    let asked = load(&[]);
    assert_eq!(asked.spoken.generated.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), names);
    let loaded = load(&[(names[0], "key"), (names[1], "word"), (names[2], "me")]);
    assert_eq!(loaded.spoken.missing().count(), 0);
    let declared = declare(&loaded).unwrap().declared;
    for (key, value) in [
        ("USER", "me"),
        ("DB", "pg://me:word@db"),
        ("ADMIN", "mine"),
        ("SERVICE_HEX_32_KEY", "key"),
        ("IN", "https://app-shop.localhost/in"),
    ] {
        assert_eq!(variable(&declared, "app", key), value, "{key}");
    }
}
