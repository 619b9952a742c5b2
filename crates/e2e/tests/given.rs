//! Everything that a container can be given arrives in it: seen from the engine's inspection and from inside.

use std::collections::BTreeSet;

use mainstay_e2e::{
    Scene, docker, docker_json, docker_ok, exists, id_of, inside, logs_of, networks_of, require_engine,
};
use mainstay_e2e::{eventually, started_at, text, texts};
use serde_json::{Value, json};
use std::time::Duration;

/// Brings one service `it` up from the body of its service, and what follows at the top level.
fn up(scene: &Scene, body: &str, rest: &str) -> String {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    scene.stack(
        "one",
        &format!("services:\n  it:\n    image: mainstay-test/tiny:1\n    stop_grace_period: 1s\n{body}{rest}"),
    );
    scene.on("one", &["up"]).ok();
    scene.container("one", "it")
}

/// The environment of the container's first process, as the kernel has it.
fn environment(container: &str) -> BTreeSet<String> {
    let output = docker(&["exec", container, "cat", "/proc/1/environ"]);
    let all = String::from_utf8(output.stdout).expect("UTF-8");
    all.split('\0').filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

fn mount(container: &str, target: &str) -> Value {
    let inspected = docker_json(container);
    let mounts = inspected["Mounts"].as_array().expect("Mounts");
    mounts.iter().find(|mount| mount["Destination"] == target).unwrap_or_else(|| panic!("{target}: {mounts:?}")).clone()
}

#[test]
fn environment_values_arrive_byte_for_byte() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("env");
    let container = up(
        &scene,
        r##"
environment:
  DOLLAR: "a$$b $${NOT} $$$$"
  HASH: "a #b# c"
  QUOTES: "it's \"quoted\""
  BACKSLASH: 'c:\new\table\'
  EQUALS: "a=b==c="
  NEWLINE: "one\ntwo\n"
  TAB: "one\ttwo"
  UNICODE: "żółć 統 🦀 é"
  SPACES: "  two before, two after  "
  EMPTY: ""
  NUMBER: 010
  FLOAT: 1.10
  BOOL: "yes"
  URL: "pg://db:5432?u=n&p=a%20b;c&d=n"
  JSON: '{"a": [1, "b"]}'
"##,
        "",
    );
    let environment = environment(&container);
    for expected in [
        "DOLLAR=a$b ${NOT} $$",
        "HASH=a #b# c",
        "QUOTES=it's \"quoted\"",
        "BACKSLASH=c:\\new\\table\\",
        "EQUALS=a=b==c=",
        "NEWLINE=one\ntwo\n",
        "TAB=one\ttwo",
        "UNICODE=żółć 統 🦀 é",
        "SPACES=  two before, two after  ",
        "EMPTY=",
        "BOOL=yes",
        "URL=pg://db:5432?u=n&p=a%20b;c&d=n",
        "JSON={\"a\": [1, \"b\"]}",
    ] {
        assert!(environment.contains(expected), "{expected:?} is not in {environment:#?}");
    }
}

#[test]
fn the_list_form_and_env_files_arrive_byte_for_byte_and_the_service_wins() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("envfile");
    scene.stack("one", "services: {}\n");
    scene.file(
        "one",
        "a.env",
        "PLAIN=a b  c\nSINGLE='$NOT \"x\" #y'\nDOUBLE=\"one\\ntwo $$x\"\nexport EXPORTED=yes\n# a comment\nINLINE=v # gone\nBOTH=file\nLATER=a\n",
    );
    scene.file("one", "raw.env", "RAW='kept' # too $HOME\nLATER=b\n");
    let container = up(
        &scene,
        r##"
env_file:
  - a.env
  - path: raw.env
    format: raw
  - path: missing.env
    required: false
environment:
  - BOTH=service
  - LIST=a=b c#d "e" 'f'
  - FROM_SHELL_THAT_HAS_IT_NOT
"##,
        "",
    );
    let environment = environment(&container);
    for expected in [
        "PLAIN=a b  c",
        "SINGLE=$NOT \"x\" #y",
        "EXPORTED=yes",
        "INLINE=v",
        "BOTH=service",
        "LATER=b",
        "RAW='kept' # too $HOME",
        "LIST=a=b c#d \"e\" 'f'",
    ] {
        assert!(environment.contains(expected), "{expected:?} is not in {environment:#?}");
    }
    assert!(!environment.iter().any(|entry| entry.starts_with("FROM_SHELL_THAT_HAS_IT_NOT")), "{environment:#?}");
    assert!(environment.iter().any(|entry| entry.starts_with("DOUBLE=one\ntwo ")), "{environment:#?}");
}

