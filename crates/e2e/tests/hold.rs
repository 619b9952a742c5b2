//! Held attachments, sentence by sentence: declared networks of a running container, aliases included, come back by
//! themselves, live, and are written down; what is not declared, and who was stopped on purpose, is left alone.
//! The incident of a lost attachment is replayed here from outside, in every way in which it is known to come.

use std::time::{Duration, Instant};

use mainstay_e2e::{
    Between, Scene, Server, compose_v2, docker, docker_json, docker_ok, eventually, exists, id_of, logs_of,
};
use mainstay_e2e::{networks_of, require_engine, resolves, runs, started_at, text, texts};

const MOMENTS: Duration = Duration::from_secs(5);

const DATABASE: &str = "
services:
  db:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: { default: { aliases: [stable-db] } }
";

const CONSUMER: &str = "
services:
  app:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: { default: {}, data: { aliases: [app-on-data] } }
networks:
  data: { external: true, name: '{stack:data}_default' }
x-mainstay:
  requires: ['{stack:data}']
";

/// Both stacks up, and the names of the two containers and of the network that they share.
struct Pair {
    app: String,
    db: String,
    network: String,
}

fn pair(scene: &Scene, consumer: &str) -> Pair {
    scene.stack("data", DATABASE);
    scene.stack("web", consumer);
    scene.on("data", &["up"]).ok();
    scene.on("web", &["up"]).ok();
    let pair =
        Pair { app: scene.container("web", "app"), db: scene.container("data", "db"), network: scene.network("data") };
    assert!(resolves(&pair.app, "stable-db"), "the consumer resolves the stable alias after `up`");
    pair
}

#[track_caller]
fn comes_back(pair: &Pair) {
    eventually("the consumer resolves its database again", MOMENTS, || resolves(&pair.app, "stable-db").then_some(()));
}

/// Deletes the shared network as somebody does who means it.
fn delete_network(pair: &Pair) {
    docker(&["network", "disconnect", "--force", &pair.network, &pair.app]);
    docker(&["network", "disconnect", "--force", &pair.network, &pair.db]);
    docker_ok(&["network", "rm", &pair.network]);
}

fn aliases(container: &str, network: &str) -> std::collections::BTreeSet<String> {
    texts(&docker_json(container)["NetworkSettings"]["Networks"][network]["Aliases"])
}

/// Waits until the server has worked off everything that happened before: what it repairs now, it saw last.
#[track_caller]
fn settled(pair: &Pair, scene: &Scene) {
    let bystander = scene.container("data", "db");
    let _ = pair;
    docker_ok(&["network", "disconnect", &scene.network("data"), &bystander]);
    eventually("a later disconnect of another container is repaired", MOMENTS, || {
        networks_of(&bystander).contains(&scene.network("data")).then_some(())
    });
}

#[test]
fn a_disconnected_network_is_back_within_moments_live_and_recorded_with_what_and_why() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("recorded");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let before = started_at(&pair.app);
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    comes_back(&pair);
    assert_eq!(started_at(&pair.app), before, "the container was not restarted");
    let repairs = eventually("the repair is in the history", MOMENTS, || {
        Some(scene.history_of("repair")).filter(|repairs| !repairs.is_empty())
    });
    assert_eq!(repairs.len(), 1, "one repair for one tear: {repairs:#?}");
    let said = repairs[0].to_string();
    assert!(said.contains(&pair.app) && said.contains(&pair.network), "{said}");
    assert!(said.contains(&scene.name("web")), "the stack is named: {said}");
    assert!(said.contains("disconnect"), "the cause is named: {said}");
    let told = scene.mainstay(&["history"]).ok();
    assert!(told.stdout.contains(&pair.network), "{}", told.stdout);
}

#[test]
fn aliases_come_back_when_somebody_reconnects_without_them() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("alias");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let (app_started, db_started) = (started_at(&pair.app), started_at(&pair.db));
    server.unaware(|| {
        for container in [&pair.app, &pair.db] {
            docker_ok(&["network", "disconnect", &pair.network, container]);
            docker_ok(&["network", "connect", &pair.network, container]);
        }
    });
    comes_back(&pair);
    eventually("the consumer's own alias is back", MOMENTS, || {
        (aliases(&pair.app, &pair.network).contains("app-on-data") && resolves(&pair.db, "app-on-data")).then_some(())
    });
    assert!(aliases(&pair.db, &pair.network).contains("db"), "the service's name too");
    assert_eq!((started_at(&pair.app), started_at(&pair.db)), (app_started, db_started));
}

