//! `--host https://…`: commands that run on another machine, over TLS and with a token.

use std::time::Duration;

use mainstay_e2e::{
    Outside, Ran, Scene, Server, TINY, TINY_2, eventually, exists, free_port, image_id, image_of, require_engine,
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);

/// A scene with a stack that runs and a server that listens.
fn world(name: &str) -> (Scene, Server, Outside, String) {
    let scene = Scene::new(name);
    scene.stack(
        "shop",
        "services:\n  web:\n    image: mainstay-test/tiny:1\n    restart: \"no\"\n    environment: { TOKEN: , PLAIN: \"${PLAIN:-}\" }\n    \
         env_file: [{ path: web.env, required: false }]\n    \
         command: [sh, -c, 'echo said $$TOKEN; exec sleep 1000']\nx-mainstay:\n  secrets: { TOKEN: {} }\n",
    );
    let port = free_port();
    let server = scene.serve_with(&["--listen", &format!("127.0.0.1:{port}")]);
    let outside = Outside::of(&server, port);
    let shop = scene.name("shop");
    (scene, server, outside, shop)
}

const SECRET: &str = "correct-horse-battery";
/// A value in the host's `.env` that no file calls a secret.
const UNDECLARED: &str = "staple-of-the-host";

fn token(scene: &Scene, args: &[&str]) -> String {
    let mut all = vec!["token", "create"];
    all.extend(args);
    scene.mainstay(&all).ok().stdout.trim().to_owned()
}

fn code(ran: &Ran) -> String {
    let problem: Value = serde_json::from_str(ran.stderr.trim()).expect("one object");
    problem["code"].as_str().expect("a code").to_owned()
}

#[test]
fn a_stack_must_be_brought_up_and_used_from_another_machine_and_its_secrets_stay() {
    if !require_engine() {
        return;
    }
    let (scene, _server, outside, shop) = world("httpsup");
    let admin = token(&scene, &["ops", "--scope", "admin"]);
    let folder = scene.dir("shop");
    let mut all = String::new();
    let mut run = |args: &[&str]| {
        let ran = outside.run_in(&scene, &folder, &admin, args).ok();
        all += &format!("{}{}", ran.stdout, ran.stderr);
        ran
    };
    let mut set = outside.command(&scene, &folder, &admin, &["secret", "set", "TOKEN"]);
    let input = scene.folder().join("value");
    std::fs::write(&input, SECRET).expect("a file");
    Ran::of({
        set.stdin(std::fs::File::open(&input).expect("a file"));
        set
    })
    .ok();
    let own = scene.state_dir().join("stacks").join(&shop);
    std::fs::create_dir_all(&own).expect("a folder");
    std::fs::write(own.join(".env"), format!("PLAIN={UNDECLARED}\n")).expect("a file");
    std::fs::write(own.join("web.env"), format!("MORE={UNDECLARED}\n")).expect("a file");
    run(&["plan"]).prints("create container");
    run(&["up"]).says("is done");
    assert!(exists("container", &scene.container("shop", "web")));
    run(&["ps", "--json"]);
    eventually("it has said it", SOON, || run(&["logs"]).stdout.contains("said [redacted]").then_some(()));
    for args in [
        &["config"][..],
        &["plan", "--json", "--check"],
        &["history", "--steps", "--json"],
        &["releases", "--json"],
        &["releases", "1"],
        &["stacks", "--json"],
        &["secret", "ls", "--json"],
        &["up", "--json"],
        &["version", "--json"],
    ] {
        run(args);
    }
    assert!(!all.contains(SECRET) && !all.contains(UNDECLARED), "a value came out:\n{all}");
    outside.run_in(&scene, &folder, &admin, &["config", "--reveal"]).code(2).says("values, which stay on their host");
    let history = outside.run(&scene, &admin, &["history", "--json", "--stack", &shop]).ok();
    assert!(!history.stdout.contains(&admin));
    let releases = outside.run(&scene, &admin, &["releases", "--json", "--stack", &shop]).ok().json();
    assert!(releases["actor"].as_str().expect("who").contains("by the token ops for "), "{releases}");
}

