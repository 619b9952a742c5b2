//! A booking service that lives through trouble with its database: the health routes, one route that asks the database,
//! and a check of the schema. Run it, stop the database, start it again, and watch `/health/ready`:
//!
//! ```console
//! $ docker run -d --name bookings-db -e POSTGRES_PASSWORD=secret -p 5432:5432 postgres:17
//! $ DATABASE_URL=postgres://postgres:secret@localhost/postgres cargo run -p standing-pool --features axum --example bookings
//! $ curl localhost:8080/health/ready
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use standing_pool::{Condition, Health, Lease, SchemaBehind, Settings, StandingPool, tokio_postgres};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let pool = StandingPool::open(&Settings::from_env()?);

    let health = Health::new().with_pool("database", &pool);
    health.watch("schema", &pool, Duration::from_secs(30), |db| Box::pin(look_at_schema(db)));

    // Served from the first moment: whoever asks during the start is told that it is starting.
    let routes = Router::new()
        .route("/bookings", get(bookings))
        .with_state(pool.clone())
        .merge(standing_pool::health::router(health));
    let address = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".into());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    axum::serve(listener, routes).with_graceful_shutdown(asked_to_stop()).await?;
    pool.close();
    Ok(())
}

/// One route of the service. What went wrong with the database is said in its own words, and is not the service's end.
async fn bookings(State(pool): State<StandingPool>) -> (StatusCode, Json<Value>) {
    let counted = async {
        let mut db = pool.get().await?;
        let row = db.query_one("SELECT count(*) FROM bookings", &[]).await?;
        Ok::<i64, Box<dyn Error + Send + Sync>>(row.get(0))
    };
    match counted.await {
        Ok(count) => (StatusCode::OK, Json(json!({ "bookings": count }))),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": error.to_string() }))),
    }
}

async fn look_at_schema(db: &mut Lease) -> Result<Condition, tokio_postgres::Error> {
    let row = db.query_one("SELECT to_regclass('public.bookings') IS NOT NULL", &[]).await?;
    if row.get(0) {
        return Ok(Condition::Ready);
    }
    Ok(Condition::SchemaBehind(SchemaBehind {
        file: "0001_create_bookings.sql".into(),
        missing: "relation \"bookings\" does not exist".into(),
        command: "mainstay db migrate apply".into(),
    }))
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
