//! `mainstay logs`: whose line it is, in which order, and that following goes on whatever happens to a container.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_e2e::{Running, Scene, SecondEngine, docker_json, docker_ok, eventually, logs_of, require_engine, text};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

/// Two services that write a numbered line every fifth of a second.
const TALKING: &str = "
x-it: &it
  image: mainstay-test/tiny:1
  stop_grace_period: 1s
  init: true
  command: [sh, -c, 'n=0; while :; do n=$$((n+1)); echo \"$$WHO says $$n\"; sleep 0.2; done']
services:
  one: { <<: *it, environment: { WHO: one } }
  two: { <<: *it, environment: { WHO: two } }
  quiet: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
";

/// Lines of `logs --json`.
fn objects(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
}

/// The numbers that `who` said in each run of its container, each run beginning with 1.
fn runs_of(lines: &[Value], who: &str) -> Vec<Vec<u32>> {
    let said = |line: &Value| text(&line["line"]).strip_prefix(&format!("{who} says "))?.parse::<u32>().ok();
    let mut runs: Vec<Vec<u32>> = Vec::new();
    for number in lines.iter().filter_map(said) {
        match runs.last_mut() {
            Some(run) if number != 1 => run.push(number),
            _ => runs.push(vec![number]),
        }
    }
    runs
}

/// No number is missing, and none is there twice.
#[track_caller]
fn each_once(runs: &[Vec<u32>]) {
    for run in runs {
        assert!(run.windows(2).all(|pair| pair[1] == pair[0] + 1), "lost or told twice: {runs:?}");
    }
}

fn seen(logs: &Running) -> Vec<Value> {
    objects(&logs.stdout().join("\n"))
}

/// Waits until a service has begun so many runs, and has said something in the last of them.
#[track_caller]
fn goes_on(logs: &Running, who: &str, count: usize) {
    eventually(&format!("`{who}` is followed in its run {count}"), SOON, || {
        let runs = runs_of(&seen(logs), who);
        (runs.len() == count && runs.last().is_some_and(|run| run.len() >= 3)).then_some(())
    });
}

#[test]
fn logs_show_several_services_each_with_its_name() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("logs");
    scene.stack("one", TALKING);
    scene.on("one", &["up"]).ok();
    let (one, two) = (scene.container("one", "one"), scene.container("one", "two"));
    eventually("both talk", SOON, || [&one, &two].iter().all(|name| logs_of(name).contains("says 3")).then_some(()));
    let all = scene.on("one", &["logs"]).ok();
    for line in ["one-1   | one says 1", "two-1   | two says 1", "quiet-1 | tiny 1: listening on 8080"] {
        assert!(all.stdout.lines().any(|shown| shown == line), "{line}: {}", all.stdout);
    }
    let some = scene.on("one", &["logs", "one", "quiet"]).ok();
    assert!(some.stdout.contains("one says 1") && some.stdout.contains("listening"), "{}", some.stdout);
    assert!(!some.stdout.contains("two says"), "{}", some.stdout);
    let json = objects(&scene.on("one", &["--json", "logs", "quiet"]).ok().stdout);
    assert!(!json.is_empty());
    for line in json {
        assert_eq!(text(&line["stack"]), scene.name("one"));
        assert_eq!(text(&line["container"]), scene.container("one", "quiet"));
        assert_eq!((text(&line["service"]), text(&line["stream"])), ("quiet".into(), "stdout".into()));
        assert!(text(&line["time"]).ends_with('Z') && line["line"].is_string(), "{line}");
    }
    let unknown = scene.on("one", &["logs", "quite"]).code(2);
    unknown.says("has no service `quite`").says("did you mean `quiet`?");
    scene.mainstay(&["--stack", &scene.name("one"), "logs", "absent"]).code(2).says("absent");
    scene.mainstay(&["--stack", &scene.name("none"), "logs"]).code(2).says("nobody knows a stack");
}

