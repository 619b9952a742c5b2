//! Files of Coolify on a real engine: values are made up once and stay, files come along, routes are told, and nothing
//! that was lost is made up anew in front of data.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mainstay_e2e::{Scene, docker_json, docker_ok, exists, id_of, inside, require_engine, runs, text};

/// An app with a database, as a template would have it: undeclared volumes, a file with content, an address.
const NOTES: &str = r#"
services:
  app:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment:
      - SERVICE_URL_APP_8080
      - PUBLIC=$SERVICE_URL_APP
      - DATABASE_URL=postgres://$SERVICE_USER_DB:${SERVICE_PASSWORD_64_DB}@db:5432/notes
      - SESSION_KEY=${SERVICE_BASE64_64_SESSION:-unused}
    depends_on:
      db: { condition: service_healthy }
  db:
    image: postgres:15
    stop_grace_period: 1s
    volumes:
      - notes-data:/var/lib/postgresql/data
      - type: bind
        source: ./init/10-notes.sql
        target: /docker-entrypoint-initdb.d/10-notes.sql
        content: |
          \set who `echo "$POSTGRES_USER"`
          CREATE TABLE notes (who text);
          INSERT INTO notes VALUES (:'who');
    environment:
      - POSTGRES_DB=notes
      - POSTGRES_USER=$SERVICE_USER_DB
      - POSTGRES_PASSWORD=$SERVICE_PASSWORD_64_DB
    healthcheck:
      test: ['CMD-SHELL', 'pg_isready -h 127.0.0.1 -U $$POSTGRES_USER -d notes']
      interval: 500ms
      retries: 100
  job:
    image: mainstay-test/tiny:1
    exclude_from_hc: true
    healthcheck: { test: ['CMD', 'false'], interval: 1s, retries: 1 }
    stop_grace_period: 1s
"#;

fn variable(container: &str, name: &str) -> String {
    let inspected = docker_json(container);
    let variables = inspected["Config"]["Env"].as_array().expect("a list of variables").clone();
    let prefix = format!("{name}=");
    let found = variables.iter().map(text).find_map(|pair| pair.strip_prefix(&prefix).map(str::to_owned));
    found.unwrap_or_else(|| panic!("{container} has no {name}"))
}

#[test]
fn a_template_of_coolify_comes_up_as_it_is_and_its_values_stay() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("coolify");
    scene.stack("notes", NOTES);
    let (app, db) = (scene.container("notes", "app"), scene.container("notes", "db"));
    let host = format!("app-{}.localhost", scene.name("notes"));

    let plan = scene.on("notes", &["plan", "up", "--no-edge"]).ok().says("is Coolify's").says("`up` will make up for");
    assert!(plan.stdout.contains("will not answer") && plan.stdout.contains(&host), "{}", plan.stdout);
    assert!(!scene.state_dir().join("secrets").exists(), "a plan keeps nothing");

    let up = scene.on("notes", &["up", "--no-edge", "--yes"]).ok().says("made up for").says("SERVICE_PASSWORD_64_DB");
    let (user, password) = (variable(&db, "POSTGRES_USER"), variable(&db, "POSTGRES_PASSWORD"));
    assert_eq!((user.len(), password.len()), (16, 64));
    assert_eq!(variable(&app, "DATABASE_URL"), format!("postgres://{user}:{password}@db:5432/notes"));
    assert_eq!(variable(&app, "SERVICE_URL_APP_8080"), format!("https://{host}"));
    assert_eq!(variable(&app, "PUBLIC"), format!("https://{host}"));
    assert_eq!(variable(&app, "SESSION_KEY").len(), 64);
    let ask = format!("PGPASSWORD={password} psql -h 127.0.0.1 -U {user} -tA notes -c 'SELECT who FROM notes'");
    assert_eq!(inside(&db, &ask).trim(), user, "the file's text came literally, and ran");
    assert!(exists("volume", &format!("{}_notes-data", scene.name("notes"))));
    assert!(runs(&scene.container("notes", "job")), "an excluded service that is never healthy holds nobody up");

    let kept = scene.state_dir().join("secrets").join(format!("{}.age", scene.name("notes")));
    assert_eq!(fs::metadata(&kept).expect("the kept values").permissions().mode() & 0o777, 0o600);
    let history = scene.mainstay(&["history", "--json", "--steps"]).ok().stdout;
    let config = scene.on("notes", &["config"]).ok().stdout;
    assert!(config.contains("POSTGRES_PASSWORD: …"), "{config}");
    for told in [&plan.stdout, &plan.stderr, &up.stdout, &up.stderr, &history, &config] {
        assert!(!told.contains(&password), "a made-up value is never told: {told}");
    }
    assert!(scene.on("notes", &["config", "--reveal"]).ok().stdout.contains(&password));

    let before = (id_of(&app), id_of(&db));
    scene.on("notes", &["up", "--no-edge"]).ok();
    scene.on("notes", &["plan", "up", "--no-edge", "--check"]).ok();
    assert_eq!((id_of(&app), id_of(&db)), before, "a second up changes nothing");

    fs::remove_dir_all(scene.state_dir()).expect("the state folder is lost");
    scene.on("notes", &["up", "--no-edge"]).ok().says("taken up from the containers of");
    assert_eq!((id_of(&app), id_of(&db)), before, "the same values: nothing differs");
    assert!(kept.exists(), "kept again");
    assert!(scene.on("notes", &["config", "--reveal"]).ok().stdout.contains(&password));
}

