//! `x-mainstay.buckets`: the buckets of a stack, by name.

use std::collections::BTreeMap;

use super::Project;
use super::place::Place;
use super::routes::only;
use crate::compose::Diagnostic;
use crate::compose::schema::suggest;
use crate::declared::stack_bucket::{BucketServer, CorsRule, StackBucket};
use crate::declared::{Hidden, Service};
use crate::identity::ServiceName;

const WORDS: &[&str] =
    &["service", "port", "endpoint", "bucket", "region", "path_style", "access_key", "secret_key", "cors", "backup"];
const CORS_WORDS: &[&str] = &["origins", "methods", "headers", "expose", "max_age"];
const METHODS: &[&str] = &["GET", "PUT", "POST", "DELETE", "HEAD"];
const NANOS: u64 = 1_000_000_000;

pub(super) fn buckets(
    project: &Project,
    place: &Place,
    services: &BTreeMap<ServiceName, Service>,
) -> BTreeMap<String, StackBucket> {
    let one = |(name, entry): (&str, Place)| Some((name.to_owned(), bucket(project, name, &entry, services)?));
    place.children().into_iter().filter_map(one).collect()
}

fn bucket(
    project: &Project,
    name: &str,
    entry: &Place,
    services: &BTreeMap<ServiceName, Service>,
) -> Option<StackBucket> {
    if entry.node.as_map().is_none() {
        let message = format!("`{}` must be a mapping with `service` or `endpoint`", entry.path);
        let hint = "write `{ service: s3, port: 9000, access_key: \"${S3_ACCESS_KEY_ID}\", secret_key: \
                    \"${S3_SECRET_ACCESS_KEY}\" }`";
        entry.say(Diagnostic::error("bad-value", entry.value_span(), message).hint(hint));
        return None;
    }
    only(entry, WORDS);
    let server = server(entry, services);
    let keys = (key(entry, "access_key"), key(entry, "secret_key"));
    let bucket = bucket_name(entry, name);
    let cors = entry.child("cors").map(|place| place.items().iter().filter_map(cors_rule).collect());
    let backup = entry.child("backup").and_then(|place| super::backup::backup(project, &place));
    let path_style = entry.child("path_style").and_then(|flag| flag.as_flag()).unwrap_or(true);
    Some(StackBucket {
        server: server?,
        bucket: bucket?,
        region: entry.text("region"),
        path_style,
        access_key: keys.0?,
        secret_key: keys.1?,
        cors,
        backup,
    })
}

fn server(entry: &Place, services: &BTreeMap<ServiceName, Service>) -> Option<BucketServer> {
    match (entry.child("service"), entry.child("endpoint")) {
        (Some(service), None) => of_service(entry, &service, services),
        (None, Some(endpoint)) => {
            if let Some(port) = entry.child("port") {
                port.refuse("stands beside `endpoint`, which says it already");
            }
            let text = endpoint.as_text()?;
            if !text.starts_with("https://") && !text.starts_with("http://") {
                let message = format!("`{}` is `{text}`, which is no address", endpoint.path);
                let hint = "write `https://HOST`";
                endpoint.say(Diagnostic::error("bad-value", endpoint.value_span(), message).hint(hint));
                return None;
            }
            Some(BucketServer::Endpoint(text.trim_end_matches('/').to_owned()))
        }
        _ => {
            let message = format!("`{}` needs one of the keys `service` and `endpoint`", entry.path);
            let hint = "`service` for an S3 server of this stack, `endpoint` for one elsewhere";
            entry.say(Diagnostic::error("missing-key", entry.span, message).hint(hint));
            None
        }
    }
}

