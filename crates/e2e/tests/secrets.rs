//! Secrets on a real engine: they arrive byte for byte and stand nowhere else, nothing is touched without them, and
//! neither a crash nor a lost key takes one away.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mainstay_e2e::{Ran, Scene, docker_json, exists, id_of, inside, logs_of, require_engine, text};

/// Everything that shells, YAML, `.env` files, JSON and URLs have a meaning for, and something that none has.
const AWKWARD: &str = "a$b ${HOME} $$ 'single' \"double\" `tick` \\n \\\\ # %41 +&=: {{.X}}\nsecond line\t€ ä 😀 end";
const PLAIN: &str = "s3cr3t-Zu9gXq71LmPw44";

const SHOP: &str = r#"
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment:
      - BARE
      - INSIDE=<${BARE:?is needed}>
      - PLAIN
    secrets: [file]
secrets:
  file: { environment: BARE }
x-mainstay:
  secrets:
    BARE: { description: from the provider }
    PLAIN: { min_length: 12 }
    SESSION: { generate: 48, min_length: 32 }
"#;

/// The texts that would give a value away: itself, and what stays the same of its base64 wherever it begins.
fn forms(value: &str) -> Vec<String> {
    let url: String = value
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let mut forms =
        vec![value.to_owned(), url, serde_json::Value::from(value).to_string().trim_matches('"').to_owned()];
    for before in 0..3 {
        let coded = encoded(&format!("{}{value}", "x".repeat(before)));
        // Without the letters that the neighbours have a part in.
        forms.push(coded[4..coded.len() - 4].to_owned());
        forms.push(coded[4..coded.len() - 4].replace('+', "-").replace('/', "_"));
    }
    forms
}

/// By the program that everybody has.
fn encoded(text: &str) -> String {
    let mut child = Command::new("base64")
        .arg("--wrap=0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the `base64` command starts");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("text")
}

/// Fails where a file below a folder holds a form of a value.
#[track_caller]
fn stands_nowhere_below(folder: &Path, value: &str) {
    let forms = forms(value);
    let mut seen = 0;
    let mut ahead = vec![folder.to_owned()];
    while let Some(folder) = ahead.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                ahead.push(path);
            } else if path.is_file() {
                seen += 1;
                let content = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
                for form in &forms {
                    assert!(!content.contains(form.as_str()), "`{}` holds {form:?}", path.display());
                }
            }
        }
    }
    assert!(seen > 1, "there is something in {}", folder.display());
}

#[track_caller]
fn tells_nothing(ran: &Ran, value: &str) {
    for form in forms(value) {
        assert!(!ran.stdout.contains(&form) && !ran.stderr.contains(&form), "`{}` tells {form:?}", ran.command);
    }
}

/// Watches the command lines of all processes while something happens, and gives those that hold a value.
fn in_command_lines(value: &str, happens: impl FnOnce()) -> Vec<String> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut found = Vec::new();
            while !over.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").expect("/proc").flatten() {
                    let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if line.contains(value) {
                        found.push(line);
                    }
                }
            }
            found
        });
        happens();
        over.store(true, Ordering::Relaxed);
        watching.join().expect("the watcher ends")
    })
}

fn set(scene: &Scene, name: &str, value: &str) -> Ran {
    scene.on_with_input("shop", &["secret", "set", name], value).ok()
}

fn variable(container: &str, name: &str) -> String {
    let inspected = docker_json(container);
    let variables = inspected["Config"]["Env"].as_array().expect("a list of variables").clone();
    let prefix = format!("{name}=");
    let found = variables.iter().map(text).find_map(|pair| pair.strip_prefix(&prefix).map(str::to_owned));
    found.unwrap_or_else(|| panic!("{container} has no {name}"))
}