#[test]
fn logs_of_several_services_are_in_the_order_of_time() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("order");
    scene.stack("one", TALKING);
    scene.on("one", &["up"]).ok();
    let two = scene.container("one", "two");
    eventually("it talks", SOON, || logs_of(&two).contains("says 10").then_some(()));
    scene.on("one", &["stop"]).ok();
    let lines = objects(&scene.on("one", &["logs", "--json"]).ok().stdout);
    let times: Vec<String> = lines.iter().map(|line| text(&line["time"])).collect();
    assert!(times.is_sorted(), "{times:#?}");
    for who in ["one", "two"] {
        let runs = runs_of(&lines, who);
        each_once(&runs);
        assert!(runs.len() == 1 && runs[0].len() >= 5, "{runs:?}");
    }
    let stamped = scene.on("one", &["logs", "--timestamps", "--no-log-prefix", "two"]).ok();
    let first = stamped.stdout.lines().next().expect("a line");
    let said = lines.iter().find(|line| line["line"] == "two says 1").expect("the line");
    assert_eq!(first, format!("{} two says 1", text(&said["time"])));
}

#[test]
fn logs_tail_since_and_until_show_less() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("tail");
    scene.stack("one", TALKING);
    scene.on("one", &["up"]).ok();
    let one = scene.container("one", "one");
    eventually("it talks", SOON, || logs_of(&one).contains("says 8").then_some(()));
    scene.on("one", &["stop"]).ok();
    let tail = scene.on("one", &["logs", "--tail", "2", "one"]).ok();
    assert_eq!(tail.stdout.lines().count(), 2, "{}", tail.stdout);
    let both = scene.on("one", &["logs", "--tail", "1", "one", "two"]).ok();
    assert_eq!(both.stdout.lines().count(), 2, "so many of each: {}", both.stdout);
    let none = scene.on("one", &["logs", "--tail", "0", "one"]).ok();
    assert_eq!(none.stdout, "");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(scene.on("one", &["logs", "--since", "1s", "one"]).ok().stdout, "");
    let since = scene.on("one", &["logs", "--since", "10m", "one"]).ok();
    assert!(since.stdout.contains("one says 1"), "{}", since.stdout);
    let stamp = text(&docker_json(&one)["Created"]);
    let since = scene.on("one", &["logs", "--since", &stamp, "one"]).ok();
    assert!(since.stdout.contains("one says 1"), "{}", since.stdout);
    let all = objects(&scene.on("one", &["logs", "--json", "one"]).ok().stdout);
    let middle = text(&all[3]["time"]);
    let until = objects(&scene.on("one", &["logs", "--json", "--until", &middle, "one"]).ok().stdout);
    let since = objects(&scene.on("one", &["logs", "--json", "--since", &middle, "one"]).ok().stdout);
    assert_eq!((until.as_slice(), since.as_slice()), (&all[..4], &all[3..]), "both with the moment itself");
    let over = scene.on("one", &["logs", "--follow", "--until", &middle, "--json", "one"]).ok();
    assert_eq!(objects(&over.stdout), all[..4], "nothing can come from before a time that is over");
}

#[test]
fn logs_follow_several_services_until_ctrl_c() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("follow");
    scene.stack("one", TALKING);
    scene.on("one", &["up"]).ok();
    let logs = scene.start("one", &["logs", "--follow", "--tail", "1", "one", "two"]);
    let seen = |who: &str| logs.stdout().iter().filter(|line| line.contains(&format!("{who} says"))).count();
    eventually("both go on", SOON, || (seen("one") >= 5 && seen("two") >= 5).then_some(()));
    // A container that is restarted is followed on.
    docker_ok(&["restart", "--time", "1", &scene.container("one", "one")]);
    let before = seen("one");
    eventually("and on after a restart", SOON, || (seen("one") >= before + 5).then_some(()));
    logs.interrupt();
    let logs = logs.ends(Duration::from_secs(5));
    assert_eq!((logs.code, logs.stderr.as_str()), (Some(130), ""));
    // Each line once, in order, whole.
    let numbers = |lines: &str| -> Vec<u32> {
        let said = lines.lines().filter_map(|line| line.split("two says ").nth(1));
        said.map(|number| number.trim().parse().expect("a number")).collect()
    };
    let two = numbers(&logs.stdout);
    assert!(two.windows(2).all(|pair| pair[1] == pair[0] + 1), "{two:?}");
}