#[test]
fn a_declared_address_comes_back_with_its_network() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("address");
    let number = std::process::id() % 200;
    scene.stack(
        "one",
        &format!(
            "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: {{ default: {{ ipv4_address: 10.215.{number}.77 }} }}
networks: {{ default: {{ ipam: {{ config: [{{ subnet: 10.215.{number}.0/24 }}] }} }} }}
"
        ),
    );
    let _server = scene.serve();
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    docker_ok(&["network", "disconnect", &scene.network("one"), &web]);
    eventually("the address is back", MOMENTS, || {
        let networks = &docker_json(&web)["NetworkSettings"]["Networks"];
        (networks[scene.network("one")]["IPAddress"] == format!("10.215.{number}.77")).then_some(())
    });
}

#[test]
fn every_one_of_twenty_disconnects_is_repaired() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("twenty");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let before = started_at(&pair.app);
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
        let torn = Instant::now();
        comes_back(&pair);
        slowest = slowest.max(torn.elapsed());
    }
    println!("slowest of 20 repairs, with the look: {slowest:?}");
    assert_eq!(started_at(&pair.app), before);
    eventually("all are in the history", MOMENTS, || (scene.history_of("repair").len() == 20).then_some(()));
}

#[test]
fn disconnects_faster_than_repairs_end_attached() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("storm");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let before = started_at(&pair.app);
    for _ in 0..20 {
        // Nothing waits: a disconnect may hit a network that is not back yet.
        docker(&["network", "disconnect", "--force", &pair.network, &pair.app]);
        docker(&["network", "disconnect", "--force", &scene.network("web"), &pair.app]);
    }
    comes_back(&pair);
    eventually("both networks are back, with the alias", MOMENTS, || {
        (networks_of(&pair.app).len() == 2 && resolves(&pair.db, "app-on-data")).then_some(())
    });
    assert_eq!(started_at(&pair.app), before);
}

#[test]
fn the_other_stack_down_and_up_by_mainstay_with_its_network_deleted() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("downup");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let before = started_at(&pair.app);
    scene.on("data", &["down", "--yes"]);
    assert!(!exists("container", &pair.db));
    server.unaware(|| delete_network(&pair));
    assert!(!exists("network", &pair.network));
    scene.on("data", &["up"]).ok();
    comes_back(&pair);
    eventually("the consumer's alias too", MOMENTS, || resolves(&pair.db, "app-on-data").then_some(()));
    assert_eq!(started_at(&pair.app), before);
}

#[test]
fn the_other_stack_down_and_up_with_its_network_kept() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("redeploy");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let before = started_at(&pair.app);
    scene.on("data", &["down", "--yes"]);
    scene.on("data", &["up"]).ok();
    comes_back(&pair);
    scene.on("data", &["up", "--force-recreate", "--yes"]).ok();
    comes_back(&pair);
    assert_eq!(started_at(&pair.app), before);
}

#[test]
fn the_network_deleted_and_made_again_by_plain_docker() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("plain");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let before = started_at(&pair.app);
    server.unaware(|| {
        docker_ok(&["rm", "--force", &pair.db]);
        delete_network(&pair);
    });
    // Somebody's own database under the stable name, on a network of the declared name.
    docker_ok(&["network", "create", &pair.network]);
    docker_ok(&[
        "run",
        "--detach",
        "--name",
        &scene.name("standin"),
        "--network",
        &pair.network,
        "--network-alias",
        "stable-db",
        "mainstay-test/tiny:1",
    ]);
    comes_back(&pair);
    assert_eq!(started_at(&pair.app), before);
}

