use std::time::{Duration, Instant};

use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::{Health, State};
use mainstay_model::operation::Verdict;
use mainstay_model::plan::{Action, HeldService, Order, StackOrder, StepId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::fake::{FakeWorld, attachment};
use crate::journal::{Entry, EntryKind, HistoryFilter, KnownChange, KnownStack, new_operation_id};
use crate::keeper::Keeper;

mod returned;

const NOCODB: &str = "nocodb-nocodb-1";
const SHARED: &str = "supabase_default";

fn stack(name: &str) -> StackName {
    StackName::new(name).unwrap()
}

fn known(services: &[&str]) -> KnownStack {
    let held = |service: &&str| HeldService {
        service: ServiceName::new(*service).unwrap(),
        container_names: [format!("nocodb-{service}-1")].into(),
        attachments: vec![attachment("nocodb_default", service), attachment(SHARED, service)],
    };
    KnownStack {
        stack: stack("nocodb"),
        directory: "/srv/nocodb".into(),
        files: Vec::new(),
        env: None,
        profiles: Vec::new(),
        requires: Vec::new(),
        held: services.iter().map(held).collect(),
        up_at: None,
    }
}

/// NocoDB on its own network and on Supabase's, and the loop that holds it there.
struct Bench {
    _folder: tempfile::TempDir,
    world: FakeWorld,
    keeper: Keeper<FakeWorld>,
    cancel: CancellationToken,
    held: Option<JoinHandle<()>>,
}

impl Bench {
    async fn new() -> Bench {
        let world = FakeWorld::default().with_network("nocodb_default").with_network(SHARED);
        let world = world.with_container("nocodb", "nocodb", &["nocodb_default", SHARED]);
        let bench = Bench::of(world).await;
        bench.knows(&["nocodb"]).await;
        bench
    }

    async fn of(world: FakeWorld) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let keeper = Keeper::open(folder.path().join("state"), world.clone()).await.unwrap();
        Bench { _folder: folder, world, keeper, cancel: CancellationToken::new(), held: None }
    }

    async fn knows(&self, services: &[&str]) {
        let change = KnownChange::Remember(Box::new(known(services)));
        self.keeper.journal.finish(new_operation_id(), Verdict::Done, false, None, vec![change]).await.unwrap();
    }

    /// Lets the loop run, and its first look be over.
    async fn hold(mut self) -> Bench {
        let (keeper, cancel) = (self.keeper.clone(), self.cancel.clone());
        self.held = Some(tokio::spawn(async move { keeper.hold(cancel).await }));
        self.eventually("the loop listens", |bench| !bench.world.lock().listeners.is_empty()).await;
        self.settle().await;
        self
    }

    async fn eventually(&self, what: &str, seen: impl Fn(&Bench) -> bool) {
        let began = Instant::now();
        while !seen(self) {
            assert!(began.elapsed() < Duration::from_secs(5), "{what}: not within 5 s; {:#?}", self.history());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// For tests that nothing happens.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(150)).await;
    }

    async fn eventually_on(&self, name: &str, network: &str) {
        let on = |bench: &Bench| bench.world.networks_of(name).iter().any(|on| on == network);
        self.eventually(&format!("{name} is on {network}"), on).await;
        // What was done is written down a moment later.
        self.settle().await;
    }

    fn history(&self) -> Vec<Entry> {
        self.keeper.history(&HistoryFilter { steps: true, ..HistoryFilter::default() }).unwrap()
    }

    fn told(&self, kind: EntryKind) -> Vec<(String, String)> {
        let entries = self.history().into_iter().filter(|entry| entry.kind == kind);
        entries.map(|entry| (entry.summary, entry.cause.unwrap_or_default())).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

#[tokio::test]
async fn what_was_lost_while_nobody_held_is_found_at_start() {
    let bench = Bench::new().await;
    bench.world.disconnect(NOCODB, SHARED);
    let bench = bench.hold().await;
    bench.eventually_on(NOCODB, SHARED).await;
    let repairs = bench.told(EntryKind::Repair);
    assert_eq!(repairs.len(), 1, "{repairs:?}");
    assert_eq!(repairs[0].0, "attached `nocodb-nocodb-1` to `supabase_default` as `nocodb`");
    assert_eq!(repairs[0].1, "found at start");
}

#[tokio::test]
async fn a_disconnect_is_undone_at_once_and_told_with_its_cause() {
    let bench = Bench::new().await.hold().await;
    let began = Instant::now();
    bench.world.disconnect(NOCODB, SHARED);
    while !bench.world.networks_of(NOCODB).iter().any(|on| on == SHARED) {
        tokio::task::yield_now().await;
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    let took = began.elapsed();
    assert!(took < Duration::from_millis(100), "{took:?}");
    bench.settle().await;
    let repairs = bench.told(EntryKind::Repair);
    assert_eq!(repairs.len(), 1, "{repairs:?}");
    assert!(repairs[0].1.starts_with("disconnected by someone else at 2"), "{repairs:?}");
    let events = bench.told(EntryKind::Event);
    assert_eq!(events.len(), 1, "the loop's own `connect` is no stranger's: {events:?}");
    assert_eq!(events[0].0, "`nocodb-nocodb-1` was disconnected from `supabase_default`");
    let repair = bench.history().into_iter().find(|entry| entry.kind == EntryKind::Repair).unwrap();
    assert!(repair.evidence["event"]["reaction_us"].as_u64().unwrap() < 50_000, "{}", repair.evidence);
    assert!(bench.world.done().iter().all(|action| matches!(action, Action::Attach { .. })), "nothing is restarted");
}

#[tokio::test]
async fn a_network_made_again_gets_back_everyone_who_is_held_on_it() {
    let world = FakeWorld::default().with_network("nocodb_default").with_network(SHARED);
    let world = world.with_container("nocodb", "nocodb", &["nocodb_default", SHARED]);
    let world = world.with_container("nocodb", "worker", &["nocodb_default", SHARED]);
    let bench = Bench::of(world).await;
    bench.knows(&["nocodb", "worker"]).await;
    let bench = bench.hold().await;
    bench.world.remove_network(SHARED);
    bench.world.tell_of(NOCODB, "start");
    bench.eventually("the missing network is told", |bench| !bench.told(EntryKind::Problem).is_empty()).await;
    bench.world.make_network(SHARED);
    let id = bench.world.lock().networks.last().unwrap().id.clone();
    let on_it = |bench: &Bench, name: &str| {
        bench.world.lock().named(name).endpoints.iter().any(|endpoint| endpoint.network_id == id)
    };
    bench.eventually("both are on it", |bench| on_it(bench, NOCODB) && on_it(bench, "nocodb-worker-1")).await;
    bench.settle().await;
    let repairs = bench.told(EntryKind::Repair);
    assert!(repairs.iter().any(|(_, cause)| cause.contains("`supabase_default` was made again")), "{repairs:?}");
    let problems = bench.told(EntryKind::Problem);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].0.contains("`supabase_default` does not exist"), "{problems:?}");
}

#[tokio::test]
async fn a_container_that_crashes_without_its_network_is_attached_and_started() {
    let bench = Bench::new().await.hold().await;
    {
        let mut world = bench.world.lock();
        let container = world.named(NOCODB);
        container.endpoints.retain(|endpoint| endpoint.network != SHARED);
        (container.state, container.exit_code) = (State::Restarting, Some(1));
    }
    bench.world.tell_of(NOCODB, "die");
    bench.eventually("it runs", |bench| bench.world.lock().named(NOCODB).state == State::Running).await;
    let done = bench.world.done();
    assert!(matches!(done[..], [Action::Attach { .. }, Action::StartContainer { .. }]), "{done:?}");
}

#[tokio::test]
async fn who_is_attached_between_two_crashes_and_crashes_once_more_is_started_once() {
    let bench = Bench::new().await.hold().await;
    {
        let mut world = bench.world.lock();
        let container = world.named(NOCODB);
        container.endpoints.retain(|endpoint| endpoint.network != SHARED);
        container.restart_count = 5;
    }
    bench.world.tell_of(NOCODB, "start");
    bench.eventually_on(NOCODB, SHARED).await;
    for times in 1..=2 {
        {
            let mut world = bench.world.lock();
            let container = world.named(NOCODB);
            (container.state, container.exit_code) = (State::Restarting, Some(1));
        }
        bench.world.tell_of(NOCODB, "die");
        bench.settle().await;
        let done = bench.world.done();
        assert!(
            matches!(done[..], [Action::Attach { .. }, Action::StartContainer { .. }]),
            "after {times} crashes: {done:?}"
        );
    }
}

#[tokio::test]
async fn a_container_made_anew_by_somebody_else_is_attached() {
    let bench = Bench::new().await.hold().await;
    bench.world.lock().containers.clear();
    let _ = bench.world.clone().with_container("nocodb", "nocodb", &["nocodb_default"]);
    bench.world.tell_of(NOCODB, "create");
    bench.eventually_on(NOCODB, SHARED).await;
    let repairs = bench.told(EntryKind::Repair);
    assert!(repairs[0].1.starts_with("the container was created by another client"), "{repairs:?}");
    let events = bench.told(EntryKind::Event);
    assert_eq!(events[0].0, "`nocodb-nocodb-1` was created");
}

#[tokio::test]
async fn the_label_serves_when_the_journal_is_gone() {
    let world = FakeWorld::default().with_network("nocodb_default").with_network(SHARED);
    let world = world.with_container("nocodb", "nocodb", &["nocodb_default"]);
    let places = vec![attachment("nocodb_default", "nocodb"), attachment(SHARED, "nocodb")];
    world.lock().named(NOCODB).declared_attachments = Some(places);
    let bench = Bench::of(world).await.hold().await;
    bench.eventually_on(NOCODB, SHARED).await;
    bench.world.disconnect(NOCODB, SHARED);
    bench.eventually_on(NOCODB, SHARED).await;
    assert_eq!(bench.told(EntryKind::Repair).len(), 2);
}

#[tokio::test]
async fn a_keeper_among_others_leaves_the_stacks_of_the_others_alone() {
    let world = FakeWorld::default().with_network(SHARED).with_container("nocodb", "nocodb", &[]);
    world.lock().named(NOCODB).declared_attachments = Some(vec![attachment(SHARED, "nocodb")]);
    world.lock().named(NOCODB).keeper = Some("another folder".into());
    let bench = Bench::of(world).await.hold().await;
    bench.world.tell_of(NOCODB, "start");
    bench.settle().await;
    assert!(bench.world.done().is_empty() && bench.history().is_empty());
}

#[tokio::test]
async fn a_container_without_labels_is_known_by_its_name() {
    let bench = Bench::new().await.hold().await;
    {
        let mut world = bench.world.lock();
        let container = world.named(NOCODB);
        (container.stack, container.service) = (None, None);
    }
    bench.world.disconnect(NOCODB, SHARED);
    bench.eventually_on(NOCODB, SHARED).await;
}

#[tokio::test]
async fn who_undoes_repairs_again_and_again_is_not_fought() {
    let bench = Bench::new().await.hold().await;
    let began = Instant::now();
    while bench.told(EntryKind::Problem).is_empty() {
        if bench.world.networks_of(NOCODB).iter().any(|on| on == SHARED) {
            bench.world.disconnect(NOCODB, SHARED);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if bench.world.networks_of(NOCODB).iter().any(|on| on == SHARED) {
        bench.world.disconnect(NOCODB, SHARED);
    }
    let fought = began.elapsed();
    assert_eq!(bench.world.done().len(), 20, "twenty times, and then not for a second");
    let problems = bench.told(EntryKind::Problem);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].0.contains("loses `supabase_default` again and again: left alone for 1 s"), "{problems:?}");
    bench.eventually_on(NOCODB, SHARED).await;
    assert!(began.elapsed() - fought >= Duration::from_millis(700), "the loop came back by itself, and not too soon");
}

#[tokio::test]
async fn a_repair_that_fails_is_told_and_tried_again() {
    let bench = Bench::new().await.hold().await;
    bench.world.lock().failing.insert(StepId(1));
    bench.world.disconnect(NOCODB, SHARED);
    bench.eventually("it is told", |bench| bench.told(EntryKind::Problem).len() > 1).await;
    assert!(bench.told(EntryKind::Problem)[0].0.ends_with("the engine refused"));
    bench.world.lock().failing.clear();
    bench.eventually_on(NOCODB, SHARED).await;
    assert!(bench.told(EntryKind::Repair)[0].1.ends_with("(tried again)"));
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_everything_looked_at() {
    let bench = Bench::new().await.hold().await;
    {
        let mut world = bench.world.lock();
        world.unreachable = true;
        let container = world.named(NOCODB);
        container.endpoints.retain(|endpoint| endpoint.network != SHARED);
    }
    bench.world.cut();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let looks = bench.world.lock().looks;
    assert!(looks < 10, "an engine that is away is not looked at without end: {looks}");
    bench.world.lock().unreachable = false;
    bench.eventually_on(NOCODB, SHARED).await;
    assert_eq!(bench.told(EntryKind::Repair)[0].1, "found after the connection to the engine was lost");
    let lost = bench.told(EntryKind::Event).into_iter().filter(|(summary, _)| summary.contains("was lost"));
    assert_eq!(lost.count(), 1, "it is told once");
}

#[tokio::test]
async fn nothing_is_looked_at_while_nothing_happens() {
    let bench = Bench::new().await.hold().await;
    let looks = bench.world.lock().looks;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.world.lock().looks, looks);
}

fn order() -> StackOrder {
    StackOrder {
        stack: stack("nocodb"),
        services: Default::default(),
        volumes: Default::default(),
        held: Default::default(),
        timeout_secs: None,
        no_wait: true,
    }
}

async fn apply(bench: &Bench, order: Order) -> Verdict {
    let digest = bench.keeper.plan(&order).await.unwrap().digest();
    let (events, _told) = mpsc::unbounded_channel();
    bench.keeper.apply(order, &digest, new_operation_id(), events, CancellationToken::new()).await.unwrap()
}

#[tokio::test]
async fn an_order_of_our_own_is_not_fought_and_not_taken_for_a_strangers() {
    let bench = Bench::new().await.hold().await;
    assert_eq!(apply(&bench, Order::Stop(order())).await, Verdict::Done);
    assert_eq!(apply(&bench, Order::Start(order())).await, Verdict::Done);
    assert_eq!(apply(&bench, Order::Down(order())).await, Verdict::Done);
    bench.settle().await;
    assert!(bench.told(EntryKind::Event).is_empty(), "{:?}", bench.told(EntryKind::Event));
    assert!(bench.told(EntryKind::Repair).is_empty());
    // After `down`, nothing is held: somebody else's container of that name is theirs.
    let _ = bench.world.clone().with_container("nocodb", "nocodb", &[]);
    bench.world.tell_of(NOCODB, "start");
    bench.settle().await;
    assert!(bench.world.networks_of(NOCODB).is_empty());
}

#[tokio::test]
async fn what_is_lost_during_an_order_is_found_after_it() {
    let bench = Bench::new().await.hold().await;
    bench.world.lock().slowness = Duration::from_millis(200);
    let stopping = apply(&bench, Order::Stop(order()));
    let meddling = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bench.world.disconnect(NOCODB, SHARED);
    };
    let (verdict, ()) = tokio::join!(stopping, meddling);
    assert_eq!(verdict, Verdict::Done);
    bench.world.lock().slowness = Duration::ZERO;
    bench.eventually_on(NOCODB, SHARED).await;
    assert_eq!(bench.world.lock().named(NOCODB).state, State::Exited, "what a person stopped is not started");
}

#[tokio::test]
async fn what_others_do_is_remembered() {
    let bench = Bench::new().await.hold().await;
    for action in ["kill", "die", "stop", "exec_start: sh", "restart", "health_status: healthy"] {
        bench.world.tell_of(NOCODB, action);
    }
    bench.settle().await;
    let events: Vec<String> = bench.told(EntryKind::Event).into_iter().map(|(summary, _)| summary).collect();
    assert_eq!(
        events,
        [
            "`nocodb-nocodb-1` was sent signal ?",
            "`nocodb-nocodb-1` ended with exit code ?",
            "`nocodb-nocodb-1` was stopped",
            "`nocodb-nocodb-1` was restarted",
            "`nocodb-nocodb-1` became healthy",
        ]
    );
}

#[tokio::test]
async fn what_others_did_while_nobody_watched_is_remembered_once() {
    let bench = Bench::new().await;
    bench.world.tell_of(NOCODB, "kill");
    let bench = bench.hold().await;
    assert_eq!(bench.told(EntryKind::Event).len(), 1, "a journal remembers from its birth on");
    assert_eq!(apply(&bench, Order::Stop(order())).await, Verdict::Done);
    bench.settle().await;
    bench.cancel.cancel();
    bench.settle().await;
    // While no loop runs: in the midst of orders of ours, and just behind them.
    bench.world.tell_of(NOCODB, "pause");
    assert_eq!(apply(&bench, Order::Start(order())).await, Verdict::Done);
    bench.world.tell_of(NOCODB, "restart");
    bench.settle().await;
    for _ in 0..2 {
        let (keeper, cancel) = (bench.keeper.clone(), CancellationToken::new());
        let held = tokio::spawn(async move { keeper.hold(cancel).await });
        bench.settle().await;
        held.abort();
    }
    let events: Vec<String> = bench.told(EntryKind::Event).into_iter().map(|(summary, _)| summary).collect();
    let name = "`nocodb-nocodb-1`";
    assert_eq!(
        events,
        [format!("{name} was sent signal ?"), format!("{name} was paused"), format!("{name} was restarted")]
    );
}

#[tokio::test]
async fn what_an_order_of_a_former_process_did_is_known_by_the_journal_and_the_rest_is_told() {
    let bench = Bench::new().await;
    assert_eq!(apply(&bench, Order::Stop(order())).await, Verdict::Done);
    assert_eq!(apply(&bench, Order::Start(order())).await, Verdict::Done);
    // The same things once more, at the same time: those are somebody else's.
    for action in ["stop", "start"] {
        bench.world.tell_of(NOCODB, action);
    }
    bench.world.lock().forget_own();
    let bench = bench.hold().await;
    let events: Vec<String> = bench.told(EntryKind::Event).into_iter().map(|(summary, _)| summary).collect();
    assert_eq!(events, ["`nocodb-nocodb-1` was stopped", "`nocodb-nocodb-1` started"]);
}

#[tokio::test]
async fn what_others_do_in_the_middle_of_an_order_is_remembered() {
    let bench = Bench::new().await.hold().await;
    bench.world.lock().slowness = Duration::from_millis(100);
    let stopping = apply(&bench, Order::Stop(order()));
    let meddling = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        bench.world.tell_of(NOCODB, "kill");
    };
    let (verdict, ()) = tokio::join!(stopping, meddling);
    assert_eq!(verdict, Verdict::Done);
    bench.world.tell_of(NOCODB, "start");
    bench.settle().await;
    let events: Vec<String> = bench.told(EntryKind::Event).into_iter().map(|(summary, _)| summary).collect();
    assert_eq!(events, ["`nocodb-nocodb-1` was sent signal ?", "`nocodb-nocodb-1` started"]);
}