#[test]
fn a_token_that_may_promote_must_promote_and_roll_back_and_do_nothing_else() {
    if !require_engine() {
        return;
    }
    let (scene, server, outside, shop) = world("httpsscope");
    let value = scene.folder().join("value");
    std::fs::write(&value, SECRET).expect("a file");
    scene.on("shop", &["secret", "set", "TOKEN", "--from-file", value.to_str().expect("text")]).ok();
    scene.on("shop", &["up"]).ok();
    let ci = token(&scene, &["ci", "--scope", &format!("release:{shop}"), "--expires", "1d"]);
    let run = |args: &[&str]| outside.run(&scene, &ci, args);
    run(&["promote", "--stack", &shop, "--tag", "2", "--yes"]).ok().says("is done");
    assert_eq!(image_of(&scene.container("shop", "web")), image_id(TINY_2));
    run(&["rollback", "--stack", &shop, "--yes"]).ok();
    assert_eq!(image_of(&scene.container("shop", "web")), image_id(TINY));
    run(&["ps", "--stack", &shop]).ok().prints("running");
    for args in [
        &["exec", "--stack", &shop, "web", "env"][..],
        &["down", "--stack", &shop],
        &["config", "--stack", &shop],
        &["secret", "ls", "--stack", &shop],
        &["token", "create", "more", "--scope", "admin"],
        &["up", "--stack", &shop],
    ] {
        let refused = run(args).code(2).says("needs the scope `admin`, and the token ci has");
        assert!(!refused.stderr.contains(SECRET));
    }
    run(&["promote", "--stack", "other", "--tag", "2"]).code(2).says("needs the scope `release:other`");
    run(&["history"]).code(2).says("needs the scope `read`");
    outside.run_in(&scene, &scene.dir("shop"), &ci, &["up"]).code(2).says("needs the scope `admin`");
    assert_eq!(image_of(&scene.container("shop", "web")), image_id(TINY));
    // It holds when the server is started anew.
    server.stop();
    let again = scene.serve_with(&["--listen", &format!("127.0.0.1:{}", outside.port)]);
    assert_eq!(Outside::of(&again, outside.port).fingerprint, outside.fingerprint);
    run(&["ps", "--stack", &shop]).ok();
}

#[test]
fn a_token_must_end_when_it_is_revoked_rotated_or_its_time_is_over() {
    if !require_engine() {
        return;
    }
    let (scene, _server, outside, _) = world("httpsend");
    let json = ["stacks", "--json"];
    let first = token(&scene, &["ci", "--scope", "read"]);
    outside.run(&scene, &first, &json).ok();
    let second = scene.mainstay(&["token", "rotate", "ci"]).ok().stdout.trim().to_owned();
    outside.run(&scene, &first, &json).ok();
    outside.run(&scene, &second, &json).ok();
    let third = scene.mainstay(&["token", "rotate", "ci", "--keep-old", "0s"]).ok().stdout.trim().to_owned();
    for old in [&first, &second] {
        assert_eq!(code(&outside.run(&scene, old, &json).code(2)), "bad-token");
    }
    outside.run(&scene, &third, &json).ok();
    let listed = scene.mainstay(&["token", "ls", "--json"]).ok();
    assert!(listed.json()[0]["last_used"].is_string(), "{listed:?}");
    assert!(!listed.stdout.contains(&third));
    scene.mainstay(&["token", "revoke", "ci"]).ok().says("revoked the token `ci`");
    assert_eq!(code(&outside.run(&scene, &third, &json).code(2)), "bad-token");
    let short = token(&scene, &["short", "--scope", "read", "--expires", "0s"]);
    assert_eq!(code(&outside.run(&scene, &short, &json).code(2)), "token-expired");
    let admin = token(&scene, &["ops", "--scope", "read"]);
    for number in 0..20 {
        let wrong = format!("{admin}{number}");
        if code(&outside.run(&scene, &wrong, &json).code(2)) == "too-many-tokens" {
            return;
        }
    }
    panic!("wrong tokens are heard without end");
}