fn of_service(entry: &Place, place: &Place, services: &BTreeMap<ServiceName, Service>) -> Option<BucketServer> {
    let text = place.as_text()?;
    let Some((service, _)) = services.iter().find(|(name, _)| name.as_str() == text) else {
        let message = format!("`{}` is `{text}`, and this stack has no such service", place.path);
        let hint = match suggest(&text, services.keys().map(ServiceName::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "for a server elsewhere, write `endpoint`".to_owned(),
        };
        place.say(Diagnostic::error("no-such-service", place.value_span(), message).hint(hint));
        return None;
    };
    let Some(port) = entry.child("port") else {
        let message = format!("`{}` needs the key `port`", entry.path);
        let hint = "where the service answers S3: 9000 for MinIO and RustFS, 3900 for Garage, 8333 for SeaweedFS";
        entry.say(Diagnostic::error("missing-key", entry.span, message).hint(hint));
        return None;
    };
    let port = port.as_int().filter(|port| *port != 0)?;
    Some(BucketServer::Service { service: service.clone(), port })
}

/// Its text is not repeated: it is a secret, and perhaps stands in the wrong place.
fn key(entry: &Place, word: &str) -> Option<Hidden> {
    match entry.text(word).filter(|text| !text.is_empty()) {
        Some(text) => Some(Hidden::new(text)),
        None => {
            let message = format!("`{}` needs the key `{word}`", entry.path);
            let hint = "best as `${S3_SECRET_ACCESS_KEY}`, with the value in `.env` or by `mainstay secret set`";
            entry.say(Diagnostic::error("missing-key", entry.span, message).hint(hint));
            None
        }
    }
}

/// By the rules of S3, which every server shares: it becomes a part of addresses.
fn bucket_name(entry: &Place, name: &str) -> Option<String> {
    let text = entry.text("bucket").unwrap_or_else(|| name.to_owned());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    let fits = (3..=63).contains(&bytes.len()) && bytes.iter().copied().all(plain);
    if fits && ends(bytes.first()) && ends(bytes.last()) && !text.contains("..") {
        return Some(text);
    }
    let message = format!("`{}`: `{text}` cannot be the name of a bucket", entry.path);
    let hint = "three to 63 lower-case letters, digits, hyphens and dots: `bucket: botmox-artifacts`";
    let span = entry.child("bucket").map_or(entry.span, |place| place.value_span());
    entry.say(Diagnostic::error("bad-name", span, message).hint(hint));
    None
}

fn cors_rule(place: &Place) -> Option<CorsRule> {
    only(place, CORS_WORDS);
    let rule = CorsRule {
        origins: place.strings("origins"),
        methods: place.strings("methods").iter().map(|method| method.to_ascii_uppercase()).collect(),
        headers: place.strings("headers"),
        expose: place.strings("expose"),
        max_age_seconds: place.nanos("max_age").map(|nanos| nanos / NANOS),
    };
    if rule.origins.is_empty() || rule.methods.is_empty() {
        let message = format!("`{}` needs the keys `origins` and `methods`", place.path);
        let hint = "write `{ origins: [\"https://app.example.com\"], methods: [GET, PUT] }`";
        place.say(Diagnostic::error("missing-key", place.span, message).hint(hint));
        return None;
    }
    if let Some(other) = rule.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        let message = format!("`{}.methods`: `{other}` is no method of S3", place.path);
        let hint = format!("there are {}", METHODS.join(", "));
        place.say(Diagnostic::error("bad-value", place.span, message).hint(hint));
        return None;
    }
    Some(rule)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused};
    use super::*;

    fn stack(buckets: &str) -> String {
        format!(r#"{{"services": {{"s3": {{"image": "garage"}}}}, "x-mainstay": {{"buckets": {buckets}}}}}"#)
    }

    const KEYS: &str = r#""access_key": "GK1", "secret_key": "hunter2""#;

    #[test]
    fn a_bucket_of_a_service_is_named_by_its_entry() {
        let text = stack(&format!(
            r#"{{"botmox-artifacts": {{"service": "s3", "port": 3900, {KEYS}, "cors": [{{"origins": ["*"],
            "methods": ["get"], "max_age": "1h"}}]}}}}"#
        ));
        let found = &declared(&text).buckets["botmox-artifacts"];
        assert_eq!((found.bucket.as_str(), found.path_style), ("botmox-artifacts", true));
        assert!(matches!(&found.server, BucketServer::Service { port: 3900, .. }));
        let rules = found.cors.as_ref().unwrap();
        assert_eq!((rules[0].methods[0].as_str(), rules[0].max_age_seconds), ("GET", Some(3600)));
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_keys() {
        for (buckets, word) in [
            (format!(r#"{{"a": {{"service": "s3", "port": 1, {KEYS}}}}}"#), "cannot be the name"),
            (format!(r#"{{"files": {{"service": "s4", "port": 1, {KEYS}}}}}"#), "no such service"),
            (format!(r#"{{"files": {{"service": "s3", {KEYS}}}}}"#), "needs the key `port`"),
            (format!(r#"{{"files": {{"endpoint": "hunter.example", {KEYS}}}}}"#), "no address"),
            (format!(r#"{{"files": {{{KEYS}}}}}"#), "`service` and `endpoint`"),
            (r#"{"files": {"service": "s3", "port": 1}}"#.to_owned(), "needs the key `access_key`"),
            (
                format!(r#"{{"files": {{"service": "s3", "port": 1, {KEYS}, "cors": [{{"origins": ["*"]}}]}}}}"#),
                "`origins` and `methods`",
            ),
            (format!(r#"{{"files": {{"service": "s3", "port": 1, {KEYS}, "publik": true}}}}"#), "publik"),
        ] {
            let said = format!("{:?}", refused(&stack(&buckets)));
            assert!(said.contains(word), "{word}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
