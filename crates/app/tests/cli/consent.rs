//! Plans that are shown, consent that is needed, and operations that are told: against a stand-in for the server.

use serde_json::{Value, json};

use crate::sealed::{Ran, Sealed};
use crate::stand_in::{Answer, answer, serve};

/// A plan of `down` that takes a container away, and a volume with its data when `destroys`.
fn plan(destroys: bool) -> Value {
    let target = json!({"name": "shop-db-1", "service": "db", "number": 1, "container": {"id": "abc"}});
    let mut steps = vec![
        json!({"id": 1, "action": {"do": "stop_container", "target": target, "grace_secs": null},
            "why": "`down` was ordered", "impact": "interrupt", "needs": []}),
        json!({"id": 2, "action": {"do": "remove_container", "target": target, "volumes": false},
            "why": "`down` was ordered", "impact": "interrupt", "needs": [1]}),
    ];
    if destroys {
        steps.push(json!({"id": 3, "action": {"do": "remove_volume", "name": "shop_data"},
            "why": "`--volume shop_data`", "impact": "destroy", "needs": [2]}));
    }
    json!({"digest": "d", "impact": if destroys { "destroy" } else { "interrupt" }, "stack": "shop", "verb": "down",
        "steps": steps, "findings": [], "unchanged": []})
}

fn plan_answer(destroys: bool) -> Answer {
    answer("POST /v1/plan", plan(destroys))
}

/// An apply that tells these events and ends like this.
fn applied(events: &[Value], end: Value) -> Answer {
    let operation = json!({"at": "2026-07-01T12:00:00Z", "operation": "op-1", "stack": "shop"});
    let mut lines = String::new();
    for event in events {
        let mut whole = operation.clone();
        for (key, value) in event.as_object().expect("an event") {
            whole[key] = value.clone();
        }
        lines += &format!("{}\n", json!({ "event": whole }));
    }
    answer("POST /v1/apply", lines + &format!("{end}\n"))
}

fn all_done() -> Answer {
    let done = |step: u32, took: u32| json!({"event": "step_done", "step": step, "took_ms": took, "detail": null});
    applied(
        &[
            json!({"event": "step_started", "step": 1}),
            done(1, 240),
            json!({"event": "step_started", "step": 2}),
            done(2, 60),
            json!({"event": "finished", "verdict": "done", "took_ms": 300}),
        ],
        json!({"verdict": "done"}),
    )
}

/// The run with its one changing number taken out.
fn steady(ran: &Ran) -> String {
    let mut text = ran.whole();
    while let Some(at) = text.find(" steps in ") {
        let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        text.replace_range(at..end, " steps, timed");
    }
    text
}