#[test]
fn mounts_of_every_kind_arrive() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("mounts");
    scene.stack("one", "services: {}\n");
    scene.file("one", "content/hello.txt", "from the host");
    let external = scene.name("outside");
    docker_ok(&["volume", "create", &external]);
    let container = up(
        &scene,
        "
volumes:
  - ./content:/short:ro
  - { type: bind, source: ./content, target: /long, read_only: true }
  - { type: bind, source: ./made, target: /made, bind: { create_host_path: true } }
  - data:/data
  - { type: volume, source: data, target: /again, read_only: true }
  - { type: volume, source: fresh, target: /www, volume: { nocopy: true } }
  - outside:/outside
  - /anonymous
  - { type: tmpfs, target: /scratch, tmpfs: { size: 1m, mode: 0o700 } }
",
        "volumes:\n  data:\n    labels: { kept: 'yes' }\n  fresh: { name: '{stack:one}-named' }\n  outside: { external: true, name: '{stack:outside}' }\n",
    );
    assert_eq!(inside(&container, "cat /short/hello.txt /long/hello.txt"), "from the hostfrom the host");
    assert_eq!(inside(&container, "touch /short/x /long/x /again/x 2>/dev/null || echo refused"), "refused");
    inside(&container, "echo row >/data/row; echo x >/made/x; echo y >/outside/y");
    assert_eq!(inside(&container, "cat /again/row"), "row");
    assert!(scene.dir("one").join("made/x").is_file(), "the missing host folder was made");
    assert_eq!(text(&mount(&container, "/data")["Name"]), format!("{}_data", scene.name("one")));
    assert_eq!(text(&mount(&container, "/www")["Name"]), format!("{}-named", scene.name("one")));
    assert_eq!(inside(&container, "ls /www"), "", "nocopy left the volume empty");
    assert_eq!(text(&mount(&container, "/outside")["Name"]), external);
    assert_eq!(mount(&container, "/anonymous")["Type"], "volume");
    scene.owns_volume(&text(&mount(&container, "/anonymous")["Name"]));
    assert!(inside(&container, "grep ' /scratch ' /proc/mounts").contains("size=1024k"));
    assert_eq!(inside(&container, "stat -c %a /scratch"), "700");
    let volume = docker_json(&format!("{}_data", scene.name("one")));
    assert_eq!(volume["Labels"]["kept"], "yes");
    assert_eq!(volume["Labels"]["com.docker.compose.volume"], "data");
}

#[test]
fn the_short_tmpfs_form_arrives_with_its_options() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("tmpfs");
    let container = up(&scene, "tmpfs:\n  - /one\n  - /two:size=64k,mode=1770\n", "");
    let mounts = inside(&container, "grep -E ' /(one|two) ' /proc/mounts");
    assert_eq!(mounts.lines().filter(|line| line.starts_with("tmpfs")).count(), 2, "{mounts}");
    assert!(mounts.contains("size=64k"), "{mounts}");
    assert_eq!(inside(&container, "stat -c %a /two"), "1770");
}

