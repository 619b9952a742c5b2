//! Every kind of damage to what is stored is found.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstay_model::identity::BackupId;
use mainstay_model::postgres::backup::layout::{Part, Shelf};
use mainstay_model::postgres::backup::{
    Compression, Contents, DatabaseFacts, Durations, FORMAT, LargeObjects, Manifest, Proof, Reason, RowsAs, SchemaText,
    ServerFacts, Stored, Verdict,
};

use super::flow::{self, Sum};
use super::vault::Marker;
use super::{BackupError, Vault};
use crate::blobs::{Begun, PART_BYTES, Store};
use crate::secrets::{Seals, Secrets};

/// Larger than a chunk of age's, which has 64 KiB, and no multiple of it.
const PLAIN_BYTES: usize = 3 * (64 << 10) + 1234;

fn seals() -> Seals {
    Seals::of_key(&Secrets::new_recovery_key().0).unwrap()
}

fn vault() -> Vault {
    Vault::new(Store::memory(), Shelf::new("pms", None, "crm"), seals(), "`crm` of pms")
}

fn id(number: u8) -> BackupId {
    format!("2026112{number}-030000-aaaaaa").parse().unwrap()
}

fn plain(seed: u8) -> Vec<u8> {
    (0..PLAIN_BYTES).map(|index| (index % 251) as u8 ^ seed).collect()
}

fn contents() -> Contents {
    let text = || "x".to_owned();
    Contents {
        server: ServerFacts {
            version: text(),
            version_num: 150_018,
            system_id: Some("7".into()),
            lsn: None,
            in_recovery: false,
        },
        database: DatabaseFacts {
            name: text(),
            owner: text(),
            encoding: text(),
            collate: text(),
            ctype: text(),
            provider: text(),
            locale: None,
            acl: Vec::new(),
            bytes: 0,
        },
        extensions: BTreeMap::new(),
        roles: BTreeMap::new(),
        settings: Vec::new(),
        tables: BTreeMap::new(),
        sequences: BTreeMap::new(),
        large_objects: LargeObjects::default(),
        schema: SchemaText { sha256: text(), bytes: 1 },
        rows_as: RowsAs::Values,
    }
}

/// As a backup leaves it: data, then a manifest.
async fn store(vault: &Vault, id: &BackupId, plain: &[u8]) -> Manifest {
    let (inlet, mut sealing) = flow::seal(vault.seals(), PART_BYTES);
    for piece in plain.chunks(10_000) {
        assert!(inlet.give(Bytes::copy_from_slice(piece)).await);
    }
    inlet.end().await;
    let key = vault.key(id, &Part::Dump);
    let mut upload = vault.store().begin(&key).await.unwrap();
    while let Some(part) = sealing.parts.recv().await {
        upload.part(part).await.unwrap();
    }
    let (plain, sealed): (Sum, Sum) = sealing.sums.await.unwrap().unwrap();
    upload.finish().await.unwrap();
    let manifest = Manifest {
        format: FORMAT,
        id: id.clone(),
        stack: Some("pms".into()),
        env: None,
        database: "crm".into(),
        reason: Reason::Scheduled,
        began_at: "2026-11-26T03:00:00Z".into(),
        snapshot_at: "2026-11-26T03:00:00Z".into(),
        ended_at: "2026-11-26T03:00:00Z".into(),
        made_by: "0".into(),
        image: None,
        dumper: "pg_dump".into(),
        contents: contents(),
        stored: Stored {
            key: "data".into(),
            bytes: sealed.bytes,
            sha256: sealed.sha256,
            plain_bytes: plain.bytes,
            plain_sha256: plain.sha256,
            compression: Compression::Gzip(1),
            recipients: vault.seals().recipients(),
        },
        durations: Durations::default(),
    };
    vault.put_sealed(&vault.key(id, &Part::Manifest), manifest.text().as_bytes()).await.unwrap();
    manifest
}