#[test]
fn nothing_must_be_said_to_a_server_that_is_another_one() {
    if !require_engine() {
        return;
    }
    let (scene, _server, outside, _) = world("httpspin");
    let admin = token(&scene, &["ops", "--scope", "admin"]);
    let with = |fingerprint: &str| {
        let mut command = outside.command(&scene, scene.folder(), &admin, &["stacks", "--json"]);
        command.env("MAINSTAY_HOST_FINGERPRINT", fingerprint);
        Ran::of(command)
    };
    with(&outside.fingerprint).ok();
    let other = with(&format!("sha256:{}", "0".repeat(64))).code(4);
    assert_eq!(code(&other), "other-certificate");
    assert!(other.stderr.contains(&outside.fingerprint), "{other:?}");
    let unknown = with("").code(4);
    assert_eq!(code(&unknown), "unknown-certificate");
    assert!(unknown.stderr.contains(&outside.fingerprint) && !unknown.stderr.contains(&admin), "{unknown:?}");
    // The token is not sent either where it could be read on the way, or where nobody is.
    let mut plain = outside.command(&scene, scene.folder(), &admin, &["stacks", "--json"]);
    plain.env("MAINSTAY_HOST", format!("http://192.0.2.1:{}", outside.port));
    assert_eq!(code(&Ran::of(plain).code(2)), "bad-host");
    let mut without = outside.command(&scene, scene.folder(), &admin, &["stacks", "--json"]);
    without.env_remove("MAINSTAY_TOKEN");
    assert_eq!(code(&Ran::of(without).code(2)), "no-token");
    let mut closed = outside.command(&scene, scene.folder(), &admin, &["stacks", "--json"]);
    closed.env("MAINSTAY_HOST", format!("https://127.0.0.1:{}", free_port()));
    assert_eq!(code(&Ran::of(closed).code(4)), "host-unreachable");
}

#[test]
fn what_follows_must_end_with_ctrl_c_and_with_the_server() {
    if !require_engine() {
        return;
    }
    let (scene, server, outside, shop) = world("httpsfollow");
    let value = scene.folder().join("value");
    std::fs::write(&value, SECRET).expect("a file");
    scene.on("shop", &["secret", "set", "TOKEN", "--from-file", value.to_str().expect("text")]).ok();
    scene.on("shop", &["up"]).ok();
    let reader = token(&scene, &["reader", "--scope", &format!("read:{shop}")]);
    let follow = || {
        let running = outside.spawn(&scene, &reader, &["logs", "--follow", "--stack", &shop]);
        running.awaits_stdout("said [redacted]", SOON);
        running
    };
    let first = follow();
    first.interrupt();
    first.ends(SOON).code(130);
    let second = follow();
    server.stop();
    assert_ne!(second.ends(SOON).code, Some(0));
}

#[test]
fn an_up_whose_client_goes_away_must_be_taken_back_by_the_server() {
    if !require_engine() {
        return;
    }
    let (scene, _server, outside, shop) = world("httpsbreak");
    let files = |command: &str| {
        let text = format!(
            "services:\n  web:\n    image: mainstay-test/tiny:1\n    restart: \"no\"\n    command: [sleep, '{command}']\n    \
             healthcheck: {{ test: [CMD, sh, -c, 'test {command} = 1000'], interval: 1s, retries: 1000, start_period: 600s }}\n"
        );
        scene.stack("shop", &text);
    };
    files("1000");
    scene.on("shop", &["up", "--yes"]).ok();
    let before = mainstay_e2e::id_of(&scene.container("shop", "web"));
    files("2000");
    let admin = token(&scene, &["ops", "--scope", "admin"]);
    let running = outside.spawn(&scene, &admin, &["up", "--stack", &shop, "--yes"]);
    eventually("the new container is there", SOON, || (scene.containers("shop").len() > 1).then_some(()));
    running.kill();
    let is_back = || (scene.containers("shop") == [scene.container("shop", "web")]).then_some(());
    eventually("the release is taken back", SOON, is_back);
    assert_eq!(mainstay_e2e::id_of(&scene.container("shop", "web")), before, "the old one never stopped");
    eventually("it is listed as taken back", SOON, || {
        let log = outside.run(&scene, &admin, &["releases", "--stack", &shop, "--json"]).ok();
        let newest: Value = serde_json::from_str(log.stdout.lines().next()?).expect("JSON");
        (newest["state"] == "undone").then_some(())
    });
}
