//! `--host ssh://…`: commands that run on another machine, by way of a real `sshd`.

use std::fs;
use std::time::Duration;

use mainstay_e2e::{
    Running, Scene, Sshd, TINY, TINY_2, eventually, exists, image_id, image_of, require_engine, require_sshd,
};

const SOON: Duration = Duration::from_secs(60);

/// A stack whose files are only on this side, in a folder of their own.
fn away(scene: &Scene, compose: &str) -> std::path::PathBuf {
    scene.stack("shop", compose)
}

fn ready() -> bool {
    require_engine() && require_sshd()
}

#[test]
fn a_stack_must_be_brought_up_looked_at_and_taken_down_from_another_machine() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshup");
    let sshd = Sshd::start(&scene);
    let shop = scene.name("shop");
    let folder = away(
        &scene,
        "services:\n  web:\n    image: mainstay-test/tiny:${TAG:-1}\n    environment: { WORD: \"${WORD:-none}\" }\n    \
         command: [sh, -c, 'echo said $$WORD; exec sleep 1000']\n    init: true\n",
    );
    // Values stay on the host: this one is not its.
    fs::write(folder.join(".env"), "WORD=of-the-laptop\n").expect("a file");
    let own = scene.state_dir().join("stacks").join(&shop);
    fs::create_dir_all(&own).expect("a folder of the host");
    fs::write(own.join(".env"), "WORD=of-the-host\n").expect("a file");

    sshd.run_in(&scene, &folder, &["plan"]).ok().prints("create container").prints(&shop);
    assert!(!own.join(".sent").read_dir().is_ok_and(|mut sets| sets.next().is_some()), "a plan leaves nothing");
    sshd.run_in(&scene, &folder, &["up"]).ok().says("no server runs here").says("is done");
    assert!(exists("container", &scene.container("shop", "web")));
    sshd.run(&scene, &["ps", "--stack", &shop]).ok().prints("running");
    sshd.run_in(&scene, &folder, &["logs"]).ok().prints("said of-the-host");
    let listed = sshd.run(&scene, &["stacks", "--json"]).ok().json();
    assert_eq!(listed[0]["directory"], own.display().to_string());
    // The files that it was brought up from are known there by its name.
    sshd.run(&scene, &["up", "--stack", &shop]).ok().says("nothing to do");
    let by = sshd.run(&scene, &["releases", "--stack", &shop, "--json"]).ok().json();
    assert!(by["actor"].as_str().expect("who").contains(" for "), "{by}");
    sshd.run(&scene, &["down", "--stack", &shop]).ok();
    assert!(!exists("container", &scene.container("shop", "web")));
}

#[test]
fn a_command_in_a_container_must_have_its_streams_its_variables_and_its_exit_code() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshexec");
    let sshd = Sshd::start(&scene);
    let shop = scene.name("shop");
    let folder = away(&scene, "services:\n  web:\n    image: mainstay-test/tiny:1\n");
    scene.on("shop", &["up"]).ok();
    let exec = |args: &[&str]| {
        let mut all = vec!["exec", "--stack", &shop, "-T"];
        all.extend(args);
        let mut command = sshd.command(&scene, &folder, &all);
        command.env("FROM_HERE", "a value").env("EMPTY", "");
        command
    };
    let ran =
        mainstay_e2e::Ran::of(exec(&["-e", "FROM_HERE", "web", "sh", "-c", "echo $FROM_HERE; echo oh >&2; exit 7"]));
    let ran = ran.code(7).says("oh");
    assert_eq!(ran.stdout, "a value\n");
    let ran = mainstay_e2e::Ran::of(exec(&["-e", "EMPTY", "web", "sh", "-c", "echo ${EMPTY-unset}"])).ok();
    assert_eq!(ran.stdout, "\n");
    let input = scene.folder().join("input");
    let bytes: Vec<u8> = (0..3_000_000u32).map(|number| number.to_le_bytes()[1]).collect();
    fs::write(&input, &bytes).expect("a file");
    let mut command = exec(&["web", "cat"]);
    let output = command.stdin(fs::File::open(&input).expect("a file")).output().expect("it runs");
    assert!(output.status.success() && output.stdout == bytes, "{} bytes came back", output.stdout.len());
}