#[test]
fn a_value_arrives_byte_for_byte_and_stands_nowhere_else() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("secret");
    scene.stack("shop", SHOP);
    let web = scene.container("shop", "web");
    let mut said = Vec::new();
    let seen = in_command_lines(PLAIN, || {
        said.push(set(&scene, "BARE", AWKWARD));
        said.push(set(&scene, "PLAIN", PLAIN));
        said.push(scene.on("shop", &["up", "--yes"]).ok().says("generated for"));
    });
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(variable(&web, "BARE"), AWKWARD);
    assert_eq!(variable(&web, "INSIDE"), format!("<{AWKWARD}>"));
    // What the process itself has, and what it reads: not by the word of the engine alone.
    assert_eq!(inside(&web, "printf %s \"$BARE\" | base64 | tr -d '\\n'"), encoded(AWKWARD));
    assert_eq!(inside(&web, "base64 < /run/secrets/file | tr -d '\\n'"), encoded(AWKWARD));

    for args in [
        &["up"][..],
        &["plan"],
        &["plan", "--json"],
        &["config"],
        &["config", "--format", "json"],
        &["ps", "--json"],
        &["secret", "ls"],
        &["secret", "ls", "--json"],
        &["history", "--steps", "--json"],
    ] {
        said.push(scene.on("shop", args).ok());
    }
    for value in [AWKWARD, PLAIN, "second line\t€ ä 😀 end"] {
        said.iter().for_each(|ran| tells_nothing(ran, value));
        stands_nowhere_below(&scene.state_dir(), value);
    }
    let shown = scene.on("shop", &["config", "--reveal", "--format", "json"]).ok().json();
    assert_eq!(shown["services"]["web"]["environment"]["PLAIN"], PLAIN);
}

#[test]
fn nothing_is_touched_until_every_secret_of_every_stack_is_as_it_has_to_be() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("secretless");
    scene.stack("shop", SHOP);
    scene.stack("first", "services:\n  web: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }\n");
    let (first, shop) = (scene.dir("first"), scene.dir("shop"));
    let both = ["up", "--yes", "--stack", first.to_str().expect("text"), "--stack", shop.to_str().expect("text")];
    let refused = scene.mainstay(&both).code(3);
    let refused = refused.says("the secret `BARE` is required and has no value (from the provider)");
    let refused = refused.says("the secret `PLAIN` is required").says("compose.yaml:17:5").says("2 secrets of");
    refused.says("`mainstay secret set PLAIN`");
    assert!(scene.containers("first").is_empty() && scene.containers("shop").is_empty());
    assert!(!exists("network", &scene.network("shop")));
    assert!(!scene.state_dir().join("secrets").exists(), "nothing was generated either");

    // An `.env` that gives it a value wins, and is judged as well.
    set(&scene, "BARE", "long enough");
    set(&scene, "PLAIN", PLAIN);
    scene.file("shop", ".env", "PLAIN=short\n");
    scene.on("shop", &["plan"]).code(3).says("has 5 characters, and needs 12").says("it comes from an env file");
    scene.file("shop", ".env", "PLAIN=of-the-env-file-\n");
    scene.on("shop", &["plan"]).ok().says("an env file sets `PLAIN`, and wins");
    scene.on("shop", &["secret", "ls"]).ok().prints("an env file wins");
    // A line without a value is no value.
    scene.file("shop", ".env", "PLAIN=\n");
    scene.on("shop", &["up", "--yes"]).ok();
    assert_eq!(variable(&scene.container("shop", "web"), "PLAIN"), PLAIN);
}

#[test]
fn what_is_generated_is_made_once_by_up_and_rotated_only_when_asked() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("generate");
    scene.stack(
        "shop",
        "services:\n  web:\n    image: mainstay-test/tiny:1\n    stop_grace_period: 1s\n    environment: [SESSION]\nx-mainstay: { secrets: { SESSION: { generate: 32, format: hex } } }\n",
    );
    let web = scene.container("shop", "web");
    for args in [&["plan"][..], &["up", "--dry-run"]] {
        scene.on("shop", args).ok().says("`up` will generate for").says("`SESSION`");
    }
    assert!(!scene.state_dir().join("secrets").exists(), "showing keeps nothing");
    scene.on("shop", &["up", "--yes"]).ok().says("generated for");
    let (value, id) = (variable(&web, "SESSION"), id_of(&web));
    assert!(value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
    scene.on("shop", &["up", "--yes"]).ok().says("nothing to do");
    scene.on("shop", &["secret", "generate"]).ok().says("had a value, which stays");
    scene.on("shop", &["secret", "generate", "--rotate"]).code(5);
    assert_eq!((variable(&web, "SESSION"), id_of(&web)), (value.clone(), id));

    scene.on("shop", &["secret", "generate", "SESSION", "--rotate", "--yes"]).ok();
    let plan = scene.on("shop", &["plan"]).ok().prints("`environment.SESSION` differs");
    tells_nothing(&plan, &value);
    scene.on("shop", &["up", "--yes"]).ok();
    assert_ne!(variable(&web, "SESSION"), value);
    // Another environment has values of its own.
    scene.file("shop", "compose.prod.yaml", "services: { web: { environment: { STAGE: prod } } }\n");
    scene.on("shop", &["plan", "--env", "prod"]).ok().says("`up` will generate for");
}

