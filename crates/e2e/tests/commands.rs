//! The commands beside `up`, `plan` and `down`, as a person and as a program use them.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use mainstay_e2e::{Ran, Scene, binary, compose_v2, docker, docker_json, docker_ok, eventually, id_of};
use mainstay_e2e::{require_engine, resolves, runs, started_at, text};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(10);

const TWO: &str = "
services:
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
  api: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, depends_on: [web] }
";

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

#[test]
fn ps_shows_state_health_ports_and_networks() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("ps");
    scene.stack(
        "one",
        "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    ports: ['127.0.0.1::8080']
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 300ms }
  api: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
",
    );
    scene.on("one", &["up"]).ok();
    docker_ok(&["stop", &scene.container("one", "api")]);
    let ps = scene.on("one", &["ps"]).ok();
    let line = |name: &str| ps.stdout.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{ps:?}"));
    let web = docker_json(&scene.container("one", "web"));
    let port = text(&web["NetworkSettings"]["Ports"]["8080/tcp"][0]["HostPort"]);
    let line_of_web = line("web");
    for shown in ["healthy", port.as_str(), "default"] {
        assert!(line_of_web.contains(shown), "{shown}: {}", ps.stdout);
    }
    assert!(line("api").contains("exited"), "{}", ps.stdout);
    let json = scene.on("one", &["--json", "ps"]).ok().json();
    let list = json.as_array().expect("a list");
    assert_eq!(list.len(), 2);
    assert!(
        list.iter().any(|item| item["name"] == scene.container("one", "web").as_str() && item["health"] == "healthy")
    );
}

#[test]
fn a_service_that_is_mistyped_is_told_by_every_command() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("typo");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    for command in ["up", "down", "stop", "start", "restart", "ps", "logs", "exec"] {
        let mut args = vec![command, "wev"];
        args.extend((command == "exec").then_some("true"));
        scene.on("one", &args).code(2).says("has no service `wev`").says("did you mean `web`?");
    }
    assert!(runs(&scene.container("one", "web")));
    let ps = scene.on("one", &["ps", "--json", "api"]).ok().json();
    assert_eq!(ps.as_array().map(Vec::len), Some(1), "{ps}");
    // A service that the files no longer have is still there to be looked at and taken down.
    scene.stack("one", &TWO.lines().filter(|line| !line.contains("api:")).collect::<Vec<_>>().join("\n"));
    scene.on("one", &["logs", "api"]).ok().prints("listening");
    scene.on("one", &["down", "api"]).ok();
    assert_eq!(scene.containers("one"), [scene.container("one", "web")]);
}

#[test]
fn a_state_folder_that_cannot_be_made_is_told_with_a_way_on() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("nostate");
    scene.stack("one", TWO);
    fs::write(scene.folder().join("file"), "no folder").expect("a file");
    let up = scene.on("one", &["up", "--state-dir", "file/state"]).code(4);
    up.says("the state folder").says("--state-dir DIR");
    assert!(scene.containers("one").is_empty());
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("pipe");
    scene.stack("one", TALKING);
    scene.on("one", &["up"]).ok();
    let folder = scene.dir("one");
    for args in ["logs --follow", "config", "completions bash", "history", "ps", "plan", "--help"] {
        let mut command = Command::new("timeout");
        command.args(["10", "sh", "-c", &format!("{} --state-dir ../state {args} | head -n 1", binary().display())]);
        command.current_dir(&folder).env("HOME", scene.folder());
        let from = Instant::now();
        let ran = Ran::of(command);
        assert!(from.elapsed() < Duration::from_secs(9), "{args} goes on after its reader went");
        let complaint = ran.stderr.to_lowercase();
        assert!(!complaint.contains("panicked") && !complaint.contains("broken pipe"), "{args}: {}", ran.stderr);
    }
}

#[test]
fn exec_gives_input_output_and_exit_code_through() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("exec");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    scene.on("one", &["exec", "web", "sh", "-c", "exit 7"]).code(7);
    let said = scene.on("one", &["exec", "web", "sh", "-c", "echo out; echo err >&2"]).ok();
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("out\n", "err\n"));
    let words = scene.on("one", &["exec", "web", "printf", "%s|", "a b", "", "$HOME", "--yes", "'q'"]).ok();
    assert_eq!(words.stdout, "a b||$HOME|--yes|'q'|");
    let input = "line one\nline two without an end";
    let echoed = scene.on_with_input("one", &["exec", "web", "cat"], input).ok();
    assert_eq!(echoed.stdout, input);
    let large = "0123456789abcde\n".repeat(200_000);
    let counted = scene.on_with_input("one", &["exec", "web", "wc", "-c"], &large).ok();
    assert_eq!(counted.stdout.trim(), large.len().to_string());
    let flags = scene.on(
        "one",
        &["exec", "--user", "65534", "--workdir", "/tmp", "-e", "A=b c", "web", "sh", "-c", "id -u; pwd; echo $A"],
    );
    assert_eq!(flags.ok().stdout, "65534\n/tmp\nb c\n");
    let absent = scene.on("one", &["exec", "absent", "true"]);
    assert_ne!(absent.code, Some(0));
    absent.says("absent");
    docker_ok(&["stop", &scene.container("one", "web")]);
    let stopped = scene.on("one", &["exec", "web", "true"]);
    assert_ne!(stopped.code, Some(0));
    stopped.says("web");
}

