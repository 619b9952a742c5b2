//! What `history` says of names that nobody has: never "nothing is recorded".

use crate::sealed::Sealed;
use crate::stand_in::{answer, serve};

/// A journal that knows the stack `shop` with `web` and `db`, and nothing that happened to them; and one operation.
fn known() -> Sealed {
    let sealed = Sealed::new();
    sealed.write("shop/compose.yaml", "name: shop\nservices: {web: {image: web}, db: {image: db}}\n");
    let stack = serde_json::json!([{"stack": "shop", "directory": sealed.path().join("shop"), "files": [], "env": null,
        "profiles": [], "requires": [], "held": [], "up_at": null}]);
    let entry = serde_json::json!([{"id": 1, "at": "2026-07-01T12:00:00Z", "stack": "shop", "subject": "",
        "kind": "operation", "summary": "up is done", "cause": null, "operation": "20260701-aq7", "evidence": null}]);
    let answers = vec![
        answer("GET /v1/stacks", &stack),
        answer("GET /v1/history?limit=2000", &entry),
        answer("GET /v1/history?", "[]"),
    ];
    serve(&sealed, answers);
    sealed
}

#[test]
fn a_name_that_nobody_has_must_end_with_2_and_what_was_meant() {
    let sealed = known();
    let of_service = sealed.run(&["history", "--service", "wbe"]);
    insta::assert_snapshot!(of_service.whole(), @r"
    exit code: 2
    --- stdout
    --- stderr
    error: the stack `shop` has no service `wbe`
      hint: did you mean `web`?
    ");
    for (flag, name, said) in [
        ("--stack", "shpo", "nobody knows a stack `shpo` here\n  hint: did you mean `shop`?"),
        ("--operation", "20260701", "no operation `20260701` is recorded here\n  hint: did you mean `20260701-aq7`?"),
        ("--operation", "nope", "hint: `mainstay history` shows the id of each operation in brackets"),
    ] {
        let ran = sealed.run(&["history", flag, name]);
        assert!(ran.code == Some(2) && ran.stderr.contains(said), "{flag} {name}: {}", ran.whole());
    }
}

#[test]
fn a_service_of_which_nothing_is_recorded_yet_must_be_no_mistake() {
    let sealed = known();
    for args in [&["history", "--service", "web"][..], &["history", "--stack", "shop", "--service", "db"], &["history"]]
    {
        let ran = sealed.run(args);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), "nothing is recorded\n"), "{args:?}");
    }
    let of_files = sealed.run(&["history", "--stack", "./shop", "--service", "wbe"]);
    assert!(of_files.code == Some(2) && of_files.stderr.contains("did you mean `web`?"), "{}", of_files.whole());
}

#[test]
fn a_state_folder_that_is_named_and_not_there_must_be_told() {
    let sealed = Sealed::new();
    for args in [&["history"][..], &["stacks"], &["ps", "--all"]] {
        let args = [&["--state-dir", "/proc/x"], args].concat();
        let ran = sealed.run(&args);
        assert!(ran.code == Some(2) && ran.stderr.contains("there is no such folder"), "{}", ran.whole());
    }
    // Without the flag it is a machine on which nothing was brought up yet.
    assert_eq!(sealed.run(&["history"]).code, Some(0));
    sealed.write("file", "");
    let ran =
        sealed.command(&["history"]).env("MAINSTAY_STATE_DIR", sealed.path().join("file")).output().expect("runs");
    assert_eq!(ran.status.code(), Some(4), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn without_files_the_stacks_that_are_known_must_be_named() {
    let sealed = known();
    for command in ["up", "plan", "ps", "config"] {
        let ran = sealed.run(&[command]);
        assert!(ran.code == Some(3) && ran.stderr.contains("from anywhere: `--stack shop`"), "{}", ran.whole());
    }
}