#[test]
fn the_network_deleted_and_made_again_at_once_while_the_server_looks() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("atonce");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let before = started_at(&pair.app);
    // The server puts both back as fast as it can: it may take some tries to delete the network under it.
    let deleted = (0..50).any(|_| {
        docker(&["network", "disconnect", "--force", &pair.network, &pair.app]);
        docker(&["network", "disconnect", "--force", &pair.network, &pair.db]);
        docker(&["network", "rm", &pair.network]).status.success()
    });
    if deleted && !exists("network", &pair.network) {
        scene.on("data", &["up", "--yes"]).ok();
    }
    comes_back(&pair);
    assert_eq!(started_at(&pair.app), before);
}

#[test]
fn a_container_recreated_by_docker_run_gets_its_networks() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("run");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let old = id_of(&pair.app);
    docker_ok(&["rm", "--force", &pair.app]);
    docker_ok(&[
        "run",
        "--detach",
        "--name",
        &pair.app,
        "--label",
        &format!("com.docker.compose.project={}", scene.name("web")),
        "--label",
        "com.docker.compose.service=app",
        "mainstay-test/tiny:1",
    ]);
    let started = started_at(&pair.app);
    assert_ne!(id_of(&pair.app), old);
    comes_back(&pair);
    eventually("with its aliases", MOMENTS, || resolves(&pair.db, "app-on-data").then_some(()));
    assert_eq!(started_at(&pair.app), started);
    assert!(networks_of(&pair.app).contains("bridge"), "the network that it was run on is left");
}

#[test]
fn a_container_recreated_by_docker_compose_is_held_like_any() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("compose");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let (old_app, old_db) = (id_of(&pair.app), id_of(&pair.db));
    compose_v2(&scene.dir("data"), &["up", "-d", "--force-recreate"]).ok();
    assert_ne!(id_of(&pair.db), old_db);
    comes_back(&pair);
    compose_v2(&scene.dir("web"), &["up", "-d", "--force-recreate"]).ok();
    assert_ne!(id_of(&pair.app), old_app);
    comes_back(&pair);
    let started = started_at(&pair.app);
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    comes_back(&pair);
    assert_eq!(started_at(&pair.app), started);
}

#[test]
fn what_happened_while_the_server_was_down_is_repaired_when_it_starts() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("away");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let before = started_at(&pair.app);
    assert!(server.stop().success());
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    docker_ok(&["network", "disconnect", &pair.network, &pair.db]);
    docker_ok(&["network", "connect", &pair.network, &pair.db]);
    let _server = scene.serve();
    comes_back(&pair);
    assert_eq!(started_at(&pair.app), before);
    eventually("and recorded", MOMENTS, || {
        scene.history_of("repair").iter().any(|entry| entry.to_string().contains(&pair.app)).then_some(())
    });
}

#[test]
fn who_was_taken_off_a_network_while_no_server_ran_is_in_the_history_once() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("takenoff");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    assert!(server.stop().success());
    // What stops leaves its networks as well, and that is nobody's doing.
    docker_ok(&["restart", &pair.db]);
    docker_ok(&["restart", &pair.app]);
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    // Without a server a command does it, and that is ours.
    scene.on("web", &["up"]).ok();
    docker_ok(&["stop", &pair.app]);
    scene.on("web", &["up"]).ok();
    let taken_off = || -> Vec<String> {
        let events = scene.history_of("event");
        let summaries = events.iter().map(|entry| text(&entry["summary"]).to_owned());
        summaries.filter(|summary| summary.contains("disconnected")).collect()
    };
    for server in 1..=2 {
        let held = scene.serve();
        comes_back(&pair);
        settled(&pair, &scene);
        let told = taken_off();
        let of_app: Vec<&String> = told.iter().filter(|summary| summary.contains(&pair.app)).collect();
        assert_eq!(of_app.len(), 1, "with server {server}: {told:#?}");
        assert!(of_app[0].contains(&pair.network), "{told:#?}");
        // The database was taken off by this test, to see that the server is through with what came before.
        assert_eq!(told.len() - 1, server, "{told:#?}");
        assert!(held.stop().success());
    }
}

#[test]
fn after_kill_9_of_the_server_the_next_one_holds() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("killed");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    server.kill();
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    let _server = scene.serve();
    comes_back(&pair);
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    comes_back(&pair);
}

#[test]
fn a_stack_brought_up_without_a_server_is_held_by_the_next_server() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("hosted");
    let pair = pair(&scene, CONSUMER);
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    let _server = scene.serve();
    comes_back(&pair);
}