#[test]
fn limits_on_memory_processors_and_processes_hold_inside() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("limits");
    let container = up(
        &scene,
        "
mem_limit: 64m
mem_reservation: 32m
memswap_limit: 64m
mem_swappiness: 10
cpus: 0.5
cpu_shares: 512
cpuset: '0'
pids_limit: 50
shm_size: 2m
oom_score_adj: 500
",
        "",
    );
    let host = docker_json(&container)["HostConfig"].clone();
    assert_eq!(host["Memory"], 64 << 20);
    assert_eq!(host["MemoryReservation"], 32 << 20);
    assert_eq!(host["MemorySwap"], 64 << 20);
    assert_eq!(host["MemorySwappiness"], 10);
    assert_eq!(host["NanoCpus"], 500_000_000);
    assert_eq!(host["CpuShares"], 512);
    assert_eq!(host["CpusetCpus"], "0");
    assert_eq!(host["PidsLimit"], 50);
    assert_eq!(host["ShmSize"], 2 << 20);
    assert_eq!(inside(&container, "cat /proc/1/oom_score_adj"), "500");
    assert!(inside(&container, "grep ' /dev/shm ' /proc/mounts").contains("size=2048k"));
}

#[test]
fn limits_of_the_deploy_section_arrive_too() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("deploy");
    let container = up(
        &scene,
        "
deploy:
  resources:
    limits: { cpus: '0.25', memory: 48M, pids: 40 }
    reservations: { memory: 16M }
  restart_policy: { condition: on-failure, max_attempts: 4 }
",
        "",
    );
    let host = docker_json(&container)["HostConfig"].clone();
    assert_eq!(host["Memory"], 48 << 20);
    assert_eq!(host["MemoryReservation"], 16 << 20);
    assert_eq!(host["NanoCpus"], 250_000_000);
    assert_eq!(host["PidsLimit"], 40);
    assert_eq!(host["RestartPolicy"], json!({"Name": "on-failure", "MaximumRetryCount": 4}));
}

#[test]
fn ulimits_hold_inside() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("ulimits");
    let container = up(&scene, "ulimits:\n  nofile: { soft: 1000, hard: 2000 }\n  nproc: 500\n  core: 0\n", "");
    let limits = inside(&container, "cat /proc/1/limits");
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).expect("a limit");
        line[name.len()..].split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(limit("Max open files"), "1000 2000");
    assert_eq!(limit("Max processes"), "500 500");
    assert_eq!(limit("Max core file size"), "0 0");
}

#[test]
fn capabilities_are_what_was_declared() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("caps");
    let container = up(&scene, "cap_drop: [ALL]\ncap_add: [NET_ADMIN, CHOWN]\n", "");
    // CHOWN is bit 0, NET_ADMIN bit 12.
    assert_eq!(inside(&container, "grep CapEff /proc/1/status | cut -f2"), "0000000000001001");
}

#[test]
fn sysctls_hold_inside() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("sysctls");
    let container = up(&scene, "sysctls:\n  net.core.somaxconn: 333\n  net.ipv4.ip_unprivileged_port_start: '0'\n", "");
    assert_eq!(
        inside(&container, "cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_unprivileged_port_start"),
        "333\n0"
    );
}

#[test]
fn devices_are_there_with_their_permissions() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("devices");
    let container = up(&scene, "devices:\n  - /dev/null:/dev/other\n  - '/dev/zero:/dev/only-read:r'\n", "");
    inside(&container, "echo x >/dev/other");
    assert_eq!(inside(&container, "head -c 1 /dev/only-read | wc -c"), "1");
    let devices = docker_json(&container)["HostConfig"]["Devices"].clone();
    assert!(devices.to_string().contains("\"r\""), "{devices}");
}

#[test]
fn logging_driver_and_options_arrive() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("logging");
    let container =
        up(&scene, "logging:\n  driver: json-file\n  options: { max-size: 1m, max-file: '2', tag: '{{.Name}}' }\n", "");
    let log = docker_json(&container)["HostConfig"]["LogConfig"].clone();
    assert_eq!(
        log,
        json!({"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2", "tag": "{{.Name}}"}}),
        "{log}"
    );
}

