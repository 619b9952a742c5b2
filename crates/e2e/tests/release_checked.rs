//! Smoke checks gate a release: what can be asked before its commit costs no visitor anything, and what only shows after
//! it is led back.

use std::time::Duration;

use mainstay_e2e::{Edge, Ran, Scene, Visitors, docker_ok, eventually, id_of, require_engine};
use serde_json::Value;

const HOST: &str = "shop.localhost";
const GOOD: &str = "echo release RELEASE >/www/index.html";
/// It is up and healthy, and its page is none.
const BROKEN: &str = "echo RELEASE: no table orders; rm /www/index.html;
        printf '#!/bin/sh\\nprintf \"HTTP/1.0 500 Broken\\\\r\\\\n\\\\r\\\\nboom\"' >/www/cgi-bin/index.cgi;
        chmod +x /www/cgi-bin/index.cgi";

/// A shop whose start does something first, and its checks.
fn shop(release: usize, first: &str, checks: &str) -> String {
    format!(
        "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    command:
      - sh
      - -c
      - |
        {}
        exec /bin/serve
    x-mainstay:
      routes: [{{ host: {HOST}, port: 8080 }}]
      rollout: {{ stable: 100ms, drain: 2s }}
x-mainstay:
  smoke:
{checks}
",
        first.replace("RELEASE", &release.to_string())
    )
}

const PAGE: &str = "    - { url: 'https://shop.localhost', contains: release, within: 15s }\n";

struct Shop {
    scene: Scene,
    edge: Edge,
}

impl Shop {
    /// A first release serves.
    fn serves(name: &str, checks: impl Fn(&Scene) -> String) -> (Shop, String) {
        let scene = Scene::new(name);
        let edge = scene.edge();
        let checks = checks(&scene);
        scene.stack("shop", &shop(1, GOOD, &checks));
        scene.on("shop", &["up", "--yes"]).ok();
        edge.serves(HOST, "release 1");
        (Shop { scene, edge }, checks)
    }

    fn web(&self) -> String {
        id_of(&self.scene.container("shop", "web"))
    }

