//! Who crashed for want of another stack, when that stack is back.

use super::*;

/// NocoDB in the back-off after a crash, all its networks there, beside a Supabase that comes and goes.
async fn crashed_beside_supabase(requires: bool) -> Bench {
    let world = FakeWorld::default().with_network("nocodb_default").with_network(SHARED);
    let world = world.with_container("supabase", "db", &[SHARED]);
    let world = world.with_container("nocodb", "nocodb", &["nocodb_default", SHARED]);
    {
        let mut world = world.lock();
        world.networks.iter_mut().find(|network| network.name == SHARED).unwrap().stack = Some(stack("supabase"));
        world.named(NOCODB).state = State::Restarting;
        world.named(NOCODB).exit_code = Some(1);
    }
    let bench = Bench::of(world).await;
    let mut known = known(&["nocodb"]);
    known.requires.extend(requires.then(|| stack("supabase")));
    if requires {
        // Then the network is not needed to know who leans on whom.
        known.held[0].attachments.retain(|place| place.network != SHARED);
    }
    let change = KnownChange::Remember(Box::new(known));
    bench.keeper.journal.finish(new_operation_id(), Verdict::Done, false, None, vec![change]).await.unwrap();
    bench.hold().await
}

const DB: &str = "supabase-db-1";

#[tokio::test]
async fn who_crashed_for_want_of_a_stack_is_started_when_that_stack_is_back() {
    for requires in [true, false] {
        let bench = crashed_beside_supabase(requires).await;
        assert!(bench.world.done().is_empty(), "a crash alone is not the loop's business");
        bench.world.tell_of(DB, "start");
        bench.eventually("it runs", |bench| bench.world.lock().named(NOCODB).state == State::Running).await;
        bench.settle().await;
        assert!(matches!(bench.world.done()[..], [Action::StartContainer { .. }]), "{:?}", bench.world.done());
        let repairs = bench.told(EntryKind::Repair);
        assert_eq!(repairs.len(), 1, "{repairs:?}");
        assert!(repairs[0].1.starts_with("`supabase-db-1` of the stack `supabase` started at 2"), "{repairs:?}");
        let entry = bench.history().into_iter().find(|entry| entry.kind == EntryKind::Repair).unwrap();
        assert_eq!(entry.evidence["event"]["heard"]["name"], DB, "{}", entry.evidence);
    }
}

#[tokio::test]
async fn a_return_counts_when_it_is_healthy() {
    let bench = crashed_beside_supabase(true).await;
    bench.world.lock().named(DB).health = Health::Starting;
    bench.world.tell_of(DB, "start");
    bench.settle().await;
    assert!(bench.world.done().is_empty(), "{:?}", bench.world.done());
    bench.world.lock().named(DB).health = Health::Healthy;
    bench.world.tell_of(DB, "health_status: healthy");
    bench.eventually("it runs", |bench| bench.world.lock().named(NOCODB).state == State::Running).await;
    bench.settle().await;
    assert!(bench.told(EntryKind::Repair)[0].1.contains("became healthy"));
}

#[tokio::test]
async fn who_ran_when_the_stack_came_back_and_crashes_once_more_is_started_once() {
    let bench = crashed_beside_supabase(true).await;
    {
        let mut world = bench.world.lock();
        let container = world.named(NOCODB);
        (container.state, container.restart_count) = (State::Running, 5);
    }
    bench.world.tell_of(DB, "start");
    bench.settle().await;
    bench.settle().await;
    assert!(bench.world.done().is_empty(), "what runs is left alone");
    for times in 1..=2 {
        bench.world.lock().named(NOCODB).state = State::Restarting;
        bench.world.tell_of(NOCODB, "die");
        bench.settle().await;
        assert_eq!(bench.world.done().len(), 1, "after {times} crashes");
    }
}

#[tokio::test]
async fn nobody_is_started_for_a_stack_that_it_does_not_lean_on() {
    let bench = crashed_beside_supabase(true).await;
    let _ = bench.world.clone().with_container("other", "db", &["nocodb_default"]);
    bench.world.tell_of("other-db-1", "start");
    // Its own stack: the engine's and `depends_on`'s business.
    let _ = bench.world.clone().with_container("nocodb", "cache", &["nocodb_default"]);
    bench.world.tell_of("nocodb-cache-1", "start");
    bench.settle().await;
    bench.settle().await;
    assert!(bench.world.done().is_empty(), "{:?}", bench.world.done());
}