#[test]
fn health_checks_arrive_in_all_their_forms() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("health");
    let container = up(
        &scene,
        "
healthcheck:
  test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/health']
  interval: 1s500ms
  timeout: 2s
  retries: 7
  start_period: 1m
",
        "
  shell:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    healthcheck: { test: 'test -e /www/health', interval: 1s }
  none:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    healthcheck: { disable: true }
",
    );
    let health = docker_json(&container)["Config"]["Healthcheck"].clone();
    assert_eq!(
        texts(&health["Test"]),
        ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/health"].map(str::to_owned).into()
    );
    assert_eq!(health["Interval"], 1_500_000_000_u64);
    assert_eq!(health["Timeout"], 2_000_000_000_u64);
    assert_eq!(health["Retries"], 7);
    assert_eq!(health["StartPeriod"], 60_000_000_000_u64);
    let shell = docker_json(&scene.container("one", "shell"));
    assert_eq!(shell["Config"]["Healthcheck"]["Test"], json!(["CMD-SHELL", "test -e /www/health"]));
    let none = docker_json(&scene.container("one", "none"));
    assert_eq!(none["Config"]["Healthcheck"]["Test"], json!(["NONE"]));
    assert_eq!(none["State"]["Health"], Value::Null);
}

#[test]
fn restart_policy_and_stop_signal_and_grace_arrive() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("restart");
    scene.stack(
        "one",
        "
services:
  always: { image: 'mainstay-test/tiny:1', restart: always, stop_signal: SIGINT, stop_grace_period: 1m30s }
  failure: { image: 'mainstay-test/tiny:1', restart: 'on-failure:3' }
  unless: { image: 'mainstay-test/tiny:1', restart: unless-stopped }
  never: { image: 'mainstay-test/tiny:1', restart: 'no' }
",
    );
    scene.on("one", &["up"]).ok();
    let of = |service: &str| docker_json(&scene.container("one", service));
    assert_eq!(of("always")["HostConfig"]["RestartPolicy"]["Name"], "always");
    assert_eq!(of("always")["Config"]["StopSignal"], "SIGINT");
    assert_eq!(of("always")["Config"]["StopTimeout"], 90);
    assert_eq!(of("failure")["HostConfig"]["RestartPolicy"], json!({"Name": "on-failure", "MaximumRetryCount": 3}));
    assert_eq!(of("unless")["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
    assert!(["", "no"].contains(&of("never")["HostConfig"]["RestartPolicy"]["Name"].as_str().expect("a policy")));
}

#[test]
fn the_stop_signal_and_the_grace_are_used_when_stopping() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("grace");
    // The work after the signal takes longer than an impatient client would wait, and less than the grace.
    scene.stack(
        "one",
        "
services:
  it:
    image: mainstay-test/tiny:1
    stop_signal: SIGUSR1
    stop_grace_period: 20s
    volumes: ['./:/out']
    command:
      - sh
      - -c
      - |
        trap 'sleep 2; echo usr1 >/out/signal; exit 0' USR1
        trap 'echo term >/out/signal; exit 0' TERM
        while :; do sleep 0.1; done
",
    );
    scene.on("one", &["up"]).ok();
    let container = scene.container("one", "it");
    scene.on("one", &["stop"]).ok();
    assert_eq!(docker_json(&container)["State"]["ExitCode"], 0, "it ended by itself, not by SIGKILL");
    let signal = std::fs::read_to_string(scene.dir("one").join("signal")).expect("the service wrote what it got");
    assert_eq!(signal.trim(), "usr1");
}

