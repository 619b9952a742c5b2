use std::collections::BTreeMap;

use super::*;
use crate::postgres::backup::Reason;

fn listed(key: &str, bytes: u64, etag: Option<&str>) -> Listed {
    Listed { key: key.into(), bytes, modified_ms: 5, etag: etag.map(str::to_owned) }
}

fn object(bytes: u64, etag: &str, content: &str) -> Object {
    Object {
        bytes,
        sha256: content.into(),
        stored: Cellar::content(content),
        etag: Some(etag.into()),
        modified_ms: 5,
        headers: BTreeMap::new(),
        metadata: BTreeMap::new(),
    }
}

fn manifest(objects: &[(&str, Object)]) -> BucketManifest {
    BucketManifest {
        format: FORMAT,
        id: "20261126-030000-x7k2ma".parse().unwrap(),
        stack: "botmox".into(),
        env: None,
        bucket: "artifacts".into(),
        reason: Reason::Scheduled,
        began_at: "2026-11-26T03:00:00Z".into(),
        ended_at: "2026-11-26T03:00:01Z".into(),
        made_by: "0.1.0".into(),
        recipients: vec![],
        objects: objects.iter().map(|(key, object)| ((*key).to_owned(), object.clone())).collect(),
    }
}

#[test]
fn only_what_the_server_calls_another_is_read_again() {
    let last = manifest(&[
        ("same", object(1, "a", "aa")),
        ("rewritten", object(1, "b", "bb")),
        ("gone", object(1, "c", "cc")),
    ]);
    let listing = vec![
        listed("same", 1, Some("a")),
        listed("rewritten", 1, Some("b2")),
        listed("new", 9, Some("d")),
        listed("without", 2, None),
    ];
    let found = work(listing.clone(), Some(&last));
    assert_eq!(found.known.keys().collect::<Vec<_>>(), ["same"]);
    assert_eq!(found.read.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["rewritten", "new", "without"]);
    assert_eq!(found.bytes(), 12);
    assert_eq!(work(listing, None).read.len(), 4);
    let touched = Listed { modified_ms: 6, ..listed("same", 1, Some("a")) };
    assert_eq!(work(vec![touched], Some(&last)).read.len(), 1);
}

#[test]
fn a_restore_brings_back_what_is_gone_or_another_and_leaves_what_came_later() {
    let last = manifest(&[("x/a", object(1, "a", "aa")), ("x/b", object(2, "b", "bb")), ("y", object(4, "c", "cc"))]);
    let listing = [listed("x/a", 1, Some("a")), listed("x/b", 2, Some("other")), listed("x/new", 1, Some("n"))];
    let all = restoring(&last, &listing, "");
    assert_eq!((&all.missing[..], &all.different[..]), (&["y".to_owned()][..], &["x/b".to_owned()][..]));
    assert_eq!((&all.same[..], &all.later[..], all.bytes), (&["x/a".to_owned()][..], &["x/new".to_owned()][..], 6));
    let below = restoring(&last, &listing, "x/");
    assert_eq!(below.keys().collect::<Vec<_>>(), ["x/b"]);
    assert!(restoring(&last, &listing, "x/a").is_empty());
}

#[test]
fn a_list_reads_back_and_a_newer_one_is_refused() {
    let list = manifest(&[("a", object(1, "e", "aa"))]);
    assert_eq!(BucketManifest::read(list.text().as_bytes()).unwrap(), list);
    let newer = list.text().replacen("\"format\":1", "\"format\":2", 1);
    assert!(BucketManifest::read(newer.as_bytes()).unwrap_err().to_string().contains("newer"));
    assert!(BucketManifest::read(b"{").is_err());
}

#[test]
fn contents_that_no_list_names_are_unused() {
    let lists = [manifest(&[("a", object(1, "e", "aa"))]), manifest(&[("b", object(1, "f", "bb"))])];
    let lying = [Cellar::content("aa"), Cellar::content("bb"), Cellar::content("cc")];
    assert_eq!(BucketManifest::unused(&lists, lying.iter().map(String::as_str)), [Cellar::content("cc")]);
}

#[test]
fn a_key_leads_back_to_what_it_was_made_of() {
    let cellar = Cellar::new("botmox", Some("staging"), "my.bucket");
    let id = "20261126-030000-x7k2ma".parse().unwrap();
    for part in [Part::Manifest, Part::Proof("20261126T050000Z".into())] {
        let key = cellar.key(&id, &part);
        assert!(key.starts_with("botmox@staging/buckets/my.bucket/2026"), "{key}");
        assert_eq!(cellar.read(&key), Some((id.clone(), part)));
    }
    let stored = Cellar::content("7fa0");
    assert_eq!(stored, "contents/7f/7fa0.age");
    assert_eq!(cellar.stored_of(&cellar.stored(&stored)), Some(stored.as_str()));
    assert_eq!(cellar.read(&cellar.stored(&stored)), None);
    assert_eq!(cellar.stored_of("botmox@staging/buckets/my.bucket/x.manifest.age"), None);
}
