//! What is held is held again after the engine itself was away, on a second engine that these tests may restart.

use std::time::{Duration, Instant};

use mainstay_e2e::{Scene, SecondEngine, eventually};

const STACK: &str = "
services:
  db:
    image: mainstay-test/tiny:1
    restart: unless-stopped
    stop_grace_period: 1s
    networks: { data: { aliases: [stable-db] } }
  app:
    image: mainstay-test/tiny:1
    restart: unless-stopped
    stop_grace_period: 1s
    networks: { default: {}, data: { aliases: [app-data] } }
networks: { data: {} }
";

fn brought_up(scene: &Scene) -> (String, String, String) {
    scene.stack("one", STACK);
    scene.on("one", &["up"]).ok();
    let data = format!("{}_data", scene.name("one"));
    (scene.container("one", "app"), scene.container("one", "db"), data)
}

fn running(engine: &SecondEngine, container: &str) -> bool {
    engine.docker_ok(&["inspect", "--format", "{{.State.Running}}", container]) == "true"
}

#[test]
fn after_the_engine_restarts_the_attachments_are_held_again() {
    let Some(mut engine) = SecondEngine::start(false) else { return };
    let scene = Scene::new("engine").with_engine(&engine.host());
    let _server = scene.serve();
    let (app, db, data) = brought_up(&scene);
    assert!(engine.resolves(&app, "stable-db"));

    engine.pause();
    engine.resume();

    eventually("the engine's own restart policy has both running", Duration::from_secs(15), || {
        (running(&engine, &app) && running(&engine, &db)).then_some(())
    });
    eventually("the name resolves after the restart", Duration::from_secs(10), || {
        engine.resolves(&app, "stable-db").then_some(())
    });
    // The server listens again: what happens from now on is repaired too.
    let before = engine.started_at(&app);
    let started = Instant::now();
    engine.docker_ok(&["network", "disconnect", &data, &app]);
    eventually("the attachment is repaired after the engine's restart", Duration::from_secs(10), || {
        engine.resolves(&app, "stable-db").then_some(())
    });
    println!("repaired {:?} after the disconnect", started.elapsed());
    assert_eq!(engine.started_at(&app), before, "nothing was restarted by us");
}

#[test]
fn what_was_torn_while_the_event_stream_was_lost_is_repaired() {
    let Some(mut engine) = SecondEngine::start(true) else { return };
    let scene = Scene::new("torn").with_engine(&engine.host());
    let server = scene.serve();
    let (app, _, data) = brought_up(&scene);
    let before = engine.started_at(&app);

    // The server gets no time while the engine goes away and comes back, and somebody is faster than it.
    server.unaware(|| {
        engine.pause();
        engine.resume();
        engine.docker_ok(&["network", "disconnect", &data, &app]);
    });

    eventually("the server looks again and repairs", Duration::from_secs(15), || {
        engine.resolves(&app, "stable-db").then_some(())
    });
    assert_eq!(engine.started_at(&app), before, "with live restore the container ran on all the time");
    eventually("the repair is in the history", Duration::from_secs(5), || {
        scene.history_of("repair").iter().any(|entry| entry.to_string().contains(&app)).then_some(())
    });
}

#[test]
fn a_container_that_runs_on_while_the_engine_restarts_is_never_restarted() {
    let Some(mut engine) = SecondEngine::start(true) else { return };
    let scene = Scene::new("live").with_engine(&engine.host());
    let server = scene.serve();
    let (app, db, data) = brought_up(&scene);
    let before = (engine.started_at(&app), engine.started_at(&db));

    for _ in 0..2 {
        engine.pause();
        engine.resume();
        engine.docker_ok(&["network", "disconnect", &data, &app]);
        eventually("the attachment is repaired", Duration::from_secs(15), || {
            engine.resolves(&app, "stable-db").then_some(())
        });
    }

    assert_eq!((engine.started_at(&app), engine.started_at(&db)), before);
    assert!(server.stop().success(), "the server lived through it and ends well");
}

#[test]
fn a_server_that_is_started_before_its_engine_holds_once_the_engine_is_there() {
    let Some(mut engine) = SecondEngine::start(false) else { return };
    let scene = Scene::new("late").with_engine(&engine.host());
    let (app, _, data) = brought_up(&scene);
    engine.pause();
    // As at boot, where nothing says which of the two is first.
    let mut server = scene.launch();
    engine.resume();
    server.answers(&scene);
    eventually("the engine's restart policy has the app running", Duration::from_secs(15), || {
        running(&engine, &app).then_some(())
    });
    engine.docker_ok(&["network", "disconnect", &data, &app]);
    eventually("the attachment is repaired", Duration::from_secs(15), || {
        engine.resolves(&app, "stable-db").then_some(())
    });
}