async fn check(vault: &Vault, id: &BackupId) -> Result<(), BackupError> {
    let shelved = vault.get(id).await?;
    vault.verify(&shelved.manifest, |_| {}).await
}

async fn must_be_found(vault: &Vault, id: &BackupId, what: &str) {
    match check(vault, id).await {
        Err(BackupError::Damaged { .. }) => {}
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn what_was_stored_comes_back_and_only_for_its_keys() {
    let vault = vault();
    let manifest = store(&vault, &id(1), &plain(0)).await;
    check(&vault, &id(1)).await.unwrap();
    let mut opened = vault.data(&manifest).await.unwrap();
    let mut whole = Vec::new();
    while let Some(piece) = futures_util::StreamExt::next(&mut opened).await {
        whole.extend_from_slice(&piece.unwrap());
    }
    assert!(whole == plain(0));
    let others = vault.clone().opened_with(&seals());
    assert!(matches!(check(&others, &id(1)).await, Err(BackupError::OtherKey { .. })));
    let listing = others.list().await.unwrap();
    assert!(listing.backups.is_empty() && listing.unusable[0].why.contains("sealed for other keys"), "{listing:?}");
}

#[tokio::test]
async fn a_cut_anywhere_is_found() {
    let vault = vault();
    store(&vault, &id(1), &plain(0)).await;
    let key = vault.key(&id(1), &Part::Dump);
    let whole = vault.store().get(&key).await.unwrap();
    let edges = (0..whole.len()).step_by(64 << 10);
    let header = 200..216;
    for length in edges.chain(header).chain([1, whole.len() - 17, whole.len() - 16, whole.len() - 1]) {
        vault.store().put(&key, whole.slice(..length)).await.unwrap();
        must_be_found(&vault, &id(1), &format!("cut at {length}")).await;
    }
    let longer = [&whole[..], b"x"].concat();
    vault.store().put(&key, longer.into()).await.unwrap();
    must_be_found(&vault, &id(1), "a byte more").await;
    vault.store().delete(&key).await.unwrap();
    must_be_found(&vault, &id(1), "no data").await;
}

#[tokio::test]
async fn a_byte_that_is_another_is_found_in_every_layer() {
    let vault = vault();
    store(&vault, &id(1), &plain(0)).await;
    for part in [Part::Dump, Part::Manifest] {
        let key = vault.key(&id(1), &part);
        let whole = vault.store().get(&key).await.unwrap();
        // The head of age with its keys, the nonce, each chunk, the last tag.
        let places = (0..300).step_by(5).chain((300..whole.len()).step_by(9973)).chain([whole.len() - 1]);
        for place in places.filter(|place| *place < whole.len()) {
            let mut other = whole.to_vec();
            other[place] ^= 1;
            vault.store().put(&key, other.into()).await.unwrap();
            let found = check(&vault, &id(1)).await;
            // A key's stanza that is another may be one for somebody else: that is no backup to us either.
            assert!(
                matches!(found, Err(BackupError::Damaged { .. } | BackupError::OtherKey { .. })),
                "{part:?} at {place}: {found:?}"
            );
        }
        vault.store().put(&key, whole).await.unwrap();
    }
    check(&vault, &id(1)).await.unwrap();
}

#[tokio::test]
async fn a_chunk_that_is_missing_or_twice_there_is_found() {
    let vault = vault();
    store(&vault, &id(1), &plain(0)).await;
    let key = vault.key(&id(1), &Part::Dump);
    let whole = vault.store().get(&key).await.unwrap().to_vec();
    // Chunks are counted from the end: the head has whatever length it has.
    let chunk = (64 << 10) + 16;
    let last = 1234 + 16;
    let at = |number: usize| whole.len() - last - number * chunk;
    let without = [&whole[..at(2)], &whole[at(1)..]].concat();
    let twice = [&whole[..at(1)], &whole[at(2)..at(1)], &whole[at(1)..]].concat();
    let swapped = [&whole[..at(3)], &whole[at(2)..at(1)], &whole[at(3)..at(2)], &whole[at(1)..]].concat();
    let no_last = whole[..at(0)].to_vec();
    for (what, bytes) in [("without", without), ("twice", twice), ("swapped", swapped), ("no last", no_last)] {
        vault.store().put(&key, bytes.into()).await.unwrap();
        must_be_found(&vault, &id(1), what).await;
    }
}

#[tokio::test]
async fn two_backups_that_changed_places_are_found() {
    let vault = vault();
    store(&vault, &id(1), &plain(1)).await;
    store(&vault, &id(2), &plain(2)).await;
    for part in [Part::Dump, Part::Manifest] {
        let keys = [vault.key(&id(1), &part), vault.key(&id(2), &part)];
        let (one, two) = (vault.store().get(&keys[0]).await.unwrap(), vault.store().get(&keys[1]).await.unwrap());
        vault.store().put(&keys[0], two.clone()).await.unwrap();
        vault.store().put(&keys[1], one.clone()).await.unwrap();
        must_be_found(&vault, &id(1), "swapped").await;
        must_be_found(&vault, &id(2), "swapped").await;
        vault.store().put(&keys[0], one).await.unwrap();
        vault.store().put(&keys[1], two).await.unwrap();
    }
    check(&vault, &id(1)).await.unwrap();
}

#[tokio::test]
async fn what_was_dropped_before_its_end_is_not_sealed_to_an_end() {
    let (inlet, mut sealing) = flow::seal(&seals(), PART_BYTES);
    assert!(inlet.give(Bytes::from_static(b"half of it")).await);
    drop(inlet);
    while sealing.parts.recv().await.is_some() {}
    assert!(sealing.sums.await.unwrap().is_err());
}

#[tokio::test]
async fn proofs_lie_beside_their_backup_and_the_last_one_counts() {
    let vault = vault();
    store(&vault, &id(1), b"x").await;
    let proof = |day: u8, verdict: Verdict| Proof {
        format: FORMAT,
        backup: id(1),
        began_at: format!("2026-11-2{day}T05:00:00Z"),
        ended_at: format!("2026-11-2{day}T05:01:00Z"),
        made_by: "0".into(),
        verdict,
        restore_ms: Some(1000),
        total_ms: 60_000,
    };
    vault.put_proof(&proof(7, Verdict::Proven)).await.unwrap();
    let failed = Verdict::Failed { doing: "restoring".into(), words: "out of room".into() };
    vault.put_proof(&proof(8, failed)).await.unwrap();
    let shelved = vault.get(&id(1)).await.unwrap();
    assert_eq!(shelved.standing(), mainstay_model::postgres::backup::retention::Standing::Failed);
    assert_eq!(shelved.proven().unwrap().ended_at, "2026-11-27T05:01:00Z");
    vault.delete(&id(1)).await.unwrap();
    assert!(vault.store().list("pms").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_sweep_takes_what_was_broken_off_here_and_leaves_what_others_may_be_writing() {
    let vault = vault();
    for (number, system) in [(1, "ours"), (2, "theirs")] {
        let mut upload = vault.store().begin(&vault.key(&id(number), &Part::Dump)).await.unwrap();
        upload.part(Bytes::from_static(b"x")).await.unwrap();
        let Begun { key, upload_id } = upload.begun().clone();
        let marker = Marker { begun: Begun { key, upload_id }, system_id: Some(system.into()) };
        let text = serde_json::to_vec(&marker).unwrap();
        vault.store().put(&vault.key(&id(number), &Part::Begun), text.into()).await.unwrap();
        std::mem::forget(upload);
    }
    store(&vault, &id(3), b"x").await;
    let now = jiff::Timestamp::now().as_second();
    assert_eq!(vault.sweep(Some("ours"), now).await.unwrap(), [id(1)]);
    assert_eq!(vault.sweep(Some("ours"), now).await.unwrap(), []);
    assert_eq!(vault.sweep(Some("ours"), now + 2 * 24 * 3600).await.unwrap(), [id(2)]);
    check(&vault, &id(3)).await.unwrap();
}
