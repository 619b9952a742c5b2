//! Time and order, over a world that is made up. The clock is tokio's paused one: an hour costs nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Config, NoTls};

use crate::dial::{Boxed, Reach};
use crate::failure::{Failure, Kind};
use crate::shared::Shared;
use crate::{Error, Mode, Settings, StandingPool};

/// What the server does at a moment since the test began.
type Weather = Box<dyn Fn(Duration) -> Result<(), Kind> + Send + Sync>;

struct World {
    began: Instant,
    weather: Weather,
    /// How long an attempt takes.
    pace: Duration,
    attempts: AtomicU64,
    checks: AtomicU64,
}

impl World {
    fn new(weather: impl Fn(Duration) -> Result<(), Kind> + Send + Sync + 'static) -> Arc<World> {
        Arc::new(World {
            began: Instant::now(),
            weather: Box::new(weather),
            pace: Duration::from_millis(200),
            attempts: AtomicU64::new(0),
            checks: AtomicU64::new(0),
        })
    }

    fn now(&self) -> Result<(), Failure> {
        (self.weather)(self.began.elapsed()).map_err(|kind| Failure::new(kind, "as the test says"))
    }

    fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::SeqCst)
    }
}

impl Reach for World {
    fn make(self: Arc<Self>, _: Weak<Shared>, _: u64) -> Boxed<'static, Result<Pool, Failure>> {
        Box::pin(async move {
            self.attempts.fetch_add(1, Ordering::SeqCst);
            sleep(self.pace).await;
            self.now()?;
            // Without a connection: nobody asks for one here.
            Ok(Pool::builder(Manager::new(Config::new(), NoTls)).build().unwrap())
        })
    }

    fn check(self: Arc<Self>, _: Pool) -> Boxed<'static, Result<(), Failure>> {
        Box::pin(async move {
            self.checks.fetch_add(1, Ordering::SeqCst);
            self.now()
        })
    }
}

fn settings() -> Settings {
    Settings::for_url("postgres://app@nowhere.invalid/crm").unwrap()
}

fn up_at(second: u64) -> impl Fn(Duration) -> Result<(), Kind> + Send + Sync + 'static {
    move |elapsed| if elapsed.as_secs() >= second { Ok(()) } else { Err(Kind::Refused) }
}

