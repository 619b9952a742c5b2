//! The world moves under an order: what converges, and what is left to a person.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_model::observed::{Maker, State};
use mainstay_model::operation::What;
use mainstay_model::plan::{Action, Step, StepId};

use super::tests::*;
use super::*;
use crate::fake::{Inner, attachment, container};

/// The world as `up` of these services leaves it.
async fn standing(services: &[&str]) -> Bench {
    let bench = Bench::new().await;
    bench.apply(up(services)).await.unwrap();
    bench
}

/// The step of the plan that would be made now.
async fn step(bench: &Bench, order: &Order, is_it: impl Fn(&Action) -> bool) -> StepId {
    let plan = bench.keeper.plan(order).await.unwrap();
    plan.steps.iter().find(|step| is_it(&step.action)).unwrap().id
}

fn creates(service: &'static str) -> impl Fn(&Action) -> bool {
    move |action| action.makes_container() && action.service().is_some_and(|name| name.as_str() == service)
}

fn starts(service: &'static str) -> impl Fn(&Action) -> bool {
    move |action| {
        let is_start = matches!(action, Action::StartContainer { .. });
        is_start && action.service().is_some_and(|name| name.as_str() == service)
    }
}

fn meanwhile(bench: &Bench, step: StepId, happens: impl FnOnce(&mut Inner) + Send + 'static) {
    bench.world.lock().meanwhile.insert(step, Box::new(happens));
}

fn replanned(told: &[What]) -> Vec<(&str, &[Step])> {
    told.iter()
        .filter_map(|what| match what {
            What::Replanned { because, plan, .. } => Some((because.as_str(), &plan.steps[..])),
            _ => None,
        })
        .collect()
}

/// A container of ours as declared, that somebody (a killed process, a moment ago) asked for.
fn late(inner: &mut Inner, service: &str) {
    let id = inner.fresh_id();
    let mut made = container(&id, "shop", service);
    made.fields = Some(self::service(service).fields());
    made.declared_attachments = Some(vec![attachment("shop_default", service)]);
    made.endpoints = vec![inner.endpoint(&attachment("shop_default", service))];
    inner.containers.push(made);
}

#[tokio::test]
async fn a_create_that_lands_late_is_taken_up_where_it_is() {
    let bench = Bench::new().await;
    let at = step(&bench, &up(&["web"]), creates("web")).await;
    meanwhile(&bench, at, |inner| late(inner, "web"));
    let (verdict, told) = bench.apply(up(&["web"])).await.unwrap();
    assert_eq!(verdict, Verdict::Done, "{told:?}");
    let [(because, steps)] = replanned(&told)[..] else { panic!("{told:?}") };
    assert_eq!(because, "the name `shop-web-1` is in use");
    assert!(matches!(steps[0].action, Action::StartContainer { .. }), "{steps:?}");
    assert_eq!(bench.world.lock().containers.len(), 1);
    assert!(bench.last_told().starts_with("`up` done"), "{}", bench.last_told());
    assert_eq!(bench.keeper.stacks().unwrap().len(), 1);
}

#[tokio::test]
async fn deciding_once_more_is_told_before_and_written_down() {
    let bench = Bench::new().await;
    let at = step(&bench, &up(&["web"]), creates("web")).await;
    meanwhile(&bench, at, |inner| late(inner, "web"));
    let (_, told) = bench.apply(up(&["web"])).await.unwrap();
    let begun = |what: &What| matches!(what, What::StepStarted { step } if *step > at);
    let shown: Vec<StepId> = replanned(&told).iter().flat_map(|(_, steps)| steps.iter().map(|step| step.id)).collect();
    let after = told.iter().skip_while(|what| !matches!(what, What::Replanned { .. }));
    let walked: Vec<StepId> = after
        .filter_map(|what| match what {
            What::StepStarted { step } => Some(*step),
            _ => None,
        })
        .collect();
    assert!(!walked.is_empty() && walked.iter().all(|step| shown.contains(step)), "{told:?}");
    let first_new = told.iter().position(begun).unwrap();
    assert!(told[..first_new].iter().any(|what| matches!(what, What::Replanned { .. })), "{told:?}");
    let history = bench.keeper.history(&HistoryFilter::default()).unwrap();
    let entry = history.iter().find(|entry| entry.summary.contains("once more")).unwrap();
    assert_eq!(entry.cause.as_deref(), Some("the name `shop-web-1` is in use"));
    let operation = bench.keeper.journal.operation(entry.operation.as_ref().unwrap()).unwrap().unwrap();
    let recorded: Vec<StepId> = operation.steps.iter().map(|record| record.step).collect();
    assert!(recorded.iter().all(|step| operation.plan.step(*step).is_some()), "{operation:?}");
    assert!(shown.iter().all(|step| recorded.contains(step)));
}