#[test]
fn aliases_and_addresses_hold_on_each_network() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("addr");
    // Private addresses that no other test of this run is likely to have.
    let number = std::process::id() % 200;
    scene.stack(
        "one",
        &format!(
            "
services:
  it:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    mac_address: 02:42:0a:00:00:99
    networks:
      front: {{ aliases: [it-front], ipv4_address: 10.213.{number}.10 }}
      back: {{ aliases: [it-back, it-other], ipv4_address: 10.214.{number}.20, priority: 1000 }}
  asker:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: [front]
networks:
  front: {{ ipam: {{ config: [{{ subnet: 10.213.{number}.0/24, gateway: 10.213.{number}.254 }}] }} }}
  back:
    internal: true
    driver_opts: {{ com.docker.network.bridge.enable_icc: 'true' }}
    labels: {{ side: back }}
    ipam: {{ config: [{{ subnet: 10.214.{number}.0/24, ip_range: 10.214.{number}.128/25 }}] }}
"
        ),
    );
    scene.on("one", &["up"]).ok();
    let container = scene.container("one", "it");
    let networks = docker_json(&container)["NetworkSettings"]["Networks"].clone();
    let front = &networks[format!("{}_front", scene.name("one"))];
    let back = &networks[format!("{}_back", scene.name("one"))];
    assert_eq!(front["IPAddress"], format!("10.213.{number}.10"));
    assert_eq!(front["Gateway"], format!("10.213.{number}.254"));
    assert_eq!(back["IPAddress"], format!("10.214.{number}.20"));
    assert!(texts(&front["Aliases"]).is_superset(&["it", "it-front"].map(str::to_owned).into()), "{front}");
    assert!(texts(&back["Aliases"]).is_superset(&["it", "it-back", "it-other"].map(str::to_owned).into()), "{back}");
    assert!(!texts(&front["Aliases"]).contains("it-back"), "an alias stays on its own network: {front}");
    let asker = scene.container("one", "asker");
    assert!(inside(&asker, "getent hosts it-front").starts_with(&format!("10.213.{number}.10")));
    assert!(!docker(&["exec", &asker, "getent", "hosts", "it-back"]).status.success());
    let made = docker_json(&format!("{}_back", scene.name("one")));
    assert_eq!(made["Internal"], true);
    assert_eq!(made["Labels"]["side"], "back");
    assert_eq!(made["Labels"]["com.docker.compose.network"], "back");
    assert_eq!(made["Options"]["com.docker.network.bridge.enable_icc"], "true");
    assert_eq!(made["IPAM"]["Config"][0]["IPRange"], format!("10.214.{number}.128/25"));
}

#[test]
fn every_network_is_attached_before_the_first_instruction_runs() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("first");
    scene.stack(
        "one",
        "
services:
  peer:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    networks: { back: { aliases: [peer-back] }, side: { aliases: [peer-side] }, front: { aliases: [peer-front] } }
  it:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    depends_on: [peer]
    environment: { ROUND: 'first' }
    networks: [front, back, side]
    command:
      - sh
      - -c
      - |
        echo \"$$ROUND: $$(ls /sys/class/net | grep -c eth) $$(getent hosts peer-front peer-back peer-side | wc -l)\"
        exec /bin/serve
networks: { front: {}, back: {}, side: {} }
",
    );
    scene.on("one", &["up"]).ok();
    let it = scene.container("one", "it");
    assert_eq!(logs_of(&it).lines().next(), Some("first: 3 3"), "interfaces and names at the first instruction");
    // The same holds for the container that takes over from another.
    let changed = std::fs::read_to_string(scene.dir("one").join("compose.yaml")).expect("the file");
    scene.file("one", "compose.yaml", &changed.replace("ROUND: 'first'", "ROUND: 'second'"));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(logs_of(&it).lines().next(), Some("second: 3 3"));
}

