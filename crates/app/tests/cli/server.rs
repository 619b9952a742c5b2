//! `mainstay serve` without an engine: it waits, says so, and stops when told.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::sealed::Sealed;

#[test]
fn a_server_without_an_engine_must_wait_and_stop_when_told() {
    let sealed = Sealed::new();
    let mut child = sealed.command(&["serve"]).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut log = BufReader::new(child.stderr.take().expect("a log")).lines();
    let first = log.next().expect("a line").expect("text");
    assert!(first.starts_with("the engine does not answer, trying on:"), "{first}");
    let ended = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(ended.success());
    assert_eq!(child.wait().expect("its end").code(), Some(0));
}

#[test]
fn a_socket_that_nobody_serves_must_not_stand_in_the_way() {
    let sealed = Sealed::new();
    std::fs::create_dir_all(sealed.state_dir()).expect("a folder");
    drop(std::os::unix::net::UnixListener::bind(sealed.state_dir().join("mainstay.sock")).expect("a socket"));
    let ran = sealed.run(&["stacks"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
}

#[test]
fn a_second_server_must_be_refused_with_the_pid_of_the_first() {
    let sealed = Sealed::new();
    crate::stand_in::serve(&sealed, vec![]);
    let ran = sealed.run(&["serve"]);
    insta::assert_snapshot!(ran.whole(), @r"
    exit code: 4
    --- stdout
    --- stderr
    error: a server runs here already (pid 7)
      hint: stop it first, or serve another folder: `--state-dir DIR`
    ");
}

#[test]
fn a_command_must_be_read_only_where_it_only_reads() {
    let sealed = Sealed::new();
    for args in [&["stacks"][..], &["history"], &["ps", "--all"], &["plan", "down", "-p", "shop"]] {
        let _ = sealed.run(args);
        assert!(!sealed.state_dir().exists(), "`{}` made a state folder", args.join(" "));
    }
}