    fn releases(&self) -> Vec<Value> {
        let told = self.scene.on("shop", &["releases", "--json"]).ok();
        told.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// The newest release was taken back, and the first one serves as before.
    #[track_caller]
    fn is_as_before(&self, web: &str, up: &Ran) {
        assert!(up.stderr.contains("was taken back"), "{}", up.stderr);
        self.edge.serves(HOST, "release 1");
        assert_eq!(self.scene.containers("shop"), [self.scene.container("shop", "web")], "{}", up.stderr);
        assert_eq!(self.web(), web, "the container of before was not touched");
        assert_eq!(self.releases()[0]["state"], "undone");
    }
}

/// A page elsewhere that can be taken away: a check that only a visitor can ask. Gives its address.
fn elsewhere(scene: &Scene) -> String {
    let name = scene.name("elsewhere");
    docker_ok(&["run", "-d", "--name", &name, "-p", "127.0.0.1::8080", "mainstay-test/tiny:1"]);
    let published = docker_ok(&["port", &name, "8080/tcp"]);
    let port = published.lines().next().and_then(|line| line.rsplit(':').next()).expect("a port").trim().to_owned();
    format!("    - {{ name: partner, url: 'http://127.0.0.1:{port}/health', within: 3s }}\n")
}

fn takes_away(scene: &Scene) {
    docker_ok(&["exec", &scene.name("elsewhere"), "rm", "/www/health"]);
}

#[test]
fn a_release_whose_page_is_broken_never_meets_a_visitor() {
    if !require_engine() {
        return;
    }
    let (shop_, _) = Shop::serves("brokenpage", |_| PAGE.to_owned());
    let web = shop_.web();
    let short = "    - { url: 'https://shop.localhost', contains: release, within: 1s }\n";
    shop_.scene.stack("shop", &shop(2, BROKEN, short));
    shop_.scene.on("shop", &["plan"]).ok().prints("ask smoke check https://shop.localhost before the commit");
    let visitors = Visitors::come(&shop_.edge, HOST, "/", "release 1");
    let up = shop_.scene.on("shop", &["up", "--yes"]).code(1);
    visitors.leave().all_answered();
    shop_.is_as_before(&web, &up);
    for told in [
        "the smoke check does not hold",
        "`https://shop.localhost`: expected 200, answered 500 `Internal Server Error`: `boom` (asked ",
        "2: no table orders",
        "no visitor was led to it",
    ] {
        assert!(up.stderr.contains(told), "the report does not say {told:?}:\n{}", up.stderr);
    }
    let phases = &shop_.releases()[0]["phases_ms"];
    assert!(phases["smoke_before"].as_u64().is_some() && phases["commit"].is_null(), "{phases}");

    // Whoever wants it all the same says so.
    let up = shop_.scene.on("shop", &["up", "--yes", "--no-smoke"]).ok();
    assert!(up.stderr.contains("`--no-smoke`: 1 smoke check is not asked"), "{}", up.stderr);
    assert_eq!(shop_.edge.get(HOST, "/").status, 500);
}

#[test]
fn what_only_shows_after_the_commit_leads_visitors_back() {
    if !require_engine() {
        return;
    }
    let (shop_, checks) = Shop::serves("ledback", |scene| PAGE.to_owned() + &elsewhere(scene));
    let web = shop_.web();
    takes_away(&shop_.scene);
    shop_.scene.stack("shop", &shop(2, GOOD, &checks));
    let visitors = Visitors::come(&shop_.edge, HOST, "/", "release");
    let up = shop_.scene.start("shop", &["up", "--yes"]);
    shop_.edge.serves(HOST, "release 2");
    let up = up.ends(Duration::from_secs(60)).code(1);
    visitors.leave().all_answered();
    shop_.is_as_before(&web, &up);
    for told in [
        "✔ ask smoke check `https://shop.localhost` before the commit",
        "ask smoke check `partner` after the commit",
        "`partner`: expected 200, answered 404 `Not Found`",
        "does not hold after its commit",
        "visitors are led to what ran before again",
    ] {
        assert!(up.stderr.contains(told), "the report does not say {told:?}:\n{}", up.stderr);
    }
    let phases = &shop_.releases()[0]["phases_ms"];
    assert!(phases["smoke_before"].as_u64().is_some() && phases["smoke_after"].as_u64().is_some(), "{phases}");
}

#[test]
fn a_server_leads_back_as_well() {
    if !require_engine() {
        return;
    }
    let (shop_, checks) = Shop::serves("servedback", |scene| PAGE.to_owned() + &elsewhere(scene));
    let web = shop_.web();
    let server = shop_.scene.serve();
    takes_away(&shop_.scene);
    shop_.scene.stack("shop", &shop(2, GOOD, &checks));
    let visitors = Visitors::come(&shop_.edge, HOST, "/", "release");
    let up = shop_.scene.on("shop", &["up", "--yes"]).code(1);
    visitors.leave().all_answered();
    shop_.is_as_before(&web, &up);
    assert!(server.stop().success());
}

#[test]
fn a_rollback_passes_the_same_checks() {
    if !require_engine() {
        return;
    }
    let (shop_, checks) = Shop::serves("checkedback", |scene| PAGE.to_owned() + &elsewhere(scene));
    shop_.scene.stack("shop", &shop(2, GOOD, PAGE));
    shop_.scene.on("shop", &["up", "--yes"]).ok();
    shop_.edge.serves(HOST, "release 2");
    takes_away(&shop_.scene);
    let back = shop_.scene.on("shop", &["rollback", "--yes"]).code(1);
    assert!(back.stderr.contains("`partner`: expected 200, answered 404"), "{}", back.stderr);
    shop_.edge.serves(HOST, "release 2");
    shop_.scene.on("shop", &["rollback", "--yes", "--no-smoke"]).ok();
    shop_.edge.serves(HOST, "release 1");
    assert!(checks.contains("partner"));
}

#[test]
fn a_first_release_that_does_not_hold_is_not_served_and_the_next_one_goes_on() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("firstchecked");
    let edge = scene.edge();
    let short = "    - { url: 'https://shop.localhost', contains: release, within: 1s }\n";
    scene.stack("shop", &shop(1, BROKEN, short));
    scene.on("shop", &["up", "--yes"]).code(1).says("answered 500").says("1: no table orders");
    assert_ne!(edge.get(HOST, "/").status, 500, "nobody is led to it");
    scene.stack("shop", &shop(2, GOOD, PAGE));
    scene.on("shop", &["up", "--yes"]).ok();
    edge.serves(HOST, "release 2");
}