#[test]
fn exec_of_a_program_that_is_not_there_is_a_report_and_the_engines_exit_code() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("execno");
    scene.stack("one", "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    scene.on("one", &["up"]).ok();
    let container = scene.container("one", "web");
    for program in ["nosuchcmd", "/etc"] {
        let docker = std::process::Command::new("docker").args(["exec", &container, program]).output().expect("docker");
        let code = docker.status.code().expect("a code");
        assert!(matches!(code, 126 | 127), "{code}");
        let told = scene.on("one", &["exec", "web", program]).code(code);
        assert_eq!(told.stdout, "", "what the engine says is no output of the program");
        told.says(&format!("`{program}` could not be run in `{container}`"));
        let json = scene.on("one", &["--json", "exec", "web", program]).code(code);
        assert_eq!(json.stdout, "");
        let report: serde_json::Value = serde_json::from_str(json.stderr.trim()).expect("one JSON object");
        assert_eq!(report["code"], "not-run");
    }
    // A program's own 127 is its own, and so is what it says.
    let own = scene.on("one", &["exec", "web", "sh", "-c", "echo said; exit 127"]).code(127);
    assert_eq!((own.stdout.as_str(), own.stderr.as_str()), ("said\n", ""));
}

#[test]
fn a_foreign_container_under_a_services_name_is_shown_as_what_it_is() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("foreignname");
    scene.stack(
        "one",
        "
services:
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, networks: { default: { aliases: [front] } } }
  db: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
",
    );
    scene.on("one", &["up"]).ok();
    let (web, network) = (scene.container("one", "web"), scene.network("one"));
    docker_ok(&["rm", "-f", &web]);
    let aliases = ["--network-alias", "web", "--network-alias", "front"];
    docker_ok(
        &[&["run", "-d", "--name", &web, "--network", &network][..], &aliases, &["mainstay-test/tiny:1"]].concat(),
    );
    let shown = scene.on("one", &["ps"]).ok().prints("foreign, running").says("was not made for it");
    assert!(shown.stdout.lines().any(|line| line.starts_with("web ") && line.contains(&web)), "{}", shown.stdout);
    let listed = scene.on("one", &["ps", "--json", "web"]).ok().json();
    assert_eq!((text(&listed[0]["name"]), text(&listed[0]["maker"])), (web.clone(), "foreign".to_owned()));
    let by_name = scene.mainstay(&["ps", "--all"]).ok().stdout;
    assert!(by_name.contains("foreign, running"), "{by_name}");
    // The plan says that the name is taken, and nothing besides that.
    let plan = scene.on("one", &["plan"]);
    let said = plan.stdout + &plan.stderr;
    assert!(said.contains("refused") && said.contains(&web) && !said.contains("warning"), "{said}");
    docker_ok(&["rm", "-f", &web]);
}

#[test]
fn the_history_of_a_service_has_the_orders_of_its_whole_stack_that_touched_it() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("touched");
    let files = |image: &str| {
        format!(
            "services:\n  web: {{ image: 'mainstay-test/tiny:{image}', stop_grace_period: 1s }}\n  db: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s }}\n"
        )
    };
    scene.stack("one", &files("1"));
    scene.on("one", &["up"]).ok();
    let of = |service: &str| scene.history(&["--service", service]).len();
    let (web, db) = (of("web"), of("db"));
    assert!(web > 0 && web == db, "one order touched both: {web} and {db}");
    scene.stack("one", &files("2"));
    scene.on("one", &["up", "--yes"]).ok();
    assert!(of("web") > web, "the second order replaced it");
    assert_eq!(of("db"), db, "and left the other as it is");
}

#[test]
fn a_start_without_the_containers_network_says_what_to_do_first() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("startlost");
    scene.stack("one", "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    scene.on("one", &["stop"]).ok();
    docker_ok(&["network", "rm", &scene.network("one")]);
    let told = scene.on("one", &["start"]).code(4);
    told.says(&scene.network("one")).says("`mainstay up` makes it and joins");
    assert!(!runs(&web));
    scene.on("one", &["up"]).ok();
    assert!(runs(&web) && resolves(&web, "web"));
}

