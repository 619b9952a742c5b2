//! `up` and `plan`: what is declared comes to stand, what stands already is left alone, and what cannot be is refused
//! before anything is touched.

use std::time::Duration;

use mainstay_e2e::{Scene, compose_v2, docker, docker_json, docker_ok, exists, id_of, inside, logs_of, networks_of};
use mainstay_e2e::{eventually, require_engine, runs, started_at};

const TWO: &str = "
services:
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: { A: '1' } }
  api: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
";

const HEALTHY: &str =
    "{ test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 300ms, retries: 50 }";

fn finished_at(container: &str) -> String {
    docker_json(container)["State"]["FinishedAt"].as_str().expect("FinishedAt").to_owned()
}

#[test]
fn up_brings_every_service_to_run_on_its_network() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("fresh");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    assert_eq!(scene.containers("one"), [scene.container("one", "api"), scene.container("one", "web")]);
    for container in scene.containers("one") {
        assert!(runs(&container), "{container} runs");
        assert_eq!(networks_of(&container), [scene.network("one")].into());
    }
    assert_eq!(inside(&scene.container("one", "web"), "wget -q -O - http://api:8080/health"), "ok");
}

#[test]
fn a_second_up_changes_nothing() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("again");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    let before: Vec<_> = scene.containers("one").iter().map(|name| (id_of(name), started_at(name))).collect();
    scene.on("one", &["up"]).ok();
    scene.on("one", &["plan", "--check"]).ok();
    let after: Vec<_> = scene.containers("one").iter().map(|name| (id_of(name), started_at(name))).collect();
    assert_eq!(after, before);
}

#[test]
fn a_changed_field_replaces_only_its_service_and_the_plan_names_the_field() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("changed");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    let (web, api) = (scene.container("one", "web"), scene.container("one", "api"));
    let (web_before, api_before) = (id_of(&web), started_at(&api));
    scene.stack("one", &TWO.replace("A: '1'", "A: 'a-new-value'"));

    let plan = scene.on("one", &["plan"]).ok();
    let replace: Vec<_> = plan.stdout.lines().filter(|line| line.contains("replace")).collect();
    assert!(replace.iter().any(|line| line.contains("web")), "{}", plan.stdout);
    assert!(plan.stdout.contains("environment"), "the field is named: {}", plan.stdout);
    assert!(!plan.stdout.contains("a-new-value"), "no value is shown: {}", plan.stdout);
    assert_eq!(id_of(&web), web_before, "a plan changes nothing");

    scene.on("one", &["up", "--yes"]).ok();
    assert_ne!(id_of(&web), web_before, "web was made anew, under the same name");
    assert_eq!(inside(&web, "echo $A"), "a-new-value");
    assert_eq!(started_at(&api), api_before, "api was left alone");
    assert_eq!(scene.containers("one"), [api, web]);
}

#[test]
fn a_new_image_behind_the_same_tag_replaces_the_service() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("image");
    let tag = format!("{}:latest", scene.name("image"));
    docker_ok(&["tag", "mainstay-test/tiny:1", &tag]);
    let compose = format!("services:\n  web: {{ image: '{tag}', stop_grace_period: 1s, pull_policy: never }}\n");
    scene.stack("one", &compose);
    scene.on("one", &["up"]).ok();
    docker_ok(&["tag", "mainstay-test/tiny:2", &tag]);
    let up = scene.on("one", &["up", "--yes"]);
    let said = docker(&["exec", &scene.container("one", "web"), "cat", "/www/index.html"]);
    scene.mainstay(&["--stack", scene.dir("one").to_str().expect("text"), "down"]).ok();
    docker_ok(&["rmi", &tag]);
    up.ok();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "tiny 2\n");
}