#[tokio::test]
async fn a_full_disk_keeps_no_repair_from_being_done() {
    let bench = Bench::new().await.hold().await;
    bench.keeper.journal.fill_up(true).await;
    for _ in 0..3 {
        bench.world.disconnect(NOCODB, SHARED);
        bench.eventually_on(NOCODB, SHARED).await;
    }
}

#[tokio::test]
async fn many_disconnects_at_once_are_all_undone() {
    let mut world = FakeWorld::default().with_network("nocodb_default").with_network(SHARED);
    let names: Vec<String> = (1..=30).map(|number| format!("s{number}")).collect();
    for name in &names {
        world = world.with_container("nocodb", name, &["nocodb_default", SHARED]);
    }
    let bench = Bench::of(world).await;
    let services: Vec<&str> = names.iter().map(String::as_str).collect();
    bench.knows(&services).await;
    let bench = bench.hold().await;
    for name in &names {
        bench.world.disconnect(&format!("nocodb-{name}-1"), SHARED);
    }
    bench
        .eventually("all are back", |bench| {
            names.iter().all(|name| bench.world.networks_of(&format!("nocodb-{name}-1")).len() == 2)
        })
        .await;
}

#[tokio::test]
async fn the_loop_ends_when_it_is_told_to() {
    let mut bench = Bench::new().await.hold().await;
    bench.cancel.cancel();
    let held = bench.held.take().unwrap();
    tokio::time::timeout(Duration::from_secs(1), held).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_was_taken_off_a_network_while_nobody_watched_is_told_once_with_the_time_of_it() {
    let bench = Bench::new().await;
    bench.world.disconnect(NOCODB, SHARED);
    let at = bench.world.lock().told.last().unwrap().time_nanos;
    // Engines tell of one leave twice.
    bench.world.disconnect(NOCODB, SHARED);
    let bench = bench.hold().await;
    bench.eventually_on(NOCODB, SHARED).await;
    let told = bench.told(EntryKind::Event);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "`nocodb-nocodb-1` was disconnected from `supabase_default`");
    let entry = bench.history().into_iter().find(|entry| entry.kind == EntryKind::Event).unwrap();
    assert_eq!(entry.evidence["time_nanos"], at);
    assert!(bench.keeper.journal.heard().unwrap() >= Some(at));
    // The next server hears no more of it.
    bench.world.lock().forget_own();
    bench.world.cut();
    bench.eventually("the loop listens again", |bench| !bench.world.lock().listeners.is_empty()).await;
    bench.settle().await;
    let told = bench.told(EntryKind::Event).into_iter().filter(|(words, _)| words.contains("disconnected from"));
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn a_container_that_stopped_meanwhile_left_its_networks_by_itself() {
    let bench = Bench::new().await;
    bench.world.tell_of(NOCODB, "die");
    bench.world.disconnect(NOCODB, SHARED);
    bench.world.tell_of(NOCODB, "start");
    let bench = bench.hold().await;
    bench.eventually_on(NOCODB, SHARED).await;
    let told = bench.told(EntryKind::Event);
    assert!(told.iter().all(|(words, _)| !words.contains("disconnected from")), "{told:?}");
}