#[test]
fn a_lost_password_is_not_made_up_anew_in_front_of_its_data() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("lockout");
    let stack = "
services:
  db:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    volumes: ['keep:/data']
    environment: ['PASSWORD=$SERVICE_PASSWORD_DB']
";
    let folder = scene.stack("one", stack);
    scene.on("one", &["up", "--yes"]).ok();
    let db = scene.container("one", "db");
    let password = variable(&db, "PASSWORD");
    scene.on("one", &["down", "--yes"]).ok();
    fs::remove_dir_all(scene.state_dir()).expect("the state folder is lost");

    let volume = format!("{}_keep", scene.name("one"));
    let refused = scene.on("one", &["up", "--yes"]).code(3);
    let refused = refused.says("`SERVICE_PASSWORD_DB` is lost").says(&volume).says(".env`");
    assert!(!refused.stderr.contains(&password));
    assert!(!exists("container", &db), "nothing was made");

    fs::write(folder.join(".env"), "SERVICE_PASSWORD_DB=as-it-was\n").expect("the .env");
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(variable(&db, "PASSWORD"), "as-it-was");
}

#[test]
fn a_file_that_is_there_is_left_and_told() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("ownfile");
    let stack = "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    volumes: [{ type: bind, source: ./site.conf, target: /site.conf, content: 'theirs $X' }]
";
    let folder = scene.stack("one", stack);
    fs::write(folder.join("site.conf"), "mine").expect("a file of the user");
    scene.on("one", &["up", "--yes"]).ok().says("differs from its `content`");
    let web = scene.container("one", "web");
    assert_eq!(inside(&web, "cat /site.conf"), "mine");
    scene.on("one", &["down", "--yes"]).ok();
    fs::remove_file(folder.join("site.conf")).expect("it goes");
    scene.on("one", &["up", "--yes"]).ok().says("is made where missing");
    assert_eq!(inside(&web, "cat /site.conf"), "theirs $X");
    docker_ok(&["exec", &web, "test", "-f", "/site.conf"]);
}

#[test]
fn two_commands_at_once_make_up_one_value() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("atonce");
    let service = "{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: ['P=$SERVICE_PASSWORD_X'] }";
    scene.stack("one", &format!("services: {{ a: {service}, b: {service} }}\n"));
    let both: Vec<_> = (0..2).map(|_| scene.start("one", &["up", "--yes"])).collect();
    both.into_iter().for_each(|one| drop(one.ends(std::time::Duration::from_secs(300))));
    scene.on("one", &["up", "--yes"]).ok();
    let values = ["a", "b"].map(|service| variable(&scene.container("one", service), "P"));
    assert_eq!(values[0], values[1]);
    scene.on("one", &["plan", "--check"]).ok();
}
