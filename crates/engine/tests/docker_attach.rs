//! Attachments on a real engine: lost, dead and otherwise than declared ones, without a restart.
//!
//! The services declare none and join by steps: what is declared stands in a label, and another Mainstay that serves
//! this engine would hold it against the test.
#![allow(clippy::unwrap_used)]

mod support;

use mainstay_model::declared::container::Restart;
use mainstay_model::declared::{ContainerSpec, NetworkMode};
use mainstay_model::observed::State;
use mainstay_model::plan::{Action, Target};
use support::{Stack, docker, id_of, idle, shell, told};

/// A running consumer on the engine's bridge and on `shared`; gives its target.
async fn consumer(stack: &mut Stack, spec: ContainerSpec) -> Target {
    stack.network("shared");
    stack.service("web", &[], spec).network_mode = NetworkMode::Bridge;
    stack.lay().await;
    let target = stack.create("web").await;
    stack.must(attach(stack, &target)).await;
    stack.must(Action::StartContainer { target: target.clone() }).await;
    target
}

fn attach(stack: &Stack, target: &Target) -> Action {
    Action::Attach { target: target.clone(), attachment: stack.attachment("web", "shared") }
}

fn detach(stack: &Stack, target: &Target, network_id: &str) -> Action {
    let network = format!("{}_shared", stack.name());
    Action::Detach { target: target.clone(), network, network_id: network_id.to_owned() }
}