#[tokio::test]
async fn what_is_there_and_not_ours_is_refused_as_ever() {
    let bench = Bench::new().await;
    let at = step(&bench, &up(&["web"]), creates("web")).await;
    meanwhile(&bench, at, |inner| {
        late(inner, "web");
        let foreign = inner.named("shop-web-1");
        (foreign.maker, foreign.stack, foreign.service) = (Maker::Foreign, None, None);
    });
    let (verdict, told) = bench.apply(up(&["web"])).await.unwrap();
    assert_eq!(verdict, Verdict::Failed);
    assert!(replanned(&told).is_empty());
    let failed = told.iter().any(|what| matches!(what, What::StepFailed { step, .. } if *step == at));
    assert!(failed, "{told:?}");
    assert_eq!(bench.world.lock().named("shop-web-1").state, State::Created, "nobody touched it");
    let Some(What::Finished { failure: Some(failure), .. }) = told.last() else { panic!("{told:?}") };
    assert!(failure.message.contains("needs the container name `shop-web-1`"), "{}", failure.message);
}

#[tokio::test]
async fn a_network_whose_removal_lands_late_is_made_again() {
    let bench = standing(&["web"]).await;
    {
        let mut inner = bench.world.lock();
        inner.containers.clear();
    }
    let at = step(&bench, &up(&["web"]), starts("web")).await;
    meanwhile(&bench, at, |inner| inner.networks.clear());
    let (verdict, told) = bench.apply(up(&["web"])).await.unwrap();
    assert_eq!(verdict, Verdict::Done, "{told:?}");
    let [(_, steps)] = replanned(&told)[..] else { panic!("{told:?}") };
    assert!(matches!(steps[0].action, Action::CreateNetwork { .. }), "{steps:?}");
    assert_eq!(bench.world.networks_of("shop-web-1"), ["shop_default"]);
}

#[tokio::test]
async fn a_container_whose_removal_lands_late_is_made_again() {
    let bench = standing(&["web"]).await;
    bench.world.lock().named("shop-web-1").state = State::Exited;
    let at = step(&bench, &up(&["web"]), starts("web")).await;
    meanwhile(&bench, at, |inner| inner.containers.clear());
    let (verdict, told) = bench.apply(up(&["web"])).await.unwrap();
    assert_eq!(verdict, Verdict::Done, "{told:?}");
    assert_eq!(bench.world.lock().named("shop-web-1").state, State::Running);
}