#[test]
fn exec_with_a_server_is_the_same() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("execserver");
    let _server = scene.serve();
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    scene.on("one", &["exec", "web", "sh", "-c", "exit 7"]).code(7);
    assert_eq!(scene.on_with_input("one", &["exec", "web", "cat"], "in").ok().stdout, "in");
}

#[test]
fn stop_start_and_restart_keep_the_containers() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("stopstart");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    let (web, api) = (scene.container("one", "web"), scene.container("one", "api"));
    let ids = (id_of(&web), id_of(&api));
    scene.on("one", &["stop"]).ok();
    assert!(!runs(&web) && !runs(&api));
    scene.on("one", &["start"]).ok();
    assert!(runs(&web) && runs(&api));
    let before = (started_at(&web), started_at(&api));
    scene.on("one", &["restart", "web", "--yes"]).ok();
    assert_ne!(started_at(&web), before.0);
    scene.on("one", &["restart", "--yes"]).ok();
    assert_ne!(started_at(&api), before.1);
    assert_eq!((id_of(&web), id_of(&api)), ids);
    scene.on("one", &["stop", "api"]).ok();
    assert!(runs(&web) && !runs(&api), "only the one that was named");
    scene.on("one", &["start"]).ok();
    scene.on("one", &["start"]).ok();
    scene.on("one", &["plan", "--check"]).ok();
}

/// A stack whose service writes down when it starts and stops.
fn noting(service: &str, rest: &str, top: &str) -> String {
    format!(
        "
services:
  {service}:
    image: mainstay-test/tiny:1
    stop_grace_period: 3s
    volumes: ['../notes:/notes']
    command:
      - sh
      - -c
      - |
        trap 'sleep 0.5; echo {service} stops >>/notes/order; exit 0' TERM
        echo {service} starts >>/notes/order
        while :; do sleep 0.1; done
{rest}
{top}"
    )
}

#[test]
fn restart_goes_across_stacks_in_the_order_of_requires() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("order");
    scene.stack("data", &noting("db", "", ""));
    scene.stack(
        "web",
        &noting(
            "app",
            "    networks: [data]",
            "networks: { data: { external: true, name: '{stack:data}_default' } }\nx-mainstay: { requires: ['{stack:data}'] }\n",
        ),
    );
    scene.on("web", &["up"]).ok();
    let order = scene.folder().join("notes/order");
    let (data, web) = (scene.dir("data"), scene.dir("web"));
    let both = |command: &str, expected: &str| {
        fs::write(&order, "").expect("the notes");
        let (data, web) = (data.to_str().expect("text"), web.to_str().expect("text"));
        scene.mainstay(&["--stack", data, "--stack", web, "--yes", command]).ok();
        eventually(&format!("the order of {command} is {expected:?}"), SOON, || {
            (fs::read_to_string(&order).ok()?.lines().collect::<Vec<_>>().join(", ") == expected).then_some(())
        });
    };
    both("stop", "app stops, db stops");
    both("start", "db starts, app starts");
    both("restart", "app stops, db stops, db starts, app starts");
    both("down", "app stops, db stops");
}

#[test]
fn a_restart_across_stacks_that_is_cut_off_is_finished_by_the_same_command() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("cutoff");
    scene.stack("data", &noting("db", "", ""));
    scene.stack("web", &noting("app", "", "x-mainstay: { requires: ['{stack:data}'] }\n"));
    scene.on("web", &["up"]).ok();
    let (db, app) = (scene.container("data", "db"), scene.container("web", "app"));
    let (data, web) = (scene.dir("data"), scene.dir("web"));
    let restart = scene.start("data", &["restart", "--with-dependents"]);
    eventually("the first one is down", SOON, || (!runs(&app)).then_some(()));
    restart.interrupt();
    let restart = restart.ends(Duration::from_secs(20)).code(130);
    assert!(restart.stderr.contains("`mainstay restart` again"), "{}", restart.stderr);
    scene.mainstay(&["--stack", data.to_str().expect("text"), "--stack", web.to_str().expect("text"), "restart"]).ok();
    assert!(runs(&db) && runs(&app));
    // The one that nobody chose is in between.
    scene.mainstay(&["--stack", web.to_str().expect("text"), "plan", "--check"]).ok();
}

