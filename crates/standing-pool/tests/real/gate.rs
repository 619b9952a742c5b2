//! What stands between a process and its server and misbehaves: a port that can be closed, silent, or rude.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the gate does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Passes them on.
    Open,
    /// Accepts, and closes at once: a port proxy before its server.
    Slams,
    /// Accepts, and lets nothing through in either direction: no reset, no end.
    Swallows,
    /// Answers that the server is starting up.
    SaysStartingUp,
}

pub struct Gate {
    pub port: u16,
    manner: watch::Sender<Manner>,
    accepted: Arc<AtomicUsize>,
}

impl Gate {
    pub async fn before(server_port: u16, manner: Manner) -> Gate {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        Gate::on(listener, server_port, manner)
    }

    pub fn on(listener: TcpListener, server_port: u16, manner: Manner) -> Gate {
        let port = listener.local_addr().unwrap().port();
        let (sender, receiver) = watch::channel(manner);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(pass(client, server_port, receiver.clone()));
            }
        });
        Gate { port, manner: sender, accepted }
    }

    /// Also for connections that are open already.
    pub fn becomes(&self, manner: Manner) {
        self.manner.send_replace(manner);
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres:hunter2@127.0.0.1:{}/crm?sslmode=disable", self.port)
    }
}

async fn pass(mut client: TcpStream, port: u16, manner: watch::Receiver<Manner>) {
    match *manner.borrow() {
        Manner::Slams => return,
        Manner::Open | Manner::Swallows => {}
        Manner::SaysStartingUp => {}
    }
    if *manner.borrow() == Manner::SaysStartingUp {
        let mut hello = [0; 1024];
        let _ = client.read(&mut hello).await;
        let fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
        let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
        let _ = client.write_all(&[b"E", length.as_slice(), fields].concat()).await;
        return;
    }
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut from_client, mut from_server) = ([0; 8192], [0; 8192]);
    loop {
        let (is_client, count) = tokio::select! {
            read = client.read(&mut from_client) => (true, read.unwrap_or(0)),
            read = server.read(&mut from_server) => (false, read.unwrap_or(0)),
        };
        if *manner.borrow() == Manner::Swallows {
            // Held, so that neither side sees an end.
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        if count == 0 {
            return;
        }
        let done = if is_client {
            server.write_all(&from_client[..count]).await
        } else {
            client.write_all(&from_server[..count]).await
        };
        if done.is_err() {
            return;
        }
    }
}