/// Deletes the shared network and makes it again under its name; gives the new id.
async fn again(stack: &Stack) -> String {
    let name = format!("{}_shared", stack.name());
    docker(&["network", "rm", &name]);
    stack.must(Action::CreateNetwork { key: "shared".into(), name: name.clone() }).await;
    docker(&["network", "inspect", "-f", "{{.Id}}", &name])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_attachment_is_joined_again_while_the_container_runs() {
    let Some(mut stack) = Stack::new("lost").await else { return };
    let target = consumer(&mut stack, idle("")).await;
    let shared = format!("{}_shared", stack.name());
    let before = stack.see("web").await;
    docker(&["network", "disconnect", &shared, id_of(&target)]);
    assert!(stack.see("web").await.endpoint(&shared).is_none());
    for _ in 0..2 {
        stack.must(attach(&stack, &target)).await;
    }
    let after = stack.see("web").await;
    assert_eq!(after.started_at, before.started_at);
    assert_eq!(after.endpoint(&shared).unwrap().aliases, ["web", "web-on-shared"]);
    assert!(after.endpoint(&shared).unwrap().ipv4_address.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_aliases_are_no_success() {
    let Some(mut stack) = Stack::new("alias").await else { return };
    let target = consumer(&mut stack, idle("")).await;
    let shared = format!("{}_shared", stack.name());
    docker(&["network", "disconnect", &shared, id_of(&target)]);
    docker(&["network", "connect", "--alias", "somebody", &shared, id_of(&target)]);
    let error = stack.act(attach(&stack, &target)).await.unwrap_err();
    assert!(told(&error).contains("otherwise than declared"), "{}", told(&error));
    let network_id = stack.see("web").await.endpoint(&shared).unwrap().network_id.clone();
    for _ in 0..2 {
        stack.must(detach(&stack, &target, &network_id)).await;
    }
    stack.must(attach(&stack, &target)).await;
    // Stopped, the engine takes any join in silence and keeps the old aliases.
    docker(&["network", "disconnect", &shared, id_of(&target)]);
    docker(&["stop", id_of(&target)]);
    docker(&["network", "connect", "--alias", "somebody", &shared, id_of(&target)]);
    match stack.act(attach(&stack, &target)).await {
        Ok(_) => assert_eq!(stack.see("web").await.endpoint(&shared).unwrap().aliases, ["web", "web-on-shared"]),
        Err(error) => assert!(told(&error).contains("otherwise than declared"), "{}", told(&error)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_containers_dead_endpoint_is_repaired_and_it_starts() {
    let Some(mut stack) = Stack::new("dead").await else { return };
    let target = consumer(&mut stack, idle("")).await;
    let shared = format!("{}_shared", stack.name());
    stack.must(Action::StopContainer { target: target.clone(), grace_secs: None }).await;
    let old = stack.see("web").await.endpoint(&shared).unwrap().network_id.clone();
    let new = again(&stack).await;
    let error = stack.act(Action::StartContainer { target: target.clone() }).await.unwrap_err();
    assert!(error.hints.iter().any(|hint| hint.contains("network of this container was deleted")), "{}", told(&error));
    for _ in 0..2 {
        stack.must(detach(&stack, &target, &old)).await;
    }
    stack.must(attach(&stack, &target)).await;
    stack.must(Action::StartContainer { target: target.clone() }).await;
    let after = stack.see("web").await;
    assert_eq!((after.state, &after.endpoint(&shared).unwrap().network_id), (State::Running, &new));
}

/// The engine lists an endpoint of a deleted network on a container that is up: here one between two crashes, which
/// is up to the engine. Its own `disconnect` refuses, the join writes over it.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_endpoint_of_a_crash_looping_container_is_repaired() {
    let Some(mut stack) = Stack::new("loop").await else { return };
    let spec = ContainerSpec { restart: Restart::Always, ..shell("exit 3") };
    let target = consumer(&mut stack, spec).await;
    let shared = format!("{}_shared", stack.name());
    // Late enough that the engine's pause between two starts leaves the time for all this.
    let restarting = || docker(&["inspect", "-f", "{{.State.Restarting}} {{.RestartCount}}", id_of(&target)]);
    for _ in 0..400 {
        let told = restarting();
        let count: u32 = told.split(' ').nth(1).unwrap().parse().unwrap();
        if told.starts_with("true") && count >= 5 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let old = docker(&["network", "inspect", "-f", "{{.Id}}", &shared]);
    let new = again(&stack).await;
    stack.must(detach(&stack, &target, &old)).await;
    stack.must(attach(&stack, &target)).await;
    stack.must(Action::StartContainer { target: target.clone() }).await;
    let seen = stack.see("web").await;
    assert_eq!(seen.endpoint(&shared).unwrap().aliases, ["web", "web-on-shared"]);
    assert!(seen.endpoint(&shared).unwrap().network_id == new, "{:?}", seen.endpoints);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detach_that_is_out_of_date_takes_no_live_endpoint_off() {
    let Some(mut stack) = Stack::new("outdated").await else { return };
    let target = consumer(&mut stack, idle("")).await;
    let shared = format!("{}_shared", stack.name());
    let old = stack.see("web").await.endpoint(&shared).unwrap().network_id.clone();
    docker(&["network", "disconnect", &shared, id_of(&target)]);
    let new = again(&stack).await;
    stack.must(attach(&stack, &target)).await;
    // Decided when the entry was dead; somebody has joined the new network meanwhile.
    let error = stack.act(detach(&stack, &target, &old)).await.unwrap_err();
    assert!(error.contradicts, "{}", told(&error));
    let endpoint = stack.see("web").await.endpoint(&shared).cloned();
    assert_eq!(endpoint.map(|endpoint| endpoint.network_id), Some(new.clone()));
    stack.must(detach(&stack, &target, &new)).await;
    assert!(stack.see("web").await.endpoint(&shared).is_none());
    stack.must(detach(&stack, &target, &new)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_container_joins_no_network_that_is_not_there() {
    let Some(mut stack) = Stack::new("nowhere").await else { return };
    let target = consumer(&mut stack, idle("")).await;
    let shared = format!("{}_shared", stack.name());
    stack.must(Action::StopContainer { target: target.clone(), grace_secs: None }).await;
    docker(&["network", "disconnect", "--force", &shared, id_of(&target)]);
    docker(&["network", "rm", &shared]);
    let error = stack.act(attach(&stack, &target)).await.unwrap_err();
    assert!(error.contradicts && told(&error).contains("not found"), "{}", told(&error));
    assert!(stack.see("web").await.endpoint(&shared).is_none(), "nothing is left that would keep it from starting");
    stack.must(Action::StartContainer { target: target.clone() }).await;
    assert_eq!(stack.see("web").await.state, State::Running);
}