#[test]
fn within_a_stack_the_order_is_that_of_depends_on() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("depends");
    let web = noting("web", "", "").replacen("\nservices:\n", "", 1);
    let compose = noting("db", "", "") + &web.replace("    image:", "    depends_on: [db]\n    image:");
    scene.stack("one", &compose);
    scene.on("one", &["up"]).ok();
    let order = scene.folder().join("notes/order");
    for (command, expected) in [
        ("stop", "web stops, db stops"),
        ("start", "db starts, web starts"),
        ("restart", "web stops, db stops, db starts, web starts"),
    ] {
        fs::write(&order, "").expect("the notes");
        scene.on("one", &[command, "--yes"]).ok();
        eventually(&format!("the order of {command} is {expected:?}"), SOON, || {
            (fs::read_to_string(&order).ok()?.lines().collect::<Vec<_>>().join(", ") == expected).then_some(())
        });
    }
}

#[test]
fn a_restarted_container_is_back_on_all_its_networks() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("renet");
    scene.stack(
        "one",
        "
services:
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, networks: { front: {}, back: { aliases: [behind] } } }
networks: { front: {}, back: {} }
",
    );
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    scene.on("one", &["stop"]).ok();
    docker(&["network", "disconnect", "--force", &format!("{}_back", scene.name("one")), &web]);
    scene.on("one", &["start"]).ok();
    assert!(resolves(&web, "behind"));
}

#[test]
fn history_says_what_was_ordered_and_what_others_did() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("history");
    let _server = scene.serve();
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    docker_ok(&["stop", &scene.container("one", "web")]);
    let web = scene.container("one", "web");
    eventually("what others did is in the history", SOON, || {
        let events = scene.history_of("event");
        events.iter().any(|entry| entry.to_string().contains(&web)).then_some(())
    });
    scene.on("one", &["down"]).ok();
    let operations = scene.history_of("operation");
    let said = serde_json::to_string(&operations).expect("JSON");
    assert!(said.contains("up") && said.contains("down"), "{said}");
    let steps = serde_json::to_string(&scene.history_of("step")).expect("JSON");
    assert!(steps.contains(&web), "{steps}");
    let told = scene.mainstay(&["history"]).ok();
    assert!(told.stdout.contains("up") && told.stdout.contains(&scene.name("one")), "{}", told.stdout);
    assert_eq!(scene.history(&["--limit", "1"]).len(), 1);
    let dir = scene.dir("one");
    let of_it = scene.mainstay(&["history", "--json", "--stack", dir.to_str().expect("text")]).ok();
    assert!(of_it.stdout.contains(&scene.name("one")));
    let of_other = scene.mainstay(&["history", "--json", "--stack", "nobody-knows-it"]);
    assert!(!of_other.stdout.contains(&scene.name("one")), "{of_other:?}");
}

/// What the history says that others did, without the cause.
fn done_by_others(scene: &Scene) -> Vec<String> {
    scene.history_of("event").iter().map(|entry| text(&entry["summary"])).collect()
}

