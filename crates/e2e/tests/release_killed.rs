//! `kill -9` at every step boundary of a release, and of the way back of one that failed: the next start finishes it or
//! takes it back, and nobody who visits the site meanwhile notices any of it.

use std::collections::BTreeSet;

use mainstay_e2e::shop::{HOST, Shop, compose_checked, wait_for_steps};
use mainstay_e2e::{Scene, Visitors, require_engine};

/// Who comes next.
#[derive(Clone, Copy)]
enum Starts {
    Server,
    Command,
}

/// What whoever comes next says.
fn started(shop: &Shop, starts: Starts) -> String {
    match starts {
        Starts::Server => {
            let server = shop.scene.serve();
            let told = server.log();
            assert!(server.stop().success());
            std::fs::remove_file(shop.scene.folder().join("serve.log")).expect("the log of that one start");
            told
        }
        Starts::Command => shop.scene.on("shop", &["start"]).ok().stderr,
    }
}

/// Begins a release, kills it when so many of its steps are done, and starts again.
fn cut_after(shop: &Shop, steps: usize, release: usize, before: usize, starts: Starts) -> usize {
    shop.scene.stack("shop", &compose_checked(release, shop.edge.https));
    let mut up = shop.scene.start("shop", &["up", "--yes"]);
    wait_for_steps(&mut up, steps);
    let cut = up.kill();
    // Killed or done: it never failed by itself.
    assert!([None, Some(0)].contains(&cut.code), "{cut:?}");
    let told = started(shop, starts);
    let when = format!("after kill -9 with {steps} steps done; it said\n{}\nthe start said\n{told}", cut.stderr);
    let now = shop.is_whole(&when);
    if now == release && cut.code.is_none() && told.contains("was cut off") {
        assert!(told.contains("had been committed and was finished"), "{when}");
        let is_asked = cut.stderr.lines().any(|line| line.starts_with('✔') && line.contains("after the commit"));
        assert!(!is_asked || !told.contains("not asked"), "{when}");
    }
    if now != release {
        assert_eq!(now, before, "{when}");
        let is_told = told.contains("was taken back: what ran before it runs");
        assert!(is_told || !cut.stderr.contains('✔'), "{when}");
    }
    now
}

/// Every second boundary, from the first or from the second.
fn killed_at_every_second_boundary(name: &str, first: usize, starts: Starts) {
    if !require_engine() {
        return;
    }
    let shop = Shop::open(Scene::new(name));
    let mut serving = shop.is_whole("a first whole release");
    shop.scene.stack("shop", &compose_checked(1, shop.edge.https));
    let steps = shop.steps();
    assert!(steps > 12, "a release of two services has more steps than {steps}");
    let plan = shop.scene.on("shop", &["plan"]).ok();
    let asked = ["ask 2 smoke checks before the commit", "ask smoke check https://shop.localhost:"];
    assert!(asked.iter().all(|asked| plan.stdout.contains(asked)), "{}", plan.stdout);
    let visitors = Visitors::come(&shop.edge, HOST, "/", "release");
    let mut ends = BTreeSet::new();
    for (round, boundary) in (first..=steps).step_by(2).enumerate() {
        let release = round + 1;
        let now = cut_after(&shop, boundary, release, serving, starts);
        ends.insert(now == release);
        serving = now;
    }
    visitors.leave().all_answered();
    assert_eq!(ends.len(), 2, "some were taken back and some were finished");
}

#[test]
fn kill_9_at_every_odd_step_boundary_of_a_release_and_a_command_comes_next() {
    killed_at_every_second_boundary("killodd", 1, Starts::Command);
}

#[test]
fn kill_9_at_every_even_step_boundary_of_a_release_and_the_server_comes_next() {
    killed_at_every_second_boundary("killeven", 2, Starts::Server);
}

/// A release whose checks do not hold: the one that asks the new containers, or the one that asks as a visitor does.
fn compose_failing(release: usize, https: u16, after_the_commit: bool) -> String {
    let checked = compose_checked(release, https);
    let page = format!("contains: release rr{release}");
    let at = if after_the_commit { checked.rfind(&page) } else { checked.find(&page) };
    let at = at.expect("it asks for its page");
    format!("{}contains: never, within: 1s{}", &checked[..at], &checked[at + page.len()..])
}

/// Kills a release at every step of its way back. Whoever comes next brings what was before.
fn killed_on_its_way_back(name: &str, after_the_commit: bool, starts: Starts) {
    if !require_engine() {
        return;
    }
    let shop = Shop::open(Scene::new(name));
    shop.is_whole("a first whole release");
    let failing = |release| shop.scene.stack("shop", &compose_failing(release, shop.edge.https, after_the_commit));
    failing(1);
    let whole = shop.scene.on("shop", &["up", "--yes"]).code(1).says("was taken back").stderr;
    shop.is_whole(&whole);
    let is_done = |line: &&str| line.starts_with('✔');
    let before_it_failed = whole.lines().take_while(|line| !line.starts_with('✘')).filter(is_done).count();
    let steps = whole.lines().filter(is_done).count();
    assert!(steps > before_it_failed + 2, "the way back has steps of its own: {whole}");
    let visitors = Visitors::come(&shop.edge, HOST, "/", "release");
    // Killed before it knew that the check does not hold, it is a release whose checks were not asked.
    for (round, boundary) in (before_it_failed + 1..=steps).enumerate() {
        let release = round + 2;
        failing(release);
        let mut up = shop.scene.start("shop", &["up", "--yes"]);
        wait_for_steps(&mut up, boundary);
        let cut = up.kill();
        assert!([None, Some(1)].contains(&cut.code), "{cut:?}");
        let told = started(&shop, starts);
        let when = format!("after kill -9 with {boundary} steps done; it said\n{}\nthe start said\n{told}", cut.stderr);
        assert_eq!(shop.is_whole(&when), 0, "{when}");
    }
    visitors.leave().all_answered();
}

#[test]
fn kill_9_at_every_step_of_the_way_back_before_the_commit() {
    killed_on_its_way_back("killback", false, Starts::Command);
}

#[test]
fn kill_9_at_every_step_of_the_way_back_after_the_commit() {
    killed_on_its_way_back("killled", true, Starts::Server);
}
