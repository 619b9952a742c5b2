//! Events, output and programs in containers.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use mainstay_engine::docker::{EngineEvent, EventKind, ExecOptions, LogOptions, LogStream};
use mainstay_model::declared::{Condition, ContainerSpec, Hidden};
use mainstay_model::plan::Action;
use support::{Stack, docker, id_of, idle, shell};
use tokio::io::AsyncWriteExt;

#[tokio::test(flavor = "multi_thread")]
async fn events_tell_what_others_do() {
    let Some(mut stack) = Stack::new("events").await else { return };
    let network = stack.network("default");
    stack.service("web", &["default"], idle(""));
    stack.lay().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut events = stack.docker.events(Some(i64::try_from(now.as_nanos()).unwrap()));
    let target = stack.start("web").await;
    docker(&["network", "disconnect", &network, id_of(&target)]);
    let stack_name = stack.declared.stack.clone();
    let mut ours: Vec<EngineEvent> = Vec::new();
    let collecting = async {
        while let Some(event) = events.next().await {
            let event = event.unwrap();
            let is_end = event.action == "disconnect" && event.name == network;
            if event.stack.as_ref() == Some(&stack_name) || event.name == network {
                ours.push(event);
            }
            if is_end {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), collecting).await.unwrap();
    let start = ours.iter().find(|event| event.action == "start").unwrap();
    assert_eq!((start.kind, start.actor_id.as_str()), (EventKind::Container, id_of(&target)));
    assert_eq!((start.name.as_str(), start.service.as_ref().unwrap().as_str()), (&*stack.container("web"), "web"));
    assert!(start.time_nanos > i64::try_from(now.as_nanos()).unwrap());
    let left = ours.last().unwrap();
    assert_eq!((left.kind, left.container_id.as_deref()), (EventKind::Network, Some(id_of(&target))));
}

async fn lines(stack: &Stack, id: &str, options: LogOptions) -> Vec<(LogStream, String)> {
    let lines = stack.docker.logs(id, options).map(|line| {
        let line = line.unwrap();
        (line.stream, String::from_utf8_lossy(&line.line).into_owned())
    });
    tokio::time::timeout(Duration::from_secs(20), lines.collect()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_followed_until_the_end_or_read_from_its_end() {
    let Some(mut stack) = Stack::new("logs").await else { return };
    stack.network("default");
    let script = "echo one; echo two >&2; sleep 1; printf 'three\\nlast without end'";
    stack.service("job", &["default"], shell(script));
    stack.service(
        "term",
        &["default"],
        ContainerSpec { tty: true, ..shell("printf '\\001\\002x\\n'; echo $TERM; sleep 0.3") },
    );
    stack.lay().await;
    let job = stack.start("job").await;
    let mut all = lines(&stack, id_of(&job), LogOptions { follow: true, ..Default::default() }).await;
    // An engine that is followed may lose a last line without an end: 20.10 does, and so does `docker logs -f`.
    all.retain(|(_, line)| line != "last without end");
    // Two pipes have no order between them.
    all.sort_by_key(|(stream, _)| *stream == LogStream::Err);
    let expected = [(LogStream::Out, "one"), (LogStream::Out, "three"), (LogStream::Err, "two")];
    assert_eq!(all, expected.map(|(stream, line)| (stream, line.to_owned())));
    let tail = lines(&stack, id_of(&job), LogOptions { tail: Some(1), ..Default::default() }).await;
    assert_eq!(tail, [(LogStream::Out, "last without end".to_owned())]);
    let term = stack.start("term").await;
    let seen = lines(&stack, id_of(&term), LogOptions { follow: true, ..Default::default() }).await;
    assert_eq!(seen[0], (LogStream::Out, "\u{1}\u{2}x".to_owned()), "{seen:?}");
}

async fn run(stack: &Stack, id: &str, options: ExecOptions, input: Option<&[u8]>) -> (String, String, i64) {
    let mut exec = stack.docker.exec(id, options).await.unwrap();
    if let (Some(bytes), Some(mut pipe)) = (input, exec.input.take()) {
        pipe.write_all(bytes).await.unwrap();
        pipe.shutdown().await.unwrap();
    }
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(piece) = exec.output.next().await {
        let piece = piece.unwrap();
        if piece.stream == LogStream::Out { &mut out } else { &mut err }.extend_from_slice(&piece.bytes);
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(out), text(err), exec.exit_code().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_run_in_a_container_with_input_environment_and_exit_code() {
    let Some(mut stack) = Stack::new("exec").await else { return };
    stack.network("default");
    stack.service("web", &["default"], idle(""));
    stack.lay().await;
    let web = stack.start("web").await;
    stack.wait(&web, Condition::Started, 5).await.unwrap();
    let id = id_of(&web);
    let sh =
        |script: &str| ExecOptions { command: vec!["sh".into(), "-c".into(), script.into()], ..Default::default() };
    let options = ExecOptions {
        env: vec![("SECRET".into(), Hidden::new("a 'b' $c"))],
        user: Some("65534".into()),
        working_dir: Some("/tmp".into()),
        ..sh("echo \"$SECRET\"; id -u; pwd; echo oops >&2; exit 42")
    };
    assert_eq!(run(&stack, id, options, None).await, ("a 'b' $c\n65534\n/tmp\n".into(), "oops\n".into(), 42));
    let big = vec![b'x'; 3_000_000];
    let counted = run(&stack, id, ExecOptions { stdin: true, ..sh("wc -c") }, Some(&big)).await;
    assert_eq!(counted, ("3000000\n".into(), String::new(), 0));
    let missing = run(&stack, id, ExecOptions { command: vec!["nonsense".into()], ..Default::default() }, None).await;
    assert!(missing.2 == 126 || missing.2 == 127, "{missing:?}");
    let mut exec =
        stack.docker.exec(id, ExecOptions { tty: true, stdin: true, ..sh("read x; stty size") }).await.unwrap();
    exec.resize(123, 45).await.unwrap();
    exec.input.as_mut().unwrap().write_all(b"\n").await.unwrap();
    let mut seen = Vec::new();
    while let Some(piece) = exec.output.next().await {
        seen.extend_from_slice(&piece.unwrap().bytes);
    }
    assert!(String::from_utf8_lossy(&seen).contains("45 123"), "{:?}", String::from_utf8_lossy(&seen));
    stack.must(Action::StopContainer { target: web.clone(), grace_secs: Some(2) }).await;
    assert!(stack.docker.exec(id, sh("true")).await.is_err_and(|error| !error.hints.is_empty()));
}