#[test]
fn extra_hosts_and_dns_settings_arrive() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("hosts");
    let container = up(
        &scene,
        "
extra_hosts:
  - 'one.test=10.1.2.3'
  - 'two.test:10.1.2.4'
  - 'gateway.test:host-gateway'
hostname: it-host
domainname: it.test
dns: [10.9.9.9]
dns_search: [search.test]
dns_opt: ['ndots:3']
",
        "",
    );
    let hosts = inside(&container, "cat /etc/hosts");
    let has = |address: &str, name: &str| {
        hosts.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(address) && words.any(|word| word == name)
        })
    };
    assert!(has("10.1.2.3", "one.test") && has("10.1.2.4", "two.test"), "{hosts}");
    assert!(hosts.contains("gateway.test") && !hosts.contains("host-gateway"), "{hosts}");
    assert_eq!(inside(&container, "hostname"), "it-host");
    assert_eq!(docker_json(&container)["Config"]["Domainname"], "it.test");
    assert_eq!(docker_json(&container)["HostConfig"]["Dns"], json!(["10.9.9.9"]));
    let resolver = inside(&container, "cat /etc/resolv.conf");
    assert!(resolver.contains("search.test") && resolver.contains("ndots:3"), "{resolver}");
}

#[test]
fn user_init_working_folder_and_groups_hold_inside() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("user");
    let container = up(
        &scene,
        "user: '65534:65534'\ninit: true\nworking_dir: /tmp\ngroup_add: ['4321']\nsecurity_opt: [no-new-privileges:true]\n",
        "",
    );
    assert_eq!(inside(&container, "id -u; id -g; pwd"), "65534\n65534\n/tmp");
    assert!(inside(&container, "grep Groups /proc/self/status").contains("4321"));
    assert!(inside(&container, "cat /proc/1/cmdline").contains("init"), "process 1 is the engine's init");
    assert_eq!(inside(&container, "grep NoNewPrivs /proc/1/status | cut -f2"), "1");
}

#[test]
fn a_read_only_root_is_read_only_and_its_tmpfs_is_not() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("readonly");
    let container = up(&scene, "read_only: true\ntmpfs: /tmp\n", "");
    assert!(!docker(&["exec", &container, "touch", "/home/x"]).status.success());
    inside(&container, "touch /tmp/x");
}

#[test]
fn entrypoint_command_terminal_and_input_arrive() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("command");
    let container = up(
        &scene,
        r#"
entrypoint: ["/bin/sh", "-c"]
command: ["printf '%s\n' \"$$0\" \"$$@\"; exec cat", "a b", 'c"d']
tty: true
stdin_open: true
"#,
        "
  words:
    image: mainstay-test/tiny:1
    command: sh -c \"echo 'two words' && exec /bin/serve\"
    stop_grace_period: 1s
  empty:
    image: mainstay-test/tiny:1
    entrypoint: /bin/serve
    command: []
    stop_grace_period: 1s
",
    );
    let config = docker_json(&container)["Config"].clone();
    assert_eq!(config["Tty"], true);
    assert_eq!(config["OpenStdin"], true);
    assert!(logs_of(&container).replace('\r', "").starts_with("a b\nc\"d\n"), "{}", logs_of(&container));
    assert!(logs_of(&scene.container("one", "words")).starts_with("two words\n"));
    assert!(logs_of(&scene.container("one", "empty")).contains("listening"));
}

#[test]
fn labels_are_ours_composes_and_the_users() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("labels");
    scene.stack("one", "services: {}\n");
    scene.file("one", "labels.txt", "from.file=yes\n");
    let container = up(
        &scene,
        "labels:\n  com.example.one: 'a=b $$c'\n  com.example.empty: ''\nlabel_file: labels.txt\nannotations: {}\n",
        "",
    );
    let labels = docker_json(&container)["Config"]["Labels"].clone();
    assert_eq!(labels["com.example.one"], "a=b $c");
    assert_eq!(labels["com.example.empty"], "");
    assert_eq!(labels["from.file"], "yes");
    assert_eq!(labels["com.docker.compose.project"], scene.name("one"));
    assert_eq!(labels["com.docker.compose.service"], "it");
    assert_eq!(labels["com.docker.compose.container-number"], "1");
    assert_eq!(labels["com.docker.compose.oneoff"], "False");
    assert_eq!(
        labels["com.docker.compose.project.working_dir"],
        scene.dir("one").canonicalize().expect("the folder").to_str().expect("text")
    );
    assert!(labels.to_string().contains("mainstay"), "some are ours: {labels}");
}