#[test]
fn data_must_not_go_without_a_terminal_or_yes() {
    let sealed = Sealed::new();
    let asked = serve(&sealed, vec![plan_answer(true)]);
    let ran = sealed.run(&["down", "-p", "shop"]);
    insta::assert_snapshot!(ran.whole(), @r"
    exit code: 5
    --- stdout
    --- stderr
      1  stop container shop-db-1              [interrupt]  because `down` was ordered
      2  remove container shop-db-1            [interrupt]  because `down` was ordered    after 1
      3  remove volume shop_data and its data  [destroy]    because `--volume shop_data`  after 2
    down of `shop`: 3 steps (2 interrupt, 1 destroy); data is destroyed
    not done: this needs your consent, and there is no terminal to ask on; nothing was changed
      because: `down` of `shop`: data is destroyed: volume `shop_data`
      hint: look at the plan above; when it is what you want, run the same command with `--yes`
    ");
    assert!(!asked.lock().expect("no panic").iter().any(|route| route.contains("apply")), "nothing was ordered");
}

#[test]
fn with_yes_it_must_be_done_and_told() {
    let sealed = Sealed::new();
    serve(&sealed, vec![plan_answer(true), all_done()]);
    insta::assert_snapshot!(steady(&sealed.run(&["down", "-p", "shop", "--yes"])), @r"
    exit code: 0
    --- stdout
    --- stderr
      1  stop container shop-db-1              [interrupt]  because `down` was ordered
      2  remove container shop-db-1            [interrupt]  because `down` was ordered    after 1
      3  remove volume shop_data and its data  [destroy]    because `--volume shop_data`  after 2
    down of `shop`: 3 steps (2 interrupt, 1 destroy); data is destroyed
    ✔ stop container `shop-db-1`  0.2s
    ✔ remove container `shop-db-1`  0.1s
    ✔ down of `shop` is done: 2 steps, timed
    ");
}

#[test]
fn a_dry_run_must_order_nothing() {
    let sealed = Sealed::new();
    let asked = serve(&sealed, vec![plan_answer(false)]);
    let ran = sealed.run(&["down", "-p", "shop", "--dry-run", "--json"]);
    assert_eq!(ran.code, Some(0));
    let plan: Value = serde_json::from_str(&ran.stdout).expect("a plan");
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(2));
    assert!(!asked.lock().expect("no panic").iter().any(|route| route.contains("apply")));
}

#[test]
fn a_second_failed_step_must_not_lose_its_reason_and_last_lines() {
    let sealed = Sealed::new();
    let failure = |name: &str| {
        json!({"message": format!("`{name}` failed"), "causes": [format!("the cause of {name}")],
            "hints": [format!("the way on from {name}")], "log_tail": [format!("the last line of {name}")]})
    };
    let failed = applied(
        &[
            json!({"event": "step_failed", "step": 1, "took_ms": 100, "failure": failure("one")}),
            json!({"event": "step_failed", "step": 2, "took_ms": 100, "failure": failure("two")}),
            json!({"event": "finished", "verdict": "failed", "took_ms": 101}),
        ],
        json!({"verdict": "failed"}),
    );
    serve(&sealed, vec![plan_answer(false), failed]);
    insta::assert_snapshot!(sealed.run(&["down", "-p", "shop", "--yes", "--quiet"]).whole(), @r"
    exit code: 1
    --- stdout
    --- stderr
    failed: `two` failed
      because: the cause of two
      last lines:
      | the last line of two
      hint: the way on from two

    failed: `one` failed
      because: the cause of one
      last lines:
      | the last line of one
      hint: the way on from one
      hint: of 2 steps, 0 done, 2 failed, 0 not run; `mainstay down` again goes on from here
      operation op-1 (`mainstay history --operation op-1 --steps`)
    ");
}

#[test]
fn a_failed_step_must_be_reported_with_the_last_lines_and_the_way_on() {
    let sealed = Sealed::new();
    let failure = json!({"message": "the container `shop-db-1` could not be stopped", "causes": ["it does not listen"],
        "hints": ["try a longer `--timeout`"], "log_tail": ["LOG:  shutting down", "PANIC:  no"]});
    let failed = applied(
        &[
            json!({"event": "step_failed", "step": 1, "took_ms": 10_000, "failure": failure}),
            json!({"event": "step_skipped", "step": 2, "because": "step 1 failed"}),
            json!({"event": "finished", "verdict": "failed", "took_ms": 10_001}),
        ],
        json!({"verdict": "failed"}),
    );
    serve(&sealed, vec![plan_answer(false), failed]);
    insta::assert_snapshot!(sealed.run(&["down", "-p", "shop", "--yes"]).whole(), @r"
    exit code: 1
    --- stdout
    --- stderr
      1  stop container shop-db-1    [interrupt]  because `down` was ordered
      2  remove container shop-db-1  [interrupt]  because `down` was ordered  after 1
    down of `shop`: 2 steps (2 interrupt); something that runs is stopped
    ✘ stop container `shop-db-1`  10.0s
    - not run: remove container `shop-db-1` (step 1 failed)
    failed: the container `shop-db-1` could not be stopped
      because: it does not listen
      last lines:
      | LOG:  shutting down
      | PANIC:  no
      hint: try a longer `--timeout`
      hint: of 2 steps, 0 done, 1 failed, 1 not run; `mainstay down` again goes on from here
      operation op-1 (`mainstay history --operation op-1 --steps`)
    ");
}

#[test]
fn a_plan_that_changed_must_be_shown_again_and_done_when_it_is_not_graver() {
    let sealed = Sealed::new();
    let changed = json!({"kind": "world", "code": "plan-changed", "message": "the world changed", "operation": null,
        "plan": plan(false)});
    let changed = Answer { route: "POST /v1/apply", status: 409, body: changed.to_string() };
    serve(&sealed, vec![plan_answer(false), changed, all_done()]);
    insta::assert_snapshot!(steady(&sealed.run(&["down", "-p", "shop", "--yes"])), @r"
    exit code: 0
    --- stdout
    --- stderr
      1  stop container shop-db-1    [interrupt]  because `down` was ordered
      2  remove container shop-db-1  [interrupt]  because `down` was ordered  after 1
    down of `shop`: 2 steps (2 interrupt); something that runs is stopped
    the world changed since this plan was shown; the plan is now:
      1  stop container shop-db-1    [interrupt]  because `down` was ordered
      2  remove container shop-db-1  [interrupt]  because `down` was ordered  after 1
    down of `shop`: 2 steps (2 interrupt); something that runs is stopped
    ✔ stop container `shop-db-1`  0.2s
    ✔ remove container `shop-db-1`  0.1s
    ✔ down of `shop` is done: 2 steps, timed
    ");
}

#[test]
fn a_plan_that_became_graver_must_not_ride_on_the_old_yes() {
    let sealed = Sealed::new();
    let changed = json!({"kind": "world", "code": "plan-changed", "message": "the world changed", "operation": null,
        "plan": plan(true)});
    let changed = Answer { route: "POST /v1/apply", status: 409, body: changed.to_string() };
    serve(&sealed, vec![plan_answer(false), changed, all_done()]);
    let ran = sealed.run(&["down", "-p", "shop", "--yes"]);
    assert_eq!(ran.code, Some(5), "{}", ran.whole());
}

#[test]
fn events_must_be_lines_of_json_on_stdout() {
    let sealed = Sealed::new();
    serve(&sealed, vec![plan_answer(false), all_done()]);
    let ran = sealed.run(&["down", "-p", "shop", "--yes", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    assert_eq!(events.len(), 5);
    assert_eq!(events[4]["verdict"], "done");
}

#[test]
fn a_server_that_is_silent_about_a_route_must_be_reported_as_it_says() {
    let sealed = Sealed::new();
    serve(&sealed, vec![]);
    let ran = sealed.run(&["down", "-p", "shop", "--yes"]);
    assert!(ran.stderr.contains("no answer to POST /v1/plan"), "{}", ran.whole());
}