#[test]
fn history_tells_what_others_do_in_the_middle_of_an_order_on_the_same_stack() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("meddle");
    let _server = scene.serve();
    // While `slow` gets ready the order is under way, and while it heeds no signal so is its end.
    let deaf = "trap '' TERM; sleep 8; echo up >/tmp/up; while :; do sleep 0.1; done";
    scene.stack(
        "one",
        &format!(
            "{TWO}  slow:
    image: mainstay-test/tiny:1
    stop_grace_period: 4s
    command: [sh, -c, \"{deaf}\"]
    healthcheck: {{ test: [CMD, test, -f, /tmp/up], interval: 300ms, retries: 50 }}
"
        ),
    );
    let (web, api, slow) =
        (scene.container("one", "web"), scene.container("one", "api"), scene.container("one", "slow"));
    let expected = |lines: &[String]| {
        eventually(&format!("{lines:#?} is what others did"), SOON, || (done_by_others(&scene) == lines).then_some(()));
    };
    let mut lines = Vec::new();
    let up = scene.start("one", &["up"]);
    // Only once the order no longer looks at these two: what dies while it is waited for fails the order, and rightly.
    let waited_for = |name: &str| {
        let of_it = |entry: &&serde_json::Value| {
            let step = text(&entry["summary"]);
            step.starts_with("waited until") && step.contains(name)
        };
        scene.history_of("step").iter().any(|entry| of_it(&entry))
    };
    eventually("only `slow` is waited for", SOON, || {
        (waited_for(&web) && waited_for(&api) && runs(&slow)).then_some(())
    });
    docker_ok(&["restart", "--time", "1", &web]);
    docker_ok(&["kill", &api]);
    docker_ok(&["start", &api]);
    up.ends(Duration::from_secs(30)).ok();
    let killed = |name: &str| [format!("`{name}` was sent signal 9"), format!("`{name}` ended with exit code 137")];
    let by_term = format!("`{web}` was sent signal 15");
    let told = done_by_others(&scene);
    let rest = told.iter().position(|line| *line == by_term).map(|at| told[at..].to_vec()).unwrap_or_default();
    // The web server of busybox ends by the signal or by the kill.
    let how: Vec<&String> = rest.iter().filter(|line| line.contains(&web) && !line.contains("signal")).collect();
    assert_eq!(how.len(), 4, "ended, was stopped, started, was restarted: {told:#?}");
    assert!(
        how[1].ends_with("was stopped") && how[2].ends_with("started") && how[3].ends_with("restarted"),
        "{told:#?}"
    );
    lines.extend(told.iter().filter(|line| line.contains(&web)).cloned());
    lines.extend(killed(&api));
    lines.push(format!("`{api}` started"));
    expected(&lines);
    // The same container, in the middle of our own stop of it.
    let stop = scene.start("one", &["stop"]);
    eventually("the others are down already", SOON, || (!runs(&web) && !runs(&api)).then_some(()));
    assert!(runs(&slow));
    docker_ok(&["kill", &slow]);
    stop.ends(Duration::from_secs(30)).ok();
    lines.push(killed(&slow)[0].clone());
    expected(&lines);
    // Ours alone tell nothing of others; the moment after an order is nobody's.
    scene.on("one", &["start"]).ok();
    docker_ok(&["pause", &web]);
    docker_ok(&["unpause", &web]);
    scene.on("one", &["restart"]).ok();
    docker_ok(&["rename", &api, &format!("{api}-renamed")]);
    scene.on("one", &["down"]).ok();
    lines.extend([format!("`{web}` was paused"), format!("`{web}` was resumed")]);
    lines.push(format!("`{api}` was renamed to `{api}-renamed`"));
    expected(&lines);
}

#[test]
fn history_tells_what_others_did_while_a_command_hosted_the_engine_and_after_it() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("unwatched");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    docker_ok(&["pause", &web]);
    docker_ok(&["unpause", &web]);
    scene.on("one", &["restart"]).ok();
    let lines = [format!("`{web}` was paused"), format!("`{web}` was resumed")];
    for _ in 0..2 {
        let server = scene.serve();
        eventually("it is told", SOON, || (done_by_others(&scene) == lines).then_some(()));
        server.kill();
    }
}

#[test]
fn history_follows_where_no_server_runs_and_goes_on_when_one_comes_and_goes() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("followfile");
    scene.stack("one", TWO);
    scene.mainstay(&["history", "--follow"]).code(4).says("state");
    scene.on("one", &["up"]).ok();
    let follow = scene.start("one", &["history", "--follow", "--json", "--limit", "1"]);
    scene.on("one", &["stop"]).ok();
    follow.awaits_stdout("`stop` done", SOON);
    let server = scene.serve();
    scene.on("one", &["start"]).ok();
    follow.awaits_stdout("`start` done", SOON);
    let served = scene.start("one", &["history", "--follow", "--json", "--limit", "1"]);
    scene.on("one", &["stop", "api"]).ok();
    served.awaits_stdout("`stop` done", SOON);
    server.kill();
    scene.on("one", &["restart"]).ok();
    for follower in [&follow, &served] {
        follower.awaits_stdout("`restart` done", SOON);
        let told = follower.stdout();
        let ids: Vec<i64> = told
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).expect("an entry")["id"].as_i64().expect("an id"))
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "each once and in order: {ids:?}");
    }
}

#[test]
fn history_follows() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("followhist");
    let _server = scene.serve();
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    let follow = scene.start("one", &["history", "--follow", "--json"]);
    docker_ok(&["network", "disconnect", &scene.network("one"), &scene.container("one", "web")]);
    follow.awaits_stdout("repair", SOON);
    for line in follow.stdout() {
        let _: Value = serde_json::from_str(&line).expect("one JSON object a line");
    }
    follow.interrupt();
    let ended = follow.ends(Duration::from_secs(5));
    // Ended by the signal itself, a shell calls it 130 too.
    assert!([Some(0), Some(130), None].contains(&ended.code), "{ended:?}");
}