#[test]
fn configs_arrive_from_file_inline_and_environment_with_their_modes() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("configs");
    scene.stack("one", "services: {}\n");
    scene.file("one", "conf/a.txt", "from a file\n");
    scene.file("one", ".env", "CONFIG_VALUE=from the environment\n");
    let container = up(
        &scene,
        "
configs:
  - plain
  - { source: file, target: /etc/a.txt }
  - { source: inline, target: /etc/deep/down/inline.txt, mode: 0o440, uid: '65534', gid: '65534' }
  - { source: env, target: /etc/env.txt }
",
        "
configs:
  plain: { content: 'as named' }
  file: { file: ./conf/a.txt }
  inline: { content: \"name=${NAME:-fallback}\\nprice=$$5\\n\" }
  env: { environment: CONFIG_VALUE }
",
    );
    assert_eq!(inside(&container, "cat /plain"), "as named");
    assert_eq!(inside(&container, "cat /etc/a.txt"), "from a file");
    assert_eq!(inside(&container, "cat /etc/deep/down/inline.txt"), "name=fallback\nprice=$5");
    assert_eq!(inside(&container, "stat -c '%a %u %g' /etc/deep/down/inline.txt"), "440 65534 65534");
    assert_eq!(inside(&container, "cat /etc/env.txt"), "from the environment");
}

#[test]
fn secrets_arrive_with_mode_and_owner_and_are_seen_nowhere_else() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("secrets");
    scene.stack("one", "services: {}\n");
    scene.file("one", "password.txt", "file-s3cret");
    scene.file("one", ".env", "SECRET_VALUE=environment-s3cret\n");
    let container = up(
        &scene,
        "
secrets:
  - plain
  - { source: file, target: password, mode: 0o400, uid: '65534', gid: '65534' }
  - { source: env, target: /etc/token, mode: 0o440 }
",
        "
secrets:
  plain: { file: ./password.txt }
  file: { file: ./password.txt }
  env: { environment: SECRET_VALUE }
",
    );
    assert_eq!(inside(&container, "cat /run/secrets/plain"), "file-s3cret");
    assert_eq!(inside(&container, "cat /run/secrets/password"), "file-s3cret");
    // Compose mounts a file as it is on the host and says nothing. Whoever does so has to say it.
    let honoured = inside(&container, "stat -c '%a %u %g' /run/secrets/password") == "400 65534 65534";
    let plan = scene.on("one", &["plan"]).ok();
    assert!(honoured || plan.stderr.contains("mode"), "the mode is honoured, or warned about: {}", plan.stderr);
    assert_eq!(inside(&container, "cat /etc/token"), "environment-s3cret");
    assert_eq!(inside(&container, "stat -c %a /etc/token"), "440");
    let inspected = docker_json(&container).to_string();
    assert!(!inspected.contains("s3cret"), "docker inspect shows a secret");
    for said in [scene.on("one", &["plan"]), scene.on("one", &["config"]), scene.mainstay(&["history", "--json"])] {
        assert!(!said.stdout.contains("s3cret") && !said.stderr.contains("s3cret"), "{said:?}");
    }
}

#[test]
fn a_config_whose_content_changed_reaches_the_service() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("reconfig");
    let compose = |content: &str| {
        format!(
            "
services:
  it:
    image: mainstay-test/tiny:1
    stop_grace_period: 1s
    configs: [{{ source: text, target: /etc/text }}]
configs: {{ text: {{ content: '{content}' }} }}
"
        )
    };
    scene.stack("one", &compose("before"));
    scene.on("one", &["up"]).ok();
    scene.stack("one", &compose("after"));
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(inside(&scene.container("one", "it"), "cat /etc/text"), "after");
}

