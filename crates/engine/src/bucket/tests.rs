#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstay_model::bucket::{Cellar, Difference};
use mainstay_model::postgres::backup::Reason;

use super::*;
use crate::blobs::{Attached, Store};
use crate::secrets::{Seals, Secrets};

const ABOUT: (&str, Option<&str>, &str) = ("botmox", None, "artifacts");

struct Bench {
    _state: tempfile::TempDir,
    bucket: Store,
    store: Store,
    cabinet: Cabinet,
}

fn seals(state: &std::path::Path) -> Seals {
    let (_, recipient) = Secrets::new_recovery_key();
    Secrets::of(state, None).seals(&[recipient]).unwrap()
}

fn bench() -> Bench {
    let state = tempfile::tempdir().unwrap();
    let store = Store::memory();
    let cellar = Cellar::new(ABOUT.0, ABOUT.1, ABOUT.2);
    let cabinet = Cabinet::new(store.clone(), cellar, seals(state.path()), "artifacts of botmox");
    Bench { _state: state, bucket: Store::memory(), store, cabinet }
}

impl Bench {
    async fn put(&self, key: &str, bytes: &[u8]) {
        let attached = Attached {
            headers: BTreeMap::from([("content-type".into(), "text/plain".into())]),
            metadata: BTreeMap::from([("owner".into(), "ada".into())]),
        };
        self.bucket.put_object(key, &attached, Bytes::copy_from_slice(bytes)).await.unwrap();
    }

    async fn back_up(&self) -> Backed {
        self.cabinet.back_up(&self.bucket, ABOUT, Reason::Manual(None), |_| {}).await.unwrap()
    }

    async fn contents(&self) -> Vec<String> {
        let found = self.store.list(self.cabinet.cellar.as_str()).await.unwrap();
        found.into_iter().map(|one| one.key).filter(|key| key.contains("/contents/")).collect()
    }

    /// Writes a content anew, other than it was.
    async fn damage(&self, key: &str, how: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.store.get(key).await.unwrap().to_vec();
        how(&mut bytes);
        self.store.put(key, bytes.into()).await.unwrap();
    }
}

