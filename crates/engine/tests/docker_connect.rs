//! Ways to an engine, and what is said where there is none.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};

use mainstay_engine::World;
use mainstay_engine::docker::Docker;
use mainstay_model::identity::StackName;
use mainstay_model::observed::Scope;
use support::{engine, told};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

/// Hands TCP connections on to the local socket and keeps what is asked.
async fn forward() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let keep = asked.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let keep = keep.clone();
            tokio::spawn(async move {
                let engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_engine, mut to_engine) = engine.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_engine, &mut to_client).await });
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
                    keep.lock().unwrap().extend_from_slice(&buffer[..count]);
                    to_engine.write_all(&buffer[..count]).await.unwrap();
                }
            });
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_is_reached_over_tcp_with_the_negotiated_version() {
    let Some(local) = engine().await else { return };
    let (address, asked) = forward().await;
    let docker = Docker::connect(Some(&address)).await.unwrap();
    assert_eq!(docker.facts(), local.facts());
    let scope = Scope::of_stack(StackName::new("dkr-no-such-stack").unwrap());
    assert!(docker.look(&scope).await.unwrap().containers.is_empty());
    let asked = String::from_utf8_lossy(&asked.lock().unwrap()).into_owned();
    let version = format!("GET /v{}/containers/json?", docker.facts().api_version);
    assert!(asked.starts_with("GET /_ping") && asked.contains(&version), "{asked}");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_told_with_what_to_do() {
    for address in ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:9"] {
        let error = Docker::connect(Some(address)).await.unwrap_err();
        assert!(error.transient && error.hints[0].contains("running"), "{}", told(&error));
        assert!(error.message.contains(address));
    }
    let folder = tempfile::tempdir().unwrap();
    let no_socket = folder.path().join("file");
    std::fs::write(&no_socket, "").unwrap();
    assert!(Docker::connect(Some(&format!("unix://{}", no_socket.display()))).await.is_err());
}