#[test]
fn who_took_a_container_off_while_no_server_ran_is_in_the_history() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("unseen");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    assert!(server.stop().success());
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    // Leaving because of a stop is nobody's disconnect.
    docker_ok(&["restart", "-t", "1", &pair.db]);
    let server = scene.serve();
    comes_back(&pair);
    let told = || {
        let events = scene.history_of("event").into_iter();
        let words = events.map(|entry| text(&entry["summary"])).filter(|words| words.contains("was disconnected from"));
        words.collect::<Vec<String>>()
    };
    let disconnected = format!("`{}` was disconnected from `{}`", pair.app, pair.network);
    eventually("the history tells of it", MOMENTS, || (!told().is_empty()).then_some(()));
    assert_eq!(told(), std::slice::from_ref(&disconnected));
    // Told once, however often a server starts, and what we did ourselves is not told at all.
    assert!(server.stop().success());
    scene.on("web", &["up", "--force-recreate", "--yes"]).ok();
    let _server = scene.serve();
    docker_ok(&["network", "disconnect", &pair.network, &pair.db]);
    comes_back(&pair);
    let after = format!("`{}` was disconnected from `{}`", pair.db, pair.network);
    eventually("the history tells of the next one", MOMENTS, || told().contains(&after).then_some(()));
    assert_eq!(told(), [disconnected, after]);
}

#[test]
fn with_the_state_folder_lost_the_labels_are_enough() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("lost");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let before = started_at(&pair.app);
    assert!(server.stop().success());
    std::fs::remove_dir_all(scene.state_dir()).expect("the state folder");
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    let _server = scene.serve();
    comes_back(&pair);
    docker_ok(&["network", "disconnect", &pair.network, &pair.db]);
    comes_back(&pair);
    eventually("aliases included", MOMENTS, || resolves(&pair.db, "app-on-data").then_some(()));
    assert_eq!(started_at(&pair.app), before);
}

#[test]
fn with_the_files_gone_the_running_containers_are_held_still() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("nofiles");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    std::fs::remove_dir_all(scene.dir("web")).expect("the stack's folder");
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    comes_back(&pair);
    assert!(server.stop().success());
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    let _server = scene.serve();
    comes_back(&pair);
}

/// Exits unless its database resolves, as NocoDB does.
const CRASHING: &str = "
services:
  app:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    restart: unless-stopped
    networks: [default, data]
    command: sh -c 'getent hosts stable-db >/dev/null || { echo ENOTFOUND stable-db; exit 1; }; exec /bin/serve'
networks:
  data: { external: true, name: '{stack:data}_default' }
x-mainstay:
  requires: ['{stack:data}']
";

/// Lets a container crash until Docker's own next try is more than ten seconds away.
fn let_it_crash(container: &str) {
    eventually("the container crash-loops with a long back-off", Duration::from_secs(60), || {
        // The back-off doubles from 100 ms: after the seventh restart it is 12.8 s.
        (docker_json(container)["RestartCount"].as_u64() >= Some(7)).then_some(())
    });
    assert!(logs_of(container).contains("ENOTFOUND"));
}

#[track_caller]
fn runs_again_soon(app: &str, from: Instant) {
    eventually("the crash-looping container runs within seconds", MOMENTS, || {
        (runs(app) && docker_json(app)["State"]["Restarting"] == false && resolves(app, "stable-db")).then_some(())
    });
    println!("running {:?} after it could", from.elapsed());
}

#[test]
fn a_crash_looping_container_runs_within_seconds_of_the_servers_start() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("crashloop");
    let pair = pair(&scene, CRASHING);
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    docker_ok(&["restart", &pair.app]);
    let_it_crash(&pair.app);
    let _server = scene.serve();
    runs_again_soon(&pair.app, Instant::now());
}

#[test]
fn a_container_that_crashes_for_want_of_the_other_stack_runs_within_seconds_of_its_return() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("crashother");
    let server = scene.serve();
    let pair = pair(&scene, CRASHING);
    server.unaware(|| {
        docker_ok(&["rm", "--force", &pair.db]);
        docker_ok(&["network", "disconnect", "--force", &pair.network, &pair.app]);
        docker_ok(&["network", "rm", &pair.network]);
        docker(&["restart", &pair.app]);
    });
    let_it_crash(&pair.app);
    scene.on("data", &["up"]).ok();
    runs_again_soon(&pair.app, Instant::now());
}

