//! What a readiness check costs during an outage: the answer from memory beside the way it is often done, which is to try a
//! connection for each check. Interleaved rounds; the ratio is the figure, since machines differ. Needs no server.
//!
//! ```console
//! $ cargo run --release -p standing-pool --example readiness
//! ```

use std::time::{Duration, Instant};

use standing_pool::{Health, Mode, Settings, StandingPool, tokio_postgres};

/// Nothing listens there: the cheapest of all outages for who tries, since the refusal is immediate.
const REFUSED: &str = "postgres://app@127.0.0.1:9/crm?sslmode=disable";
const ROUNDS: usize = 9;
const FROM_MEMORY: u32 = 20_000;
const BY_TRYING: u32 = 200;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings { startup_max_wait: Duration::ZERO, ..Settings::for_url(REFUSED)? };
    let pool = StandingPool::open(&settings);
    assert_eq!(pool.started().await, Mode::Degraded);
    let health = Health::new().with_pool("database", &pool);

    let (mut from_memory, mut by_trying) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..FROM_MEMORY {
            assert_eq!(health.ready().status, 503);
        }
        from_memory.push(f64::from(FROM_MEMORY) / began.elapsed().as_secs_f64());

        let began = Instant::now();
        for _ in 0..BY_TRYING {
            assert!(tokio_postgres::connect(REFUSED, tokio_postgres::NoTls).await.is_err());
        }
        by_trying.push(f64::from(BY_TRYING) / began.elapsed().as_secs_f64());
    }
    let attempts = pool.report().attempts;
    let (memory, trying) = (median(from_memory), median(by_trying));
    let line = serde_json::json!({
        "ready_answers_a_second": memory.round(),
        "tried_connections_a_second": trying.round(),
        "ratio": (memory / trying * 10.0).round() / 10.0,
        "attempts_at_the_database_meanwhile": attempts - 1,
    });
    use std::io::Write;
    writeln!(std::io::stdout(), "{line:#}")?;
    Ok(())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
