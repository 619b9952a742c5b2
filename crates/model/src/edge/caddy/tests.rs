use serde_json::Value;

use super::render;
use crate::edge::{Account, Answer, Certificates, EdgeSettings, Headers, Protocol, Proxy, RouteTable, Site};
use crate::identity::{ServiceName, StackName};

fn site(host: &str, path: &str, answer: Answer) -> Site {
    Site {
        stack: StackName::new("shop").expect("a name"),
        service: ServiceName::new("web").expect("a name"),
        host: host.into(),
        path: path.into(),
        answer,
        headers: Headers::default(),
        accounts: Vec::new(),
        max_body_bytes: None,
        access_log: false,
    }
}

fn proxy(upstreams: &[&str]) -> Answer {
    Answer::Proxy(Proxy { upstreams: upstreams.iter().map(|&dial| dial.to_owned()).collect(), ..Proxy::default() })
}

fn table(sites: Vec<Site>) -> RouteTable {
    RouteTable::new(EdgeSettings::default(), sites).expect("no conflict")
}

/// The handlers of the first site of a table.
fn handlers(site: Site) -> Value {
    let config = render(&table(vec![site]));
    config["apps"]["http"]["servers"]["https"]["routes"][0]["handle"][0]["routes"][0]["handle"].clone()
}

#[test]
fn a_small_table_is_rendered_whole() {
    let redirect = Answer::Redirect { to: "https://pontea.localhost".into(), status: 302 };
    let sites = vec![
        site("www.pontea.localhost", "/", redirect),
        site("pontea.localhost", "/", proxy(&["shop-web-1:3000", "shop-web-2:3000"])),
        site("pontea.localhost", "/api", proxy(&["shop-api-1:8080"])),
    ];
    insta::assert_snapshot!(serde_json::to_string_pretty(&render(&table(sites))).expect("JSON"));
}

#[test]
fn the_order_of_the_sites_never_shows() {
    let mut sites = vec![
        site("*.acme.org", "/", proxy(&["a:1"])),
        site("www.acme.org", "/", proxy(&["b:1"])),
        site("www.acme.org", "/api", proxy(&["c:1"])),
        site("www.acme.org", "/api/v2", proxy(&["d:1"])),
    ];
    let forward = render(&table(sites.clone()));
    sites.reverse();
    assert_eq!(forward, render(&table(sites.clone())));
    let tried: Vec<String> = table(sites).sites().iter().map(|site| format!("{}{}", site.host, site.path)).collect();
    assert_eq!(tried, ["www.acme.org/api/v2", "www.acme.org/api", "www.acme.org/", "*.acme.org/"]);
}

#[test]
fn a_host_and_path_claimed_twice_is_a_conflict_with_both_names() {
    let mut other = site("shop.localhost", "/", proxy(&["b:1"]));
    other.stack = StackName::new("blog").expect("a name");
    let sites = vec![site("shop.localhost", "/", proxy(&["a:1"])), other];
    let conflicts = RouteTable::new(EdgeSettings::default(), sites).expect_err("a conflict");
    let told: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["`shop.localhost/` leads to `web` of stack `blog` and to `web` of stack `shop`"]);
}

#[test]
fn a_redirect_keeps_the_path_unless_it_names_one() {
    let location = |to: &str| {
        let redirect = Answer::Redirect { to: to.into(), status: 302 };
        handlers(site("www.a.localhost", "/", redirect))[0]["headers"]["Location"][0].clone()
    };
    assert_eq!(location("https://a.localhost"), "https://a.localhost{http.request.uri}");
    assert_eq!(location("https://a.localhost/"), "https://a.localhost{http.request.uri}");
    assert_eq!(location("https://a.localhost/moved"), "https://a.localhost/moved");
    assert_eq!(location("https://a.localhost?x=1"), "https://a.localhost?x=1");
}

#[test]
fn a_service_that_is_not_there_is_told_from_one_that_is_in_maintenance() {
    let absent = handlers(site("a.localhost", "/", proxy(&[])));
    assert_eq!((&absent[0]["status_code"], &absent[0]["handler"]), (&503.into(), &"static_response".into()));
    let page = Answer::Maintenance { page: "<p>Back at noon</p>".into() };
    let resting = handlers(site("a.localhost", "/", page));
    assert_eq!((&resting[0]["status_code"], &resting[0]["body"]), (&503.into(), &"<p>Back at noon</p>".into()));
    assert_eq!(resting[0]["headers"]["Retry-After"][0], "10");
}

#[test]
fn everything_that_a_site_can_ask_for_is_a_handler_before_the_proxy() {
    let mut full = site(
        "a.localhost",
        "/grpc",
        Answer::Proxy(Proxy {
            upstreams: vec!["a:1".into()],
            protocol: Protocol::H2c,
            strip_path: true,
            sticky_cookie: Some("replica".into()),
        }),
    );
    full.headers.request.insert("X-Real".into(), Some("yes".into()));
    full.headers.response.insert("Server".into(), None);
    full.accounts.push(Account { user: "ada".into(), password_hash: "$2b$10$hash".into() });
    full.max_body_bytes = Some(1024);
    insta::assert_snapshot!(serde_json::to_string_pretty(&handlers(full)).expect("JSON"));
}

#[test]
fn each_name_has_the_authority_that_can_sign_it() {
    let sites = vec![site("acme.org", "/", proxy(&["a:1"])), site("acme.localhost", "/", proxy(&["a:1"]))];
    let settings = EdgeSettings { email: Some("ops@acme.org".into()), ..EdgeSettings::default() };
    let policies = |settings: &EdgeSettings| {
        let table = RouteTable::new(settings.clone(), sites.clone()).expect("no conflict");
        render(&table)["apps"]["tls"]["automation"]["policies"].clone()
    };
    assert_eq!(
        policies(&settings),
        serde_json::json!([
            { "subjects": ["acme.localhost"], "issuers": [{ "module": "internal" }] },
            { "subjects": ["acme.org"], "issuers": [{ "module": "acme", "email": "ops@acme.org" }] },
        ])
    );
    let rehearsal = EdgeSettings { certificates: Certificates::Internal, ..settings };
    assert_eq!(
        policies(&rehearsal),
        serde_json::json!([{ "subjects": ["acme.localhost", "acme.org"], "issuers": [{ "module": "internal" }] }])
    );
}

#[test]
fn a_password_hash_is_not_in_the_debug_text() {
    let account = Account { user: "ada".into(), password_hash: "$2b$10$hash".into() };
    assert!(!format!("{account:?}").contains("hash$") && !format!("{account:?}").contains("$2b"));
}