/// Crashes until the other stack's service answers; its networks are there all the while.
const WANTING: &str = "
services:
  app:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    restart: unless-stopped
    networks: [default, data]
    command: sh -c 'wget -q -O - http://stable-db:8080/health || { echo ENOTFOUND stable-db; exit 1; }; exec /bin/serve'
  bystander: { image: mainstay-test/tiny:1, stop_grace_period: 1s, networks: [default, data] }
networks:
  data: { external: true, name: '{stack:data}_default' }
";

#[test]
fn a_container_that_crashes_while_another_stack_is_down_runs_within_seconds_of_its_return_on_a_network_that_stayed() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("crashstay");
    let _server = scene.serve();
    let pair = pair(&scene, WANTING);
    scene.on("data", &["stop"]).ok();
    docker_ok(&["restart", &pair.app]);
    let_it_crash(&pair.app);
    let bystander = scene.container("web", "bystander");
    let before = started_at(&bystander);
    scene.on("data", &["start"]).ok();
    runs_again_soon(&pair.app, Instant::now());
    assert_eq!(started_at(&bystander), before, "what runs is left alone");
    let repairs = eventually("the start is in the history", MOMENTS, || {
        Some(scene.history_of("repair")).filter(|repairs| !repairs.is_empty())
    });
    assert_eq!(repairs.len(), 1, "{repairs:#?}");
    let said = repairs[0].to_string();
    assert!(said.contains(&pair.app) && said.contains(&pair.db), "who was started, and because of whom: {said}");
    assert!(networks_of(&pair.app).contains(&pair.network));
}

#[test]
fn a_container_that_crashes_while_a_required_stack_is_gone_runs_within_seconds_of_its_health_whoever_starts_it() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("crashreq");
    let _server = scene.serve();
    let network = scene.foreign_network("shared");
    let healthy = "healthcheck: { test: [CMD, wget, -q, -O, '-', 'http://localhost:8080/health'], interval: 200ms, start_period: 30s }";
    let shared = "networks: { shared: { external: true, name: '{stack:shared}' } }\n";
    scene.stack(
        "data",
        &format!(
            "services:\n  db:\n    image: mainstay-test/tiny:1\n    stop_grace_period: 1s\n    {healthy}\n    environment: {{ DELAY: '2' }}\n    \
             networks: {{ shared: {{ aliases: [stable-db] }} }}\n{shared}"
        ),
    );
    scene.stack(
        "web",
        &format!(
            "services:\n  app:\n    image: mainstay-test/tiny:1\n    stop_grace_period: 1s\n    restart: unless-stopped\n    networks: [shared]\n    \
             command: sh -c 'wget -q -O - http://stable-db:8080/health || {{ echo ENOTFOUND stable-db; exit 1; }}; exec /bin/serve'\n{shared}\
             x-mainstay: {{ requires: ['{{stack:data}}'] }}\n"
        ),
    );
    scene.on("data", &["up"]).ok();
    scene.on("web", &["up"]).ok();
    let (app, db) = (scene.container("web", "app"), scene.container("data", "db"));
    docker_ok(&["stop", &db]);
    docker_ok(&["restart", &app]);
    let_it_crash(&app);
    docker_ok(&["start", &db]);
    eventually("the database is healthy", MOMENTS, || {
        (docker_json(&db)["State"]["Health"]["Status"] == "healthy").then_some(())
    });
    runs_again_soon(&app, Instant::now());
    assert!(networks_of(&app).contains(&network));
    let repairs = scene.history_of("repair");
    assert!(repairs.len() == 1 && repairs[0].to_string().contains("became healthy"), "{repairs:#?}");
}

