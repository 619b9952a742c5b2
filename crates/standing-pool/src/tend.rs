//! The one task that makes a target's pools, watches over them and wins the database back. Nobody else makes one, so
//! there is never a second attempt beside the first, and no caller can cancel it by going away.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::failure::{Failure, Kind};
use crate::pace;
use crate::shared::Shared;
use crate::state::Made;

/// Runs until it is aborted.
pub(crate) async fn tend(shared: Arc<Shared>) {
    let mut standing = start_up(&shared).await;
    loop {
        let (was_normal, failure) = match standing {
            Ok(made) => (true, watch_over(&shared, &made).await),
            Err(failure) => (false, failure),
        };
        standing = Ok(win_back(&shared, was_normal, failure).await);
    }
}

async fn start_up(shared: &Arc<Shared>) -> Result<Made, Failure> {
    let settings = &shared.settings;
    let began = Instant::now();
    let max = settings.startup_max_wait.as_secs_f64();
    for attempt in 1u64.. {
        let failure = match attempt_once(shared).await {
            Ok(made) => {
                told_success(shared, &made, attempt, began.elapsed());
                return Ok(made);
            }
            Err(failure) => failure,
        };
        let elapsed = began.elapsed();
        let Some(wait) = pace::at_start(settings, elapsed, failure.kind.is_yours()) else {
            error!(
                target: "standing_pool",
                "Database connection attempt {attempt} failed ({failure}). Not connected within {max:.0}s ({}). \
                 App will start in DEGRADED MODE.{}",
                settings.target,
                hint(&failure),
            );
            shared.degrade(&failure);
            return Err(failure);
        };
        warn!(
            target: "standing_pool",
            "Database connection attempt {attempt} failed ({failure}). Retrying in {:.1}s (elapsed: {:.1}s, max: {max:.0}s)…{}",
            wait.as_secs_f64(),
            elapsed.as_secs_f64(),
            told_once(attempt, &failure),
        );
        pause(shared, wait).await;
    }
    unreachable!("attempts are counted without an end")
}

/// Gives the reason why the pool had to be given up.
async fn watch_over(shared: &Arc<Shared>, made: &Made) -> Failure {
    let failure = loop {
        tokio::select! {
            () = shared.trouble.notified() => {
                if let Some(failure) = shared.take_evidence(made.generation) {
                    break failure;
                }
                if !shared.take_suspicion(made.generation) {
                    // Told of the last trouble, which was looked into.
                    continue;
                }
                // What has been idle since before the trouble may be as dead as what reported it.
                made.pool.retain(|_, _| false);
            }
            () = sleep(shared.settings.check_interval) => {}
        }
        let (reach, pool) = (shared.reach.clone(), made.pool.clone());
        if let Err(failure) = apart(async move { reach.check(pool).await }).await {
            break failure;
        }
    };
    warn!(
        target: "standing_pool",
        "Database connection lost ({failure}); generation={} pool_id={}. App is now in DEGRADED MODE.{}",
        made.generation,
        made.id,
        hint(&failure),
    );
    shared.degrade(&failure);
    failure
}

async fn win_back(shared: &Arc<Shared>, was_normal: bool, mut failure: Failure) -> Made {
    let settings = &shared.settings;
    let began = Instant::now();
    // A server that takes no writes any more has a successor, and it may be there already.
    let mut at_once = was_normal && failure.kind == Kind::ReadOnly;
    shared.state.send_modify(|state| state.reconnecting = settings.reconnect_enabled);
    for number in 1u32.. {
        if !settings.reconnect_enabled {
            if number == 1 {
                info!(target: "standing_pool", "Background reconnection is switched off (DB_BACKGROUND_RECONNECT_ENABLED)");
            }
            shared.wanted.notified().await;
        } else if !std::mem::take(&mut at_once) {
            let wait = pace::in_background(settings, number, was_normal, failure.kind.is_yours());
            pause(shared, pace::spread(wait, fastrand::f64())).await;
        }
        match attempt_once(shared).await {
            Ok(made) => {
                told_success(shared, &made, u64::from(number), began.elapsed());
                info!(target: "standing_pool", "Background reconnection: SUCCESS. App is now in NORMAL MODE");
                return made;
            }
            Err(next) => {
                let words = told_change(&failure, &next);
                warn!(target: "standing_pool", "Background reconnection: attempt {number} failed ({next}).{words}");
                failure = next;
            }
        }
    }
    unreachable!("attempts are counted without an end")
}

async fn attempt_once(shared: &Arc<Shared>) -> Result<Made, Failure> {
    shared.attempt_begins();
    let (reach, weak) = (shared.reach.clone(), Arc::downgrade(shared));
    let generation = shared.state.borrow().generation + 1;
    match apart(async move { reach.make(weak, generation).await }).await {
        Ok(pool) => Ok(shared.made(pool)),
        Err(failure) => {
            // Who wanted an attempt while this one ran has had it.
            tokio::select! {
                biased;
                () = shared.wanted.notified() => {}
                () = std::future::ready(()) => {}
            }
            shared.attempt_failed(&failure);
            Err(failure)
        }
    }
}

/// In a task of its own: a panic there is a failure like another, and the tending goes on. Aborted with its owner.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let mut alone = JoinSet::new();
    alone.spawn(work);
    match alone.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(broken)) => Err(Failure::new(Kind::Internal, format!("the attempt broke off: {broken}"))),
        None => Err(Failure::new(Kind::Internal, "the attempt was never begun")),
    }
}

/// Waits, or goes on at once when somebody wants an attempt.
async fn pause(shared: &Arc<Shared>, wait: Duration) {
    let next = SignedDuration::try_from(wait).ok().and_then(|wait| Timestamp::now().checked_add(wait).ok());
    shared.state.send_modify(|state| state.next_try = next);
    tokio::select! {
        () = sleep(wait) => {}
        () = shared.wanted.notified() => {}
    }
}

fn told_success(shared: &Arc<Shared>, made: &Made, attempt: u64, elapsed: Duration) {
    let pool: &Pool = &made.pool;
    info!(
        target: "standing_pool",
        "Database connection pool created successfully ({} max_size={} generation={}, attempt={attempt}, elapsed={:.1}s, pool_id={})",
        shared.settings.target,
        pool.status().max_size,
        made.generation,
        elapsed.as_secs_f64(),
        made.id,
    );
}

/// The hint comes with the first failure, and again when the reason is another one.
fn told_once(attempt: u64, failure: &Failure) -> String {
    if attempt == 1 || failure.kind.is_yours() { hint(failure) } else { String::new() }
}

fn told_change(before: &Failure, now: &Failure) -> String {
    if before.kind == now.kind && !now.kind.is_yours() { String::new() } else { hint(now) }
}

fn hint(failure: &Failure) -> String {
    failure.hint().map(|hint| format!(" {hint}")).unwrap_or_default()
}
