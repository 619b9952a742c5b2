use super::super::testing::{declared, loaded, refused};
use super::*;

fn stack(checks: &str) -> String {
    let web = r#"{"image": "a", "x-mainstay": {"routes": [{"host": "pontea.localhost", "port": 1},
        {"host": "*.shop.example", "port": 1}]}}"#;
    format!(r#"{{"services": {{"web": {web}}}, "x-mainstay": {{"smoke": [{checks}]}}}}"#)
}

fn check(words: &str) -> Check {
    declared(&stack(&format!("{{{words}}}"))).smoke.remove(0)
}

fn refusal(words: &str) -> String {
    let found = refused(&stack(words));
    assert_eq!(found.len(), 1, "{words}: {found:#?}");
    found.concat()
}

#[test]
fn the_least_check_is_a_url_that_answers_200() {
    let least = check(r#""url": "https://pontea.localhost""#);
    assert_eq!(
        least,
        Check {
            name: None,
            url: Address::parse("https://pontea.localhost").expect("an address"),
            method: "GET".into(),
            headers: BTreeMap::new(),
            body: None,
            expected: Expected::status(200),
            tls: Tls::Valid,
            from: Whence::Edge,
            container: None,
            within_ms: 30_000,
            timeout_ms: 10_000,
        }
    );
}

#[test]
fn a_check_with_every_word() {
    let whole = check(
        r#""name": "api", "url": "https://api.botmox.localhost/api/v1/items?x=1", "method": "post",
        "headers": {"Authorization": "Bearer secret", "Accept": "*/*"}, "body": "{}", "status": [200, "201"],
        "location": {"contains": "/items/"}, "contains": ["ready", "s3"], "matches": "\"ok\": ?true",
        "answer_headers": {"Content-Type": {"matches": "^application/json"}, "Server": false, "X-Id": true, "Vary": "*"},
        "tls": "any", "from": "outside", "within": "1m", "timeout": "500ms""#,
    );
    assert_eq!((whole.name.as_deref(), whole.method.as_str(), whole.tls), (Some("api"), "POST", Tls::Any));
    assert_eq!((whole.from, whole.within_ms, whole.timeout_ms), (Whence::Outside, 60_000, 500));
    assert_eq!(whole.headers["Authorization"].reveal(), "Bearer secret");
    assert_eq!(whole.body.as_ref().map(Hidden::reveal), Some("{}"));
    let expected = whole.expected.clone();
    assert_eq!((expected.statuses, expected.contains.len()), (vec![200, 201], 2));
    assert_eq!(expected.location, Some(Rule::Contains("/items/".into())));
    let headers: Vec<(&str, &Rule)> = expected.headers.iter().map(|(name, rule)| (name.as_str(), rule)).collect();
    assert!(
        matches!(
            headers[..],
            [
                ("content-type", Rule::Matches(_)),
                ("server", Rule::Absent),
                ("vary", Rule::Is(_)),
                ("x-id", Rule::Present)
            ]
        ),
        "{headers:?}"
    );
    assert!(!format!("{whole:?}").contains("secret"));
    let wire = serde_json::to_string(&whole).expect("JSON");
    assert_eq!(serde_json::from_str::<Check>(&wire).expect("a check"), whole);
}

#[test]
fn where_it_is_asked_from_follows_from_the_address() {
    for (url, from) in [
        ("https://pontea.localhost/x", Whence::Edge),
        ("http://pontea.localhost", Whence::Edge),
        ("https://a.shop.example", Whence::Edge),
        ("https://a.b.shop.example", Whence::Outside),
        ("https://supabase.pontea.localhost", Whence::Edge),
        ("http://pontea.localhost:3000", Whence::Outside),
        ("http://localhost", Whence::Outside),
        ("http://127.0.0.1:3000", Whence::Outside),
        ("https://example.com", Whence::Outside),
        ("http://web:3000/health", Whence::Inside),
        ("http://web", Whence::Inside),
        ("http://db:3000", Whence::Outside),
    ] {
        assert_eq!(check(&format!(r#""url": "{url}""#)).from, from, "{url}");
    }
    assert_eq!(check(r#""url": "http://pontea.localhost:8080", "from": "edge""#).from, Whence::Edge);
    // Another stack may have a `web` on the edge's networks too.
    assert_eq!(check(r#""url": "http://web:3000/health""#).upstream(), "shop-web-1:3000");
    assert_eq!(check(r#""url": "http://other:3000", "from": "inside""#).upstream(), "other:3000");
}

#[test]
fn the_endpoints_of_pontea_can_be_said() {
    let stack = declared(&stack(
        r#"{"url": "https://pontea.localhost"},
        {"url": "https://www.pontea.localhost", "status": 302, "location": "https://pontea.localhost"},
        {"url": "https://supabase.pontea.localhost", "status": 401},
        {"url": "https://supabase-studio.pontea.localhost", "status": 307},
        {"url": "https://nocodb.pontea.localhost", "status": 302, "location": "/dashboard"}"#,
    ));
    assert_eq!(stack.smoke.len(), 5);
    assert!(stack.smoke.iter().all(|check| check.from == Whence::Edge));
}

#[test]
fn a_wrong_check_is_refused_with_what_to_write() {
    let with = |more: &str| format!(r#"{{"url": "https://a.example", {more}}}"#);
    for (words, wanted) in [
        (r#""https://a.example""#.to_owned(), "must be a mapping with `url`"),
        (r#"{"status": 200}"#.to_owned(), "needs the key `url`"),
        (r#"{"url": "a.example"}"#.to_owned(), "has no scheme (write `https://a.example`)"),
        (r#"{"url": "https://ada:secret@a.example"}"#.to_owned(), "names a user or a password"),
        (with(r#""status": "2xx""#), "a check says which status it is"),
        (with(r#""status": 20"#), "from 200 to 599"),
        (with(r#""status": 101"#), "from 200 to 599"),
        (with(r#""status": []"#), "names no status"),
        (with(r#""status": "ok""#), "whole number"),
        (with(r#""location": "/x""#), "stands beside a status that leads nowhere"),
        (with(r#""status": 302, "location": {"is": "x"}"#), "x-mainstay.smoke[0].location"),
        (with(r#""method": "GTE""#), "did you mean `GET`?"),
        (with(r#""method": "BREW""#), "known: `GET`"),
        (with(r#""method": "HEAD", "contains": "x""#), "the answer to HEAD has none"),
        (with(r#""matches": "(""#), "is no regular expression"),
        (with(r#""headers": {"a b": "x"}"#), "no name of a header"),
        (with(r#""headers": {"a": "x\ny"}"#), "cannot be sent as a header"),
        (with(r#""answer_headers": {"a": {"contains": "x", "matches": "y"}}"#), "needs one of the keys"),
        (with(r#""tls": "none""#), "must be `valid`"),
        (r#"{"url": "http://a.example", "tls": "any"}"#.to_owned(), "an address without TLS"),
        (with(r#""from": "here""#), "must be `edge`"),
        (with(r#""from": "inside""#), "asked without TLS"),
        (r#"{"url": "http://web:1", "body": "x"}"#.to_owned(), "cannot be sent from inside"),
        (with(r#""within": "2h""#), "an hour at most"),
        (with(r#""timeout": "0""#), "a millisecond at least"),
        (with(r#""timeout": 5"#), "cannot be read"),
        (with(r#""expect": 5"#), "is not a word that Mainstay knows"),
        (with(r#""statsu": 5"#), "did you mean `status`?"),
        (
            r#"{"name": "a", "url": "https://a.example"}, {"name": "a", "url": "https://b.example"}"#.to_owned(),
            "as that of another check",
        ),
    ] {
        let mut found = refused(&stack(&words));
        // A rule with a wrong word has two complaints: the word, and what is missing.
        found.truncate(1);
        assert!(found.concat().contains(wanted), "{words}: {found:#?}");
        assert!(!found.concat().contains("secret"), "{found:#?}");
    }
    assert!(refusal(r#"{"url": "a", "x-note": "mine"}"#).contains("has no scheme"));
}

#[test]
fn no_value_at_any_word_makes_the_reading_fall_over() {
    let odd = [
        "null",
        "true",
        "-1",
        "1e300",
        r#""""#,
        r#""x""#,
        r#""://""#,
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "[{}]",
        r#"{"contains": null}"#,
        r#"{"contains": []}"#,
        r#"{"a": {"b": 1}}"#,
    ];
    for word in WORDS {
        for value in odd {
            let json = stack(
                &format!(r#"{{"url": "https://a.example", "{word}": {value}}}"#)
                    .replace(r#""url": "https://a.example", "url""#, r#""url""#),
            );
            if let Err(complaints) = crate::declared::declare(&loaded(&json)) {
                assert!(!complaints.is_empty(), "{json}");
            }
        }
    }
}
