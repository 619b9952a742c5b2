//! What is made up, kept, found again and refused.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use mainstay_model::compose::Span;
use mainstay_model::compose::dialect::{Generated, Kind, magic::TOKEN_KEY};

use super::*;

fn stack() -> StackName {
    StackName::new("shop").unwrap()
}

fn asked(name: &str, kind: Kind) -> Generated {
    Generated { name: name.into(), kind, span: Span::NOWHERE, is_given: false, key: None }
}

fn password(name: &str) -> Generated {
    asked(name, Kind::Password { length: 32, symbols: false })
}

fn text(filled: &Filled, name: &str) -> String {
    filled.values[name].reveal().to_owned()
}

#[test]
fn values_have_the_shape_of_their_kind() {
    let value = |kind| random::value(kind).unwrap();
    for _ in 0..50 {
        let word = value(Kind::Password { length: 64, symbols: false });
        assert_eq!(word.len(), 64);
        assert!(word.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{word}");
        assert!(word.bytes().any(|byte| byte.is_ascii_digit()));
        let symbols = value(Kind::Password { length: 32, symbols: true });
        assert!(symbols.bytes().any(|byte| byte.is_ascii_punctuation()) && !symbols.contains('$'));
        let user = value(Kind::User);
        assert!(user.len() == 16 && user.starts_with(|letter: char| letter.is_ascii_lowercase()), "{user}");
    }
    assert_eq!(value(Kind::Letters { length: 128 }).len(), 128);
    assert_eq!(value(Kind::Hex { bytes: 32 }).len(), 64);
    assert_eq!(value(Kind::Base64 { bytes: 32 }).len(), 44);
    let many: BTreeSet<String> = (0..200).map(|_| value(Kind::User)).collect();
    assert_eq!(many.len(), 200);
}

#[test]
fn a_value_is_made_up_once_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    assert!(secrets.kept(&stack()).unwrap().is_none());
    let first = secrets.fill(&stack(), &[password("A")], &BTreeMap::new()).unwrap();
    assert_eq!(first.made_up, ["A"]);
    let second = secrets.fill(&stack(), &[password("A"), password("B")], &BTreeMap::new()).unwrap();
    assert_eq!(second.made_up, ["B"]);
    assert_eq!(text(&first, "A"), text(&second, "A"));
    assert_ne!(text(&second, "A"), text(&second, "B"));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&secrets.path(&Namespace::of(&stack()))), 0o600);
    assert_eq!(mode(&folder.path().join("secrets")), 0o700);
    assert!(!format!("{first:?}").contains(&text(&first, "A")), "a value is never printed");
}

#[test]
fn showing_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    assert_eq!(secrets.try_fill(&stack(), &[password("A")], &BTreeMap::new()).unwrap().made_up, ["A"]);
    assert!(secrets.kept(&stack()).unwrap().is_none());
}

#[test]
fn what_a_container_carries_is_taken_up_unless_something_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    let found = |value: &str| BTreeMap::from([("A".to_owned(), Hidden::new(value))]);
    let first = secrets.fill(&stack(), &[password("A")], &found("old")).unwrap();
    assert_eq!((text(&first, "A").as_str(), first.taken_up.as_slice()), ("old", ["A".to_owned()].as_slice()));
    let second = secrets.fill(&stack(), &[password("A")], &found("other")).unwrap();
    assert_eq!(text(&second, "A"), "old");
    assert!(second.taken_up.is_empty());
}

#[test]
fn many_at_once_make_up_one_value() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    let values: BTreeSet<String> = std::thread::scope(|scope| {
        let fill = || text(&secrets.fill(&stack(), &[password("A")], &BTreeMap::new()).unwrap(), "A");
        let all: Vec<_> = (0..16).map(|_| scope.spawn(fill)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(values.len(), 1);
}

#[test]
fn a_token_is_signed_with_its_key_and_made_anew_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    let anon = asked("ANON", Kind::Token { role: "anon" });
    let wanted = [anon.clone(), password(TOKEN_KEY)];
    let first = secrets.fill(&stack(), &wanted, &BTreeMap::new()).unwrap();
    assert!(token::is_signed_with(&text(&first, "ANON"), &text(&first, TOKEN_KEY)));
    assert_eq!(text(&secrets.fill(&stack(), &wanted, &BTreeMap::new()).unwrap(), "ANON"), text(&first, "ANON"));
    let mine = Generated { key: Some(Hidden::new("mine")), ..anon };
    let again = secrets.fill(&stack(), std::slice::from_ref(&mine), &BTreeMap::new()).unwrap();
    assert!(token::is_signed_with(&text(&again, "ANON"), "mine"));
    assert_eq!(again.made_up, ["ANON"]);
    let other = StackName::new("other").unwrap();
    let alone = asked("ANON", Kind::Token { role: "anon" });
    assert!(matches!(secrets.fill(&other, &[alone], &BTreeMap::new()), Err(SecretsError::NoKey { .. })));
}

#[test]
fn a_token_is_what_others_take_it_for() {
    // Made with openssl: HMAC-SHA256 with the key `secret` over the first two parts.
    let token = token::signed("anon", Timestamp::from_second(1_700_000_000).unwrap(), "secret").unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts[0], "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
    assert_eq!(parts[1], "eyJpc3MiOiJzdXBhYmFzZSIsInJvbGUiOiJhbm9uIiwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjQ4NTM2MDAwMDB9");
    assert_eq!(parts[2], "ZEU_10HrzMR36EGQ1JXldS_s-wxPY8eXN8ezGt2D1d4");
}

#[test]
fn what_an_earlier_version_kept_unsealed_is_taken_over_once() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    let plain = folder.path().join("secrets/shop.json");
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    let old = r#"{"format": 1, "values": {"A": {"value": "of-old-times", "from": "generated", "at": "2026-01-01T00:00:00Z"}}}"#;
    std::fs::write(&plain, old).unwrap();
    let shown = secrets.try_fill(&stack(), &[password("A")], &BTreeMap::new()).unwrap();
    assert_eq!(text(&shown, "A"), "of-old-times");
    assert!(plain.exists(), "showing changes nothing");

    let filled = secrets.fill(&stack(), &[password("A"), password("B")], &BTreeMap::new()).unwrap();
    assert_eq!((text(&filled, "A").as_str(), filled.made_up.as_slice()), ("of-old-times", ["B".to_owned()].as_slice()));
    assert!(!plain.exists());
    let sealed = std::fs::read(secrets.path(&Namespace::of(&stack()))).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1"));
    assert_eq!(secrets.kept(&stack()).unwrap().unwrap()["A"].reveal(), "of-old-times");

    // One that a crash left behind says nothing any more.
    std::fs::write(&plain, old.replace("of-old-times", "of-a-backup")).unwrap();
    assert_eq!(text(&secrets.fill(&stack(), &[password("A")], &BTreeMap::new()).unwrap(), "A"), "of-old-times");
    assert!(!plain.exists());
}

#[test]
fn a_plain_file_that_is_not_ours_is_refused_without_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    let plain = folder.path().join("secrets/shop.json");
    for (content, why) in [("{\"values\": s3cret", "line 1"), (r#"{"format": 9, "values": {}}"#, "its format is 9")] {
        std::fs::write(&plain, content).unwrap();
        let error = secrets.fill(&stack(), &[password("A")], &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("s3cret"), "{error}");
        assert_eq!(std::fs::read_to_string(&plain).unwrap(), content, "it stays as it is");
    }
}
