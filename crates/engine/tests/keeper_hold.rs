//! The attachment incident on a real engine: a consumer loses the network of its database, in every way that was seen.
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

mod support;

use std::time::{Duration, Instant};

use mainstay_engine::journal::{Entry, EntryKind, HistoryFilter, new_operation_id};
use mainstay_engine::{Keeper, Machine};
use mainstay_model::declared::container::Restart;
use mainstay_model::declared::{Attachment, Declared, Network};
use mainstay_model::observed::State;
use mainstay_model::operation::Verdict;
use mainstay_model::plan::{Order, StackOrder, UpOptions};
use support::{Stack, docker, idle, shell};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const LABEL: (&str, &str) = ("dev.mainstay.test", "keeper-room");

/// A database's stack with a network, and a consumer's stack that uses that network.
struct Incident {
    consumer: Stack,
    database: Stack,
    shared: String,
    keeper: Keeper,
    _folder: tempfile::TempDir,
    loops: Vec<CancellationToken>,
}

impl Incident {
    /// Both are up. The consumer does not start without the second network, as NocoDB does not without its database.
    async fn new(what: &str) -> Option<Incident> {
        let mut database = Stack::new(&format!("{what}-db")).await?;
        let mut consumer = Stack::new(&format!("{what}-web")).await?;
        let shared = database.network("default");
        database.service("supabase-db", &["default"], idle(""));
        consumer.network("default");
        let script = "[ -d /sys/class/net/eth1 ] || exit 1; trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";
        let mut spec = shell(script);
        spec.restart = Restart::Always;
        let service = consumer.service("nocodb", &["default"], spec);
        service.attachments.push(Attachment {
            key: "supabase".into(),
            network: shared.clone(),
            aliases: vec!["nocodb".into()],
            ..Attachment::default()
        });
        let external = Network { name: shared.clone(), external: true, ..Network::default() };
        consumer.declared.networks.insert("supabase".into(), external);
        for stack in [&mut database, &mut consumer] {
            for service in stack.declared.services.values_mut() {
                service.container.labels.insert(LABEL.0.into(), LABEL.1.into());
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let keeper = Keeper::open(folder.path().join("state"), Machine::new(consumer.docker.clone(), folder.path()))
            .await
            .unwrap();
        let incident = Incident { consumer, database, shared, keeper, _folder: folder, loops: Vec::new() };
        incident.up(&incident.database.declared).await;
        incident.up(&incident.consumer.declared).await;
        Some(incident)
    }

    async fn up(&self, declared: &Declared) {
        let order = Order::Up { declared: Box::new(declared.clone()), options: UpOptions::default() };
        assert_eq!(self.apply(order).await, Verdict::Done);
    }

    async fn apply(&self, order: Order) -> Verdict {
        let plan = self.keeper.plan(&order).await.unwrap();
        let (events, mut told) = mpsc::unbounded_channel();
        let digest = plan.digest();
        let apply = self.keeper.apply(order, &digest, new_operation_id(), events, CancellationToken::new());
        let verdict = apply.await.unwrap();
        if verdict != Verdict::Done {
            while let Ok(event) = told.try_recv() {
                println!("{:?}", event.what);
            }
        }
        verdict
    }

    async fn hold(&mut self) {
        let cancel = CancellationToken::new();
        self.loops.push(cancel.clone());
        let keeper = self.keeper.clone();
        tokio::spawn(async move { keeper.hold(cancel).await });
        // The loop says nothing when all is well: it is surely listening when its first look is over.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    fn consumer(&self) -> String {
        self.consumer.container("nocodb")
    }

    async fn is_whole(&self) -> bool {
        let seen = self.consumer.look().await;
        let Some(container) = seen.container_named(&self.consumer()) else { return false };
        let ids: Vec<&String> = seen.networks_named(&self.shared).map(|network| &network.id).collect();
        container.state == State::Running
            && container.endpoint(&self.shared).is_some_and(|place| {
                ids == [&place.network_id] && place.ipv4_address.is_some() && place.aliases.contains(&"nocodb".into())
            })
    }

    async fn eventually_whole(&self, within: Duration) -> Duration {
        let began = Instant::now();
        while !self.is_whole().await {
            assert!(began.elapsed() < within, "not whole within {within:?}: {:#?}", self.history());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        began.elapsed()
    }

    /// What is done is written down a moment later, and on a busy machine a long one.
    async fn eventually_told(&self, kind: EntryKind, words: &str) {
        let began = Instant::now();
        while !self.told(kind).iter().any(|entry| entry.summary.contains(words)) {
            assert!(began.elapsed() < Duration::from_secs(10), "not told: {words}; {:#?}", self.history());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn history(&self) -> Vec<Entry> {
        let filter = HistoryFilter { stack: Some(self.consumer.declared.stack.clone()), ..HistoryFilter::default() };
        self.keeper.history(&filter).unwrap()
    }

    fn told(&self, kind: EntryKind) -> Vec<Entry> {
        self.history().into_iter().filter(|entry| entry.kind == kind).collect()
    }

    fn tell_times(&self, took: &[Duration]) {
        let repairs = self.told(EntryKind::Repair);
        let of = |read: &dyn Fn(&Entry) -> Option<u64>| -> Vec<u64> { repairs.iter().filter_map(read).collect() };
        println!(
            "event heard to connect called: {:?} us; connect took {:?} ms; seen whole after {took:?}",
            of(&|repair| repair.evidence["event"]["reaction_us"].as_u64()),
            of(&|repair| repair.evidence["took_ms"].as_u64()),
        );
    }

    fn finds_its_database(&self) {
        docker(&["exec", &self.consumer(), "getent", "hosts", "supabase-db"]);
    }
}

impl Drop for Incident {
    fn drop(&mut self) {
        for cancel in &self.loops {
            cancel.cancel();
        }
        // What was made by hand here carries no stack's label; the database's network has to be free to go.
        let _ = std::process::Command::new("docker").args(["rm", "-f", "-v", &self.consumer()]).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_is_undone_in_milliseconds_and_nothing_restarts() {
    let Some(mut incident) = Incident::new("disc").await else { return };
    let before = incident.consumer.see("nocodb").await;
    incident.hold().await;
    let mut took = Vec::new();
    for _ in 0..4 {
        docker(&["network", "disconnect", &incident.shared, &incident.consumer()]);
        took.push(incident.eventually_whole(Duration::from_secs(5)).await);
        incident.finds_its_database();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let after = incident.consumer.see("nocodb").await;
    assert_eq!((after.id, after.started_at), (before.id, before.started_at));
    let repairs = incident.told(EntryKind::Repair);
    incident.tell_times(&took);
    assert_eq!(repairs.len(), 4, "{repairs:#?}");
    assert!(repairs.iter().all(|repair| {
        repair.cause.as_deref().is_some_and(|cause| cause.starts_with("disconnected by someone else at"))
    }));
    let events = incident.told(EntryKind::Event);
    assert_eq!(events.len(), 4, "{events:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_deleted_and_made_again_gets_its_consumers_back() {
    let Some(mut incident) = Incident::new("again").await else { return };
    let started = incident.consumer.see("nocodb").await.started_at;
    // Before anybody holds: with the loop there, the consumer is back on it before it can be removed.
    for container in [incident.database.container("supabase-db"), incident.consumer()] {
        docker(&["network", "disconnect", "-f", &incident.shared, &container]);
    }
    docker(&["network", "rm", &incident.shared]);
    incident.hold().await;
    incident.eventually_told(EntryKind::Problem, "does not exist").await;
    let project = format!("com.docker.compose.project={}", incident.database.name());
    docker(&["network", "create", "--label", &project, &incident.shared]);
    let took = incident.eventually_whole(Duration::from_secs(10)).await;
    incident.tell_times(&[took]);
    incident.eventually_told(EntryKind::Repair, "attached").await;
    let database = incident.database.declared.stack.clone();
    let back = incident.database.see("supabase-db").await;
    assert!(back.endpoint(&incident.shared).is_some(), "the owner `{database}` is held on it as well");
    incident.finds_its_database();
    assert_eq!(incident.consumer.see("nocodb").await.started_at, started, "nothing was restarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_in_a_crash_loop_is_brought_back() {
    let Some(mut incident) = Incident::new("crash").await else { return };
    // While nobody holds: off the network, and restarted, so that it crashes for want of its database.
    docker(&["network", "disconnect", &incident.shared, &incident.consumer()]);
    docker(&["restart", "-t", "1", &incident.consumer()]);
    let began = Instant::now();
    while incident.consumer.see("nocodb").await.restart_count < 3 {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    incident.hold().await;
    let took = incident.eventually_whole(Duration::from_secs(5)).await;
    incident.eventually_told(EntryKind::Repair, "attached").await;
    incident.finds_its_database();
    incident.tell_times(&[took]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_made_anew_by_another_client_is_attached() {
    let Some(mut incident) = Incident::new("anew").await else { return };
    incident.hold().await;
    let own = format!("{}_default", incident.consumer.name());
    docker(&["rm", "-f", &incident.consumer()]);
    let label = format!("{}={}", LABEL.0, LABEL.1);
    let script = "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done";
    docker(&[
        "run",
        "-d",
        "--label",
        &label,
        "--network",
        &own,
        "--name",
        &incident.consumer(),
        support::TINY,
        "sh",
        "-c",
        script,
    ]);
    let began = Instant::now();
    let on = || docker(&["inspect", "-f", "{{json .NetworkSettings.Networks}}", &incident.consumer()]);
    while !on().contains(&format!("\"{}\"", incident.shared)) {
        assert!(began.elapsed() < Duration::from_secs(10), "{:#?}", incident.history());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    incident.eventually_told(EntryKind::Event, "started").await;
    let told: Vec<String> = incident.told(EntryKind::Event).into_iter().map(|entry| entry.summary).collect();
    let name = incident.consumer();
    for expected in [format!("`{name}` was removed"), format!("`{name}` was created"), format!("`{name}` started")] {
        assert!(told.contains(&expected), "{told:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_orders_are_not_fought() {
    let Some(mut incident) = Incident::new("own").await else { return };
    incident.hold().await;
    let order = |stack: &Stack| StackOrder {
        stack: stack.declared.stack.clone(),
        services: Default::default(),
        volumes: Default::default(),
        held: Default::default(),
        timeout_secs: Some(1),
        no_wait: false,
    };
    assert_eq!(incident.apply(Order::Restart(order(&incident.consumer))).await, Verdict::Done);
    assert_eq!(incident.apply(Order::Down(order(&incident.consumer))).await, Verdict::Done);
    incident.up(&incident.consumer.declared).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(incident.is_whole().await);
    let strange: Vec<Entry> = incident.history().into_iter().filter(|e| e.kind != EntryKind::Operation).collect();
    assert!(strange.is_empty(), "{strange:#?}");
}
