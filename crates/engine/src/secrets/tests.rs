//! Secrets: sealed, whole after anything, apart for each environment, and open to the right key alone.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use mainstay_model::secrets::Format;

use super::*;

fn shop() -> Namespace {
    Namespace::of(&StackName::new("shop").unwrap())
}

fn in_env(env: &str) -> Namespace {
    Namespace::new(StackName::new("shop").unwrap(), Some(env)).unwrap()
}

fn set(secrets: &Secrets, namespace: &Namespace, name: &str, value: &str) {
    secrets.set(namespace, name, Hidden::new(value), "ada").unwrap();
}

fn value(secrets: &Secrets, namespace: &Namespace, name: &str) -> Option<String> {
    secrets.values(namespace).unwrap().get(name).map(|value| value.reveal().to_owned())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

const AWKWARD: &str = "a$b \"q\" 'x'\n\\n €😀\t=";

#[test]
fn a_value_stays_byte_for_byte_and_stands_nowhere_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    assert!(secrets.values(&shop()).unwrap().is_empty());
    set(&secrets, &shop(), "A", AWKWARD);
    set(&secrets, &shop(), "B", "hunter22-hunter22");
    assert_eq!(value(&secrets, &shop(), "A").as_deref(), Some(AWKWARD));
    assert!(secrets.set(&shop(), "B", Hidden::new("hunter33-hunter33"), "bob").unwrap(), "it replaced one");
    for entry in [folder.path().to_owned(), folder.path().join("secrets")] {
        for file in std::fs::read_dir(entry).unwrap().flatten().filter(|file| file.path().is_file()) {
            let bytes = std::fs::read(file.path()).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("hunter") && !text.contains("€😀"), "{}", file.path().display());
            assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
        }
    }
    assert_eq!(mode(&folder.path().join("secrets")), 0o700);
    let listed = secrets.list(&shop()).unwrap();
    let b = listed.iter().find(|one| one.name == "B").unwrap();
    assert_eq!((b.length, b.from, b.by.as_deref()), (17, Origin::Set, Some("bob")));
    assert!(!format!("{listed:?}").contains("hunter"));
}

#[test]
fn an_environment_shares_nothing_with_another() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    set(&secrets, &in_env("prod"), "KEY", "of-production");
    assert_eq!(value(&secrets, &shop(), "KEY"), None);
    assert_eq!(value(&secrets, &in_env("prod-sim"), "KEY"), None);
    assert_eq!(secrets.everything(Some(&shop().stack)).unwrap().len(), 1, "but it is kept out of texts everywhere");
    assert!(Namespace::new(shop().stack, Some("../x")).is_err());
    // A file that was moved under another name.
    std::fs::rename(secrets.path(&in_env("prod")), secrets.path(&in_env("dev"))).unwrap();
    assert!(matches!(secrets.values(&in_env("dev")), Err(SecretsError::Damaged { .. })));
}

#[test]
fn generating_never_overwrites_unless_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    set(&secrets, &shop(), "MINE", "of-a-person");
    let recipe = Recipe { format: Format::Hex, size: 32 };
    let recipes = BTreeMap::from([("MINE".to_owned(), recipe), ("NEW".to_owned(), recipe)]);
    let drawn = secrets.generate(&shop(), &recipes, false, "ada").unwrap();
    assert_eq!((drawn.made, drawn.there), (vec!["NEW".to_owned()], vec!["MINE".to_owned()]));
    assert_eq!(value(&secrets, &shop(), "MINE").as_deref(), Some("of-a-person"));
    assert_eq!(value(&secrets, &shop(), "NEW").unwrap().len(), 64);
    assert_eq!(secrets.generate(&shop(), &recipes, true, "ada").unwrap().made, ["MINE", "NEW"]);
    assert_ne!(value(&secrets, &shop(), "MINE").as_deref(), Some("of-a-person"));
}