#[test]
fn a_terminal_must_go_along() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshtty");
    let sshd = Sshd::start(&scene);
    let shop = scene.name("shop");
    let folder = away(&scene, "services:\n  web:\n    image: mainstay-test/tiny:1\n");
    scene.on("shop", &["up"]).ok();
    // `script` makes a terminal on this side.
    let inside = sshd.command(
        &scene,
        &folder,
        &[
            "exec",
            "--stack",
            &shop,
            "web",
            "sh",
            "-c",
            "'test -t 0 && until stty size | grep \"33 99\"; do sleep 0.1; done'",
        ],
    );
    let words: Vec<String> = inside.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let line = format!("stty rows 33 cols 99; {} {}", mainstay_e2e::binary().display(), words.join(" "));
    let mut script = std::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&folder);
    for (name, value) in inside.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let said = mainstay_e2e::Ran::of(script).ok();
    assert!(said.stdout.contains("33 99"), "{said:?}");
}

/// A stack that was brought up here, from its folder. Gives its name.
fn released(scene: &Scene) -> String {
    away(
        scene,
        "services:\n  web:\n    image: mainstay-test/tiny:1\n    restart: \"no\"\n    command: [sleep, '1000']\n",
    );
    scene.on("shop", &["up", "--yes"]).ok();
    scene.name("shop")
}

#[test]
fn a_tag_must_be_promoted_and_rolled_back_with_a_key_that_may_do_nothing_else() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshpromote");
    let sshd = Sshd::start(&scene);
    let shop = released(&scene);
    let bridge = mainstay_e2e::binary();
    sshd.let_in("limited_key", &format!("command=\"{} bridge --scope release:{shop}\",restrict ", bridge.display()));
    sshd.client("limited_key");
    sshd.run(&scene, &["promote", "--stack", &shop, "--tag", "2", "--yes"]).ok();
    assert_eq!(image_of(&scene.container("shop", "web")), image_id(TINY_2));
    sshd.run(&scene, &["rollback", "--stack", &shop, "--yes"]).ok();
    assert_eq!(image_of(&scene.container("shop", "web")), image_id(TINY));
    sshd.run(&scene, &["exec", "--stack", &shop, "web", "true"]).code(2).says("needs the scope `admin`");
    sshd.run(&scene, &["promote", "--stack", "other", "--tag", "2"]).code(2).says("needs the scope `release:other`");
    sshd.run_in(&scene, &scene.dir("shop"), &["up"]).code(2).says("needs the scope `admin`");
    sshd.run(&scene, &["ps", "--stack", &shop, "--state-dir", "/tmp"]).code(2).says("`--state-dir` leads elsewhere");
}

#[test]
fn a_promotion_must_need_no_files_where_they_are_gone() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshgone");
    let sshd = Sshd::start(&scene);
    let shop = released(&scene);
    fs::remove_file(scene.dir("shop").join("compose.yaml")).expect("it was there");
    sshd.run(&scene, &["promote", "--stack", &shop, "--tag", "2", "--yes"]).ok().says("as release 1 declared it");
    assert_eq!(image_of(&scene.container("shop", "web")), image_id(TINY_2));
    sshd.run(&scene, &["promote", "--stack", &shop, "--clear"]).code(3).says("not on this host any more");
}

#[test]
fn what_is_only_on_this_machine_must_be_refused_by_name() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshhere");
    let sshd = Sshd::start(&scene);
    let folder = away(
        &scene,
        "services:\n  web:\n    build: .\n    volumes: ['./conf:/conf:ro']\n  db:\n    image: mainstay-test/tiny:1\n",
    );
    fs::create_dir_all(folder.join("conf")).expect("a folder");
    let told = sshd.run_in(&scene, &folder, &["up"]).code(3);
    let told = told.says("`web` is built from a folder").says("`web` mounts `").says("conf`, which is not there");
    told.says("mainstay promote --tag");
    assert_eq!(scene.containers("shop"), [""; 0]);
    sshd.run_in(&scene, &folder, &["up", "--env-file", "x"]).code(2).says("values stay on the host");
    sshd.run_in(&scene, &folder, &["--host", &sshd.host(), "init"]).code(2).says("writes files into a folder of this");
    // Where only the environment names a host, what is for this machine runs here.
    sshd.run_in(&scene, &folder, &["completions", "bash"]).ok().prints("mainstay");
}