#[test]
fn a_dependent_waits_until_its_dependency_is_healthy() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("healthy");
    scene.stack(
        "one",
        &format!(
            "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    depends_on: {{ db: {{ condition: service_healthy }} }}
  db:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: {{ DELAY: '2' }}
    healthcheck: {HEALTHY}
"
        ),
    );
    scene.on("one", &["up"]).ok();
    let (db, web) = (docker_json(&scene.container("one", "db")), docker_json(&scene.container("one", "web")));
    assert_eq!(db["State"]["Health"]["Status"], "healthy");
    let healthy_since = db["State"]["Health"]["Log"].as_array().expect("a log").iter();
    let first_good = healthy_since.filter(|probe| probe["ExitCode"] == 0).map(|probe| probe["End"].to_string()).min();
    // Both are RFC 3339, one in UTC and one in the machine's zone, which is UTC in CI: compare by the engine's clock.
    let started = web["State"]["StartedAt"].to_string();
    assert!(started > first_good.expect("a good probe"), "web started {started} before db was healthy");
}

#[test]
fn up_is_done_only_when_the_services_are_healthy() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("wait");
    scene.stack(
        "one",
        &format!("services:\n  web: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: {{ DELAY: '2' }}, healthcheck: {HEALTHY} }}\n"),
    );
    scene.on("one", &["up"]).ok();
    assert_eq!(docker_json(&scene.container("one", "web"))["State"]["Health"]["Status"], "healthy");
}

#[test]
fn a_dependent_of_a_one_shot_starts_after_it_completed_and_it_is_not_run_again() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("oneshot");
    scene.stack(
        "one",
        "
services:
  migrate:
    image: mainstay-test/tiny:1
    command: sh -c 'sleep 1; echo migrated >>/data/log'
    volumes: ['data:/data']
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    depends_on: { migrate: { condition: service_completed_successfully } }
    command: sh -c 'cat /data/log; exec /bin/serve'
    volumes: ['data:/data']
volumes: { data: {} }
",
    );
    scene.on("one", &["up"]).ok();
    let (migrate, web) = (scene.container("one", "migrate"), scene.container("one", "web"));
    assert!(logs_of(&web).starts_with("migrated\n"), "{}", logs_of(&web));
    let (ran, web_started) = (finished_at(&migrate), started_at(&web));
    scene.on("one", &["up"]).ok();
    assert_eq!(finished_at(&migrate), ran, "a completed one-shot is done");
    assert_eq!(started_at(&web), web_started);
    scene.on("one", &["plan", "--check"]).ok();
}

#[test]
fn a_failed_dependency_stops_its_dependents_only_and_shows_its_last_lines() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("failed");
    scene.stack(
        "one",
        "
services:
  migrate:
    image: mainstay-test/tiny:1
    command: sh -c 'echo first line; echo relation users does not exist >&2; exit 3'
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    depends_on: { migrate: { condition: service_completed_successfully } }
  behind: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, depends_on: [web] }
  other: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
",
    );
    let up = scene.on("one", &["up"]).code(1).says("relation users does not exist");
    assert!(up.stderr.contains("migrate") && up.stderr.contains('3'), "service and exit code: {}", up.stderr);
    assert!(!runs(&scene.container("one", "web")), "the dependent was not started");
    assert!(!runs(&scene.container("one", "behind")), "nor what depends on it");
    assert!(runs(&scene.container("one", "other")), "what does not depend on it was");
    // Mended, the next `up` goes on.
    scene.stack(
        "one",
        "
services:
  migrate: { image: 'mainstay-test/tiny:1', command: 'true' }
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    depends_on: { migrate: { condition: service_completed_successfully } }
  behind: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, depends_on: [web] }
  other: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
",
    );
    scene.on("one", &["up", "--yes"]).ok();
    assert!(runs(&scene.container("one", "behind")));
}

#[test]
fn a_service_that_never_gets_healthy_fails_the_up_with_its_last_lines() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("unhealthy");
    scene.stack(
        "one",
        &format!(
            "
services:
  db:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: {{ BAD: '1' }}
    healthcheck: {{ test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 300ms, retries: 3 }}
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    healthcheck: {HEALTHY}
    depends_on: {{ db: {{ condition: service_healthy }} }}
"
        ),
    );
    let up = scene.on("one", &["up"]).code(1).says("listening on 8080");
    assert!(up.stderr.contains("db") && up.stderr.contains("unhealthy"), "{}", up.stderr);
    assert!(!runs(&scene.container("one", "web")));
}

