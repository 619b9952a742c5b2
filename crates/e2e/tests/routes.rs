//! What a route says about its requests is what visitors get, whatever answers behind it.

use mainstay_e2e::{Edge, Scene, docker_ok, eventually, exists, require_engine};
use std::time::Duration;

/// What curl prints of one request, head and body.
fn asked(edge: &Edge, host: &str, path: &str, more: &[&str]) -> String {
    let mut curl = Edge::curl(host, edge.https);
    let url = format!("https://{host}:{}{path}", edge.https);
    let ran = curl.args(more).args(["--include", &url]).output().expect("curl runs");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn every_word_of_a_route_holds_for_those_who_visit() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("words");
    let edge = scene.edge();
    let hash = docker_ok(&["exec", &edge.container(), "caddy", "hash-password", "--plaintext", "open sesame"]);
    scene.stack(
        "shop",
        &format!(
            "
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    deploy: {{ replicas: 2 }}
    x-mainstay:
      rollout: {{ stable: 100ms, drain: 0s }}
      routes:
        - {{ host: head.localhost, port: 8080, access_log: true, headers: {{ request: {{ X-Asked: by-the-edge }}, response: {{ X-Told: hello }} }} }}
        - {{ host: door.localhost, port: 8080, basic_auth: {{ ada: '{}' }} }}
        - {{ host: small.localhost, port: 8080, max_body: 1kb }}
        - {{ host: closed.localhost, port: 8080, maintenance: back at noon }}
        - {{ host: part.localhost, port: 8080, path: /app, strip_path: true }}
        - {{ host: part.localhost, port: 8080, path: /cgi-bin }}
        - {{ host: same.localhost, port: 8080, sticky: true }}
",
            hash.trim().replace('$', "$$")
        ),
    );
    scene.on("shop", &["up", "--yes"]).ok();

    let head = asked(&edge, "head.localhost", "/cgi-bin/env", &[]);
    assert!(head.to_lowercase().contains("x-told: hello") && head.contains("HTTP_X_ASKED=by-the-edge"), "{head}");
    eventually("the request is in the edge's log", Duration::from_secs(10), || {
        docker_ok(&["logs", &edge.container()]).contains("head.localhost").then_some(())
    });

    assert_eq!(status(&asked(&edge, "door.localhost", "/health", &[])), "401");
    assert_eq!(status(&asked(&edge, "door.localhost", "/health", &["--user", "ada:wrong"])), "401");
    assert_eq!(status(&asked(&edge, "door.localhost", "/health", &["--user", "ada:open sesame"])), "200");

    let large = scene.folder().join("large");
    std::fs::write(&large, [b'x'; 4096]).expect("a file");
    let body = format!("@{}", large.display());
    assert_eq!(status(&asked(&edge, "small.localhost", "/cgi-bin/env", &["--data-binary", &body])), "413");
    assert_eq!(status(&asked(&edge, "small.localhost", "/cgi-bin/env", &["--data-binary", "x"])), "200");

    let closed = asked(&edge, "closed.localhost", "/", &[]);
    assert!(status(&closed) == "503" && closed.contains("back at noon"), "{closed}");

    assert_eq!(status(&asked(&edge, "part.localhost", "/app/health", &[])), "200", "the path is taken away");
    assert_eq!(status(&asked(&edge, "part.localhost", "/cgi-bin/env", &[])), "200", "and stays where nothing says so");
    let nothing = asked(&edge, "part.localhost", "/health", &[]);
    assert!(status(&nothing) == "404" && nothing.contains("No route"), "no route takes it: {nothing}");

    let jar = scene.folder().join("cookies").to_string_lossy().into_owned();
    let who = || {
        let answer = asked(&edge, "same.localhost", "/cgi-bin/env", &["--cookie", &jar, "--cookie-jar", &jar]);
        answer.lines().find(|line| line.starts_with("HOSTNAME=")).expect("which container it is").to_owned()
    };
    let first = who();
    assert!((0..8).all(|_| who() == first), "one browser stays with one replica");
    let strangers: std::collections::BTreeSet<String> = (0..8)
        .map(|_| asked(&edge, "same.localhost", "/cgi-bin/env", &[]))
        .filter_map(|answer| answer.lines().find(|line| line.starts_with("HOSTNAME=")).map(str::to_owned))
        .collect();
    assert_eq!(strangers.len(), 2, "others go to both");

    // The edge goes whole, with its own network, and comes again with what it served.
    scene.mainstay(&["edge", "down"]).ok();
    assert!(!exists("container", &edge.container()) && !exists("network", &format!("{}_default", edge.name)));
    scene.mainstay(&["edge", "up", "--yes"]).ok();
    eventually("it serves as before", Duration::from_secs(20), || {
        (status(&asked(&edge, "head.localhost", "/health", &[])) == "200").then_some(())
    });
}