#[test]
fn a_stack_is_known_by_its_name_once_it_was_brought_up() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("byname");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    let name = scene.name("one");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let run = |args: &[&str]| {
        let mut command = scene.command(args);
        command.current_dir(elsewhere.path());
        Ran::of(command)
    };
    run(&["--stack", &name, "ps"]).ok().prints("web");
    run(&["ps", "--all"]).ok().prints(&name);
    run(&["stacks"]).ok().prints(&name);
    let json = run(&["--json", "stacks"]).ok().json();
    assert!(json.to_string().contains(&name), "{json}");
    run(&["--stack", &name, "logs"]).ok().prints("listening");
    run(&["--stack", &name, "down"]).ok();
    assert!(scene.containers("one").is_empty());
    let unknown = run(&["--stack", "nobody-knows-it", "ps"]);
    assert_ne!(unknown.code, Some(0));
    unknown.says("nobody-knows-it");
}

#[test]
fn version_names_the_program_and_the_engine() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("version");
    let version = scene.mainstay(&["version"]).ok();
    let engine = docker_ok(&["version", "--format", "{{.Server.Version}}"]);
    let number = engine.split('+').next().expect("a number");
    assert!(version.stdout.contains("0.1.0") && version.stdout.contains(number), "{}", version.stdout);
    let json = scene.mainstay(&["--json", "version"]).ok().json();
    assert!(json.to_string().contains("0.1.0"), "{json}");
    scene.mainstay(&["--version"]).ok().prints("mainstay");
}

#[test]
fn completions_are_scripts_that_their_shell_reads() {
    let scene = Scene::new("completions");
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.mainstay(&["completions", shell]).ok();
        assert!(script.stdout.contains("mainstay") && script.stdout.contains("history"), "{shell}");
        let path = scene.folder().join(shell);
        fs::write(&path, &script.stdout).expect("the script");
        if let Ok(output) = Command::new(shell).arg("-n").arg(&path).output() {
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert_eq!(scene.mainstay(&["completions", "nosuchshell"]).code, Some(2));
}

#[test]
fn config_equals_docker_composes() {
    let scene = Scene::new("config");
    scene.stack(
        "one",
        "
x-common: &common
  restart: unless-stopped
  environment: &env { A: '1', B: \"two $$x\" }
services:
  web:
    <<: *common
    image: \"acme/web:${TAG:-1}\"
    environment:
      <<: *env
      C: ${WORD}
      NESTED: ${NOT_SET:-${ALSO_NOT:-deep}}
    ports: ['127.0.0.1:8080:80', '9000-9001:9000-9001', '53:53/udp']
    command: [\"a b\", \"c\"]
    healthcheck: { test: 'true', interval: 1m30s, start_period: 5s }
    depends_on: [db]
    volumes: ['data:/data', './conf:/conf:ro']
    networks: { default: {}, back: { aliases: [www] } }
    deploy: { replicas: 2, resources: { limits: { memory: 64m } } }
    labels: { one: '1' }
    stop_grace_period: 90s
  db:
    image: postgres:15
    command: postgres -c 'shared buffers'
    environment: [POSTGRES_PASSWORD=secret]
    tmpfs: /tmp
    extra_hosts: ['a.test:10.0.0.1']
    ulimits: { nofile: 1000 }
    shm_size: 64m
  hidden: { image: acme/hidden, profiles: [debug] }
networks: { back: { internal: true } }
volumes: { data: {} }
",
    );
    scene.file("one", ".env", "WORD='from the file'\n");
    let folder = scene.dir("one");
    let theirs = compose_v2(&folder, &["config", "--format", "json"]).ok().json();
    let ours = scene.on("one", &["--json", "config"]).ok().json();
    let mut differences = Vec::new();
    differ("", &theirs, &ours, &mut differences);
    assert!(differences.is_empty(), "theirs and ours differ at\n{}", differences.join("\n"));
    // As YAML it is the same thing again, to both programs.
    let yaml = scene.on("one", &["config"]).ok();
    scene.file("again", "compose.yaml", &yaml.stdout);
    let again = compose_v2(&scene.dir("again"), &["config", "--format", "json"]).ok().json();
    differences.clear();
    differ("", &theirs, &again, &mut differences);
    assert!(differences.is_empty(), "read again by docker compose, it differs at\n{}", differences.join("\n"));
}

#[test]
fn config_answers_every_flag_as_docker_compose_does() {
    let scene = Scene::new("flags");
    scene.stack(
        "one",
        "
services:
  web:
    image: acme/web:1
    build: .
    command: 'echo \"a <b> & $$X\"'
    environment: { A: '${A:-1}', B: '${B-x}', D: '${D:+alt}' }
    depends_on: [db]
    deploy: { replicas: 2 }
    volumes: ['data:/data', './conf:/conf:ro']
    networks: [back]
    env_file: web.env
    x-note: { a: 1 }
  db: { image: 'postgres:15', labels: { a: '$$b' } }
  hidden: { image: acme/hidden, profiles: [debug] }
networks: { back: {}, unused: {} }
volumes: { data: {}, unused: {} }
",
    );
    scene.file("one", "web.env", "E=1\n");
    let folder = scene.dir("one");
    let sorted = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> = text.trim_end().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for flags in [
        "--services",
        "--volumes",
        "--networks",
        "--models",
        "--images",
        "--profiles",
        "--hash *",
        "--hash web",
        "--no-interpolate --services",
        "--profile debug config --hash hidden",
    ] {
        let args: Vec<&str> = flags.split(' ').collect();
        let args = if args.contains(&"config") { args } else { [&["config"], &args[..]].concat() };
        let theirs = compose_v2(&folder, &args).ok();
        let ours = scene.on("one", &args).ok();
        assert_eq!(sorted(&ours.stdout), sorted(&theirs.stdout), "{flags}");
    }
    for flags in [
        "config",
        "config --format json",
        "config --no-interpolate",
        "config --no-interpolate --format json",
        "config --no-normalize",
        "config --no-path-resolution",
        "config --no-consistency",
        "config db",
        "config hidden",
    ] {
        let args: Vec<&str> = flags.split(' ').collect();
        let theirs = compose_v2(&folder, &args).ok();
        let ours = scene.on("one", &args).ok();
        assert_eq!(ours.stdout.trim_end(), theirs.stdout.trim_end(), "{flags}");
    }
    let variables = ["config", "--variables", "--format", "json"];
    assert_eq!(scene.on("one", &variables).ok().json(), compose_v2(&folder, &variables).ok().json());
    scene.on("one", &["config", "nobody"]).code(2).says("no service `nobody`");
    scene.on("one", &["config", "--hash", "hidden"]).code(2).says("`hidden` is off");
}

fn differ(path: &str, theirs: &Value, ours: &Value, into: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let [one, other] = [one, other].map(|map| map.get(key).unwrap_or(&Value::Null));
                differ(&format!("{path}/{key}"), one, other, into);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differ(&format!("{path}/{index}"), one, other, into);
            }
        }
        _ if theirs == ours => {}
        _ => into.push(format!("{path}: {theirs} and {ours}")),
    }
}