#[test]
fn killed_while_it_is_asked_after_its_commit_a_release_is_finished_and_says_what_was_not_asked() {
    if !require_engine() {
        return;
    }
    let (shop_, checks) = Shop::serves("unasked", |scene| PAGE.to_owned() + &elsewhere(scene));
    takes_away(&shop_.scene);
    shop_.scene.stack("shop", &shop(2, GOOD, &checks.replace("within: 3s", "within: 60s")));
    let mut up = shop_.scene.start("shop", &["up", "--yes"]);
    eventually("the check after the commit is asked", Duration::from_secs(60), || {
        assert!(!up.ended(), "{:#?}", up.stderr());
        up.stderr().iter().any(|line| line.contains("partner") && line.contains("asking again")).then_some(())
    });
    up.kill();
    let next = shop_.scene.on("shop", &["start"]).ok();
    let told = "had been committed and was finished; 1 smoke check after its commit was not asked";
    assert!(next.stderr.contains(told), "{}", next.stderr);
    shop_.edge.serves(HOST, "release 2");
    assert_eq!(shop_.scene.containers("shop"), [shop_.scene.container("shop", "web")]);
}

#[test]
fn cancelled_while_it_is_asked_after_its_commit_a_release_is_led_back() {
    if !require_engine() {
        return;
    }
    let (shop_, checks) = Shop::serves("askedcancel", |scene| PAGE.to_owned() + &elsewhere(scene));
    let web = shop_.web();
    takes_away(&shop_.scene);
    shop_.scene.stack("shop", &shop(2, GOOD, &checks.replace("within: 3s", "within: 60s")));
    let visitors = Visitors::come(&shop_.edge, HOST, "/", "release");
    let mut up = shop_.scene.start("shop", &["up", "--yes"]);
    eventually("the check after the commit is asked", Duration::from_secs(60), || {
        assert!(!up.ended(), "{:#?}", up.stderr());
        up.stderr().iter().any(|line| line.contains("partner") && line.contains("asking again")).then_some(())
    });
    up.interrupt();
    let up = up.ends(Duration::from_secs(60)).code(130);
    visitors.leave().all_answered();
    assert!(up.stderr.contains("the release was cancelled while it was asked"), "{}", up.stderr);
    shop_.is_as_before(&web, &up);
}

#[test]
fn a_promoted_tag_passes_the_same_checks() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("checkedtag");
    let edge = scene.edge();
    scene.stack(
        "shop",
        "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    x-mainstay: { routes: [{ host: shop.localhost, port: 8080 }], rollout: { stable: 100ms, drain: 2s } }
x-mainstay:
  smoke: [{ url: 'https://shop.localhost', contains: tiny 1, within: 5s }]
",
    );
    scene.on("shop", &["up", "--yes"]).ok();
    let visitors = Visitors::come(&edge, HOST, "/", "tiny 1");
    let promote = scene.on("shop", &["promote", "--tag", "2", "--yes"]).code(1);
    visitors.leave().all_answered();
    assert!(promote.stderr.contains("expected `tiny 1` in the body, which is `tiny 2`"), "{}", promote.stderr);
    // What was not committed is not in effect.
    scene.on("shop", &["up", "--yes"]).ok().says("nothing to do");
    edge.serves(HOST, "tiny 1");
}
