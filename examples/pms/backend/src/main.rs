//! The booking system of the example: `pms-backend` answers over HTTP, `pms-backend worker` looks after the tasks of the
//! channels. Both live through an absent database, and say of their schema what it lacks.

mod schema;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use standing_pool::{Health, Settings, StandingPool};
use tracing::{error, info, warn};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_ansi(false).init();
    let is_worker = std::env::args().nth(1).is_some_and(|role| role == "worker");
    match run(is_worker).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(is_worker: bool) -> Result<(), Box<dyn Error>> {
    let pool = StandingPool::open(&Settings::from_env()?);
    let health = Health::new().with_pool("database", &pool);
    let needed = schema::needed()?;
    health.watch("schema", &pool, schema::looked_at_every(), move |db| {
        let needed = needed.clone();
        Box::pin(async move { needed.look(db).await })
    });
    let mut routes = Router::new().merge(standing_pool::health::router(health));
    let working = is_worker.then(|| tokio::spawn(work(pool.clone())));
    if !is_worker {
        routes = routes.merge(Router::new().route("/bookings", get(bookings)).with_state(pool.clone()));
    }
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes).with_graceful_shutdown(asked_to_stop()).await?;
    if let Some(working) = working {
        working.abort();
    }
    pool.close();
    Ok(())
}

async fn bookings(State(pool): State<StandingPool>) -> (StatusCode, Json<Value>) {
    let counted = async {
        let mut db = pool.get_as("bookings").await?;
        let row = db.query_one("SELECT count(*) FROM bookings", &[]).await?;
        Ok::<i64, Box<dyn Error + Send + Sync>>(row.get(0))
    };
    match counted.await {
        Ok(count) => (StatusCode::OK, Json(json!({ "bookings": count }))),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": problem.to_string() }))),
    }
}

/// Looks after the tasks of the channels. An outage makes a round fail, and is not the worker's end.
async fn work(pool: StandingPool) {
    let mut was_trouble = false;
    loop {
        let round = async {
            let mut db = pool.get_as("channel sync").await?;
            let sql = "SELECT count(*) FROM channel_sync_logs WHERE status = 'running'";
            Ok::<i64, Box<dyn Error + Send + Sync>>(db.query_one(sql, &[]).await?.get(0))
        };
        match round.await {
            Ok(running) if was_trouble => {
                info!("working again: {running} tasks are running");
                was_trouble = false;
            }
            Ok(_) => {}
            Err(problem) => {
                if !was_trouble {
                    warn!("no work meanwhile: {problem}");
                }
                was_trouble = true;
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// Ctrl-C, or what a container is sent.
async fn asked_to_stop() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
