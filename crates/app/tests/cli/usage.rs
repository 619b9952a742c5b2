//! Mistakes on the command line, and a world that is not there: the right code, and a way on.

use crate::sealed::Sealed;

#[test]
fn an_unknown_command_or_flag_must_end_with_2() {
    let sealed = Sealed::new();
    for args in [&["upp"][..], &["up", "--nonsense"], &[], &["down", "--timeout", "soon"], &["up", "a/b"]] {
        let ran = sealed.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.whole());
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

#[test]
fn stack_and_file_must_not_go_together() {
    let ran = Sealed::new().run(&["-f", "compose.yaml", "up", "--stack", "./shop"]);
    insta::assert_snapshot!(ran.whole(), @r"
    exit code: 2
    --- stdout
    --- stderr
    error: `--file` and `--stack` do not go together
      hint: `--stack` says where each stack is; the other flags are for the stack of one folder
    ");
}

#[test]
fn a_folder_that_is_not_there_must_be_named() {
    let ran = Sealed::new().run(&["up", "--stack", "./shop"]);
    insta::assert_snapshot!(ran.whole(), @r"
    exit code: 2
    --- stdout
    --- stderr
    error: `--stack ./shop`: there is no such folder
    ");
}

#[test]
fn an_unknown_stack_must_be_told_where_it_was_looked_for() {
    let sealed = Sealed::new();
    let ran = sealed.run(&["plan", "--stack", "shop"]);
    insta::assert_snapshot!(ran.whole(), @r"
    exit code: 2
    --- stdout
    --- stderr
    error: the stack `shop` is not known here
      hint: looked for a Compose file in `[PLACE]/shop`, and among `mainstay stacks`
      hint: name its folder: `--stack DIR`
    ");
}

#[test]
fn an_engine_that_is_away_must_end_with_4() {
    let ran = Sealed::new().run(&["ps", "-p", "shop"]);
    insta::assert_snapshot!(ran.whole(), @r"
    exit code: 4
    --- stdout
    --- stderr
    error: no Docker engine answers at `unix://[PLACE]/no-engine.sock`
      because: No such file or directory (os error 2)
      hint: is the engine running? (`systemctl status docker`)
      hint: another engine is chosen with DOCKER_HOST
    ");
}

#[test]
fn with_json_a_problem_must_be_one_object() {
    let ran = Sealed::new().run(&["ps", "-p", "shop", "--json"]);
    assert_eq!(ran.code, Some(4));
    assert_eq!(ran.stdout, "");
    let problem: serde_json::Value = serde_json::from_str(&ran.stderr).expect("an object");
    assert_eq!(problem["kind"], "world");
    assert!(problem["hints"].as_array().is_some_and(|hints| !hints.is_empty()), "{problem}");
}

#[test]
fn with_json_a_mistyped_flag_must_be_one_object_too() {
    let ran = Sealed::new().run(&["up", "--json", "--nonsense"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    let problem: serde_json::Value = serde_json::from_str(&ran.stderr).expect("an object");
    assert_eq!((&problem["kind"], &problem["code"]), (&"usage".into(), &"command-line".into()));
    assert_eq!(problem["message"], "unexpected argument '--nonsense' found");
}

#[test]
fn what_other_programs_take_must_be_told_in_our_words() {
    let sealed = Sealed::new();
    let file = sealed.run(&["up", "-f", "compose.yaml"]);
    assert!(file.code == Some(2) && file.stderr.contains("tip: a Compose file is named with '-f' before the command"));
    let plan = sealed.run(&["plan", "--build"]);
    assert!(plan.code == Some(2) && plan.stderr.contains("'mainstay plan up --build'"), "{}", plan.whole());
}

#[test]
fn a_plan_of_a_service_must_be_the_plan_of_up_and_a_mistyped_command_told() {
    let sealed = Sealed::new();
    sealed.write("compose.yaml", "name: shop\nservices: {web: {image: web}, down: {image: db}}\n");
    let engine = "no Docker engine answers";
    for args in [&["plan", "web"][..], &["plan", "web", "down"], &["plan", "--check", "web"], &["plan", "stop", "web"]]
    {
        let ran = sealed.run(args);
        assert!(ran.code == Some(4) && ran.stderr.contains(engine), "{args:?}: {}", ran.whole());
    }
    let ran = sealed.run(&["plan", "stpo"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("or did you mean `mainstay plan stop`?"), "{}", ran.whole());
}

#[test]
fn an_address_that_is_none_must_be_a_mistake_of_the_command_line() {
    let sealed = Sealed::new();
    sealed.write("compose.yaml", "name: shop\nservices: {web: {image: web}}\n");
    for command in [&["plan"][..], &["up"], &["ps"], &["logs"], &["down"], &["serve"]] {
        let args = [&["--docker-host", "nonsense"], command].concat();
        let ran = sealed.run(&args);
        assert!(ran.code == Some(2) && ran.stderr.contains("`nonsense` is no engine address"), "{}", ran.whole());
    }
}

#[test]
fn a_command_without_a_plan_must_refuse_a_dry_run_instead_of_acting() {
    let sealed = Sealed::new();
    for command in [&["exec", "--dry-run", "-p", "shop", "web", "true"][..], &["serve", "--dry-run"]] {
        let ran = sealed.run(command);
        assert!(ran.code == Some(2) && ran.stderr.contains("makes no plan"), "{command:?}: {}", ran.whole());
    }
}

#[test]
fn times_and_numbers_of_logs_must_be_checked_before_anything_is_asked() {
    let sealed = Sealed::new();
    assert_eq!(sealed.run(&["logs", "-p", "shop", "--since", "yesterday"]).code, Some(2));
    assert_eq!(sealed.run(&["logs", "-p", "shop", "--tail", "few"]).code, Some(2));
}

#[test]
fn the_version_must_be_told_without_an_engine() {
    let ran = Sealed::new().run(&["version", "--json"]);
    assert_eq!(ran.code, Some(0));
    let version: serde_json::Value = serde_json::from_str(&ran.stdout).expect("an object");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["engine"], serde_json::Value::Null);
}

#[test]
fn a_reader_that_goes_away_must_not_be_a_failure_report() {
    let sealed = Sealed::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    // Gone before the first byte is written, not just soon.
    drop(reader);
    let output = sealed.command(&["completions", "bash"]).stdout(writer).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
