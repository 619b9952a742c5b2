//! Every act of ours is told by the engine in just the events that were announced, and what others do beside is not.
#![allow(clippy::disallowed_macros, clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use mainstay_engine::docker::{Docker, EngineEvent, EventKind};
use mainstay_engine::reconcile::Watched;
use mainstay_model::declared::ContainerSpec;
use mainstay_model::declared::container::Restart;
use mainstay_model::observed::State;
use mainstay_model::plan::Action;
use support::{Stack, docker, shell};

/// Heeds no signal but the kill.
const DEAF: &str = "trap '' TERM; while :; do sleep 0.1; done";

/// The events about one stack, each with whether it is ours, up to a mark that is made now.
async fn told(engine: &Docker, since: i64, stack: &str) -> Vec<(EngineEvent, bool)> {
    let mark = format!("{stack}-mark");
    docker(&["network", "create", &mark]);
    docker(&["network", "rm", &mark]);
    let mut events = engine.watch(Some(since));
    let mut told = Vec::new();
    loop {
        let event = tokio::time::timeout(Duration::from_secs(10), events.next()).await.unwrap().unwrap().unwrap();
        if event.name == mark {
            if event.action == "destroy" {
                return told;
            }
            continue;
        }
        let is_about = event.name.starts_with(stack) && !event.action.starts_with("exec");
        if is_about && matches!(event.kind, EventKind::Container | EventKind::Network) {
            let ours = engine.did(&event);
            told.push((event, ours));
        }
    }
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_nanos()).unwrap()
}

/// What the loop would write down: joining and leaving come with every start and stop and are no line by themselves.
fn strange(told: &[(EngineEvent, bool)]) -> Vec<String> {
    let lines = told.iter().filter(|(event, ours)| !ours && !matches!(event.action.as_str(), "connect" | "disconnect"));
    lines.map(|(event, _)| format!("{} of {}", event.action, event.name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_is_known_in_the_events_that_tell_of_it() {
    let Some(mut stack) = Stack::new("acts").await else { return };
    stack.network("front");
    stack.network("back");
    let spec = ContainerSpec { stop_grace_secs: Some(1), ..shell(DEAF) };
    stack.service("web", &["front", "back"], spec);
    let since = now();
    stack.lay().await;
    let id = stack.must(stack.create_action("web")).await.container_id.unwrap();
    let target = || stack.target("web", &id);
    let back = stack.attachment("web", "back");
    let network_id = docker(&["network", "inspect", "-f", "{{.Id}}", &back.network]);
    let detach = || Action::Detach { target: target(), network: back.network.clone(), network_id: network_id.clone() };
    let attach = || Action::Attach { target: target(), attachment: back.clone() };
    let stop = || Action::StopContainer { target: target(), grace_secs: None };
    for action in [
        Action::StartContainer { target: target() },
        Action::StartContainer { target: target() },
        detach(),
        detach(),
        attach(),
        attach(),
        stop(),
        stop(),
        Action::StartContainer { target: target() },
    ] {
        stack.must(action).await;
    }
    docker(&["pause", &stack.container("web")]);
    stack.must(Action::StartContainer { target: target() }).await;
    docker(&["pause", &stack.container("web")]);
    stack.must(stop()).await;
    let to = format!("{}-renamed", stack.name());
    stack.must(Action::RenameContainer { target: target(), to: to.clone() }).await;
    stack.must(Action::RenameContainer { target: target(), to }).await;
    stack.must(Action::RemoveContainer { target: target(), volumes: true }).await;
    stack.must(Action::RemoveContainer { target: target(), volumes: true }).await;
    let told = told(&stack.docker, since, stack.name()).await;
    let pause = format!("pause of {}", stack.container("web"));
    assert_eq!(strange(&told), [pause.clone(), pause], "{told:#?}");
    let places = told.iter().filter(|(event, ours)| event.action == "disconnect" && *ours);
    assert!(places.count() >= 1, "{told:#?}");
    // Nothing is left that would take what others do next for ours.
    docker(&["run", "--detach", "--name", &stack.container("web"), "mainstay-test/tiny:1"]);
    docker(&["rm", "--force", &stack.container("web")]);
    let since = now();
    docker(&["run", "--detach", "--name", &stack.container("web"), "mainstay-test/tiny:1"]);
    docker(&["stop", "--time", "0", &stack.container("web")]);
    docker(&["rm", &stack.container("web")]);
    let told = self::told(&stack.docker, since, stack.name()).await;
    assert!(told.iter().all(|(_, ours)| !ours), "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_to_the_same_container_at_the_same_time_is_told_apart() {
    let Some(mut stack) = Stack::new("beside").await else { return };
    stack.network("front");
    let spec = ContainerSpec { stop_grace_secs: Some(20), ..shell(DEAF) };
    stack.service("web", &["front"], spec);
    stack.lay().await;
    let id = stack.must(stack.create_action("web")).await.container_id.unwrap();
    stack.must(Action::StartContainer { target: stack.target("web", &id) }).await;
    let since = now();
    let stopping = stack.must(Action::StopContainer { target: stack.target("web", &id), grace_secs: None });
    let killing = async {
        // Until our own signal was sent: then the engine waits for the grace.
        let mut events = stack.docker.watch(Some(since));
        while events.next().await.unwrap().unwrap().action != "kill" {}
        let name = stack.container("web");
        tokio::task::spawn_blocking(move || docker(&["kill", &name])).await.unwrap();
    };
    tokio::join!(stopping, killing);
    let told = told(&stack.docker, since, stack.name()).await;
    assert_eq!(strange(&told), [format!("kill of {}", stack.container("web"))], "{told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_out_of_the_pause_after_a_crash_is_known_although_the_engine_tells_a_restart() {
    let Some(mut stack) = Stack::new("hurry").await else { return };
    stack.network("front");
    stack.service("web", &["front"], ContainerSpec { restart: Restart::Always, ..shell("exit 3") });
    stack.lay().await;
    let since = now();
    let target = stack.start("web").await;
    for _ in 0..500 {
        if stack.see("web").await.state == State::Restarting {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let started = stack.must(Action::StartContainer { target: target.clone() }).await;
    let told = told(&stack.docker, since, stack.name()).await;
    let strange = strange(&told);
    let by_itself = |line: &&String| line.starts_with("start of") || line.starts_with("die of");
    assert_eq!(strange.iter().filter(by_itself).count(), strange.len(), "{started:?} {strange:?}");
}