#[test]
fn a_container_that_crashes_for_another_reason_is_not_restarted_by_us() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("crashown");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    scene.stack(
        "bad",
        "services:\n  bad: { image: 'mainstay-test/tiny:1', restart: unless-stopped, command: sh -c 'sleep 0.3; exit 1' }\n",
    );
    scene.on("bad", &["up", "--no-wait"]);
    let bad = scene.container("bad", "bad");
    eventually("it crashes", Duration::from_secs(20), || {
        (docker_json(&bad)["RestartCount"].as_u64() >= Some(4)).then_some(())
    });
    settled(&pair, &scene);
    // Docker counts its own restarts, and starts over when somebody else restarts the container.
    assert!(docker_json(&bad)["RestartCount"].as_u64() >= Some(4), "nobody but Docker restarts it");
    assert!(scene.history_of("repair").iter().all(|entry| !entry.to_string().contains(&bad)));
}

#[test]
fn a_network_that_we_did_not_declare_is_left_attached() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("extra");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    let extra = scene.foreign_network("extra");
    docker_ok(&["network", "connect", &extra, &pair.app]);
    docker_ok(&["network", "disconnect", &pair.network, &pair.app]);
    comes_back(&pair);
    assert!(networks_of(&pair.app).contains(&extra));
    let before = started_at(&pair.app);
    scene.on("web", &["up"]).ok();
    settled(&pair, &scene);
    assert!(networks_of(&pair.app).contains(&extra), "after an `up` too");
    assert_eq!(started_at(&pair.app), before);
}

#[test]
fn a_container_stopped_by_hand_is_not_started() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("byhand");
    let _server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    docker_ok(&["stop", &pair.app]);
    docker(&["network", "disconnect", "--force", &pair.network, &pair.app]);
    settled(&pair, &scene);
    assert!(!runs(&pair.app));
    // Started by hand again, it is on its networks.
    docker_ok(&["start", &pair.app]);
    comes_back(&pair);
}

#[test]
fn a_stack_that_was_taken_down_is_not_held_any_more() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("released");
    let server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    scene.on("web", &["down"]).ok();
    docker_ok(&["run", "--detach", "--name", &pair.app, "mainstay-test/tiny:1"]);
    settled(&pair, &scene);
    assert_eq!(networks_of(&pair.app), ["bridge".to_owned()].into(), "a foreign container of that name is not ours");
    assert!(server.stop().success());
}

#[test]
fn several_containers_torn_at_once_are_all_repaired() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("many");
    let _server = scene.serve();
    scene.stack(
        "one",
        "
services:
  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, deploy: { replicas: 3 }, networks: [default, back] }
  api: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s, networks: [default, back] }
networks: { back: {} }
",
    );
    scene.on("one", &["up"]).ok();
    let back = format!("{}_back", scene.name("one"));
    let containers = scene.containers("one");
    let before: Vec<_> = containers.iter().map(|container| started_at(container)).collect();
    for container in &containers {
        docker_ok(&["network", "disconnect", &back, container]);
    }
    eventually("all are back", MOMENTS, || {
        containers.iter().all(|container| networks_of(container).contains(&back)).then_some(())
    });
    let after: Vec<_> = containers.iter().map(|container| started_at(container)).collect();
    assert_eq!(after, before);
}

#[test]
fn a_network_that_up_is_replacing_is_not_fought_over() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("replacing");
    let _server = scene.serve();
    let compose = |label: &str| {
        format!(
            "
services:
  web: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s, networks: [back], environment: {{ WORD: '{label}' }} }}
networks: {{ back: {{ labels: {{ word: '{label}' }} }} }}
"
        )
    };
    scene.stack("one", &compose("one"));
    scene.on("one", &["up"]).ok();
    for label in ["two", "three"] {
        scene.stack("one", &compose(label));
        scene.on("one", &["up", "--yes"]).ok();
    }
    let web = scene.container("one", "web");
    assert_eq!(networks_of(&web), [format!("{}_back", scene.name("one"))].into());
    assert_eq!(scene.containers("one"), [web]);
    scene.on("one", &["plan", "--check"]).ok();
}

