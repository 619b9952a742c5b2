//! A promoted tag is what its registry says it is, from the plan to the container.

use mainstay_e2e::{Registry, Scene, TINY, TINY_2, docker, docker_json, docker_ok, id_of, image_id, require_engine};
use serde_json::Value;

/// Two services of two images.
fn files(scene: &Scene, web: &str, worker: &str) {
    let service =
        |name: &str, image: &str| format!("  {name}: {{ image: '{image}', restart: 'no', stop_grace_period: 1s }}\n");
    scene.stack("one", &format!("services:\n{}{}", service("web", web), service("worker", worker)));
}

/// What the container was made from, as it was said to the engine, and which image that is.
fn made_from(scene: &Scene, service: &str) -> (String, String) {
    let container = docker_json(&scene.container("one", service));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&container["Config"]["Image"]), text(&container["Image"]))
}

#[test]
fn a_promoted_tag_is_pinned_to_what_its_registry_has() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("promotereg");
    let registry = Registry::start(&scene);
    let app = registry.repository("acme/app");
    registry.holds("acme/app:1", TINY);
    files(&scene, &format!("{app}:1"), &format!("{app}:1"));
    scene.on("one", &["up", "--yes"]).ok();

    // The digest stands in the plan, before anybody agrees to it.
    let second = registry.holds("acme/app:2", TINY_2);
    let told = format!("`{app}:2` is {second} in its registry; `web` and `worker` get exactly that");
    scene.on("one", &["promote", "--tag", "2"]).code(5).says(&told).says("promotion of");
    let plan = scene.on("one", &["promote", "--tag", "2", "--dry-run", "--json"]).ok().json();
    assert!(plan["findings"].to_string().contains(&second), "{plan}");
    assert_eq!(made_from(&scene, "web").0, format!("{app}:1"));
    scene.on("one", &["promote", "--tag", "2", "--yes"]).ok().says("promotion of").says("is done");
    let pinned = (format!("{app}:2@{second}"), image_id(TINY_2));
    assert_eq!((made_from(&scene, "web"), made_from(&scene, "worker")), (pinned.clone(), pinned.clone()));
    let full = scene.on("one", &["releases", "2"]).ok();
    assert!(full.stdout.contains(&format!("web: {app}:2 ({second})")), "{}", full.stdout);

    // The tag moves; what was promoted does not.
    let moved = registry.holds("acme/app:2", TINY);
    assert_ne!(moved, second);
    scene.on("one", &["up", "--yes", "--pull"]).ok().says("promoted in the place");
    assert_eq!(made_from(&scene, "web"), pinned);
    scene.on("one", &["promote", "--tag", "2", "--service", "web", "--yes"]).ok().says(&moved);
    assert_eq!(made_from(&scene, "web"), (format!("{app}:2@{moved}"), image_id(TINY)));
    assert_eq!(made_from(&scene, "worker"), pinned);
    scene.on("one", &["rollback", "--yes"]).ok().says("rollback of");
    assert_eq!(made_from(&scene, "web").1, image_id(TINY_2));

    // A server asks for whoever asks it.
    let server = scene.serve();
    scene.on("one", &["promote", "--tag", "2", "--service", "web", "--yes"]).ok().says(&moved);
    assert!(server.stop().success());
    // It is known where the files are gone.
    std::fs::remove_dir_all(scene.dir("one")).expect("the files go");
    let name = scene.name("one");
    let third = registry.holds("acme/app:3", TINY_2);
    scene.mainstay(&["--stack", &name, "promote", "--tag", "3", "--yes"]).ok().says(&third);
    assert_eq!(made_from(&scene, "worker").0, format!("{app}:3@{third}"));
}

#[test]
fn a_tag_that_one_of_the_images_lacks_is_refused_before_anything_is_touched() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("promotelack");
    let registry = Registry::start(&scene);
    let (app, side) = (registry.repository("acme/app"), registry.repository("acme/side"));
    registry.holds("acme/app:1", TINY);
    registry.holds("acme/side:1", TINY);
    registry.holds("acme/app:2", TINY_2);
    files(&scene, &format!("{app}:1"), &format!("{side}:1"));
    scene.on("one", &["up", "--yes"]).ok();
    let before = ["web", "worker"].map(|service| id_of(&scene.container("one", service)));
    let refused = scene.on("one", &["promote", "--tag", "2", "--image", &app, "--image", &side, "--yes"]);
    refused.code(2).says("nothing was touched").says(&format!("its registry has no `{side}:2`, for `worker`"));
    assert_eq!(["web", "worker"].map(|service| id_of(&scene.container("one", service))), before);
    let pulled = docker_ok(&["images", "--quiet", "--filter", &format!("reference={app}:2")]);
    assert_eq!(pulled, "", "not even the other image was pulled");
    let releases = scene.on("one", &["releases", "--json"]).ok();
    assert_eq!(releases.stdout.lines().count(), 1);
}