#[test]
fn a_container_that_tells_its_secret_and_fails_gets_it_into_no_report_and_no_history() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("telltale");
    scene.stack(
        "shop",
        r#"
services:
  web:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    environment: [PLAIN]
    command:
      - sh
      - -c
      - 'echo "fatal: cannot log in with $$PLAIN"; printf "user:%s" "$$PLAIN" | base64; echo "{\"p\":\"$$PLAIN\"}"; exit 7'
    healthcheck: { test: [CMD, 'true'], interval: 1s }
x-mainstay: { secrets: { PLAIN: {} } }
"#,
    );
    let web = scene.container("shop", "web");
    set(&scene, "PLAIN", PLAIN);
    // By itself, and by way of a server, which never saw the files.
    for round in ["hosted", "served"] {
        let server = (round == "served").then(|| scene.serve());
        for args in [&["up", "--yes"][..], &["up", "--yes", "--json", "--force-recreate"], &["restart", "--yes"]] {
            let failed = scene.on("shop", args);
            if args[0] == "up" {
                assert_eq!(failed.code, Some(1), "{round} {args:?}\n{}{}", failed.stdout, failed.stderr);
                assert!(failed.stderr.contains("cannot log in with [redacted]"), "{round} {args:?}: {}", failed.stderr);
            }
            tells_nothing(&failed, PLAIN);
        }
        assert!(logs_of(&web).contains(PLAIN), "the container did tell it");
        for args in [&["logs"][..], &["logs", "--json"], &["history", "--steps", "--json"], &["ps"]] {
            tells_nothing(&scene.on("shop", args), PLAIN);
        }
        scene.on("shop", &["logs"]).ok().prints("cannot log in with [redacted]");
        if let Some(server) = server {
            let log = server.log();
            server.stop();
            assert!(!log.contains(PLAIN), "{log}");
        }
        stands_nowhere_below(&scene.state_dir(), PLAIN);
    }
}