#[test]
fn ctrl_c_here_must_end_what_runs_there() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshstop");
    let sshd = Sshd::start(&scene);
    let shop = released(&scene);
    let follow = sshd.spawn(&scene, &["history", "--follow", "--stack", &shop]);
    follow.awaits_stdout("`up` done", SOON);
    let there = processes(&scene, "history --follow");
    assert_eq!(there.len(), 2, "one here, one there: {there:?}");
    follow.interrupt();
    follow.ends(SOON).code(130);
    eventually("it has ended there", SOON, || processes(&scene, "history --follow").is_empty().then_some(()));
}

/// The processes whose command line has these words and that belong to the scene.
fn processes(scene: &Scene, words: &str) -> Vec<String> {
    let shop = scene.name("shop");
    let listed = std::process::Command::new("ps").args(["-eo", "pid=,args="]).output().expect("ps");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    text.lines().filter(|line| line.contains(words) && line.contains(&shop)).map(str::to_owned).collect()
}

/// A release that waits until it is killed or ended.
fn slow_release(scene: &Scene, sshd: &Sshd) -> Running {
    let shop = scene.name("shop");
    let text = format!(
        "name: {shop}\nservices:\n  web:\n    image: mainstay-test/tiny:1\n    restart: \"no\"\n    command: [sleep, '2000']\n    \
         healthcheck: {{ test: [CMD, 'false'], interval: 1s, retries: 1000, start_period: 600s }}\n"
    );
    fs::write(scene.dir("shop").join("compose.yaml"), text).expect("the file");
    let running = sshd.spawn(scene, &["up", "--stack", &shop, "--yes"]);
    eventually("the new container is there", SOON, || (scene.containers("shop").len() > 1).then_some(()));
    running
}

#[test]
fn a_connection_that_breaks_in_the_middle_of_an_up_must_leave_what_ctrl_c_leaves() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshbreak");
    let sshd = Sshd::start(&scene);
    released(&scene);
    let before = mainstay_e2e::id_of(&scene.container("shop", "web"));
    // The client is killed: the other side sees its end.
    slow_release(&scene, &sshd).kill();
    let is_back = || (scene.containers("shop") == [scene.container("shop", "web")]).then_some(());
    eventually("the release is taken back", SOON, is_back);
    assert_eq!(mainstay_e2e::id_of(&scene.container("shop", "web")), before, "the old one never stopped");
    // The line is cut: both sides see its end.
    let running = slow_release(&scene, &sshd);
    let session = std::process::Command::new("pkill").args(["-P", &sshd.pid().to_string()]).status().expect("pkill");
    assert!(session.success());
    running.ends(SOON).code(4).says("broke while `mainstay up` ran there").says("history --limit 5");
    eventually("the release is taken back", SOON, is_back);
    assert_eq!(mainstay_e2e::id_of(&scene.container("shop", "web")), before);
}