#[test]
fn a_service_that_crashes_at_start_fails_the_up_with_its_last_lines() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("crash");
    scene.stack(
        "one",
        "services:\n  web: { image: 'mainstay-test/tiny:1', environment: { CRASH: '1' }, restart: unless-stopped }\n",
    );
    scene.on("one", &["up"]).code(1).says("crashing, as CRASH says");
}

#[test]
fn a_command_that_does_not_exist_fails_the_up_with_the_engines_words() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("nocommand");
    scene.stack("one", "services:\n  web: { image: 'mainstay-test/tiny:1', command: ['/bin/absent'] }\n");
    scene.on("one", &["up"]).code(1).says("/bin/absent");
}

#[test]
fn an_image_that_nobody_has_fails_the_up_and_is_named() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("noimage");
    scene.stack(
        "one",
        "services:\n  web: { image: 'mainstay-test/absent:9', pull_policy: never }\n  api: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n",
    );
    let up = scene.on("one", &["up"]);
    assert!([Some(1), Some(4)].contains(&up.code), "{up:?}");
    up.says("mainstay-test/absent:9");
}

#[test]
fn an_image_with_a_build_section_is_built() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("build");
    scene.stack(
        "one",
        "
services:
  web:
    build:
      context: .
      target: final
      args: { WORD: built }
      dockerfile_inline: |
        FROM mainstay-test/tiny:1 AS base
        ARG WORD
        COPY extra.txt /www/extra.txt
        FROM base AS final
        ARG WORD
        RUN echo \"$$WORD\" >/www/word
        FROM base AS other
        RUN false
    image: '{stack:made}:1'
    stop_grace_period: 1s
",
    );
    scene.file("one", "extra.txt", "from the context");
    let up = scene.on("one", &["up"]);
    let said = docker(&["exec", &scene.container("one", "web"), "cat", "/www/word", "/www/extra.txt"]);
    let again = scene.on("one", &["plan", "--check"]);
    scene.on("one", &["down"]).ok();
    docker(&["rmi", &format!("{}:1", scene.name("made"))]);
    up.ok();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "built\nfrom the context");
    again.ok();
}

#[test]
fn up_of_a_stack_brings_up_the_stacks_it_requires_first() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("requires");
    scene.stack(
        "data",
        &format!("services:\n  db: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: {{ DELAY: '1' }}, healthcheck: {HEALTHY} }}\n"),
    );
    scene.stack(
        "web",
        "
services:
  app:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: [default, data]
    command: sh -c 'getent hosts db && echo found; exec /bin/serve'
networks: { data: { external: true, name: '{stack:data}_default' } }
x-mainstay: { requires: ['{stack:data}'] }
",
    );
    // Only the second is named: the first is in the folder beside it.
    scene.on("web", &["up"]).ok();
    let app = scene.container("web", "app");
    assert!(logs_of(&app).contains("found"), "{}", logs_of(&app));
    assert_eq!(docker_json(&scene.container("data", "db"))["State"]["Health"]["Status"], "healthy");
    assert_eq!(networks_of(&app), [scene.network("data"), scene.network("web")].into());

    // It is read with the environment of the one that requires it, and known by that from then on.
    scene.on("web", &["down", "--yes"]).ok();
    scene.on("data", &["down", "--yes"]).ok();
    ["web", "data"].iter().for_each(|stack| drop(scene.file(stack, ".env.dev", "")));
    scene.on("web", &["up", "--env", "dev"]).ok();
    scene.on("data", &["plan"]).code(0).says("with `--env dev`");
}

#[test]
fn a_required_stack_that_nobody_knows_is_refused_by_name() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("unknown");
    scene.stack(
        "web",
        "services:\n  app: { image: 'mainstay-test/tiny:1' }\nx-mainstay: { requires: ['{stack:nowhere}'] }\n",
    );
    let up = scene.on("web", &["up"]);
    assert_ne!(up.code, Some(0));
    up.says(&scene.name("nowhere"));
    assert!(scene.containers("web").is_empty());
}