#[test]
fn a_command_that_is_killed_while_it_writes_loses_nothing() {
    let scene = Scene::new("killed");
    scene.stack("shop", SHOP);
    set(&scene, "BARE", AWKWARD);
    let half = scene.state_dir().join("secrets").join(format!("{}.age.new", scene.name("shop")));
    let (mut killed, mut ended) = (0, 0);
    let mut allowed = vec!["PLAIN is not set".to_owned()];
    for round in 0..60 {
        let value = format!("{PLAIN}-{round}");
        let input = scene.folder().join("value");
        fs::write(&input, &value).expect("the input");
        let folder = scene.dir("shop");
        let mut command = scene.command(&["--stack", folder.to_str().expect("text"), "secret", "set", "PLAIN"]);
        command.stdin(fs::File::open(&input).expect("the input")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        // In the middle of writing, where that can be seen; else whenever it is.
        let mut looks = 0;
        let is_over = loop {
            if child.try_wait().expect("it can be asked").is_some() {
                break true;
            }
            looks += 1;
            if half.exists() || (round % 3 == 0 && looks > round * 40) {
                break false;
            }
        };
        let _ = child.kill();
        let status = child.wait().expect("it ends");
        if is_over || status.success() {
            assert!(status.success(), "{status}");
            ended += 1;
            allowed.clear();
        } else {
            killed += 1;
        }
        allowed.push(value);
        let now = kept(&scene);
        assert_eq!(now["BARE"].as_str(), AWKWARD, "round {round}");
        let plain = now.get("PLAIN").cloned().unwrap_or_else(|| "PLAIN is not set".to_owned());
        assert!(allowed.contains(&plain), "round {round}: {plain:?}, not one of {allowed:?}");
        allowed = vec![plain];
    }
    assert!(killed > 0, "{killed} were killed, {ended} ended");
    // Nothing of the dead stands in the way of the living.
    set(&scene, "PLAIN", PLAIN);
    assert_eq!(kept(&scene)["PLAIN"], PLAIN);
    scene.on("shop", &["secret", "rm", "PLAIN", "--yes"]).ok();
    scene.on("shop", &["secret", "rm", "PLAIN", "--yes"]).code(2).says("nothing is kept under `PLAIN`");
}

/// What the stack would get, by way of the only command that shows values.
fn kept(scene: &Scene) -> std::collections::BTreeMap<String, String> {
    let shown = scene.on("shop", &["config", "--reveal", "--format", "json"]).ok().json();
    let variables = shown["services"]["web"]["environment"].as_object().expect("variables").clone();
    let value = |value: &serde_json::Value| text(value).replace("$$", "$");
    variables.iter().map(|(name, one)| (name.clone(), value(one))).filter(|(_, one)| !one.contains('…')).collect()
}

#[test]
fn a_lost_key_is_said_to_be_lost_and_comes_back_from_the_kit() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("lostkey");
    scene.stack("shop", SHOP);
    set(&scene, "BARE", AWKWARD);
    set(&scene, "PLAIN", PLAIN);
    scene.on("shop", &["up", "--yes"]).ok();
    let (kit, key) = (scene.folder().join("kit.age"), scene.state_dir().join("host.key"));
    let word = scene.file("shop", "passphrase", "correct horse battery\n");
    let word = word.to_str().expect("text");
    scene.mainstay(&["secret", "kit", kit.to_str().expect("text"), "--passphrase-file", word]).ok();
    assert!(fs::read_to_string(&kit).expect("a kit").starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    fs::remove_file(&key).expect("the key goes");

    let lost = scene.on("shop", &["up", "--yes"]).code(4).says("the key of this host is missing");
    lost.says("mainstay secret restore-kit");
    scene.on_with_input("shop", &["secret", "set", "BARE"], "new").code(4);
    assert!(!key.exists());
    // What runs is still to be seen, and to be stopped.
    scene.on("shop", &["ps"]).ok().says("the key of this host is missing").prints("web");
    scene.on("shop", &["logs"]).ok().says("nobody knows them here");
    scene.on("shop", &["stop", "--yes"]).ok();

    scene.mainstay(&["secret", "restore-kit", kit.to_str().expect("text"), "--passphrase-file", word]).ok();
    scene.on("shop", &["up", "--yes"]).ok();
    assert_eq!(variable(&scene.container("shop", "web"), "BARE"), AWKWARD);
    // The key may live elsewhere.
    let elsewhere = scene.folder().join("elsewhere.key");
    fs::rename(&key, &elsewhere).expect("it moves");
    let told = ["up", "--yes", "--key-file", elsewhere.to_str().expect("text")];
    scene.on("shop", &told).ok().says("nothing to do");
}

#[test]
fn what_is_no_value_is_refused_and_a_value_on_the_command_line_is_not_repeated() {
    let scene = Scene::new("novalue");
    scene.stack("shop", SHOP);
    for args in [&["secret", "set", "PLAIN=hunter22-hunter22"][..], &["secret", "set", "PLAIN", "hunter22-hunter22"]] {
        let refused = scene.on("shop", args).code(2).says("can be read by everybody");
        tells_nothing(&refused, "hunter22-hunter22");
    }
    scene.on("shop", &["secret", "set", "PLAIN"]).code(2).says("there is no value");
    scene.on("shop", &["secret", "set", "1PLAIN"]).code(2).says("cannot be the name of a variable");
    scene.on("shop", &["secret", "set", "COMPOSE_FILE"]).code(2).says("is read by Compose itself");
    scene.on_with_input("shop", &["secret", "set", "PLAIN"], "short").code(3).says("needs 12 characters");
    scene
        .on_with_input("shop", &["secret", "set", "PLAIN"], "with\0nul-with-nul")
        .code(2)
        .says("byte 5 of the value is NUL");
    let binary = scene.folder().join("binary");
    fs::write(&binary, [b'a', 0xff, b'b']).expect("a file");
    let from_file = ["secret", "set", "PLAIN", "--from-file", binary.to_str().expect("text")];
    scene.on("shop", &from_file).code(2).says("byte 2 of the value is no UTF-8");
    assert!(!scene.state_dir().join("secrets").exists(), "nothing was kept");
    set(&scene, "PLAIN", "with-a-newline\n").says("ends with a newline, which is kept");
    assert_eq!(kept(&scene)["PLAIN"], "with-a-newline\n");
    scene.on_with_input("shop", &["secret", "set", "PLAIN", "--trim"], "with-a-newline\n").ok();
    assert_eq!(kept(&scene)["PLAIN"], "with-a-newline");
    // Files with mistakes keep nobody from setting what is missing.
    scene.file(
        "shop",
        "compose.yaml",
        "name: {stack:shop}\nservices: { web: { imagee: x, environment: ['A=${B:?}'] } }\n",
    );
    set(&scene, "B", "whatever");
    scene.on("shop", &["secret", "ls"]).ok().prints("B").says("nobody knows which secrets they use");
}
