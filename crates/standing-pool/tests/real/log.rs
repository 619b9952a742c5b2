//! What is written to the log, and what never is.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use standing_pool::Settings;
use tracing_subscriber::fmt::MakeWriter;

use crate::server::{PATIENCE, Server, engine_answers, eventually, quick};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Page {
    type Writer = Page;

    fn make_writer(&'a self) -> Page {
        self.clone()
    }
}

/// On one thread, whose log the page is.
#[tokio::test(flavor = "current_thread")]
async fn the_log_tells_the_story_without_the_password() {
    if !engine_answers() {
        return;
    }
    let page = Page::default();
    let all = tracing_subscriber::fmt()
        .with_max_level(tracing::level_filters::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(page.clone())
        .finish();
    let _log = tracing::subscriber::set_default(all);

    let server = Server::absent("postgres:15", &[]);
    let settings = Settings {
        startup_max_wait: Duration::from_secs(1),
        startup_retry_interval: Duration::from_millis(500),
        debug: true,
        ..quick(&server.url())
    };
    let pool = standing_pool::StandingPool::open(&settings);
    pool.started().await;
    pool.get_as("tenant resolution").await.expect_err("there is no database");
    server.start();
    eventually("back", PATIENCE, || pool.report().generation == 1).await;
    let mut db = pool.get().await.unwrap();
    db.query_one("SELECT 1", &[]).await.unwrap();
    let id = pool.report().pool_id.unwrap();

    let text = page.text();
    for line in [
        "Database connection attempt 1 failed (refused: ",
        ". Retrying in 0.5s (elapsed: 0.0s, max: 1s)…",
        "App will start in DEGRADED MODE",
        "No connection for tenant resolution (pid=",
        "Background reconnection: attempt 1 failed (",
        "Database connection pool created successfully (host=127.0.0.1 port=",
        "generation=1, attempt=",
        &format!("pool_id={id})"),
        "Background reconnection: SUCCESS. App is now in NORMAL MODE",
        "Connection given to crates/standing-pool/tests/real/log.rs:",
    ] {
        assert!(text.contains(line), "no `{line}` in:\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}
