//! The edge's room against a real Caddy in a container: routes are loaded, read back, refused, and probed.
#![allow(clippy::unwrap_used, reason = "a test that unwraps fails with the place")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mainstay_engine::edge::{Change, Edge, Probe};
use mainstay_engine::smoke::{Patience, Smoke, Ways};
use mainstay_model::edge::{Account, Answer, EdgeSettings, Headers, Proxy, RouteTable, Site};
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::smoke::{Address, Check, Expected, Tls, Whence};

/// A Caddy and a service on one network of their own.
struct Host {
    name: String,
    folder: tempfile::TempDir,
}

impl Host {
    /// `None` where no engine is and none is required.
    async fn new(what: &str, table: &RouteTable) -> Option<(Host, Edge)> {
        support::engine().await?;
        let name = format!("edge-{what}-{}", std::process::id());
        // Deeper than a unix socket's address could say.
        let folder = tempfile::Builder::new().prefix(&"deep-".repeat(25)).tempdir().unwrap();
        let host = Host { name, folder };
        let edge = Edge::at(host.folder.path().join("edge"));
        edge.prepare(table).await.unwrap();
        docker(&["network", "create", "--label", "dev.mainstay.test=edge-room", &host.name]);
        host.run(
            "caddy",
            &["-v", &format!("{}:/run/mainstay", host.shared().display())],
            "caddy:2",
            &["caddy", "run", "--config", "/run/mainstay/caddy.json"],
        );
        host.run("web", &[], support::TINY, &[]);
        for _ in 0..200 {
            if edge.serves(table).await.is_ok()
                && edge.probe(&host.probe("/health")).await.is_ok_and(|a| a.status == 200)
            {
                return Some((host, edge));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the edge did not come up: {}", docker(&["logs", &host.container("caddy")]));
    }

    fn shared(&self) -> std::path::PathBuf {
        self.folder.path().join("edge")
    }

    fn container(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    fn run(&self, what: &str, flags: &[&str], image: &str, command: &[&str]) {
        let name = self.container(what);
        let fixed = ["run", "-d", "--label", "dev.mainstay.test=edge-room", "--network", &self.name, "--name", &name];
        docker(&[&fixed, flags, &[image], command].concat());
    }

    fn probe(&self, path: &str) -> Probe {
        Probe {
            upstream: format!("{}:8080", self.container("web")),
            method: "GET".into(),
            path: path.into(),
            headers: BTreeMap::new(),
            within: Duration::from_secs(5),
        }
    }

    fn routes(&self, host: &str) -> RouteTable {
        let upstreams = vec![format!("{}:8080", self.container("web"))];
        table(vec![site(host, Answer::Proxy(Proxy { upstreams, ..Proxy::default() }))])
    }

    /// The edge acknowledges its routes before it has made the certificates of their names.
    async fn comes_to_serve(&self, host: &str) {
        for _ in 0..150 {
            if self.fetch(host, "/") == ("200".into(), "tiny 1".into()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the edge does not serve {host}: {:?}", self.fetch(host, "/"));
    }

    /// What the edge answers to a request of its own network, with its certificate not looked at.
    fn fetch(&self, host: &str, path: &str) -> (String, String) {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = docker(&["inspect", "--format", format, &self.container("caddy")]);
        let output = Command::new("curl")
            .args(["-sk", "--max-time", "10", "--resolve", &format!("{host}:443:{address}"), "-w", "\n%{http_code}"])
            .arg(format!("https://{host}{path}"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.trim().to_owned())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for what in ["caddy", "web", "next"] {
            let _ = Command::new("docker").args(["rm", "-f", "-v", &self.container(what)]).output();
        }
        let _ = Command::new("docker").args(["network", "rm", &self.name]).output();
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn site(host: &str, answer: Answer) -> Site {
    Site {
        stack: StackName::new("shop").unwrap(),
        service: ServiceName::new("web").unwrap(),
        host: host.into(),
        path: "/".into(),
        answer,
        headers: Headers::default(),
        accounts: Vec::new(),
        max_body_bytes: None,
        access_log: true,
    }
}

fn table(sites: Vec<Site>) -> RouteTable {
    RouteTable::new(EdgeSettings::default(), sites).unwrap()
}

fn config_on_disk(shared: &Path) -> String {
    std::fs::read_to_string(shared.join("caddy.json")).unwrap()
}

#[tokio::test]
async fn what_is_loaded_is_served_read_back_and_stands_on_the_disk() {
    let Some((host, edge)) = Host::new("load", &RouteTable::default()).await else { return };
    let routes = host.routes("shop.localhost");
    assert!(!edge.serves(&routes).await.unwrap());
    edge.load(&routes).await.unwrap();
    assert!(edge.serves(&routes).await.unwrap());
    host.comes_to_serve("shop.localhost").await;
    assert!(config_on_disk(&host.shared()).contains("shop.localhost"));
    assert!(edge.root_certificate().await.unwrap().starts_with("-----BEGIN CERTIFICATE-----"));

    // It comes back by itself as it was, with nobody there to tell it.
    docker(&["restart", "-t", "1", &host.container("caddy")]);
    host.comes_to_serve("shop.localhost").await;
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let Some((host, edge)) = Host::new("refuse", &RouteTable::default()).await else { return };
    let routes = host.routes("shop.localhost");
    edge.load(&routes).await.unwrap();
    let mut nameless = site("shop.localhost", Answer::Proxy(Proxy::default()));
    nameless.accounts.push(Account { user: String::new(), password_hash: "$2b$10$".into() });
    let error = edge.load(&table(vec![nameless])).await.unwrap_err();
    assert_eq!(error.message, "the edge refused its routes, and serves on as before");
    assert!(edge.serves(&routes).await.unwrap());
    host.comes_to_serve("shop.localhost").await;
    assert!(config_on_disk(&host.shared()).contains("shop.localhost"));
}

#[tokio::test]
async fn containers_that_the_edge_does_not_come_to_read_are_not_led_to() {
    let Some((host, edge)) = Host::new("unread", &RouteTable::default()).await else { return };
    let routes = host.routes("shop.localhost");
    edge.load(&routes).await.unwrap();
    // Its sockets in another folder: what is led to here, Caddy reads elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    for socket in ["admin.sock", "probe.sock"] {
        std::os::unix::fs::symlink(host.shared().join(socket), elsewhere.path().join(socket)).unwrap();
    }
    let other = Proxy { upstreams: vec!["other:8080".into()], ..Proxy::default() };
    let newer = table(vec![site("shop.localhost", Answer::Proxy(other))]);
    let error = Edge::at(elsewhere.path().into()).load(&newer).await.unwrap_err();
    assert_eq!(error.message, "the edge reads another set of containers than it was just given");
    assert!(!elsewhere.path().join("live/shop").exists(), "it is led back");
    assert!(edge.serves(&routes).await.unwrap());
}

#[tokio::test]
async fn a_probe_is_answered_by_the_service_or_by_the_edge_for_it() {
    let Some((host, edge)) = Host::new("probe", &RouteTable::default()).await else { return };
    let there = edge.probe(&host.probe("/health")).await.unwrap();
    assert_eq!((there.status, String::from_utf8_lossy(&there.body).trim()), (200, "ok"));
    let mut over_tls = host.probe("/cgi-bin/env");
    over_tls.headers.insert("X-Forwarded-Proto".into(), "https".into());
    let told = edge.probe(&over_tls).await.unwrap();
    assert!(String::from_utf8_lossy(&told.body).contains("HTTP_X_FORWARDED_PROTO=https"), "{told:?}");
    let missing = edge.probe(&host.probe("/nowhere")).await.unwrap();
    assert_eq!(missing.status, 404);
    docker(&["stop", "-t", "1", &host.container("web")]);
    let gone = edge.probe(&host.probe("/health")).await.unwrap();
    assert_eq!(gone.status, 502);
}

#[tokio::test]
async fn an_edge_that_is_not_there_is_said_to_be_away() {
    let folder = tempfile::tempdir().unwrap();
    let error = Edge::at(folder.path().into()).load(&RouteTable::default()).await.unwrap_err();
    assert!(error.transient);
    assert_eq!(error.message, "the edge does not answer");
}

#[tokio::test]
async fn a_smoke_check_from_inside_is_asked_by_the_edge() {
    let Some((host, edge)) = Host::new("smoke", &RouteTable::default()).await else { return };
    let url = |path: &str| Address::parse(&format!("http://{}:8080{path}", host.container("web"))).unwrap();
    let check = |path: &str, status| Check {
        name: None,
        url: url(path),
        method: "GET".into(),
        headers: BTreeMap::new(),
        body: None,
        expected: Expected::status(status),
        tls: Tls::Valid,
        from: Whence::Inside,
        container: None,
        within_ms: 5_000,
        timeout_ms: 5_000,
    };
    let smoke = Smoke::new(Ways { probe: Some(edge), ..Ways::default() }).unwrap();
    let mut health = check("/health", 200);
    health.expected.contains.push("ok".into());
    let reports = smoke.run(&[health, check("/nowhere", 404)], Patience::AsDeclared, &|_| {}).await;
    assert!(reports.iter().all(|report| report.holds), "{reports:#?}");
    docker(&["stop", "-t", "1", &host.container("web")]);
    let gone = smoke.run(&[check("/health", 200)], Patience::Once, &|_| {}).await.remove(0);
    let told = gone.reasons.concat();
    assert!(told.starts_with(&format!("nobody answers at {}:8080: ", host.container("web"))), "{told}");
}

/// A check over TLS at the edge, as a release asks it.
fn at_the_edge(url: &str, contains: &str) -> Check {
    let mut expected = Expected::status(200);
    expected.contains.push(contains.into());
    Check {
        name: None,
        url: Address::parse(url).unwrap(),
        method: "GET".into(),
        headers: BTreeMap::new(),
        body: None,
        expected,
        tls: Tls::Valid,
        from: Whence::Edge,
        container: None,
        within_ms: 20_000,
        timeout_ms: 9_000,
    }
}

/// Asks behind the private door.
async fn privately(edge: &Edge, checks: &[Check], patience: Patience) -> Vec<String> {
    let private = checks.iter().map(|check| check.url.clone()).collect();
    let ways = Ways { private, ..Ways::to(edge.clone()).await.unwrap() };
    let reports = Smoke::new(ways).unwrap().run(checks, patience, &|_| {}).await;
    reports.into_iter().flat_map(|report| report.reasons).collect()
}

#[tokio::test]
async fn a_release_behind_the_private_door_is_for_those_who_ask_there_and_can_be_led_back() {
    let Some((host, edge)) = Host::new("preview", &RouteTable::default()).await else { return };
    let stack = StackName::new("shop").unwrap();
    let upstream = |what: &str| vec![format!("{}:8080", host.container(what))];
    let leads = |at: &str, what: &str| site(at, Answer::Proxy(Proxy { upstreams: upstream(what), ..Proxy::default() }));
    let change = |sites: Vec<Site>| Change { stack: stack.clone(), sites, kept: vec![], networks: [].into() };
    edge.change(change(vec![leads("shop.localhost", "web")])).await.unwrap();
    host.comes_to_serve("shop.localhost").await;
    let served = edge.seen().await.unwrap();
    host.run("next", &[], support::TINY, &["sh", "-c", "echo next >/www/index.html; exec /bin/serve"]);

    // With the same routes the configuration stays as it is, and so do connections of visitors.
    let config = config_on_disk(&host.shared());
    edge.preview(&stack, vec![leads("shop.localhost", "next")]).await.unwrap();
    assert_eq!(config_on_disk(&host.shared()), config);
    let next = at_the_edge("https://shop.localhost/", "next");
    assert_eq!(privately(&edge, std::slice::from_ref(&next), Patience::AsDeclared).await, [""; 0]);
    assert_eq!(host.fetch("shop.localhost", "/"), ("200".into(), "tiny 1".into()));
    // The service hears what it will hear from visitors.
    let proto = at_the_edge("https://shop.localhost/cgi-bin/env", "HTTP_X_FORWARDED_PROTO=https");
    assert_eq!(privately(&edge, &[proto], Patience::Once).await, [""; 0]);

    // A new address is there for those who ask, with its certificate, and for nobody else.
    let both = vec![leads("shop.localhost", "next"), leads("new.localhost", "next")];
    edge.preview(&stack, both.clone()).await.unwrap();
    let new = at_the_edge("https://new.localhost/", "next");
    assert_eq!(privately(&edge, &[next.clone(), new], Patience::AsDeclared).await, [""; 0]);
    assert_eq!(host.fetch("new.localhost", "/").0, "404");
    // Meanwhile another stack is changed: what is asked stays where it is.
    let other = StackName::new("blog").unwrap();
    let blog = Site { stack: other.clone(), ..leads("blog.localhost", "web") };
    let blog = Change { stack: other.clone(), sites: vec![blog], kept: vec![], networks: [].into() };
    edge.change(blog).await.unwrap();
    let new = at_the_edge("https://new.localhost/", "next");
    assert_eq!(privately(&edge, &[next.clone(), new], Patience::Once).await, [""; 0]);
    edge.unroute(&other).await.unwrap();
    assert_eq!(host.fetch("shop.localhost", "/"), ("200".into(), "tiny 1".into()));
    let seen = edge.seen().await.unwrap();
    assert!(seen.is_as_told && seen.previews.contains(&stack) && seen.sites == served.sites, "{seen:?}");

    edge.change(change(both)).await.unwrap();
    assert_eq!(host.fetch("shop.localhost", "/"), ("200".into(), "next".into()));
    assert_eq!(host.fetch("new.localhost", "/"), ("200".into(), "next".into()));
    assert!(edge.seen().await.unwrap().previews.is_empty());
    edge.lead_back(&stack).await.unwrap();
    assert_eq!(host.fetch("shop.localhost", "/"), ("200".into(), "tiny 1".into()));
    assert_eq!(edge.seen().await.unwrap().sites, served.sites);

    edge.preview(&stack, vec![leads("shop.localhost", "next")]).await.unwrap();
    edge.close_preview(&stack).await.unwrap();
    let told = privately(&edge, &[next], Patience::Once).await.concat();
    assert!(told.starts_with("expected 200, answered 50"), "{told}");
    assert_eq!(config_on_disk(&host.shared()), config);
}
