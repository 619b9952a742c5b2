use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::declared::Hidden;
use crate::smoke::{Address, Certificate, Expected, Pattern, Tls, Whence};

fn check(url: &str, expected: Expected) -> Check {
    Check {
        name: None,
        url: Address::parse(url).expect("an address"),
        method: "GET".into(),
        headers: BTreeMap::new(),
        body: None,
        expected,
        tls: Tls::Valid,
        from: Whence::Edge,
        container: None,
        within_ms: 30_000,
        timeout_ms: 10_000,
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer { status, headers, body: body.to_owned(), is_cut: false, certificate: None }
}

fn reasons(expected: Expected, answer: &Answer) -> String {
    judge(&check("https://shop.example/a", expected), answer).join("\n")
}

#[test]
fn every_status_is_health_where_it_is_declared_and_only_there() {
    for status in [200, 401, 302, 307, 503] {
        assert_eq!(reasons(Expected::status(status), &answer(status, &[], "")), "");
    }
    assert_eq!(reasons(Expected::status(401), &answer(502, &[], "")), "expected 401, answered 502 `Bad Gateway`");
    assert_eq!(reasons(Expected::status(200), &answer(204, &[], "")), "expected 200, answered 204 `No Content`");
    let two = Expected { statuses: vec![200, 204], ..Expected::status(200) };
    assert_eq!(reasons(two.clone(), &answer(204, &[], "")), "");
    assert_eq!(reasons(two, &answer(599, &[], "")), "expected 200 or 204, answered 599");
}

#[test]
fn an_unexpected_answer_says_what_it_says() {
    let redirect = answer(302, &[("location", "/login")], "<a href=/login>Found</a>");
    assert_eq!(reasons(Expected::status(200), &redirect), "expected 200, answered 302 `Found`, to `/login`");
    let broken = answer(500, &[], "TypeError:\n    x is not a function\n");
    assert_eq!(
        reasons(Expected::status(200), &broken),
        "expected 200, answered 500 `Internal Server Error`: `TypeError: x is not a function`"
    );
}

#[test]
fn a_location_is_an_address_and_not_letters() {
    let to = |rule| Expected { location: Some(rule), ..Expected::status(302) };
    let dashboard = answer(302, &[("location", "https://shop.example/dashboard")], "");
    assert_eq!(reasons(to(Rule::Is("/dashboard".into())), &dashboard), "");
    assert_eq!(
        reasons(to(Rule::Is("/login".into())), &dashboard),
        "expected the location `/login`, it is `https://shop.example/dashboard`"
    );
    assert_eq!(
        reasons(to(Rule::Is("/login".into())), &answer(302, &[], "")),
        "expected the location `/login`, there is none"
    );
    let pattern = Rule::Matches(Pattern::new("/login\\?next=").expect("a pattern"));
    assert_eq!(
        reasons(to(pattern), &dashboard),
        r"expected the location to be something that matches `/login\?next=`, it is `https://shop.example/dashboard`"
    );
}

#[test]
fn headers_are_looked_at_by_their_rules() {
    let rules = [
        ("content-type", Rule::Contains("json".into())),
        ("server", Rule::Absent),
        ("x-request-id", Rule::Present),
        ("x-frame-options", Rule::Is("DENY".into())),
    ];
    let expected = Expected {
        headers: rules.into_iter().map(|(name, rule)| (name.to_owned(), rule)).collect(),
        ..Expected::status(200)
    };
    let wrong = answer(200, &[("content-type", "text/html"), ("server", "nginx")], "");
    insta::assert_snapshot!(reasons(expected, &wrong), @r"
    expected the header `content-type` to be something with `json` in it, it is `text/html`
    expected the header `server` not to be there, it is `nginx`
    expected the header `x-frame-options` to be `DENY`, it is not there
    expected the header `x-request-id` to be there, it is not there
    ");
}

#[test]
fn a_body_that_does_not_match_is_shown_from_its_beginning() {
    let expected = Expected {
        contains: vec!["ready".into(), "tiny".into()],
        matches: Some(Pattern::new("\"s3_ready\": *true").expect("a pattern")),
        ..Expected::status(200)
    };
    assert_eq!(
        reasons(expected.clone(), &answer(200, &[], "tiny\t1\n")),
        r#"expected `ready` and what matches `"s3_ready": *true` in the body, which is `tiny 1`"#
    );
    assert!(reasons(expected.clone(), &answer(200, &[], "")).ends_with("in the body, which is empty"));
    let long = reasons(expected.clone(), &answer(200, &[], &"ä ".repeat(5000)));
    assert!(long.ends_with("ä ä …`") && long.chars().count() < 300, "{long}");
    let film = "\u{fffd}".repeat(50);
    assert!(reasons(expected, &answer(200, &[], &film)).ends_with("which is 150 bytes that are no text"));
}

#[test]
fn what_was_sent_in_secret_is_not_told_when_it_is_said_back() {
    let mut check = check("https://shop.example/a", Expected::status(200));
    check.headers.insert("Authorization".into(), Hidden::new("Bearer abcdef-secret"));
    check.body = Some(Hidden::new("password=hunter22"));
    let echo = answer(400, &[], "you sent abcdef-secret and password=hunter22");
    assert_eq!(judge(&check, &echo), ["expected 200, answered 400 `Bad Request`: `you sent … and …`"]);
}

#[test]
fn a_certificate_that_nobody_renewed_is_a_warning() {
    let check = check("https://shop.example/a", Expected::status(200));
    let mut fine = answer(200, &[], "");
    assert!(warnings(&check, &fine).is_empty());
    fine.certificate = Some(Certificate { ends_in: Some(Duration::from_secs(3 * 86_400)) });
    assert_eq!(warnings(&check, &fine), ["the certificate of `shop.example` ends in 3 days, and was not renewed"]);
}