#[test]
fn a_registry_is_asked_with_the_login_that_pulls_use() {
    /// `ada` with the password `analytical`.
    const ADA: &str = "ada:$2a$05$XqffRZVZc7R9Wl.cpmxmmefBNNzc83urLhjZ57YUzgnjmN7Fbxhm2\n";
    if !require_engine() {
        return;
    }
    let scene = Scene::new("promotelogin");
    let registry = Registry::start_guarded(&scene, ADA);
    let logins = scene.folder().join(".docker");
    std::fs::create_dir(&logins).expect("a folder");
    let folder = logins.to_str().expect("text");
    let login = ["login", "--username", "ada", "--password", "analytical", &registry.address];
    docker_ok(&[&["--config", folder], &login[..]].concat());
    for (tag, image) in [("acme/app:1", TINY), ("acme/app:2", TINY_2)] {
        registry.holds_as(tag, image, &["--config", folder]);
    }
    let app = registry.repository("acme/app");
    files(&scene, &format!("{app}:1"), &format!("{app}:1"));
    scene.on("one", &["up", "--yes"]).ok();
    let config = std::fs::read(logins.join("config.json")).expect("the logins");
    std::fs::remove_file(logins.join("config.json")).expect("the logins");
    let denied = scene.on("one", &["promote", "--tag", "2", "--yes"]).code(4).says("docker login");
    assert!(!denied.stderr.contains("analytical"));
    std::fs::write(logins.join("config.json"), config).expect("the logins");
    scene.on("one", &["promote", "--tag", "2", "--yes"]).ok();
    assert_eq!(made_from(&scene, "web").1, image_id(TINY_2));
}

#[test]
fn a_registry_that_is_away_is_said_and_the_image_that_is_here_is_taken_where_asked() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("promoteaway");
    let registry = Registry::start(&scene);
    let app = registry.repository("acme/app");
    registry.holds("acme/app:1", TINY);
    registry.holds("acme/app:2", TINY_2);
    files(&scene, &format!("{app}:1"), &format!("{app}:1"));
    scene.on("one", &["up", "--yes"]).ok();
    docker_ok(&["pull", "--quiet", &format!("{app}:2")]);
    registry.stop();
    scene.on("one", &["promote", "--tag", "2", "--yes"]).code(4).says("did not tell").says("`--local`");
    scene.on("one", &["promote", "--tag", "3", "--local", "--yes"]).code(2).says("there is no");
    assert_eq!(made_from(&scene, "web").1, image_id(TINY));
    let id = image_id(TINY_2);
    scene.on("one", &["promote", "--tag", "2", "--local", "--yes"]).ok().says(&format!("is {id} of this host"));
    assert_eq!(made_from(&scene, "web"), (id.clone(), id));
}

#[test]
fn an_image_of_no_registry_is_pinned_by_its_id_and_that_is_said() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("promotelocal");
    let app = scene.name("app");
    docker_ok(&["tag", TINY, &format!("{app}:1")]);
    docker_ok(&["tag", TINY_2, &format!("{app}:2")]);
    files(&scene, &format!("{app}:1"), &format!("{app}:1"));
    let up = scene.on("one", &["up", "--yes"]);
    let promoted = scene.on("one", &["promote", "--tag", "2", "--yes"]);
    // It stays what it was when it was promoted.
    docker_ok(&["tag", TINY, &format!("{app}:2")]);
    let later = scene.on("one", &["up", "--yes"]);
    let seen = made_from(&scene, "worker");
    scene.on("one", &["down", "--yes"]).ok();
    docker(&["rmi", &format!("{app}:1"), &format!("{app}:2")]);
    up.ok();
    promoted.ok().says("it is on this host").says("of this host, not of a registry");
    later.ok().says("nothing to do");
    assert_eq!(seen.1, image_id(TINY_2));
}

#[test]
fn another_tag_of_the_image_that_runs_replaces_nothing() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("promotesame");
    let registry = Registry::start(&scene);
    let app = registry.repository("acme/app");
    registry.holds("acme/app:1", TINY);
    registry.holds("acme/app:stable", TINY);
    files(&scene, &format!("{app}:1"), &format!("{app}:1"));
    scene.on("one", &["up", "--yes"]).ok();
    let before = ["web", "worker"].map(|service| id_of(&scene.container("one", service)));
    scene.on("one", &["promote", "--tag", "stable", "--yes"]).ok();
    assert_eq!(["web", "worker"].map(|service| id_of(&scene.container("one", service))), before);
}