#[test]
fn follow_loses_no_line_over_restarts_a_crash_and_a_replacement() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("goeson");
    scene.stack("one", TALKING);
    scene.on("one", &["up"]).ok();
    let one = scene.container("one", "one");
    let logs = scene.start("one", &["logs", "--follow", "--json", "one"]);
    goes_on(&logs, "one", 1);
    docker_ok(&["restart", "--time", "1", &one]);
    goes_on(&logs, "one", 2);
    docker_ok(&["kill", &one]);
    docker_ok(&["start", &one]);
    goes_on(&logs, "one", 3);
    // At once, with no moment in which to see it stopped.
    docker_ok(&["restart", "--time", "0", &one]);
    docker_ok(&["restart", "--time", "0", &one]);
    eventually("it is followed on", SOON, || {
        let said = seen(&logs).len();
        std::thread::sleep(Duration::from_millis(500));
        (seen(&logs).len() > said).then_some(())
    });
    let before = seen(&logs);
    each_once(&runs_of(&before, "one"));
    // Everything that the container's own log has was told, each line once and in its order.
    let kept = logs_of(&one);
    let told: Vec<String> = before.iter().map(|line| text(&line["line"])).collect();
    let kept: Vec<&str> = kept.lines().take(told.len()).collect();
    assert_eq!(told, kept);

    scene.on("one", &["up", "one", "--force-recreate", "--yes"]).ok();
    let replaced = text(&docker_json(&one)["Id"]);
    eventually("the one that took its place is followed", SOON, || {
        (seen(&logs).len() > before.len() + 10).then_some(())
    });
    logs.interrupt();
    let logs = logs.ends(Duration::from_secs(5));
    assert_eq!((logs.code, logs.stderr.as_str()), (Some(130), ""));
    let lines = objects(&logs.stdout);
    each_once(&runs_of(&lines, "one"));
    let last = runs_of(&lines, "one").pop().expect("a run");
    let kept = logs_of(&replaced);
    assert!(kept.starts_with("one says 1\n") && last[0] == 1, "from the new one's first line on: {last:?}");
}

#[test]
fn follow_waits_for_containers_that_are_not_there_yet() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("later");
    scene.stack("one", TALKING);
    let logs = scene.start("one", &["logs", "--follow", "--json", "--tail", "0", "two"]);
    eventually("it says that it waits", SOON, || {
        logs.stderr().iter().any(|line| line.contains("waiting")).then_some(())
    });
    scene.on("one", &["up"]).ok();
    goes_on(&logs, "two", 1);
    logs.interrupt();
    let lines = objects(&logs.ends(Duration::from_secs(5)).stdout);
    assert!(lines.iter().all(|line| line["service"] == "two"), "only what was asked for");
    let runs = runs_of(&lines, "two");
    each_once(&runs);
    assert_eq!(runs[0][0], 1, "`--tail` is about what was there before: {runs:?}");
}

#[test]
fn follow_until_ends_by_itself() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("until");
    scene.stack("one", TALKING);
    scene.on("one", &["up"]).ok();
    // The engine's clock, by which it stamps lines.
    let now = docker_ok(&["info", "--format", "{{.SystemTime}}"]);
    let soon = shifted(&now, 4);
    let logs = scene.on("one", &["logs", "--follow", "--json", "--until", &soon, "one"]).ok();
    let lines = objects(&logs.stdout);
    assert!(!lines.is_empty() && lines.iter().all(|line| text(&line["time"]) <= soon), "{soon}: {lines:#?}");
    each_once(&runs_of(&lines, "one"));
}