async fn becomes(pool: &StandingPool, mode: Mode, within: Duration) {
    let shared = pool.shared();
    let mut states = shared.state.subscribe();
    let reached = timeout(within, states.wait_for(|state| state.mode == mode)).await;
    assert!(reached.is_ok(), "not {mode:?} within {within:?}: {:?}", pool.report());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_up_at_second_59_is_found_at_start() {
    let world = World::new(up_at(59));
    let pool = StandingPool::over(&settings(), world.clone());
    assert_eq!(pool.started().await, Mode::Normal);
    assert_eq!(pool.report().generation, 1);
    assert!(world.began.elapsed() < Duration::from_secs(61), "{:?}", world.began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_up_at_second_61_is_found_in_the_background() {
    let world = World::new(up_at(61));
    let pool = StandingPool::over(&settings(), world.clone());
    assert_eq!(pool.started().await, Mode::Degraded);
    let ended = world.began.elapsed().as_secs();
    assert!((60..=61).contains(&ended), "the start ended after {ended} s");
    let report = pool.report();
    assert!(!report.pool_exists && report.background_reconnect_running && report.next_try.is_some());
    becomes(&pool, Mode::Normal, Duration::from_secs(37)).await;
    let report = pool.report();
    assert_eq!((report.generation, report.pool_exists), (1, true));
    assert!(!report.background_reconnect_running);
}

#[tokio::test(start_paused = true)]
async fn in_degraded_mode_a_caller_is_answered_at_once_with_the_reason() {
    let world = World::new(|_| Err(Kind::NameNotFound));
    let pool = StandingPool::over(&settings(), world);
    pool.started().await;
    let asked = Instant::now();
    let error = pool.get().await.expect_err("there is no database");
    assert!(matches!(&error, Error::Unavailable(failure) if failure.kind == Kind::NameNotFound), "{error}");
    assert!(asked.elapsed() < Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn callers_that_go_away_cancel_nothing() {
    let world = World::new(up_at(0));
    let pool = StandingPool::over(&settings(), world.clone());
    for _ in 0..20 {
        let waited = timeout(Duration::from_millis(5), pool.started()).await;
        assert!(waited.is_err(), "the attempt takes longer than this caller waits");
    }
    assert_eq!(pool.started().await, Mode::Normal);
    assert_eq!(world.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_that_want_an_attempt_in_degraded_mode_share_one() {
    let world = World::new(|elapsed| if elapsed.as_secs() < 100 { Err(Kind::Refused) } else { Err(Kind::StartingUp) });
    let pool = StandingPool::over(&settings(), world.clone());
    pool.started().await;
    sleep(Duration::from_secs(3)).await;
    let before = world.attempts();
    let callers: Vec<_> = (0..20).map(|_| tokio::spawn(pool.ensure())).collect();
    for caller in callers {
        assert!(caller.await.unwrap().is_err());
    }
    assert_eq!(world.attempts() - before, 1);
}

#[tokio::test(start_paused = true)]
async fn switched_off_the_background_waits_to_be_asked() {
    let world = World::new(up_at(61));
    let settings = Settings { reconnect_enabled: false, ..settings() };
    let pool = StandingPool::over(&settings, world.clone());
    assert_eq!(pool.started().await, Mode::Degraded);
    let before = world.attempts();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!((world.attempts(), pool.mode()), (before, Mode::Degraded));
    assert!(!pool.report().background_reconnect_running);
    // Only the attempt is of interest: the pool of this world has no connections to give.
    let _ = timeout(Duration::from_secs(5), pool.ensure()).await;
    assert_eq!(pool.report().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn what_only_a_person_can_mend_is_tried_slowly_and_told_plainly() {
    let world = World::new(|elapsed| if elapsed.as_secs() < 600 { Err(Kind::WrongPassword) } else { Ok(()) });
    let pool = StandingPool::over(&settings(), world.clone());
    pool.started().await;
    assert!(world.attempts() <= 7, "{} attempts in the first minute", world.attempts());
    sleep(Duration::from_secs(500)).await;
    assert!(world.attempts() <= 12, "{} attempts in ten minutes", world.attempts());
    let error = pool.report().last_error.expect("there is a reason");
    assert_eq!(error.kind, Kind::WrongPassword);
    assert!(error.hint.is_some_and(|hint| hint.starts_with("yours to mend")));
    becomes(&pool, Mode::Normal, Duration::from_secs(240)).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_an_attempt_is_a_failure_like_another() {
    let world = World::new(|elapsed| if elapsed.as_secs() < 5 { panic!("a mistake") } else { Ok(()) });
    let pool = StandingPool::over(&settings(), world);
    assert_eq!(pool.started().await, Mode::Normal);
    assert_eq!(pool.report().last_error.map(|error| error.kind), Some(Kind::Internal));
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_won_back_with_a_new_generation() {
    let down = 100..130;
    let world = World::new(move |elapsed| if down.contains(&elapsed.as_secs()) { Err(Kind::Refused) } else { Ok(()) });
    let pool = StandingPool::over(&settings(), world.clone());
    pool.started().await;
    let first = pool.report().pool_id;
    becomes(&pool, Mode::Degraded, Duration::from_secs(111)).await;
    // The waits double to 30 s, so that the one in which it comes back may be that long, and a fifth.
    becomes(&pool, Mode::Normal, Duration::from_secs(120)).await;
    let report = pool.report();
    assert_eq!(report.generation, 2);
    assert_ne!(report.pool_id, first);
}

#[tokio::test(start_paused = true)]
async fn trouble_with_a_pool_that_is_gone_is_no_news() {
    let world = World::new(|elapsed| if (50..60).contains(&elapsed.as_secs()) { Err(Kind::Closed) } else { Ok(()) });
    let pool = StandingPool::over(&settings(), world.clone());
    pool.started().await;
    becomes(&pool, Mode::Degraded, Duration::from_secs(70)).await;
    becomes(&pool, Mode::Normal, Duration::from_secs(60)).await;
    let before = world.checks.load(Ordering::SeqCst);
    for _ in 0..100 {
        pool.shared().report(1, &Failure::new(Kind::Closed, "late"));
        tokio::task::yield_now().await;
    }
    sleep(Duration::from_millis(50)).await;
    assert_eq!(world.checks.load(Ordering::SeqCst), before);
}

#[tokio::test(start_paused = true)]
async fn many_reports_ask_the_server_once_and_tear_nothing_down() {
    let world = World::new(|_| Ok(()));
    let pool = StandingPool::over(&settings(), world.clone());
    pool.started().await;
    let before = world.checks.load(Ordering::SeqCst);
    for _ in 0..1000 {
        pool.shared().report(1, &Failure::new(Kind::Closed, "one of many"));
    }
    sleep(Duration::from_millis(50)).await;
    assert_eq!(world.checks.load(Ordering::SeqCst) - before, 1);
    assert_eq!((pool.mode(), pool.report().generation), (Mode::Normal, 1));
}

#[tokio::test(start_paused = true)]
async fn flapping_every_5_seconds_for_10_minutes_costs_bounded_tries_and_leaves_no_tasks() {
    let world =
        World::new(|elapsed| if (elapsed.as_secs() / 5).is_multiple_of(2) { Ok(()) } else { Err(Kind::Refused) });
    let pool = StandingPool::over(&settings(), world.clone());
    pool.started().await;
    for _ in 0..600 {
        sleep(Duration::from_secs(1)).await;
        pool.shared().report(pool.report().generation, &Failure::new(Kind::Closed, "flapping"));
    }
    assert!(world.attempts() <= 300, "{} attempts in 600 s", world.attempts());
    let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(alive <= 2, "{alive} tasks are alive");
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_ends_the_task() {
    let world = World::new(|_| Err(Kind::Refused));
    let pool = StandingPool::over(&settings(), world.clone());
    let other = pool.clone();
    pool.started().await;
    drop(pool);
    assert_eq!(other.mode(), Mode::Degraded);
    drop(other);
    let before = world.attempts();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.attempts(), before);
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_closed_pool_says_so() {
    let pool = StandingPool::over(&settings(), World::new(|_| Ok(())));
    pool.started().await;
    pool.close();
    assert!(matches!(pool.get().await, Err(Error::Closed)));
    assert_eq!(pool.mode(), Mode::Closed);
}

#[tokio::test]
async fn one_target_has_one_pool_however_often_it_is_opened() {
    let settings = settings();
    let (one, two) = (StandingPool::open(&settings), StandingPool::open(&settings));
    assert!(Arc::ptr_eq(&one.shared(), &two.shared()));
    let other = StandingPool::open(&Settings::for_url("postgres://app@nowhere.invalid/other").unwrap());
    assert!(!Arc::ptr_eq(&one.shared(), &other.shared()));
    one.close();
    assert!(!Arc::ptr_eq(&one.shared(), &StandingPool::open(&settings).shared()));
}

#[tokio::test]
async fn in_another_process_an_inherited_handle_leads_to_that_ones_own_pool() {
    let settings = settings();
    let inherited = StandingPool::of_process(&settings, std::process::id() + 1, World::new(|_| Ok(())));
    let own = StandingPool::open(&settings);
    assert!(Arc::ptr_eq(&inherited.shared(), &own.shared()));
    assert_eq!((inherited.report().pid, inherited.report().generation), (std::process::id(), 0));
}