#[test]
fn each_way_in_which_ssh_fails_must_be_told_with_what_to_do() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshfail");
    let sshd = Sshd::start(&scene);
    let code = |ran: mainstay_e2e::Ran| -> String {
        let problem: serde_json::Value = serde_json::from_str(ran.stderr.trim()).expect("one object");
        problem["code"].as_str().expect("a code").to_owned()
    };
    let ps = ["ps", "--json", "--all"];
    sshd.run(&scene, &ps).ok();
    sshd.client("other_key");
    assert_eq!(code(sshd.run(&scene, &ps).code(4)), "ssh-denied");
    sshd.client("user_key");
    let with = |name: &str, value: &str| {
        let mut command = sshd.command(&scene, scene.folder(), &ps);
        command.env(name, value);
        mainstay_e2e::Ran::of(command).code(4)
    };
    assert_eq!(code(with("MAINSTAY_HOST_COMMAND", "mainstay-is-not-here")), "no-mainstay");
    let closed = format!("ssh://127.0.0.1:{}", mainstay_e2e::free_port());
    assert_eq!(code(with("MAINSTAY_HOST", &closed)), "ssh-refused");
    assert_eq!(code(with("MAINSTAY_HOST_COMMAND", "echo hello; exit 3;")), "host-lost");
    let old = scene.folder().join("old");
    fs::write(&old, "#!/bin/sh\necho 'mainstay-bridge 1 99.1.0'\n").expect("a script");
    let told = with("MAINSTAY_HOST_COMMAND", &format!("sh {}", old.display()));
    assert!(told.stderr.contains("99.1.0") && told.stderr.contains("0.1.0"), "{told:?}");
    assert_eq!(code(told), "version-mismatch");
    sshd.write("known_hosts", "");
    assert_eq!(code(sshd.run(&scene, &ps).code(4)), "host-key");
}

/// The script of a step in a workflow that `init` wrote.
fn step(workflow: &str, name: &str) -> String {
    let from = workflow.split(&format!("- name: {name}\n")).nth(1).expect("the step");
    let script = from.split("run: |\n").nth(1).expect("its script");
    script.lines().take_while(|line| line.starts_with("          ")).map(|line| format!("{}\n", line.trim())).collect()
}

#[test]
fn the_workflows_of_init_must_promote_and_roll_back_with_one_key() {
    if !ready() {
        return;
    }
    let scene = Scene::new("sshinit");
    let sshd = Sshd::start(&scene);
    let shop = released(&scene);
    let app = scene.folder().join("app");
    fs::create_dir_all(&app).expect("a folder");
    fs::write(app.join("index.html"), "<h1>hello</h1>").expect("a file");
    scene.mainstay(&["init", "./app"]).ok();
    let workflow = |name: &str| fs::read_to_string(app.join(".github/workflows").join(name)).expect("a workflow");
    let promote = step(&workflow("promote.yaml"), "Promote");
    // With a key that may do nothing else.
    let bridge = mainstay_e2e::binary();
    sshd.let_in("limited_key", &format!("command=\"{} bridge --scope release:{shop}\",restrict ", bridge.display()));
    sshd.client("limited_key");
    let run = |script: &str, name: &str, value: &str| {
        sshd.script(&scene, script, &[("SERVER", "127.0.0.1"), ("STACK", &shop), (name, value)])
    };
    // Nothing that a person types is run.
    run(&promote, "TAG", "2; touch /tmp/oh").code(2).prints("this is no tag");
    run(&promote, "TAG", "2").ok();
    assert_eq!(image_of(&scene.container("shop", "web")), image_id(TINY_2));
    let rollback = step(&workflow("rollback.yaml"), "Roll back");
    run(&rollback, "RELEASE", "").ok();
    assert_eq!(image_of(&scene.container("shop", "web")), image_id(TINY));
    run(&rollback, "RELEASE", "2").ok();
    assert_eq!(image_of(&scene.container("shop", "web")), image_id(TINY_2));
    run(&rollback, "RELEASE", "2 --yes").code(2).prints("this is no number");
    for (typed, told) in [
        ("mainstay ps --stack $STACK", ""),
        ("mainstay down --stack $STACK --yes", "needs the scope `admin`"),
        ("mainstay promote --stack other --tag 2", "needs the scope `release:other`"),
        ("mainstay ps --stack $STACK '; id'", "no plain word"),
        ("id", "runs `mainstay` and nothing else"),
    ] {
        let ran = run(&format!("ssh \"$SERVER\" \"{typed}\""), "TAG", "2");
        assert_eq!(ran.code, Some(if told.is_empty() { 0 } else { 2 }), "{typed}: {ran:?}");
        assert!(ran.stderr.contains(told), "{typed}: {ran:?}");
    }
}