/// An RFC 3339 time in UTC, so many seconds later, as `date` reckons.
fn shifted(time: &str, seconds: u32) -> String {
    let mut date = std::process::Command::new("date");
    date.args(["-u", "+%Y-%m-%dT%H:%M:%S.%NZ", "-d", &format!("{time} + {seconds} seconds")]);
    mainstay_e2e::Ran::of(date).ok().stdout.trim().to_owned()
}

#[test]
fn a_long_line_and_a_terminals_lines_are_whole() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("whole");
    let service = |name: &str, tty: bool| {
        format!(
            "  {name}: {{ image: 'mainstay-test/tiny:1', tty: {tty}, stop_grace_period: 1s, command: [sh, -c, \
             'head -c 40000 /dev/zero | tr \"\\0\" x; echo; echo err >&2; echo last; sleep 1000'] }}\n"
        )
    };
    scene.stack("one", &format!("services:\n{}{}", service("plain", false), service("term", true)));
    scene.on("one", &["up"]).ok();
    for (service, stream) in [("plain", "stderr"), ("term", "stdout")] {
        eventually("all is written", SOON, || logs_of(&scene.container("one", service)).contains("last").then_some(()));
        let lines = objects(&scene.on("one", &["logs", "--json", service]).ok().stdout);
        let told: BTreeMap<String, String> =
            lines.iter().map(|line| (text(&line["line"]), text(&line["stream"]))).collect();
        assert_eq!(told.get(&"x".repeat(40_000)).map(String::as_str), Some("stdout"), "{service}: the long line");
        assert_eq!(told.get("err").map(String::as_str), Some(stream), "{service}: a terminal has one stream");
        assert_eq!(lines.len(), 3, "{service}");
    }
}

#[test]
fn a_log_driver_that_keeps_nothing_is_named() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("mute");
    scene.stack(
        "one",
        "
services:
  mute: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, logging: { driver: none } }
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
",
    );
    scene.on("one", &["up"]).ok();
    let both = scene.on("one", &["logs"]).ok().prints("web-1  | tiny 1: listening");
    both.says("log driver `none`").says("mute");
    scene.on("one", &["logs", "mute"]).code(4).says("log driver `none`");
    let logs = scene.start("one", &["logs", "--follow"]);
    eventually("the others are followed", SOON, || {
        logs.stdout().iter().any(|line| line.contains("listening")).then_some(())
    });
    docker_ok(&["restart", "--time", "0", &scene.container("one", "web")]);
    eventually("and on", SOON, || {
        (logs.stdout().iter().filter(|line| line.contains("listening")).count() == 2).then_some(())
    });
    logs.interrupt();
    let logs = logs.ends(Duration::from_secs(5));
    assert_eq!(logs.stderr.matches("log driver").count(), 1, "told once: {}", logs.stderr);
}

#[test]
fn follow_goes_on_after_the_engine_was_away() {
    if !require_engine() {
        return;
    }
    let Some(mut engine) = SecondEngine::start(false) else { return };
    let scene = Scene::new("away").with_engine(&engine.host());
    scene.stack("one", &TALKING.replace("init: true", "init: true\n  restart: always"));
    scene.on("one", &["up"]).ok();
    let logs = scene.start("one", &["logs", "--follow", "--json", "one"]);
    goes_on(&logs, "one", 1);
    engine.pause();
    engine.resume();
    goes_on(&logs, "one", 2);
    each_once(&runs_of(&seen(&logs), "one"));
    logs.interrupt();
    let logs = logs.ends(Duration::from_secs(5)).code(130);
    assert_eq!(logs.stderr.matches("connection to the engine was lost").count(), 1, "{}", logs.stderr);
}