fn large() -> Vec<u8> {
    (0..(3 << 20) + 17_u32).map(|number| (number % 251) as u8).collect()
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again_and_one_content_lies_there_once() {
    let bench = bench();
    for key in ["a", "folder/same as a"] {
        bench.put(key, b"one").await;
    }
    bench.put("large", &large()).await;
    bench.put("large again", &large()).await;
    let first = bench.back_up().await;
    assert_eq!((first.read, first.manifest.objects.len(), first.vanished), (4, 4, 0));
    assert_eq!(bench.contents().await.len(), 2);
    bench.put("b", b"two").await;
    bench.put("c", b"one").await;
    let second = bench.back_up().await;
    assert_eq!((second.read, second.read_bytes, second.manifest.objects.len()), (2, 6, 6));
    assert_eq!(bench.contents().await.len(), 3);
    let listing = bench.cabinet.list().await.unwrap();
    assert_eq!(listing.backups.iter().map(|one| &one.manifest.id).max(), Some(&second.manifest.id));
    assert!(bench.store.list("").await.unwrap().iter().all(|found| !found.key.ends_with(".begun")));
}

#[tokio::test]
async fn a_drill_names_everything_that_is_damaged() {
    let bench = bench();
    for (key, bytes) in [("gone", "1"), ("cut", "22"), ("flipped", "333"), ("swapped", "4444"), ("well", "55555")] {
        bench.put(key, bytes.as_bytes()).await;
    }
    bench.put("large", &large()).await;
    let backed = bench.back_up().await;
    let shelved = bench.cabinet.get(None).await.unwrap();
    assert!(bench.cabinet.drill(&shelved, |_, _| {}).await.unwrap().is_proven());
    let key_of = |key: &str| bench.cabinet.cellar.stored(&backed.manifest.objects[key].stored);
    bench.store.delete(&key_of("gone")).await.unwrap();
    bench.damage(&key_of("cut"), |bytes| bytes.truncate(bytes.len() - 3)).await;
    bench.damage(&key_of("flipped"), |bytes| *bytes.last_mut().unwrap() ^= 1).await;
    let other = bench.store.get(&key_of("well")).await.unwrap();
    bench.store.put(&key_of("swapped"), other).await.unwrap();
    bench.damage(&key_of("large"), |bytes| bytes[70_000] ^= 1).await;
    let proof = bench.cabinet.drill(&shelved, |_, _| {}).await.unwrap();
    let Verdict::Different(found) = &proof.verdict else { panic!("{proof:?}") };
    let keys: Vec<&str> = found
        .iter()
        .map(|difference| match difference {
            Difference::Missing { key, .. }
            | Difference::Unreadable { key, .. }
            | Difference::Size { key, .. }
            | Difference::Bytes { key, .. } => key.as_str(),
        })
        .collect();
    assert_eq!(keys.len(), 5, "{found:?}");
    assert!(!keys.contains(&"well"));
    // The next backup does not build upon it.
    assert_eq!(bench.cabinet.list().await.unwrap().backups[0].proofs.len(), 2);
    let again = bench.back_up().await;
    assert_eq!(again.read, 6);
    let shelved = bench.cabinet.get(None).await.unwrap();
    assert!(bench.cabinet.drill(&shelved, |_, _| {}).await.unwrap().is_proven());
}

#[tokio::test]
async fn a_restore_brings_everything_back_with_what_was_attached() {
    let bench = bench();
    bench.put("kept", b"kept").await;
    bench.put("lost", b"lost").await;
    bench.put("changed", b"as it was").await;
    bench.put("large", &large()).await;
    let backed = bench.back_up().await;
    let manifest = &backed.manifest;
    bench.bucket.delete("lost").await.unwrap();
    bench.bucket.delete("large").await.unwrap();
    bench.put("changed", b"as it is").await;
    bench.put("later", b"later").await;
    let wanted = bench.cabinet.restoring(&bench.bucket, manifest, "").await.unwrap();
    assert_eq!((wanted.missing.len(), wanted.different.len(), wanted.later.len()), (2, 1, 1));
    let restored = bench.cabinet.restore(&bench.bucket, manifest, wanted.keys(), |_, _| {}).await.unwrap();
    assert_eq!(restored.objects, 3);
    assert_eq!(bench.bucket.get("changed").await.unwrap(), "as it was");
    assert!(bench.bucket.get("large").await.unwrap() == large());
    assert_eq!(bench.bucket.get("later").await.unwrap(), "later");
    let (attached, _) = bench.bucket.object("lost").await.unwrap();
    assert_eq!((attached.headers["content-type"].as_str(), attached.metadata["owner"].as_str()), ("text/plain", "ada"));
}

#[tokio::test]
async fn what_is_damaged_replaces_nothing() {
    let bench = bench();
    bench.put("small", b"as it was").await;
    bench.put("large", &vec![7; 9 << 20]).await;
    let backed = bench.back_up().await;
    bench.put("small", b"as it is").await;
    bench.put("large", b"as it is").await;
    for key in ["small", "large"] {
        let stored = bench.cabinet.cellar.stored(&backed.manifest.objects[key].stored);
        bench.damage(&stored, |bytes| *bytes.last_mut().unwrap() ^= 1).await;
        let restored = bench.cabinet.restore(&bench.bucket, &backed.manifest, [key].into_iter(), |_, _| {}).await;
        let damaged = restored.unwrap().damaged;
        assert!(matches!(damaged.as_slice(), [BucketError::Damaged { .. }]), "{damaged:?}");
        assert_eq!(bench.bucket.get(key).await.unwrap(), "as it is");
    }
}

#[tokio::test]
async fn what_is_removed_takes_only_its_own_contents_along() {
    let bench = bench();
    bench.put("a", b"one").await;
    bench.put("b", b"two").await;
    let first = bench.back_up().await;
    bench.put("b", b"three").await;
    bench.back_up().await;
    assert_eq!(bench.cabinet.remove(&[first.manifest.id]).await.unwrap(), 1);
    assert_eq!(bench.contents().await.len(), 2);
    let shelved = bench.cabinet.get(None).await.unwrap();
    assert!(bench.cabinet.drill(&shelved, |_, _| {}).await.unwrap().is_proven());
}

#[tokio::test]
async fn what_a_killed_backup_left_is_cleared_away_and_what_is_whole_stays() {
    let bench = bench();
    bench.put("large", &large()).await;
    let backed = bench.back_up().await;
    let stored = bench.cabinet.cellar.stored(&backed.manifest.objects["large"].stored);
    let marker = |key: &str| {
        let begun = crate::blobs::Begun { key: key.to_owned(), upload_id: None };
        Bytes::from(serde_json::to_vec(&super::cabinet::Marker { begun: vec![begun] }).unwrap())
    };
    let begun = |id: &str| format!("{}/{id}.begun", bench.cabinet.cellar.as_str());
    // One was killed after its list, the other one before.
    bench.store.put(&begun(backed.manifest.id.as_str()), marker(&stored)).await.unwrap();
    let half = bench.cabinet.cellar.stored("contents/large/20261126-030000-x7k2ma-0.age");
    bench.store.put(&half, Bytes::from_static(b"half")).await.unwrap();
    bench.store.put(&begun("20261126-030000-x7k2ma"), marker(&half)).await.unwrap();
    let again = bench.back_up().await;
    assert_eq!(again.read, 0);
    assert_eq!(bench.contents().await, [stored]);
    assert!(bench.store.list("").await.unwrap().iter().all(|found| !found.key.ends_with(".begun")));
}

#[tokio::test]
async fn only_one_at_a_time_writes() {
    let bench = bench();
    let state = tempfile::tempdir().unwrap();
    let turn = bench.cabinet.turn(state.path()).unwrap();
    assert!(matches!(bench.cabinet.turn(state.path()), Err(BucketError::Busy { .. })));
    drop(turn);
    assert!(bench.cabinet.turn(state.path()).is_ok());
}

#[tokio::test]
async fn a_drill_with_another_key_is_told_to_everybody() {
    let bench = bench();
    bench.put("a", b"one").await;
    let (key, recipient) = Secrets::new_recovery_key();
    let state = tempfile::tempdir().unwrap();
    let seals = Secrets::of(state.path(), None).seals(&[recipient]).unwrap();
    let cabinet = Cabinet::new(bench.store.clone(), bench.cabinet.cellar.clone(), seals, "artifacts of botmox");
    cabinet.back_up(&bench.bucket, ABOUT, Reason::Manual(None), |_| {}).await.unwrap();
    let elsewhere = cabinet.clone().opened_with(&Seals::of_key(&key).unwrap());
    let shelved = elsewhere.get(None).await.unwrap();
    assert!(elsewhere.drill(&shelved, |_, _| {}).await.unwrap().is_proven());
    let told = cabinet.get(None).await.unwrap();
    assert_eq!(told.proofs.len(), 1);
}