#[test]
fn stacks_that_require_each_other_are_refused() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("cycle");
    for (name, other) in [("aa", "bb"), ("bb", "aa")] {
        scene.stack(
            name,
            &format!("services:\n  it: {{ image: 'mainstay-test/tiny:1' }}\nx-mainstay: {{ requires: ['{{stack:{other}}}'] }}\n"),
        );
    }
    let up = scene.on("aa", &["up"]);
    assert_ne!(up.code, Some(0), "{up:?}");
    assert!(up.stderr.contains(&scene.name("aa")) && up.stderr.contains(&scene.name("bb")), "{}", up.stderr);
    assert!(scene.containers("aa").is_empty() && scene.containers("bb").is_empty());
}

#[test]
fn several_stacks_come_up_in_one_command_in_their_order() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("several");
    scene.stack("data", "services:\n  db: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    scene.stack(
        "web",
        "
services:
  app: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, networks: [data] }
networks: { data: { external: true, name: '{stack:data}_default' } }
x-mainstay: { requires: ['{stack:data}'] }
",
    );
    let (web, data) = (scene.dir("web"), scene.dir("data"));
    scene.mainstay(&["--stack", web.to_str().expect("text"), "--stack", data.to_str().expect("text"), "up"]).ok();
    assert!(started_at(&scene.container("data", "db")) < started_at(&scene.container("web", "app")));
}

#[test]
fn replicas_go_up_and_down_and_the_ones_that_stay_are_left_alone() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("replicas");
    let compose = |count: u32| {
        format!(
            "services:\n  web: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, deploy: {{ replicas: {count} }} }}\n"
        )
    };
    scene.stack("one", &compose(2));
    scene.on("one", &["up"]).ok();
    let name = |number: u32| format!("{}-web-{number}", scene.name("one"));
    assert_eq!(scene.containers("one"), [name(1), name(2)]);
    let before = started_at(&name(1));
    scene.stack("one", &compose(3));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(scene.containers("one"), [name(1), name(2), name(3)]);
    scene.stack("one", &compose(1));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(scene.containers("one"), [name(1)]);
    assert_eq!(started_at(&name(1)), before);
}

#[test]
fn an_orphan_is_left_and_named_and_removed_when_asked() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("orphan");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    scene.stack(
        "one",
        "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: { A: '1' } }\n",
    );
    let up = scene.on("one", &["up"]).ok();
    let api = scene.container("one", "api");
    assert!(runs(&api), "an orphan is left");
    assert!((up.stderr + &up.stdout).contains(&api), "and named");
    scene.on("one", &["up", "--remove-orphans", "--yes"]).ok();
    assert_eq!(scene.containers("one"), [scene.container("one", "web")]);
}

#[test]
fn a_foreign_container_with_our_name_is_refused_and_untouched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("foreign");
    scene.stack("one", TWO);
    let web = scene.container("one", "web");
    docker_ok(&["run", "--detach", "--name", &web, "mainstay-test/tiny:1"]);
    let (id, started) = (id_of(&web), started_at(&web));
    let up = scene.on("one", &["up", "--yes"]);
    assert_ne!(up.code, Some(0), "{up:?}");
    up.says(&web);
    assert_eq!((id_of(&web), started_at(&web)), (id, started));
    assert!(!exists("container", &scene.container("one", "api")), "refused before anything was touched");
    assert!(!exists("network", &scene.network("one")), "refused before anything was touched");
}

#[test]
fn a_foreign_network_with_our_name_is_not_taken_over() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("foreignnet");
    scene.stack("one", TWO);
    docker_ok(&["network", "create", &scene.network("one")]);
    let id = id_of(&scene.network("one"));
    scene.on("one", &["up", "--yes"]);
    scene.on("one", &["down"]);
    assert_eq!(id_of(&scene.network("one")), id, "it is there as it was, whatever `up` and `down` thought of it");
}

