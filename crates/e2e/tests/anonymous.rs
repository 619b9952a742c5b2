//! Anonymous volumes go from a container to the one that takes its place, and are never lost on the way.

use std::time::Duration;

use mainstay_e2e::{
    Scene, compose_v2, docker, docker_json, docker_ok, eventually, exists, id_of, inside, require_engine, runs,
};

/// A service with a volume that nobody gave a name.
fn compose(word: &str) -> String {
    format!(
        "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: {{ WORD: '{word}' }}
    volumes: ['/anonymous/']
"
    )
}

/// The volume that a container mounts at a path. The scene takes it away at its end, whoever lost it.
#[track_caller]
fn volume_at(scene: &Scene, container: &str, path: &str) -> String {
    let mounts = docker_json(container)["Mounts"].clone();
    let mounts = mounts.as_array().expect("Mounts").iter();
    let mut names = mounts.filter(|mount| mount["Destination"] == path).filter_map(|mount| mount["Name"].as_str());
    let name = names.next().expect("a volume is mounted there").to_owned();
    scene.owns_volume(&name);
    name
}

#[test]
fn the_plan_says_which_volume_goes_over_and_its_data_is_there_afterwards() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("anon");
    scene.stack("one", &compose("a"));
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    let volume = volume_at(&scene, &web, "/anonymous");
    inside(&web, "echo kept >/anonymous/row");
    for word in ["b", "c"] {
        scene.stack("one", &compose(word));
        scene.on("one", &["plan"]).ok().prints("carrying over the volume at /anonymous");
        let json = scene.on("one", &["--json", "plan"]).ok().json().to_string();
        assert!(json.contains(&volume), "{json}");
        scene.on("one", &["up", "--yes"]).ok();
        assert_eq!(volume_at(&scene, &web, "/anonymous"), volume);
        assert_eq!(inside(&web, "echo $WORD; cat /anonymous/row"), format!("{word}\nkept"));
    }
    scene.on("one", &["plan", "--check"]).ok();
    // The volume stays on the engine, and `down` says how it is called.
    let down = scene.on("one", &["down", "--yes"]).ok();
    assert!((down.stdout + &down.stderr).contains(&volume));
    assert!(exists("volume", &volume));
}

#[test]
fn a_volume_that_the_image_asks_for_goes_over_as_long_as_the_image_asks() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("anonimage");
    let tag = format!("{}:1", scene.name("image"));
    let compose = |word: &str, volume: &str| {
        format!(
            "
services:
  web:
    build:
      context: .
      dockerfile_inline: |
        FROM mainstay-test/tiny:1
        {volume}
    image: '{tag}'
    stop_grace_period: 1s
    environment: {{ WORD: '{word}' }}
"
        )
    };
    scene.stack("one", &compose("a", "VOLUME /keep"));
    let first = scene.on("one", &["up"]);
    let web = scene.container("one", "web");
    let volume = volume_at(&scene, &web, "/keep");
    inside(&web, "echo kept >/keep/row");
    scene.stack("one", &compose("b", "VOLUME /keep"));
    let second = scene.on("one", &["up", "--yes"]);
    let said = docker(&["exec", &web, "sh", "-c", "echo $WORD; cat /keep/row"]);
    // Built in the same order as the container is replaced: what the new image asks for is known only then.
    scene.stack("one", &compose("c", "RUN mkdir -p /keep && echo new >/keep/row"));
    let third = scene.on("one", &["up", "--build", "--yes"]);
    let without = docker(&["exec", &web, "cat", "/keep/row"]);
    scene.on("one", &["down", "--yes"]).ok();
    docker(&["rmi", &tag]);
    first.ok();
    second.ok();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "b\nkept\n");
    let third = third.ok();
    assert!((third.stdout + &third.stderr).contains(&volume), "what stays behind is named");
    assert_eq!(String::from_utf8_lossy(&without.stdout), "new\n");
    assert!(exists("volume", &volume));
}