#[test]
fn complaints_come_together_with_file_line_column_and_hint() {
    let scene = Scene::new("complaints");
    scene.stack(
        "one",
        "services:
  web:
    image: mainstay-test/tiny:1
    helthcheck: { test: 'true' }
    ports: ['80:notaport']
    depends_on: [absent]
  api:
    image: 17
    restart: sometimes
    stop_grace_period: soon
    volumes: ['nothere:/data']
",
    );
    let up = scene.on("one", &["up"]).code(3);
    let file = scene.dir("one").join("compose.yaml");
    // Line 1 is the name that the harness puts first.
    for (place, words) in [
        (":5:", &["helthcheck", "healthcheck"][..]),
        (":6:", &["notaport"]),
        (":7:", &["absent"]),
        (":10:", &["sometimes"]),
        (":11:", &["soon"]),
        (":12:", &["nothere"]),
    ] {
        let place = format!("{}{place}", file.display());
        assert!(up.stderr.contains(&place), "{place} is not named:\n{}", up.stderr);
        for word in words {
            assert!(up.stderr.contains(word), "{word}:\n{}", up.stderr);
        }
    }
    assert!(up.stderr.contains("did you mean"), "{}", up.stderr);
    assert_eq!(up.stdout, "", "complaints are talk, not data");
    let json = scene.on("one", &["--json", "config"]).code(3);
    let problem: Value = serde_json::from_str(json.stderr.trim()).expect("a problem as JSON on stderr");
    assert!(problem.to_string().contains("helthcheck"), "{problem}");
    let complaints = problem["complaints"].as_array().expect("the complaints as data");
    let lines: Vec<u64> = complaints.iter().filter_map(|one| one["line"].as_u64()).collect();
    assert!(lines.is_sorted() && lines.len() == complaints.len(), "by place: {complaints:#?}");
    let sometimes = complaints.iter().find(|one| one["line"] == 10).expect("the one in line 10");
    assert_eq!(sometimes["code"], "bad-value", "{sometimes}");
    assert_eq!(sometimes["file"], file.to_string_lossy().as_ref(), "{sometimes}");
    assert_eq!(sometimes["column"], 14, "{sometimes}");
    assert!(sometimes["hint"].as_str().is_some_and(|hint| hint.contains("unless-stopped")), "{sometimes}");
}