#[test]
fn a_missing_external_volume_or_network_is_refused_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("external");
    scene.stack(
        "one",
        "
services:
  web: { image: 'mainstay-test/tiny:1', volumes: ['data:/data'], networks: [default, out] }
  api: { image: 'mainstay-test/tiny:1' }
volumes: { data: { external: true, name: '{stack:outdata}' } }
networks: { out: { external: true, name: '{stack:outnet}' } }
",
    );
    let up = scene.on("one", &["up", "--yes"]);
    assert_ne!(up.code, Some(0), "{up:?}");
    let up = up.says(&scene.name("outdata")).says(&scene.name("outnet"));
    assert!([Some(1), Some(3), Some(4)].contains(&up.code), "{up:?}");
    assert!(scene.containers("one").is_empty());
    assert!(!exists("network", &scene.network("one")));
    let plan = scene.on("one", &["plan"]).code(4).prints(&scene.name("outdata")).says("the plan says why");
    assert!(!plan.stderr.contains(&scene.name("outdata")), "what stands in the plan is not said again: {plan:?}");
    scene.on("one", &["--json", "plan"]).code(4).says(&scene.name("outdata"));
    docker_ok(&["volume", "create", &scene.name("outdata")]);
    docker_ok(&["network", "create", &scene.name("outnet")]);
    scene.on("one", &["up"]).ok();
    assert!(networks_of(&scene.container("one", "web")).contains(&scene.name("outnet")));
}

#[test]
fn plan_shows_every_step_with_impact_and_changes_nothing() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("plan");
    scene.stack("one", "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, volumes: ['data:/data'] }\nvolumes: { data: {} }\n");
    let plan = scene.on("one", &["plan"]).ok();
    for shown in [scene.network("one"), format!("{}_data", scene.name("one")), scene.container("one", "web")] {
        assert!(plan.stdout.contains(&shown), "{shown} is not in the plan:\n{}", plan.stdout);
    }
    assert!(plan.stdout.contains("live"), "the impact is shown:\n{}", plan.stdout);
    assert!(scene.containers("one").is_empty());
    assert!(!exists("network", &scene.network("one")));
    assert!(!exists("volume", &format!("{}_data", scene.name("one"))));
    assert_eq!(scene.on("one", &["plan"]).ok().stdout, plan.stdout, "same input, same plan");
    let json = scene.on("one", &["--json", "plan"]).ok().json();
    assert!(json.to_string().contains(&scene.container("one", "web")), "{json}");
    scene.on("one", &["plan", "--check"]).code(6);
    scene.on("one", &["up"]).ok();
    scene.on("one", &["plan", "--check"]).ok();
}

#[test]
fn dry_run_shows_the_plan_and_changes_nothing() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("dryrun");
    scene.stack("one", TWO);
    let up = scene.on("one", &["up", "--dry-run"]).ok();
    assert!((up.stdout + &up.stderr).contains(&scene.container("one", "web")));
    assert!(scene.containers("one").is_empty());
    scene.on("one", &["up"]).ok();
    let before = scene.containers("one");
    scene.on("one", &["down", "--dry-run"]).ok();
    scene.on("one", &["stop", "--dry-run"]).ok();
    assert_eq!(scene.containers("one"), before);
    assert!(before.iter().all(|container| runs(container)));
}

#[test]
fn without_a_terminal_a_replacement_needs_yes_and_the_refusal_names_the_flag() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("consent");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    let before = id_of(&web);
    scene.stack("one", &TWO.replace("A: '1'", "A: '2'"));
    scene.on("one", &["up"]).code(5).says("--yes");
    assert_eq!(id_of(&web), before);
    scene.on("one", &["up", "--yes"]).ok();
    assert_ne!(id_of(&web), before);
}

#[test]
fn a_service_with_a_profile_comes_up_only_when_the_profile_is_asked_for() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("profiles");
    scene.stack(
        "one",
        "
services:
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
  debug: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, profiles: [tools] }
