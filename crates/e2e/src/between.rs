//! Between Mainstay and the machine's engine: hears how much is asked, and breaks the connection as a test wishes.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

const ENGINE: &str = "/var/run/docker.sock";

pub struct Between {
    folder: TempDir,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Bytes that were sent to the engine.
    asked: AtomicU64,
    cut: AtomicBool,
    open: Mutex<Vec<UnixStream>>,
}

impl Between {
    /// Starts to stand between.
    pub fn start() -> Between {
        let folder = tempfile::Builder::new().prefix("e2e-between-").tempdir().expect("a temporary folder");
        let between = Between { folder, shared: Arc::default() };
        let listener = UnixListener::bind(between.socket()).expect("a socket");
        let shared = between.shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.join(client);
            }
        });
        between
    }

    /// `DOCKER_HOST` of the engine behind it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// How many bytes were sent to the engine so far: what is not asked costs none.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Breaks every connection, and each new one at once, until [`Between::mend`].
    pub fn cut(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().expect("no thread panicked").drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.shared.cut.store(false, Ordering::SeqCst);
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("sock")
    }
}

impl Shared {
    fn join(self: &Arc<Self>, client: UnixStream) {
        if self.cut.load(Ordering::SeqCst) {
            return;
        }
        let engine = UnixStream::connect(ENGINE).expect("the engine's socket");
        let twice = |stream: &UnixStream| stream.try_clone().expect("a second handle");
        self.open.lock().expect("no thread panicked").extend([twice(&client), twice(&engine)]);
        let (from, to) = (twice(&client), twice(&engine));
        let shared = self.clone();
        thread::spawn(move || {
            pass(from, to, |count| {
                shared.asked.fetch_add(count, Ordering::SeqCst);
            });
        });
        thread::spawn(move || pass(engine, client, |_| {}));
    }
}

/// Hands on what comes until its end.
fn pass(mut from: UnixStream, mut to: UnixStream, counted: impl Fn(u64)) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        counted(u64::try_from(count).expect("a small number"));
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
