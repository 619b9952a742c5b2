use std::collections::BTreeMap;

use super::*;

const SECOND: i64 = 1_000_000_000;

fn event(kind: EventKind, action: &str, id: &str, name: &str) -> EngineEvent {
    EngineEvent {
        time_nanos: 0,
        kind,
        action: action.into(),
        actor_id: id.into(),
        name: name.into(),
        stack: None,
        service: None,
        container_id: None,
        attributes: BTreeMap::new(),
    }
}

fn of_web(action: &str) -> EngineEvent {
    event(EventKind::Container, action, "web", "shop-web-1")
}

fn signal(number: &str, at_secs: i64) -> EngineEvent {
    let mut event = of_web("kill");
    event.time_nanos = at_secs * SECOND;
    event.attributes.insert("signal".into(), number.into());
    event
}

fn of_place(action: &str) -> EngineEvent {
    EngineEvent { container_id: Some("web".into()), ..event(EventKind::Network, action, "n1", "back") }
}

fn stop() -> Act {
    Act::Stop(Stop { id: "web".into(), grace: Duration::from_secs(10), kills: false, paused: false })
}

fn start() -> Act {
    Act::Start { id: "web".into() }
}

/// Which of the events are ours.
fn judged(acts: &Acts, events: &[EngineEvent]) -> Vec<bool> {
    events.iter().map(|event| acts.did(event)).collect()
}

#[test]
fn each_act_is_told_once_and_the_same_thing_once_more_is_somebody_elses() {
    let acts = Acts::default();
    let act = acts.announce(start());
    assert_eq!(judged(&acts, &[of_web("start"), of_web("start")]), [true, false]);
    drop(act);
    drop(acts.announce(start()));
    assert_eq!(judged(&acts, &[of_web("start"), of_web("start")]), [true, false], "told after the call");
    assert!(acts.ledger().open.is_empty());
}

#[test]
fn a_stop_is_its_signal_the_kill_after_the_grace_the_end_and_the_stop() {
    let acts = Acts::default();
    let act = acts.announce(stop());
    let told = [signal("15", 1), signal("9", 11), of_web("die"), of_web("stop")];
    assert_eq!(judged(&acts, &told), [true; 4]);
    drop(act);
    assert!(acts.ledger().open.is_empty());
    drop(acts.announce(stop()));
    let told = [signal("3", 1), of_web("stop"), of_web("die"), of_web("die")];
    assert_eq!(judged(&acts, &told), [true, true, true, false], "an engine may tell of the end last");
    assert!(acts.ledger().open.is_empty());
    drop(acts.announce(stop()));
    let told = [of_web("die"), signal("15", 1), of_web("stop"), signal("15", 1)];
    assert_eq!(judged(&acts, &told), [true, true, true, false], "or of the signal after the end");
    assert!(acts.ledger().open.is_empty());
}

#[test]
fn a_kill_within_the_grace_is_somebody_elses() {
    let acts = Acts::default();
    let _act = acts.announce(stop());
    let told = [signal("15", 1), signal("9", 2), of_web("die"), of_web("stop")];
    assert_eq!(judged(&acts, &told), [true, false, true, true]);
    let _act = acts.announce(stop());
    assert_eq!(judged(&acts, &[signal("9", 1), of_web("die")]), [false, false], "before we had sent anything");
}

#[test]
fn two_who_stop_one_container_are_told_apart_by_their_number() {
    let acts = Acts::default();
    let _act = acts.announce(stop());
    let told = [signal("15", 1), signal("15", 1), of_web("die"), of_web("stop"), of_web("stop")];
    assert_eq!(judged(&acts, &told), [true, false, true, true, false]);
}

#[test]
fn a_restart_in_the_middle_of_a_stop_is_somebody_elses() {
    let acts = Acts::default();
    let act = acts.announce(stop());
    assert_eq!(judged(&acts, &[signal("15", 1), of_web("die"), of_web("stop")]), [true; 3]);
    assert_eq!(judged(&acts, &[of_web("start"), of_web("restart")]), [false; 2]);
    drop(act);
}

#[test]
fn what_the_engine_refused_or_had_done_before_is_given_back() {
    let acts = Acts::default();
    let act = acts.announce(start());
    assert!(acts.did(&of_web("start")));
    act.came_to_nothing();
    assert_eq!(acts.ledger().given_back, [of_web("start")]);
    assert!(acts.ledger().open.is_empty() && acts.ledger().starting.is_empty());
}

#[test]
fn what_somebody_else_makes_under_the_same_name_is_theirs() {
    let acts = Acts::default();
    let made = |id: &str| event(EventKind::Network, "create", id, "back");
    let act = acts.announce(Act::CreateNetwork { name: "back".into() });
    assert!(acts.did(&made("theirs")));
    act.made("ours");
    assert_eq!(acts.ledger().given_back, [made("theirs")]);
    assert_eq!(judged(&acts, &[made("another"), made("ours"), made("ours")]), [false, true, false]);
    let _act = acts.announce(Act::Create { name: "shop-web-1".into() });
    let mut labelled = of_web("create");
    assert!(!acts.did(&labelled), "without our label");
    labelled.attributes.insert(MADE_BY.into(), "mainstay".into());
    assert!(acts.did(&labelled));
}

#[test]
fn a_disconnect_may_be_told_twice_until_the_container_joins_again() {
    let acts = Acts::default();
    drop(acts.announce(Act::Disconnect { id: "web".into(), network: "back".into() }));
    assert_eq!(judged(&acts, &[of_place("disconnect"), of_place("disconnect")]), [true; 2]);
    drop(acts.announce(Act::Connect { id: "web".into(), network: "back".into() }));
    assert_eq!(judged(&acts, &[of_place("connect"), of_place("disconnect")]), [true, false]);
}

#[test]
fn the_first_health_after_a_start_of_ours_is_no_news() {
    let acts = Acts::default();
    drop(acts.announce(start()));
    let healthy = "health_status: healthy";
    assert_eq!(judged(&acts, &[of_web("start"), of_web(healthy), of_web(healthy)]), [true, true, false]);
    drop(acts.announce(start()));
    let told = [of_web("start"), of_web("health_status: unhealthy"), of_web(healthy)];
    assert_eq!(judged(&acts, &told), [true, false, false], "that it was unhealthy is told, and so is its end");
    assert_eq!(judged(&acts, &[of_web("start"), of_web(healthy)]), [false; 2]);
}

#[tokio::test]
async fn who_waits_for_what_is_given_back_misses_nothing() {
    let acts = Acts::default();
    let waiting = tokio::spawn({
        let acts = acts.clone();
        async move { acts.given_back().await }
    });
    tokio::task::yield_now().await;
    let act = acts.announce(start());
    acts.did(&of_web("start"));
    act.came_to_nothing();
    assert_eq!(waiting.await.unwrap().len(), 1);
}

#[test]
fn a_restart_out_of_a_crash_loop_is_told_among_the_loops_own_starts() {
    let acts = Acts::default();
    drop(acts.announce(Act::Restart { id: "web".into() }));
    let told = ["start", "die", "stop", "start", "restart", "stop"].map(of_web);
    assert_eq!(judged(&acts, &told), [true, true, true, false, true, false]);
    assert!(acts.ledger().open.is_empty());
}
