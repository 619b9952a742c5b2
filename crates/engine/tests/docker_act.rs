//! Steps on a real engine: made, started, waited for, stopped, removed, each of them twice.
#![allow(clippy::unwrap_used)]

mod support;

use mainstay_model::declared::Condition;
use mainstay_model::declared::container::{Healthcheck, Injected, Restart};
use mainstay_model::declared::{ContainerSpec, Hidden};
use mainstay_model::observed::{Health, Maker, State};
use mainstay_model::plan::Action;
use support::{Stack, docker, id_of, idle, shell, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_container_lives_and_goes_and_every_step_may_come_twice() {
    let Some(mut stack) = Stack::new("life").await else { return };
    let network = stack.network("default");
    let volume = stack.volume("data");
    stack.service("web", &["default"], idle(""));
    stack.lay().await;
    stack.lay().await;
    let target = stack.create("web").await;
    let again = stack.must(stack.create_action("web")).await;
    assert_eq!(again.container_id.as_deref(), Some(id_of(&target)));
    for _ in 0..2 {
        stack.must(Action::StartContainer { target: target.clone() }).await;
    }
    assert_eq!(stack.wait(&target, Condition::Started, 5).await.unwrap().detail.as_deref(), Some("running"));
    let refused = stack.act(Action::RemoveContainer { target: target.clone(), volumes: false }).await.unwrap_err();
    assert!(refused.hints.iter().any(|hint| hint.contains("docker stop")), "{}", told(&refused));
    let busy = stack.look().await;
    let network_id = busy.networks_named(&network).next().unwrap().id.clone();
    let refused = stack.act(Action::RemoveNetwork { id: network_id.clone(), name: network.clone() }).await.unwrap_err();
    assert!(refused.hints[0].contains(&stack.container("web")), "{}", told(&refused));
    for _ in 0..2 {
        stack.must(Action::StopContainer { target: target.clone(), grace_secs: None }).await;
    }
    assert_eq!(stack.see("web").await.state, State::Exited);
    let to = format!("{}-other", stack.name());
    for _ in 0..2 {
        stack.must(Action::RenameContainer { target: target.clone(), to: to.clone() }).await;
    }
    for _ in 0..2 {
        stack.must(Action::RemoveContainer { target: target.clone(), volumes: true }).await;
        stack.must(Action::RemoveNetwork { id: network_id.clone(), name: network.clone() }).await;
        stack.must(Action::RemoveVolume { name: volume.clone() }).await;
    }
    stack.must(Action::StopContainer { target: target.clone(), grace_secs: None }).await;
    let after = stack.look().await;
    assert!(after.containers.is_empty() && after.networks.is_empty() && after.volumes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_look_brings_what_the_labels_say() {
    let Some(mut stack) = Stack::new("look").await else { return };
    let network = stack.network("default");
    stack.volume("data");
    stack.service("web", &["default"], idle(""));
    stack.lay().await;
    stack.start("web").await;
    let fields = stack.declared.services.values().next().unwrap().fields();
    let mut scope = mainstay_model::observed::Scope::of(&stack.declared);
    scope.members = true;
    scope.images.insert("mainstay-test/nowhere:1".into());
    let seen = mainstay_engine::World::look(&stack.docker, &scope).await.unwrap();
    assert!(seen.unreadable.is_empty(), "{:?}", seen.unreadable);
    let web = &seen.containers[0];
    assert_eq!((web.maker, web.number, web.one_off), (Maker::Mainstay, 1, false));
    assert_eq!(web.fields.as_ref(), Some(&fields));
    assert_eq!(web.declared_attachments.as_ref().unwrap()[0].network, network);
    assert_eq!(web.requires[0].as_str(), "supabase");
    assert_eq!(web.endpoint(&network).unwrap().aliases, ["web", "web-on-default"]);
    assert_eq!((web.health, web.state), (Health::Unverified, State::Running));
    assert_eq!(web.image_id, seen.images[support::TINY]);
    assert!(!seen.images.contains_key("mainstay-test/nowhere:1"));
    let member = &seen.networks[0].members[0];
    assert_eq!((&member.container_name, &member.aliases), (&web.name, &web.endpoint(&network).unwrap().aliases));
    assert_eq!(seen.networks[0].key.as_deref(), Some("default"));
    assert_eq!(seen.volumes[0].key.as_deref(), Some("data"));
    assert!(seen.networks[0].digest.is_some() && seen.volumes[0].digest.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_networks_are_there_at_the_first_instruction_and_aliases_resolve() {
    let Some(mut stack) = Stack::new("nets").await else { return };
    stack.network("one");
    stack.network("two");
    stack.service("db", &["two"], idle(""));
    stack.service(
        "web",
        &["one", "two"],
        idle("ip -4 -o addr | wc -l; nslookup db-on-two 2>&1 | tail -3; ping -c1 -w2 db"),
    );
    stack.lay().await;
    stack.start("db").await;
    let web = stack.start("web").await;
    stack.wait(&web, Condition::Started, 5).await.unwrap();
    let lines = eventually(|| {
        let text = docker(&["logs", id_of(&web)]);
        text.contains("packets received").then_some(text)
    })
    .await;
    // Loopback and two networks.
    assert!(lines.starts_with('3'), "{lines}");
    assert!(lines.contains("1 packets received"), "{lines}");
}

async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..100 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it did not come");
}

fn checked(script: &str, test: &str) -> ContainerSpec {
    let check = Healthcheck {
        test: Some(vec!["CMD-SHELL".into(), test.into()]),
        interval_nanos: Some(200_000_000),
        timeout_nanos: Some(2_000_000_000),
        retries: Some(2),
        ..Default::default()
    };
    ContainerSpec { healthcheck: Some(check), ..idle(script) }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_waited_for_by_events() {
    let Some(mut stack) = Stack::new("health").await else { return };
    stack.network("default");
    let mut good = checked("(sleep 1; touch /ok) &", "test -f /ok");
    good.healthcheck.as_mut().unwrap().retries = Some(1000);
    stack.service("good", &["default"], good);
    stack.service("bad", &["default"], checked("echo about to be ill", "echo not today; exit 7"));
    stack.lay().await;
    let good = stack.start("good").await;
    assert_eq!(stack.wait(&good, Condition::Healthy, 20).await.unwrap().detail.as_deref(), Some("healthy"));
    let bad = stack.start("bad").await;
    let error = stack.wait(&bad, Condition::Healthy, 20).await.unwrap_err();
    let text = told(&error);
    assert!(text.contains("is unhealthy") && text.contains("not today") && text.contains("about to be ill"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_when_patience_does_and_says_what_the_check_said() {
    let Some(mut stack) = Stack::new("late").await else { return };
    stack.network("default");
    let mut spec = checked("", "echo still starting; exit 1");
    spec.healthcheck.as_mut().unwrap().retries = Some(1000);
    stack.service("slow", &["default"], spec);
    stack.lay().await;
    let slow = stack.start("slow").await;
    let error = stack.wait(&slow, Condition::Healthy, 2).await.unwrap_err();
    let text = told(&error);
    assert!(text.contains("within 2 s") && text.contains("still starting"), "{text}");
    assert!(error.transient);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_waited_for_until_they_end() {
    let Some(mut stack) = Stack::new("job").await else { return };
    stack.network("default");
    stack.service("job", &["default"], shell("sleep 1; echo done"));
    stack.service("broken", &["default"], shell("echo it is broken >&2; exit 9"));
    stack.lay().await;
    let job = stack.start("job").await;
    stack.wait(&job, Condition::Completed, 20).await.unwrap();
    let broken = stack.start("broken").await;
    let error = stack.wait(&broken, Condition::Completed, 20).await.unwrap_err();
    let text = told(&error);
    assert!(text.contains("exit code 9") && text.contains("it is broken"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loop_is_not_waited_out() {
    let Some(mut stack) = Stack::new("crash").await else { return };
    stack.network("default");
    let mut spec = shell("echo going down; exit 3");
    spec.restart = Restart::Always;
    spec.healthcheck = checked("", "true").healthcheck;
    stack.service("loop", &["default"], spec);
    stack.lay().await;
    let target = stack.start("loop").await;
    let error = stack.wait(&target, Condition::Healthy, 60).await.unwrap_err();
    let text = told(&error);
    assert!(text.contains("again and again") || text.contains("crashed"), "{text}");
    assert!(text.contains("going down"), "{text}");
    // Held back by the engine after many crashes, `start` starts it at once all the same.
    eventually(|| (docker(&["inspect", "-f", "{{.State.Restarting}}", id_of(&target)]) == "true").then_some(())).await;
    let acted = stack.must(Action::StartContainer { target: target.clone() }).await;
    assert!(acted.detail.is_none_or(|detail| detail.contains("crash pause") || detail.contains("running")));
    stack.must(Action::StopContainer { target, grace_secs: Some(1) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_files_are_there_at_the_first_instruction() {
    let Some(mut stack) = Stack::new("inject").await else { return };
    stack.network("default");
    let mut spec = shell("cat /run/secrets/key; stat -c '%a %u %g' /run/secrets/key /etc/app.conf");
    let secret = "pa$$ \"word\"\n#'\\ ünïcode";
    spec.injected = vec![
        Injected { target: "/run/secrets/key".into(), content: Hidden::new(secret), ..Default::default() },
        Injected {
            target: "/etc/app.conf".into(),
            content: Hidden::new("x"),
            uid: Some("12".into()),
            gid: Some("34".into()),
            mode: Some(0o640),
        },
    ];
    stack.service("job", &["default"], spec);
    stack.lay().await;
    let job = stack.start("job").await;
    stack.wait(&job, Condition::Completed, 20).await.unwrap();
    assert_eq!(docker(&["logs", id_of(&job)]), format!("{secret}444 0 0\n640 12 34"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_in_words() {
    let Some(mut stack) = Stack::new("words").await else { return };
    stack.network("default");
    stack.service("web", &["default"], idle("")).image = "mainstay-test/nowhere:1".into();
    let port = mainstay_model::declared::container::Port {
        target: 8080,
        protocol: "tcp".into(),
        published: Some("48911".into()),
        host_ip: Some("127.0.0.1".into()),
    };
    stack.service("a", &["default"], ContainerSpec { ports: vec![port.clone()], ..idle("") });
    stack.service("b", &["default"], ContainerSpec { ports: vec![port], ..idle("") });
    stack.lay().await;
    let missing = stack.act(stack.create_action("web")).await.unwrap_err();
    assert!(told(&missing).contains("nowhere") && !missing.hints.is_empty(), "{}", told(&missing));
    stack.start("a").await;
    let b = stack.create("b").await;
    let taken = stack.act(Action::StartContainer { target: b }).await.unwrap_err();
    assert!(taken.hints[0].contains(&stack.container("a")), "{}", told(&taken));
    // Another container has the name.
    let name = stack.container("a");
    let clash = stack.act(Action::CreateContainer {
        service: mainstay_model::identity::ServiceName::new("b").unwrap(),
        number: 1,
        name: name.clone(),
        networks: Vec::new(),
        carried: Vec::new(),
    });
    let clash = clash.await.unwrap_err();
    assert!(clash.hints.iter().any(|hint| hint.contains(&name)), "{}", told(&clash));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_left_without_its_files_gets_them_before_its_first_start() {
    let Some(mut stack) = Stack::new("unfilled").await else { return };
    let spec = shell("cat /etc/app.conf && sleep 1000");
    stack.service("web", &[], spec);
    stack.lay().await;
    // As a process leaves it that was killed between making it and putting its files.
    let target = stack.create("web").await;
    let file = Injected { target: "/etc/app.conf".into(), content: Hidden::new("word = 7"), ..Default::default() };
    stack.declared.services.values_mut().for_each(|service| service.container.injected = vec![file.clone()]);
    stack.must(Action::StartContainer { target: target.clone() }).await;
    assert_eq!(docker(&["exec", id_of(&target), "cat", "/etc/app.conf"]), "word = 7");
    // One that has run keeps what it made of its files.
    docker(&["exec", id_of(&target), "sh", "-c", "echo changed >/etc/app.conf"]);
    docker(&["stop", "-t", "0", id_of(&target)]);
    stack.must(Action::StartContainer { target: target.clone() }).await;
    assert_eq!(docker(&["exec", id_of(&target), "cat", "/etc/app.conf"]), "changed");
}