",
    );
    scene.on("one", &["up"]).ok();
    assert_eq!(scene.containers("one"), [scene.container("one", "web")]);
    let mut command = scene.command(&["--stack", scene.dir("one").to_str().expect("text"), "up"]);
    command.env("COMPOSE_PROFILES", "tools");
    mainstay_e2e::Ran::of(command).ok();
    assert_eq!(scene.containers("one").len(), 2);
    // Without the profile it is not declared, but neither is it an orphan: the file has it.
    let up = scene.on("one", &["up"]).ok();
    assert!(runs(&scene.container("one", "debug")), "{up:?}");
}

#[test]
fn an_environment_is_the_file_and_its_override_and_its_variables() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("prod");
    scene.stack(
        "one",
        "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: { MODE: dev, WORD: '${WORD}' } }\n",
    );
    scene.file("one", "compose.prod.yaml", "services:\n  web: { environment: { MODE: production } }\n");
    scene.file("one", ".env", "WORD=plain\n");
    scene.file("one", ".env.prod", "WORD=of-production\n");
    scene.on("one", &["--env", "prod", "up"]).ok();
    let web = scene.container("one", "web");
    assert_eq!(inside(&web, "echo $MODE $WORD"), "production of-production");
    scene.on("one", &["--env", "prod", "plan", "--check"]).ok();
    scene.on("one", &["--env", "none", "plan", "--check"]).code(6);
    scene.on("one", &["plan", "--check"]).ok().says("with `--env prod`, as");
}

#[test]
fn the_override_file_is_read_as_compose_reads_it() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("override");
    scene.stack(
        "one",
        "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: { A: '1', B: '1' } }\n",
    );
    scene.file("one", "compose.override.yaml", "services:\n  web: { environment: { B: '2' } }\n");
    scene.on("one", &["up"]).ok();
    assert_eq!(inside(&scene.container("one", "web"), "echo $A $B"), "1 2");
}

#[test]
fn a_container_that_somebody_removed_or_stopped_is_back_after_up() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("removed");
    scene.stack("one", TWO);
    scene.on("one", &["up"]).ok();
    let (web, api) = (scene.container("one", "web"), scene.container("one", "api"));
    let api_id = id_of(&api);
    docker_ok(&["rm", "--force", &web]);
    docker_ok(&["stop", &api]);
    scene.on("one", &["up"]).ok();
    assert!(runs(&web) && runs(&api));
    assert_eq!(id_of(&api), api_id, "a stopped container is started, not made anew");
}

#[test]
fn what_docker_compose_made_is_taken_over_and_docker_compose_still_works_on_it() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("takeover");
    let folder = scene.stack(
        "one",
        "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, volumes: ['data:/data'] }\nvolumes: { data: {} }\n",
    );
    compose_v2(&folder, &["up", "-d"]).ok();
    let web = scene.container("one", "web");
    inside(&web, "echo kept >/data/row");
    let before = id_of(&web);
    let refused = scene.on("one", &["up", "--yes"]);
    assert_ne!(refused.code, Some(0), "what another program made is not replaced without being asked: {refused:?}");
    refused.says("--take-over");
    assert_eq!(id_of(&web), before);
    scene.on("one", &["up", "--take-over", "--yes"]).ok();
    assert_eq!(scene.containers("one"), std::slice::from_ref(&web));
    assert_eq!(inside(&web, "cat /data/row"), "kept");
    compose_v2(&folder, &["ps"]).ok().prints(&web);
    compose_v2(&folder, &["logs"]).ok().prints("listening");
    scene.on("one", &["plan", "--check"]).ok();
    compose_v2(&folder, &["down"]).ok();
    assert!(scene.containers("one").is_empty() && !exists("network", &scene.network("one")));
}