#[test]
fn renewed_or_no_longer_declared_the_old_volume_stays_and_is_named() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("anonrenew");
    scene.stack("one", &compose("a"));
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    let first = volume_at(&scene, &web, "/anonymous");
    inside(&web, "echo first >/anonymous/row");
    scene.stack("one", &compose("b"));
    let up = scene.on("one", &["up", "-V", "--yes"]).ok();
    assert!((up.stdout + &up.stderr).contains(&first), "what stays behind is named");
    let second = volume_at(&scene, &web, "/anonymous");
    assert_ne!(first, second);
    assert_eq!(inside(&web, "ls /anonymous"), "");
    scene.stack("one", &(compose("b").replace("/anonymous/", "data:/anonymous/") + "volumes: { data: {} }\n"));
    scene.on("one", &["plan"]).ok().prints(&format!("docker volume rm {second}"));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(volume_at(&scene, &web, "/anonymous"), format!("{}_data", scene.name("one")));
    assert!(exists("volume", &first) && exists("volume", &second), "nothing goes that was not named");
}

#[test]
fn each_of_several_containers_keeps_its_own() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("anonmany");
    let compose = |word: &str| compose(word) + "    deploy: { replicas: 2 }\n";
    scene.stack("one", &compose("a"));
    scene.on("one", &["up"]).ok();
    let both = [1, 2].map(|number| format!("{}-web-{number}", scene.name("one")));
    let before = both.each_ref().map(|web| volume_at(&scene, web, "/anonymous"));
    scene.stack("one", &compose("b"));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(both.each_ref().map(|web| volume_at(&scene, web, "/anonymous")), before);
    assert_ne!(before[0], before[1]);
}

#[test]
fn what_docker_compose_made_gives_its_anonymous_volume_over() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("anontakeover");
    let folder = scene.stack("one", &compose("a"));
    compose_v2(&folder, &["up", "-d"]).ok();
    let web = scene.container("one", "web");
    let volume = volume_at(&scene, &web, "/anonymous");
    inside(&web, "echo kept >/anonymous/row");
    scene.on("one", &["up", "--take-over", "--yes"]).ok();
    assert_eq!(inside(&web, "cat /anonymous/row"), "kept");
    // And back: the other program finds it where it left it.
    scene.stack("one", &compose("b"));
    compose_v2(&folder, &["up", "-d"]).ok();
    assert_eq!(volume_at(&scene, &web, "/anonymous"), volume);
    assert_eq!(inside(&web, "echo $WORD; cat /anonymous/row"), "b\nkept");
}

/// Killed after each of its steps, a replacement loses nothing, and the next `up` finishes it.
#[test]
fn a_replacement_killed_at_any_step_loses_nothing() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("anonkill");
    scene.stack("one", &compose("0"));
    scene.on("one", &["up"]).ok();
    let web = scene.container("one", "web");
    let volume = volume_at(&scene, &web, "/anonymous");
    inside(&web, "echo kept >/anonymous/row");
    for round in 1..=6 {
        let word = round.to_string();
        scene.stack("one", &compose(&word));
        let mut up = scene.start("one", &["up", "--yes"]);
        eventually("the moment comes, or the end", Duration::from_secs(60), || {
            let done = up.stderr().iter().filter(|line| line.starts_with('✔')).count();
            (up.ended() || done >= round).then_some(())
        });
        up.kill();
        assert!(exists("volume", &volume), "round {round}");
        // A request that was under way may land after the look of the next one, which then fails and says so.
        eventually("an `up` finishes it", Duration::from_secs(60), || {
            (scene.on("one", &["up", "--yes"]).code == Some(0)).then_some(())
        });
        assert_eq!(scene.containers("one"), std::slice::from_ref(&web), "round {round}");
        assert!(runs(&web) && !id_of(&web).is_empty());
        assert_eq!(inside(&web, "echo $WORD; cat /anonymous/row"), format!("{word}\nkept"), "round {round}");
        assert_eq!(volume_at(&scene, &web, "/anonymous"), volume, "round {round}");
    }
    docker_ok(&["volume", "inspect", &volume]);
}
