//! Reports about a stack's files, and what is told of files that are fine.

use crate::sealed::Sealed;

const SHOP: &str = "
name: shop
services:
  web:
    image: web:${TAG:-1}
    ports: ['8080:80']
    profiles: [front]
  db:
    image: postgres:17
    volumes: [data:/var/lib/postgresql/data]
volumes:
  data: {}
";

#[test]
fn a_folder_without_files_must_end_with_3() {
    let ran = Sealed::new().run(&["up"]);
    insta::assert_snapshot!(ran.whole(), @r"
    exit code: 3
    --- stdout
    --- stderr
    error: no Compose file in `[PLACE]` or above it
      hint: go to the stack's folder, or name it: `--stack DIR`, `--file FILE`
    ");
}

#[test]
fn a_mistake_in_a_file_must_be_told_with_its_place_and_before_any_engine_is_asked() {
    let sealed = Sealed::new();
    sealed.write("compose.yaml", "name: shop\nservices:\n  web:\n    image: web\n    prots: [80]\n    command: {}\n");
    for command in ["up", "plan", "config"] {
        let ran = sealed.run(&[command]);
        assert_eq!(ran.code, Some(3), "{command}: {}", ran.whole());
    }
    insta::assert_snapshot!(sealed.run(&["up"]).whole(), @r"
    exit code: 3
    --- stdout
    --- stderr
    error: `prots` is not a key of a service
      --> [PLACE]/compose.yaml:5:5
     5 |     prots: [80]
       |     ^
      hint: did you mean `ports`?

    error: `services.web.command` must be a list or a string, not a mapping
      --> [PLACE]/compose.yaml:6:14
     6 |     command: {}
       |              ^
      hint: write a list: each entry in a line that starts with `- `

    error: the Compose files are refused: 2 errors
    ");
}

#[test]
fn without_dependencies_a_required_stack_must_not_even_be_looked_for() {
    let sealed = Sealed::new();
    sealed.write("app/compose.yaml", "name: app\nservices: {web: {image: web}}\nx-mainstay: {requires: [mail]}\n");
    let ran = sealed.run(&["plan", "--stack", "./app", "--no-deps"]);
    assert_eq!(ran.code, Some(2), "`--no-deps` is of `plan up`: {}", ran.whole());
    let ran = sealed.run(&["plan", "up", "--stack", "./app", "--no-deps"]);
    assert_eq!(ran.code, Some(4), "only the engine is missing: {}", ran.whole());
}

#[test]
fn a_service_that_does_not_exist_must_be_told_which_do() {
    let sealed = Sealed::new();
    sealed.write("compose.yaml", SHOP);
    let ran = sealed.run(&["plan", "up", "wev"]);
    insta::assert_snapshot!(ran.whole(), @r"
    exit code: 2
    --- stdout
    --- stderr
    error: the stack `shop` has no service `wev`
      hint: it has `db`
    ");
}

#[test]
fn a_service_that_is_named_must_be_on_whatever_its_profile() {
    let sealed = Sealed::new();
    sealed.write("compose.yaml", SHOP);
    let ran = sealed.run(&["plan", "up", "web"]);
    assert_eq!(ran.code, Some(4), "only the engine is missing: {}", ran.whole());
}

#[test]
fn config_must_be_data_on_stdout_in_every_form() {
    let sealed = Sealed::new();
    sealed.write("compose.yaml", SHOP);
    for (flag, lines) in [
        ("--services", "db\n"),
        ("--volumes", "data\n"),
        ("--networks", "default\n"),
        ("--images", "postgres:17\n"),
        ("--profiles", "front\n"),
        ("--quiet", ""),
    ] {
        let ran = sealed.run(&["config", flag]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), lines), "{flag}: {}", ran.whole());
    }
    let ran = sealed.run(&["config", "--json", "--profile", "front"]);
    let project: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a project");
    assert_eq!(project["services"]["web"]["image"], "web:1");
    let ran = sealed.run(&["config", "--variables"]);
    assert!(ran.stdout.contains("TAG"), "{}", ran.whole());
}

#[test]
fn services_must_be_told_behind_those_they_depend_on() {
    let sealed = Sealed::new();
    sealed.write(
        "compose.yaml",
        "services:\n  web: {image: x, depends_on: [db, cache]}\n  db: {image: x}\n  cache: {image: x, depends_on: [zoo]}\n  abc: {image: x, links: [zoo]}\n  zoo: {image: x}\n",
    );
    let ran = sealed.run(&["config", "--services"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "zoo\nabc\ncache\ndb\nweb\n"), "{}", ran.whole());
}

#[test]
fn the_environment_must_be_in_the_order_of_its_lines() {
    let sealed = Sealed::new();
    sealed.write("compose.yaml", SHOP);
    sealed.write(".env", "WAY=1\nWAY2=2\n");
    let ran = sealed.run(&["config", "--environment"]);
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("WAY")).collect();
    assert_eq!(lines, ["WAY2=2", "WAY=1"], "{}", ran.whole());
}

#[test]
fn a_file_from_the_standard_input_must_be_read() {
    let sealed = Sealed::new();
    let mut child = sealed
        .command(&["-f", "-", "config", "--images"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("its input");
    std::io::Write::write_all(&mut stdin, SHOP.as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "postgres:17\n");
}