#[test]
fn a_replacement_keeps_named_and_anonymous_volumes() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("keep");
    let compose = |word: &str| {
        format!(
            "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: {{ WORD: '{word}' }}
    volumes: ['data:/data', '/anonymous']
volumes: {{ data: {{}} }}
"
        )
    };
    scene.stack("one", &compose("a"));
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    inside(&web, "echo one >/data/row; echo two >/anonymous/row");
    let mounts = docker_json(&web)["Mounts"].clone();
    for mount in mounts.as_array().expect("Mounts").iter().filter(|mount| mount["Destination"] == "/anonymous") {
        scene.owns_volume(mount["Name"].as_str().expect("a name"));
    }
    scene.stack("one", &compose("b"));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(inside(&web, "echo $WORD; cat /data/row /anonymous/row"), "b\none\ntwo");
}

#[test]
fn a_replacement_that_fails_leaves_no_second_container_and_mended_goes_on() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("badreplace");
    let compose = |env: &str| {
        format!(
            "services:\n  web: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, environment: {{ {env} }}, healthcheck: {{ test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 300ms, retries: 3 }} }}\n"
        )
    };
    scene.stack("one", &compose("OK: '1'"));
    scene.on("one", &["up"]).ok();
    scene.stack("one", &compose("BAD: '1'"));
    scene.on("one", &["up", "--yes"]).code(1);
    scene.stack("one", &compose("OK: '2'"));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(scene.containers("one"), [scene.container("one", "web")]);
    assert_eq!(inside(&scene.container("one", "web"), "echo $OK"), "2");
}

#[test]
fn a_changed_network_or_a_removed_one_changes_the_attachments_live() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("netchange");
    let compose = |networks: &str| {
        format!(
            "services:\n  web: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, networks: {networks} }}\nnetworks: {{ front: {{}}, back: {{}} }}\n"
        )
    };
    scene.stack("one", &compose("[front]"));
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    let before = started_at(&web);
    scene.stack("one", &compose("{ front: {}, back: { aliases: [behind] } }"));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(networks_of(&web), ["back", "front"].map(|name| format!("{}_{name}", scene.name("one"))).into());
    assert_eq!(started_at(&web), before, "a new attachment is made live");
    eventually("the new alias answers", Duration::from_secs(5), || {
        docker(&["exec", &web, "getent", "hosts", "behind"]).status.success().then_some(())
    });
}

#[test]
fn postgres_comes_up_healthy_and_keeps_its_rows_through_a_replacement() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("postgres");
    let compose = |setting: &str| {
        format!(
            "
services:
  db:
    image: postgres:15
    environment: {{ POSTGRES_PASSWORD: 'it''s $$ecret', SETTING: '{setting}' }}
    volumes: ['data:/var/lib/postgresql/data']
    healthcheck: {{ test: [CMD, pg_isready, -q, -h, 127.0.0.1, -U, postgres], interval: 300ms, retries: 30 }}
volumes: {{ data: {{}} }}
"
        )
    };
    scene.stack("one", &compose("a"));
    scene.on("one", &["up"]).ok();
    let db = scene.container("one", "db");
    let sql = |statement: &str| docker_ok(&["exec", &db, "psql", "-U", "postgres", "-Atc", statement]);
    sql("create table kept (n int); insert into kept select generate_series(1, 1000)");
    scene.stack("one", &compose("b"));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(sql("select count(*) from kept"), "1000");
}

#[test]
fn a_container_that_is_removed_while_it_is_waited_for_is_made_again_by_the_same_up() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("gonewait");
    scene.stack(
        "one",
        "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    restart: unless-stopped
    healthcheck: { test: [CMD, test, -e, /tmp/ready], interval: 300ms, retries: 500 }
",
    );
    let up = scene.start("one", &["up"]);
    let web = scene.container("one", "web");
    eventually("it runs and is waited for", Duration::from_secs(30), || runs(&web).then_some(()));
    let first = id_of(&web);
    docker_ok(&["rm", "-f", &web]);
    eventually("it is made again", Duration::from_secs(30), || {
        (exists("container", &web) && id_of(&web) != first && runs(&web)).then_some(())
    });
    inside(&web, "touch /tmp/ready");
    let ended = up.ends(Duration::from_secs(60)).ok();
    ended.says("was removed while it was waited for").says("decided once more");
}