#[test]
fn an_idle_server_asks_the_engine_nothing() {
    if !require_engine() {
        return;
    }
    let between = Between::start();
    let scene = Scene::new("idle").with_between(&between);
    let _server: Server = scene.serve();
    let pair = pair(&scene, CONSUMER);
    settled(&pair, &scene);
    assert!(between.asked() > 0, "what is asked is counted");
    // The looks after the last order may still be under way.
    let mut before = between.asked();
    eventually("the server is done", MOMENTS, || {
        std::thread::sleep(Duration::from_secs(1));
        let now = between.asked();
        std::mem::replace(&mut before, now).eq(&now).then_some(())
    });
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(between.asked(), before, "not one byte in five seconds");
    // It is not asleep.
    docker_ok(&["network", "disconnect", &scene.network("data"), &pair.app]);
    eventually("the consumer is back", MOMENTS, || {
        networks_of(&pair.app).contains(&scene.network("data")).then_some(())
    });
    assert!(between.asked() > before);
}

#[test]
fn what_others_do_while_the_connection_to_the_engine_is_lost_is_in_the_history_once() {
    if !require_engine() {
        return;
    }
    let between = Between::start();
    let scene = Scene::new("gap").with_between(&between);
    let _server = scene.serve();
    scene.stack("one", "services: { web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s } }");
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    docker_ok(&["pause", &web]);
    let told = || -> Vec<String> { scene.history_of("event").iter().map(|entry| text(&entry["summary"])).collect() };
    let mut lines = vec![format!("`{web}` was paused")];
    eventually("the first one is told", MOMENTS, || (told() == lines).then_some(()));
    between.cut();
    docker_ok(&["unpause", &web]);
    docker_ok(&["rename", &web, &format!("{web}-other")]);
    docker_ok(&["rename", &format!("{web}-other"), &web]);
    between.mend();
    lines.push(format!("`{web}` was resumed"));
    lines.push(format!("`{web}` was renamed to `{web}-other`"));
    lines.push(format!("`{web}-other` was renamed to `{web}`"));
    eventually("what was missed is told", MOMENTS, || (told() == lines).then_some(()));
    docker_ok(&["pause", &web]);
    lines.push(format!("`{web}` was paused"));
    eventually("and nothing twice", MOMENTS, || (told() == lines).then_some(()));
}

#[test]
fn a_disconnect_in_the_moment_after_an_up_is_repaired() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("moment");
    let _server = scene.serve();
    scene.stack("data", DATABASE);
    scene.stack("web", CONSUMER);
    scene.on("data", &["up"]).ok();
    let (app, network) = (scene.container("web", "app"), scene.network("data"));
    for _ in 0..5 {
        scene.on("web", &["up"]).ok();
        docker_ok(&["network", "disconnect", &network, &app]);
        eventually("the consumer resolves its database again", MOMENTS, || resolves(&app, "stable-db").then_some(()));
        scene.on("web", &["down"]).ok();
    }
}

#[test]
fn a_disconnect_in_the_middle_of_an_up_is_repaired_when_it_ends() {
    middle("middle", 0);
}

#[test]
fn a_disconnect_in_the_middle_of_an_up_is_repaired_also_after_five_others() {
    middle("middle5", 5);
}

/// So many disconnects right after an `up`, and then one in the middle of an `up`.
fn middle(name: &str, others: usize) {
    if !require_engine() {
        return;
    }
    let scene = Scene::new(name);
    let _server = scene.serve();
    scene.stack("data", DATABASE);
    scene.stack("web", CONSUMER);
    scene.on("data", &["up"]).ok();
    let (app, network) = (scene.container("web", "app"), scene.network("data"));
    for _ in 0..others {
        scene.on("web", &["up"]).ok();
        docker_ok(&["network", "disconnect", &network, &app]);
        eventually("the consumer resolves its database again", MOMENTS, || resolves(&app, "stable-db").then_some(()));
        scene.on("web", &["down"]).ok();
    }
    // Another service of the stack takes its time.
    let slow = "  slow:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: { DELAY: '3' }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health'], interval: 300ms, retries: 50 }
networks:
";
    scene.stack("web", &CONSUMER.replacen("networks:\n", slow, 1));
    let up = scene.start("web", &["up"]);
    eventually("the app is there while the `up` goes on", MOMENTS, || resolves(&app, "stable-db").then_some(()));
    docker_ok(&["network", "disconnect", &network, &app]);
    let up = up.ends(Duration::from_secs(60));
    assert_eq!(up.code, Some(0), "{up:#?}");
    eventually(&format!("the consumer resolves its database again after {up:#?}"), MOMENTS, || {
        resolves(&app, "stable-db").then_some(())
    });
}
