#![allow(clippy::unwrap_used)]

use mainstay_model::declared::{Bucket, Destination, Hidden};

use super::*;
use bytes::Bytes;
use futures_util::StreamExt;

fn stores() -> (tempfile::TempDir, Vec<Store>) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("backups").to_str().unwrap().to_owned();
    let stores = vec![Store::memory(), Store::open(&Destination::Folder(place)).unwrap()];
    (folder, stores)
}

fn keys(found: &[Found]) -> Vec<&str> {
    found.iter().map(|one| one.key.as_str()).collect()
}

#[tokio::test]
async fn what_was_put_is_listed_read_and_deleted() {
    let (_folder, stores) = stores();
    for store in stores {
        assert_eq!(store.list("pms/crm").await.unwrap(), []);
        store.put("pms/crm/b", Bytes::from_static(b"two")).await.unwrap();
        store.put("pms/crm/a", Bytes::from_static(b"one")).await.unwrap();
        store.put("pms/crmx/c", Bytes::from_static(b"three")).await.unwrap();
        let found = store.list("pms/crm").await.unwrap();
        assert_eq!(keys(&found), ["pms/crm/a", "pms/crm/b"]);
        assert_eq!((found[0].bytes, found[0].written_at > 1_700_000_000), (3, true));
        assert_eq!(store.get("pms/crm/a").await.unwrap(), "one");
        store.delete("pms/crm/a").await.unwrap();
        store.delete("pms/crm/a").await.unwrap();
        assert!(store.get("pms/crm/a").await.is_err_and(|error| error.is_not_there()));
    }
}

#[tokio::test]
async fn an_upload_is_there_only_when_it_is_finished() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut upload = store.begin("pms/crm/x").await.unwrap();
        let parts = [Bytes::from(vec![1; PART_BYTES]), Bytes::from(vec![2; PART_BYTES]), Bytes::from_static(b"end")];
        for part in &parts {
            upload.part(part.clone()).await.unwrap();
        }
        assert_eq!(store.list("pms/crm").await.unwrap(), []);
        upload.finish().await.unwrap();
        assert_eq!(store.list("pms/crm").await.unwrap()[0].bytes, 2 * PART_BYTES as u64 + 3);
        let pieces: Vec<_> = store.read("pms/crm/x").await.unwrap().collect().await;
        let whole: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect();
        assert!(whole == parts.concat());
    }
}

#[tokio::test]
async fn what_was_broken_off_is_cleared_away_by_what_it_was_begun_with() {
    let (folder, stores) = stores();
    for store in stores {
        let mut upload = store.begin("pms/crm/x").await.unwrap();
        upload.part(Bytes::from(vec![1; PART_BYTES])).await.unwrap();
        upload.part(Bytes::from(vec![1; 9])).await.unwrap();
        let begun = upload.begun().clone();
        // As a process that is killed leaves it: nothing runs at the end.
        std::mem::forget(upload);
        store.clear(&begun).await.unwrap();
        assert_eq!(store.list("pms").await.unwrap(), []);
        // Once more is no error.
        store.clear(&begun).await.unwrap();
    }
    let left = std::fs::read_dir(folder.path().join("backups/pms/crm")).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let (folder, stores) = stores();
    for store in stores {
        let mut upload = store.begin("pms/crm/x").await.unwrap();
        upload.part(Bytes::from(vec![1; PART_BYTES])).await.unwrap();
        upload.abort().await.unwrap();
        assert_eq!(store.list("pms").await.unwrap(), []);
    }
    assert_eq!(std::fs::read_dir(folder.path().join("backups/pms/crm")).unwrap().count(), 0);
}

#[test]
fn a_bucket_without_keys_is_refused_and_keys_are_not_shown() {
    let bucket = |secret: Option<&str>| Bucket {
        bucket: "backups".into(),
        prefix: "crm".into(),
        endpoint: Some("http://127.0.0.1:9".into()),
        region: None,
        path_style: true,
        access_key: Some(Hidden::new("GK123")),
        secret_key: secret.map(Hidden::new),
    };
    let error = Store::open(&Destination::S3(bucket(None))).unwrap_err();
    assert!(error.to_string().contains("keys are missing") && !error.hints().is_empty());
    let store = Store::open(&Destination::S3(bucket(Some("hunter2")))).unwrap();
    assert_eq!(store.place(), "s3://backups/crm at http://127.0.0.1:9");
    assert!(!format!("{store:?}").contains("hunter2"));
}

/// A server that takes requests and answers none of the first `deaf` ones. What it was asked, one line each.
async fn hard_of_hearing(deaf: usize) -> (Store, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = asked.clone();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = vec![0; 16 << 10];
            let read = socket.read(&mut bytes).await.unwrap_or_default();
            let head = String::from_utf8_lossy(&bytes[..read]).lines().next().unwrap_or_default().to_owned();
            let count = {
                let mut heard = heard.lock().unwrap();
                heard.push(head);
                heard.len()
            };
            if count > deaf {
                let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                socket.write_all(answer).await.unwrap();
            }
            open.push(socket);
        }
    });
    let bucket = Bucket {
        bucket: "kept".into(),
        prefix: String::new(),
        endpoint: Some(format!("http://{address}")),
        region: None,
        path_style: true,
        access_key: Some(Hidden::new("a".to_owned())),
        secret_key: Some(Hidden::new("b".to_owned())),
    };
    (Store::open(&Destination::S3(bucket)).unwrap(), asked)
}

#[tokio::test]
async fn a_small_request_that_gets_no_answer_is_asked_again() {
    let (store, asked) = hard_of_hearing(2).await;
    store.delete("pms/crm/x.begun").await.unwrap();
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked, vec!["DELETE /kept/pms/crm/x.begun HTTP/1.1"; 3]);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_by_name() {
    let (store, asked) = hard_of_hearing(usize::MAX).await;
    let error = store.delete("pms/crm/x.begun").await.unwrap_err().to_string();
    assert!(error.contains("s3://kept") && error.contains("no answer within"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 4);
}