#[test]
fn a_file_that_is_no_yaml_is_named_with_its_place() {
    let scene = Scene::new("noyaml");
    scene.stack("one", "services:\n  web:\n    image: [unclosed\n  api: {}\n");
    let up = scene.on("one", &["up"]).code(3);
    assert!(up.stderr.contains("compose.yaml:"), "{}", up.stderr);
    scene.stack("one", "services:\n  web: { image: 'a:${UNCLOSED' }\n");
    let up = scene.on("one", &["up"]).code(3);
    assert!(up.stderr.contains("compose.yaml:3:"), "{}", up.stderr);
    scene.stack("one", "services:\n  web: { image: '${NEEDED:?say which image}' }\n");
    scene.on("one", &["up"]).code(3).says("say which image");
    fs::write(scene.dir("one").join("compose.yaml"), b"services:\n  web: { image: \"\xff\xfe\" }\n").expect("the file");
    scene.on("one", &["up"]).code(3).says("compose.yaml");
}

#[test]
fn files_that_would_eat_the_machine_are_refused_quickly() {
    let scene = Scene::new("bombs");
    let mut bomb = String::from("x-0: &x0 [a, a, a, a, a, a, a, a, a, a]\n");
    for level in 1..12 {
        let aliases = vec![format!("*x{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("x-{level}: &x{level} [{aliases}]\n"));
    }
    bomb.push_str("services: { web: { image: a, x-it: *x11 } }\n");
    scene.stack("bomb", &bomb);
    scene.stack("cycle", "include: [other.yaml]\nservices: { web: { image: a } }\n");
    scene.file("cycle", "other.yaml", "include: [compose.yaml]\n");
    scene.stack("extends", "services:\n  a: { extends: b }\n  b: { extends: a }\n");
    scene.stack("depends", "services:\n  a: { image: a, depends_on: [b] }\n  b: { image: b, depends_on: [a] }\n");
    scene.stack(
        "deep",
        &format!("services: {{ web: {{ image: a, x-it: {}{} }} }}\n", "[".repeat(50_000), "]".repeat(50_000)),
    );
    scene.stack("huge", "");
    fs::write(scene.dir("huge").join("compose.yaml"), vec![b'#'; 100 << 20]).expect("a large file");
    for stack in ["bomb", "cycle", "extends", "depends", "deep", "huge"] {
        let mut command = Command::new("sh");
        // Bounded in memory by the shell, in time by the clock: neither is to be met.
        command
            .args(["-c", "ulimit -v 2000000; exec timeout 10 \"$0\" config", binary().to_str().expect("text")])
            .current_dir(scene.dir(stack))
            .env("HOME", scene.folder());
        let from = Instant::now();
        let ran = Ran::of(command);
        assert_eq!(ran.code, Some(3), "{stack}: {}", &ran.stderr[..ran.stderr.len().min(2000)]);
        assert!(from.elapsed() < Duration::from_secs(5), "{stack}: {:?}", from.elapsed());
        assert!(ran.stderr.len() < 20_000, "{stack}: a complaint of {} bytes", ran.stderr.len());
    }
}

#[test]
fn wrong_usage_ends_with_2_and_a_folder_without_files_with_3() {
    let scene = Scene::new("usage");
    assert_eq!(scene.mainstay(&["up", "--no-such-flag"]).code, Some(2));
    assert_eq!(scene.mainstay(&["no-such-command"]).code, Some(2));
    assert_eq!(scene.mainstay(&[]).code, Some(2));
    scene.mainstay(&["--help"]).ok().prints("up");
    fs::create_dir(scene.folder().join("empty")).expect("a folder");
    let up = scene.mainstay(&["--stack", "./empty", "up"]).code(3);
    assert!(up.stderr.contains("empty"), "{}", up.stderr);
    let typo = scene.mainstay(&["--file", "absent.yaml", "up"]).code(3);
    assert!(typo.stderr.contains("absent.yaml"), "{}", typo.stderr);
}

#[test]
fn every_json_is_json_and_nothing_else_is_on_stdout() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("json");
    scene.stack("one", TWO);
    for args in
        [&["--json", "plan"][..], &["--json", "up"], &["--json", "ps"], &["--json", "config"], &["--json", "plan"]]
    {
        let ran = scene.on("one", args).ok();
        let whole = serde_json::from_str::<Value>(&ran.stdout).is_ok();
        let lines = ran.stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok());
        assert!(!ran.stdout.is_empty() && (whole || lines), "{args:?}:\n{}", ran.stdout);
    }
    let quiet = scene.on("one", &["--quiet", "up"]).ok();
    assert_eq!(quiet.stderr, "", "quiet says only what goes wrong");
    let up = scene.on("one", &["up"]).ok();
    assert_eq!(up.stdout, "", "an up has no data, only talk");
    assert!(!up.stderr.contains('\u{1b}'), "no colour and no cursor movement without a terminal");
}