#[test]
fn removing_forgets_all_that_are_named_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    set(&secrets, &shop(), "A", "aaaaaa");
    let both = BTreeSet::from(["A".to_owned(), "B".to_owned()]);
    assert_eq!(secrets.remove(&shop(), &both).unwrap(), ["B"]);
    assert!(value(&secrets, &shop(), "A").is_some());
    assert!(secrets.remove(&shop(), &BTreeSet::from(["A".to_owned()])).unwrap().is_empty());
    assert!(value(&secrets, &shop(), "A").is_none());
}

#[test]
fn many_who_write_at_once_lose_nothing_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    std::thread::scope(|scope| {
        for number in 0..12 {
            let (secrets, namespace) = (&secrets, if number % 2 == 0 { shop() } else { in_env("prod") });
            scope.spawn(move || set(secrets, &namespace, &format!("N{number}"), "value"));
        }
    });
    assert_eq!(secrets.values(&shop()).unwrap().len() + secrets.values(&in_env("prod")).unwrap().len(), 12);
}

#[test]
fn a_key_that_is_missing_wrong_open_or_damaged_is_said_to_be_so_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    set(&secrets, &shop(), "A", "aaaaaa");
    let key = folder.path().join("host.key");
    let (good, sealed) = (std::fs::read(&key).unwrap(), std::fs::read(secrets.path(&shop())).unwrap());
    let fails = |secrets: &Secrets| {
        let written = secrets.set(&shop(), "B", Hidden::new("bbbbbb"), "ada").unwrap_err();
        let read = secrets.values(&shop()).unwrap_err();
        assert_eq!(written.to_string(), read.to_string());
        assert_eq!(std::fs::read(secrets.path(&shop())).unwrap(), sealed);
        read
    };
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(fails(&secrets), SecretsError::OpenKey { mode: 0o644, .. }));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();

    std::fs::write(&key, "AGE-SECRET-KEY-1NOTHING").unwrap();
    assert!(matches!(fails(&secrets), SecretsError::NoIdentity { .. }));

    std::fs::remove_file(&key).unwrap();
    assert!(matches!(fails(&secrets), SecretsError::NoHostKey { .. }));
    assert!(!key.exists(), "a new key would hide that the old one is gone");
    // In another environment, of which nothing is sealed yet, neither.
    assert!(secrets.set(&in_env("prod"), "B", Hidden::new("bbbbbb"), "ada").is_err());

    let elsewhere = Secrets::of(&folder.path().join("other"), None);
    set(&elsewhere, &shop(), "A", "aaaaaa");
    std::fs::copy(folder.path().join("other/host.key"), &key).unwrap();
    assert!(matches!(fails(&secrets), SecretsError::WrongKey { .. }));

    std::fs::write(&key, good).unwrap();
    assert_eq!(value(&secrets, &shop(), "A").as_deref(), Some("aaaaaa"));
}

#[test]
fn a_damaged_file_is_said_to_be_so_wherever_the_damage_is() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    set(&secrets, &shop(), "A", "aaaaaa");
    let path = secrets.path(&shop());
    let whole = std::fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        let error = secrets.values(&shop()).unwrap_err();
        assert!(matches!(error, SecretsError::Damaged { .. } | SecretsError::WrongKey { .. }), "{place}: {error:?}");
    }
    for length in [0, 10, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(secrets.values(&shop()).is_err(), "{length}");
        assert!(secrets.set(&shop(), "B", Hidden::new("bbbbbb"), "ada").is_err(), "{length}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(secrets.values(&shop()).is_ok());
}

#[test]
fn a_half_written_file_of_a_crash_is_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    set(&secrets, &shop(), "A", "aaaaaa");
    let half = folder.path().join("secrets/shop.age.new");
    std::fs::write(&half, "half").unwrap();
    std::fs::set_permissions(&half, std::fs::Permissions::from_mode(0o444)).unwrap();
    set(&secrets, &shop(), "B", "bbbbbb");
    assert_eq!(secrets.values(&shop()).unwrap().len(), 2);
    assert!(!half.exists());
}