#[test]
fn published_ports_answer_on_the_host() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("ports");
    let container = up(
        &scene,
        "ports:\n  - '127.0.0.1::8080'\n  - { target: 9000, host_ip: 127.0.0.1, protocol: udp }\nexpose: ['7000']\n",
        "",
    );
    let ports = docker_json(&container)["NetworkSettings"]["Ports"].clone();
    assert_eq!(ports["8080/tcp"][0]["HostIp"], "127.0.0.1");
    assert_eq!(ports["9000/udp"][0]["HostIp"], "127.0.0.1");
    assert!(ports.as_object().expect("ports").contains_key("7000/tcp"), "{ports}");
    let port = text(&ports["8080/tcp"][0]["HostPort"]);
    eventually("the published port answers", Duration::from_secs(5), || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).ok()?;
        stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.contains("200 OK").then_some(())
    });
}

#[test]
fn a_container_may_have_no_network_or_the_hosts_or_another_services() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("netmode");
    scene.stack(
        "one",
        "
services:
  none: { image: 'mainstay-test/tiny:1', network_mode: none, stop_grace_period: 1s }
  host: { image: 'mainstay-test/tiny:1', network_mode: host, stop_grace_period: 1s, command: [sleep, '1000'], init: true }
  main: { image: 'mainstay-test/tiny:1', stop_grace_period: 1s }
  beside:
    image: mainstay-test/tiny:1
    network_mode: 'service:main'
    pid: 'service:main'
    environment: { PORT: '8081' }
    stop_grace_period: 1s
",
    );
    scene.on("one", &["up"]).ok();
    assert_eq!(networks_of(&scene.container("one", "none")), ["none".to_owned()].into());
    assert_eq!(networks_of(&scene.container("one", "host")), ["host".to_owned()].into());
    let main = scene.container("one", "main");
    let beside = scene.container("one", "beside");
    assert_eq!(inside(&main, "cat /etc/hostname"), inside(&beside, "cat /etc/hostname"));
    assert_eq!(inside(&beside, "wget -q -O - http://127.0.0.1:8080/health"), "ok");
    assert_eq!(docker_json(&beside)["HostConfig"]["NetworkMode"], format!("container:{}", id_of(&main)));
    let again = scene.on("one", &["plan", "--check"]).ok();
    assert!(!again.stdout.contains("replace"), "{}", again.stdout);
    // Who lives in another container's network follows when that container is made again.
    let changed = std::fs::read_to_string(scene.dir("one").join("compose.yaml")).expect("the file");
    let changed = changed.replace("main: { image", "main: { environment: { NEW: '1' }, image");
    scene.file("one", "compose.yaml", &changed);
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(inside(&beside, "wget -q -O - http://127.0.0.1:8080/health"), "ok");
    assert_eq!(docker_json(&beside)["HostConfig"]["NetworkMode"], format!("container:{}", id_of(&main)));
}

#[test]
fn volumes_and_networks_with_names_and_options_of_their_own_are_made_so() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("named");
    let container = up(
        &scene,
        "networks: [front]\nvolumes: ['data:/data']\ncontainer_name: '{stack:special}'\n",
        "
networks: { front: { name: '{stack:front}', attachable: true } }
volumes:
  data:
    name: '{stack:data}'
    driver: local
    driver_opts: { type: tmpfs, device: tmpfs, o: 'size=100k' }
",
    );
    assert!(!exists("container", &container), "container_name replaces the usual name");
    let container = scene.name("special");
    assert_eq!(networks_of(&container), [scene.name("front")].into());
    assert!(inside(&container, "grep ' /data ' /proc/mounts").contains("size=100k"));
    let started = started_at(&container);
    scene.on("one", &["up"]).ok();
    assert_eq!(started_at(&container), started, "nothing of this differs at the second `up`");
}