#[tokio::test]
async fn a_network_torn_off_in_the_middle_is_back_at_the_end() {
    for (torn, service) in [("shop-web-1", "web"), ("shop-db-1", "db")] {
        let bench = standing(&["db"]).await;
        let at = step(&bench, &up(&["db", "web"]), starts("web")).await;
        let other = bench.world.clone();
        let name = torn.to_owned();
        bench.world.lock().slowness = Duration::from_millis(50);
        let (applied, ()) = tokio::join!(bench.apply(up(&["db", "web"])), async {
            while !other.lock().done.iter().any(starts("web")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            other.disconnect(&name, "shop_default");
        });
        let (verdict, told) = applied.unwrap();
        assert_eq!(verdict, Verdict::Done, "{service}, torn after step {}: {told:?}", at.0);
        assert_eq!(bench.world.networks_of(torn), ["shop_default"]);
        let [(because, steps)] = replanned(&told)[..] else { panic!("{told:?}") };
        assert_eq!(because, "the world is not as ordered after every step was done");
        assert!(steps.iter().all(|step| matches!(step.action, Action::Attach { .. })), "{steps:?}");
    }
}

#[tokio::test]
async fn what_would_stop_more_than_was_shown_is_left_to_a_person() {
    let bench = Bench::new().await;
    let at = step(&bench, &up(&["web"]), creates("web")).await;
    // One of another declaration, and it runs.
    meanwhile(&bench, at, |inner| {
        late(inner, "web");
        let other = inner.named("shop-web-1");
        (other.fields, other.state) = (Some(BTreeMap::from([("image".into(), "another".into())])), State::Running);
    });
    let (verdict, told) = bench.apply(up(&["web"])).await.unwrap();
    assert_eq!(verdict, Verdict::Failed);
    assert!(replanned(&told).is_empty());
    assert_eq!(bench.world.lock().named("shop-web-1").state, State::Running);
    let Some(What::Finished { failure: Some(failure), .. }) = told.last() else { panic!("{told:?}") };
    assert!(failure.message.contains("goes beyond the plan that was shown: run it again"), "{}", failure.message);
}

#[tokio::test]
async fn what_ends_by_itself_after_its_start_is_not_started_again() {
    let bench = Bench::new().await;
    let mut order = up(&["web"]);
    if let Order::Up { options, .. } = &mut order {
        options.no_wait = true;
    }
    bench.world.lock().slowness = Duration::from_millis(30);
    let world = bench.world.clone();
    let (applied, ()) = tokio::join!(bench.apply(order), async {
        while !world.lock().done.iter().any(creates("web")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.lock().ends_after_start = true;
    });
    let (verdict, told) = applied.unwrap();
    assert_eq!(verdict, Verdict::Failed, "{told:?}");
    assert_eq!(bench.world.done().iter().filter(|action| starts("web")(action)).count(), 1);
    assert!(replanned(&told).is_empty());
}

#[tokio::test]
async fn a_step_that_the_world_still_wants_fails_as_it_is() {
    let bench = Bench::new().await;
    let at = step(&bench, &up(&["web"]), creates("web")).await;
    bench.world.lock().contradicting.insert(at);
    let (verdict, told) = bench.apply(up(&["web"])).await.unwrap();
    assert_eq!(verdict, Verdict::Failed);
    assert!(replanned(&told).is_empty());
    assert!(matches!(told.last(), Some(What::Finished { failure: None, .. })), "{told:?}");
}

#[tokio::test]
async fn force_means_each_container_once_also_when_decided_again() {
    let bench = standing(&["db", "web"]).await;
    let mut order = up(&["db", "web"]);
    if let Order::Up { options, .. } = &mut order {
        options.force_recreate = true;
    }
    let before = bench.world.lock().containers.clone();
    let at = step(&bench, &order, creates("web")).await;
    // Left by an order that was killed; of the same declaration, but older than this order.
    meanwhile(&bench, at, |inner| {
        late(inner, "web");
        inner.containers.last_mut().unwrap().name = "shop-web-1.next".into();
    });
    let (verdict, told) = bench.apply(order).await.unwrap();
    assert_eq!(verdict, Verdict::Done, "{told:?}");
    assert_eq!(replanned(&told).len(), 1, "{told:?}");
    let made = |service| bench.world.done().iter().filter(|action| creates(service)(action)).count();
    assert_eq!((made("db"), made("web")), (2, 2), "once by the first order, once by force");
    let after = bench.world.lock().containers.clone();
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|now| before.iter().all(|then| then.id != now.id)), "all are new");
}

#[tokio::test]
async fn who_changes_the_world_again_and_again_is_not_fought_without_end() {
    let bench = standing(&["web"]).await;
    bench.world.lock().named("shop-web-1").endpoints.clear();
    bench.world.lock().lying = true;
    let (verdict, told) = bench.apply(up(&["web"])).await.unwrap();
    assert_eq!(verdict, Verdict::Failed);
    assert_eq!(replanned(&told).len(), 4);
    let Some(What::Finished { failure: Some(failure), .. }) = told.last() else { panic!("{told:?}") };
    assert!(failure.causes[0].starts_with("the world changed again and again"), "{failure:?}");
}

#[tokio::test]
async fn a_down_takes_a_container_that_lands_late_with_it() {
    let bench = standing(&["web"]).await;
    let at = step(&bench, &down(), |action| matches!(action, Action::RemoveNetwork { .. })).await;
    meanwhile(&bench, at, |inner| late(inner, "db"));
    let (verdict, told) = bench.apply(down()).await.unwrap();
    assert_eq!(verdict, Verdict::Done, "{told:?}");
    assert!(bench.world.lock().containers.is_empty());
}