#[test]
fn a_kit_opens_the_secrets_on_another_host() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secrets = Secrets::of(here.path(), Some(here.path().join("keys/elsewhere.key")));
    set(&secrets, &shop(), "A", "aaaaaa");
    assert!(here.path().join("keys/elsewhere.key").exists() && !here.path().join("host.key").exists());
    let (kit, recipient) = secrets.kit().unwrap();
    assert!(kit.reveal().contains("AGE-SECRET-KEY-1") && recipient.starts_with("age1"));
    // What is set later is opened by an older kit as well.
    set(&secrets, &shop(), "B", "bbbbbb");

    let new_host = Secrets::of(there.path(), None);
    std::fs::create_dir(there.path().join("secrets")).unwrap();
    std::fs::copy(secrets.path(&shop()), new_host.path(&shop())).unwrap();
    assert!(matches!(new_host.values(&shop()), Err(SecretsError::NoHostKey { .. })));
    let passphrase = Hidden::new("correct horse");
    let closed = kit::close(&kit, &passphrase).unwrap();
    assert!(kit::is_closed(closed.as_bytes()) && !kit::is_closed(kit.reveal().as_bytes()));
    assert!(!closed.contains("AGE-SECRET-KEY-1"));
    assert!(matches!(kit::open(closed.as_bytes(), &Hidden::new("wrong")), Err(SecretsError::WrongPassphrase)));
    let opened = kit::open(closed.as_bytes(), &passphrase).unwrap();
    let restored = new_host.restore(&opened).unwrap();
    assert_eq!((restored.was_there, restored.opened, restored.closed.len()), (false, 1, 0));
    assert_eq!(value(&new_host, &shop(), "B").as_deref(), Some("bbbbbb"));
    assert!(new_host.restore(&kit).unwrap().was_there);

    let third = Secrets::of(&there.path().join("third"), None);
    let (other, _) = third.kit().unwrap();
    assert!(matches!(new_host.restore(&other), Err(SecretsError::OtherKey { .. })));
    assert!(matches!(third.restore(&Hidden::new("# nothing")), Err(SecretsError::BadKit)));
}

#[test]
fn a_process_tells_nothing_that_it_has_learned() {
    let redactions = Redactions::default();
    assert_eq!(redactions.clean("hunter22"), "hunter22");
    let others = redactions.clone();
    others.learn(&[Hidden::new("hunter22"), Hidden::new("s3cret/s3cret")]);
    assert_eq!(redactions.clean("x hunter22 s3cret%2Fs3cret"), "x [redacted] [redacted]");
    let inner = std::io::Error::other("cannot parse hunter22");
    let error = crate::WorldError::new("`a` with hunter22").caused_by(inner);
    let cleaned = redactions.clean_error(error);
    assert_eq!(cleaned.message, "`a` with [redacted]");
    assert_eq!(cleaned.source.unwrap().to_string(), "cannot parse [redacted]");
    assert!(!format!("{redactions:?}").contains("hunter"));
}

/// A container that was made with the former value still says it in its logs.
#[test]
fn former_values_are_known_to_the_redactor_and_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = Secrets::of(folder.path(), None);
    set(&secrets, &shop(), "A", "the-first-value");
    set(&secrets, &shop(), "A", "the-second-value");
    secrets.remove(&shop(), &BTreeSet::from(["A".to_owned()])).unwrap();
    set(&secrets, &shop(), "A", "the-third-value");
    let everything = secrets.everything(Some(&StackName::new("shop").unwrap())).unwrap();
    let all: Vec<&str> = everything.iter().map(Hidden::reveal).collect();
    assert_eq!(all, ["the-third-value", "the-first-value", "the-second-value"]);
    assert_eq!(secrets.values(&shop()).unwrap().len(), 1);
    assert_eq!(secrets.list(&shop()).unwrap().len(), 1);
    for number in 0..200 {
        set(&secrets, &shop(), "A", &format!("value-{number}"));
    }
    assert_eq!(
        secrets.everything(Some(&StackName::new("shop").unwrap())).unwrap().len(),
        101,
        "it does not grow for ever"
    );
}
