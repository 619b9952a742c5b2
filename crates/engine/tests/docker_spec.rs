//! Everything that a spec holds arrives in the engine.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use mainstay_model::declared::container::{
    Healthcheck, Limits, Logging, Mount, MountKind, Port, Restart, Ulimit, VolumesFrom, VolumesSource,
};
use mainstay_model::declared::{Condition, ContainerSpec, Dependency, Hidden, NetworkMode};
use mainstay_model::identity::ServiceName;
use mainstay_model::plan::Action;
use serde_json::{Value, json};
use support::{Stack, docker, id_of, idle};

fn inspect(id: &str) -> Value {
    serde_json::from_str::<Value>(&docker(&["inspect", id])).unwrap()[0].clone()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn mount(kind: MountKind, source: Option<&str>, target: &str) -> Mount {
    Mount {
        kind,
        source: source.map(str::to_owned),
        target: target.into(),
        read_only: false,
        create_host_path: false,
        propagation: None,
        selinux: None,
        no_copy: false,
        subpath: None,
        size_bytes: None,
        mode: None,
    }
}

fn port(target: u16, published: Option<&str>) -> Port {
    let published = published.map(str::to_owned);
    Port { target, protocol: "tcp".into(), published, host_ip: Some("127.0.0.1".into()) }
}

const ENVIRONMENT: &[(&str, &str)] = &[
    ("PLAIN", "x"),
    ("EMPTY", ""),
    ("DOLLAR", "$HOME ${X} $$"),
    ("HASH", "a # b"),
    ("QUOTES", "it's \"quoted\""),
    ("LINES", "one\ntwo\n"),
    ("EQUALS", "a=b=c"),
    ("UNICODE", "ünïcødé 🚢"),
    ("SPACES", "  both  "),
    ("BACKSLASH", r"\n \\ \t"),
];

fn full_spec(volume: &str) -> ContainerSpec {
    ContainerSpec {
        entrypoint: Some(strings(&["/bin/sh", "-c"])),
        command: Some(strings(&["trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"])),
        environment: ENVIRONMENT.iter().map(|(k, v)| ((*k).to_owned(), Hidden::new(*v))).collect(),
        labels: map(&[("team", "a b")]),
        user: Some("65534:65534".into()),
        working_dir: Some("/tmp".into()),
        hostname: Some("box".into()),
        domainname: Some("example.test".into()),
        mac_address: Some("02:42:ac:11:00:99".into()),
        tty: true,
        stdin_open: true,
        init: Some(true),
        read_only: true,
        restart: Restart::OnFailure { max_retries: 4 },
        stop_signal: Some("SIGUSR1".into()),
        stop_grace_secs: Some(7),
        healthcheck: Some(Healthcheck {
            test: Some(strings(&["CMD", "true"])),
            interval_nanos: Some(30_000_000_000),
            timeout_nanos: Some(5_000_000_000),
            start_period_nanos: Some(1_000_000_000),
            start_interval_nanos: Some(500_000_000),
            retries: Some(9),
        }),
        ports: vec![port(8080, None), port(8081, Some("48920-48940"))],
        expose: strings(&["3000/tcp", "4000-4001/udp"]),
        mounts: vec![
            mount(MountKind::Volume, Some(volume), "/data"),
            mount(MountKind::Volume, None, "/anonymous"),
            Mount { create_host_path: true, read_only: true, ..mount(MountKind::Bind, Some("/tmp"), "/host") },
            mount(MountKind::Bind, Some("/etc"), "/long"),
            Mount { size_bytes: Some(1 << 20), mode: Some(0o1770), ..mount(MountKind::Tmpfs, None, "/shm2") },
        ],
        tmpfs: map(&[("/scratch", "size=1m,mode=1777")]),
        cap_add: strings(&["NET_ADMIN"]),
        cap_drop: strings(&["MKNOD"]),
        security_opt: strings(&["no-new-privileges:true"]),
        sysctls: map(&[("net.core.somaxconn", "777")]),
        ulimits: BTreeMap::from([("nofile".into(), Ulimit { soft: 1000, hard: 2000 })]),
        devices: vec![mainstay_model::declared::container::Device {
            source: "/dev/null".into(),
            target: "/dev/nil".into(),
            permissions: "rw".into(),
        }],
        device_cgroup_rules: strings(&["c 1:3 mr"]),
        dns: strings(&["9.9.9.9"]),
        dns_search: strings(&["corp.test"]),
        dns_opt: strings(&["ndots:2"]),
        extra_hosts: strings(&["db.test:10.0.0.9"]),
        group_add: strings(&["12"]),
        ipc: Some("private".into()),
        logging: Some(Logging { driver: Some("json-file".into()), options: map(&[("max-size", "1m")]) }),
        limits: Limits {
            memory_bytes: Some(64 << 20),
            memory_reservation_bytes: Some(32 << 20),
            memory_swap_bytes: Some(64 << 20),
            nano_cpus: Some(500_000_000),
            cpu_shares: Some(512),
            cpuset: Some("0".into()),
            pids: Some(50),
            ..Default::default()
        },
        shm_size_bytes: Some(2 << 20),
        oom_score_adj: Some(100),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_spec_is_seen_in_the_engine() {
    let Some(mut stack) = Stack::new("spec").await else { return };
    stack.network("default");
    let volume = stack.volume("data");
    let spec = full_spec(&volume);
    let service = stack.service("full", &["default"], spec);
    let dependency = Dependency { condition: Condition::Healthy, restart: true, required: true };
    service.depends_on.insert(ServiceName::new("db").unwrap(), dependency);
    stack.lay().await;
    let target = stack.start("full").await;
    let seen = inspect(id_of(&target));
    let (config, host) = (&seen["Config"], &seen["HostConfig"]);

    let environment: Vec<&str> = config["Env"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
    for (name, value) in ENVIRONMENT {
        assert!(environment.contains(&format!("{name}={value}").as_str()), "{name}: {environment:?}");
    }
    assert_eq!(docker(&["exec", id_of(&target), "sh", "-c", "echo \"$UNICODE\""]), "ünïcødé 🚢");
    assert_eq!(config["Entrypoint"], json!(["/bin/sh", "-c"]));
    for (key, value) in [
        ("User", json!("65534:65534")),
        ("WorkingDir", json!("/tmp")),
        ("Hostname", json!("box")),
        ("Domainname", json!("example.test")),
        ("Tty", json!(true)),
        ("OpenStdin", json!(true)),
        ("StopSignal", json!("SIGUSR1")),
        ("StopTimeout", json!(7)),
        ("Image", json!(support::TINY)),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    for exposed in ["3000/tcp", "4000/udp", "4001/udp", "8080/tcp", "8081/tcp"] {
        assert!(config["ExposedPorts"].get(exposed).is_some(), "{exposed}");
    }
    let check = &config["Healthcheck"];
    assert_eq!((&check["Test"], &check["Retries"]), (&json!(["CMD", "true"]), &json!(9)));
    assert_eq!((&check["Interval"], &check["StartPeriod"]), (&json!(30_000_000_000_u64), &json!(1_000_000_000)));
    for (key, value) in [
        ("RestartPolicy", json!({"Name": "on-failure", "MaximumRetryCount": 4})),
        ("Init", json!(true)),
        ("ReadonlyRootfs", json!(true)),
        ("Tmpfs", json!({"/scratch": "size=1m,mode=1777"})),
        ("CapAdd", json!(["CAP_NET_ADMIN"])),
        ("CapDrop", json!(["CAP_MKNOD"])),
        ("SecurityOpt", json!(["no-new-privileges:true"])),
        ("Sysctls", json!({"net.core.somaxconn": "777"})),
        ("Ulimits", json!([{"Name": "nofile", "Hard": 2000, "Soft": 1000}])),
        ("DeviceCgroupRules", json!(["c 1:3 mr"])),
        ("Dns", json!(["9.9.9.9"])),
        ("DnsSearch", json!(["corp.test"])),
        ("DnsOptions", json!(["ndots:2"])),
        ("ExtraHosts", json!(["db.test:10.0.0.9"])),
        ("GroupAdd", json!(["12"])),
        ("IpcMode", json!("private")),
        ("LogConfig", json!({"Type": "json-file", "Config": {"max-size": "1m"}})),
        ("Memory", json!(64 << 20)),
        ("MemoryReservation", json!(32 << 20)),
        ("NanoCpus", json!(500_000_000)),
        ("CpuShares", json!(512)),
        ("CpusetCpus", json!("0")),
        ("PidsLimit", json!(50)),
        ("ShmSize", json!(2 << 20)),
        ("OomScoreAdj", json!(100)),
        ("Binds", json!([format!("{volume}:/data:rw"), "/tmp:/host:ro"])),
    ] {
        assert_eq!(host[key], value, "{key}");
    }
    assert_eq!(host["Devices"][0]["PathInContainer"], "/dev/nil");
    let ports = &seen["NetworkSettings"]["Ports"];
    assert_eq!(ports["8080/tcp"][0]["HostIp"], "127.0.0.1");
    let ranged: u16 = ports["8081/tcp"][0]["HostPort"].as_str().unwrap().parse().unwrap();
    assert!((48920..=48940).contains(&ranged));
    let mounts: BTreeMap<&str, &str> = seen["Mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| (mount["Destination"].as_str().unwrap(), mount["Type"].as_str().unwrap()))
        .collect();
    let expected =
        [("/anonymous", "volume"), ("/data", "volume"), ("/host", "bind"), ("/long", "bind"), ("/shm2", "tmpfs")];
    assert_eq!(mounts, BTreeMap::from(expected));
    let network = format!("{}_default", stack.name());
    assert_eq!(seen["NetworkSettings"]["Networks"][&network]["MacAddress"], "02:42:ac:11:00:99");
    let labels = &config["Labels"];
    assert_eq!(labels["team"], "a b");
    assert_eq!(labels["com.docker.compose.depends_on"], "db:service_healthy:true");
    assert_eq!(labels["com.docker.compose.oneoff"], "False");
    assert_eq!(labels["com.docker.compose.project.config_files"], "/srv/test/compose.yaml");
    assert_eq!(labels["com.docker.compose.image"], seen["Image"]);
    let compose = docker(&[
        "ps",
        "-q",
        "--no-trunc",
        "--filter",
        "label=com.docker.compose.service=full",
        "--filter",
        &format!("label=com.docker.compose.project={}", stack.name()),
    ]);
    assert_eq!(compose, id_of(&target));
}

#[tokio::test(flavor = "multi_thread")]
async fn services_share_namespaces_and_volumes_with_each_other() {
    let Some(mut stack) = Stack::new("share").await else { return };
    stack.network("default");
    let volume = stack.volume("data");
    let owner = ContainerSpec { mounts: vec![mount(MountKind::Volume, Some(&volume), "/data")], ..idle("") };
    stack.service("owner", &["default"], owner);
    let from = VolumesFrom { from: VolumesSource::Service(ServiceName::new("owner").unwrap()), read_only: true };
    let guest = ContainerSpec { volumes_from: vec![from], pid: Some("service:owner".into()), ..idle("") };
    stack.service("guest", &[], guest).network_mode = NetworkMode::Service(ServiceName::new("owner").unwrap());
    stack.service("alone", &[], idle("")).network_mode = NetworkMode::None;
    stack.lay().await;
    let early = stack.act(stack.create_action("guest")).await.unwrap_err();
    assert!(early.message.contains("`owner`"), "{}", early.message);
    let owner = stack.start("owner").await;
    let guest = stack.start("guest").await;
    let seen = inspect(id_of(&guest));
    let shared = format!("container:{}", id_of(&owner));
    assert_eq!(seen["HostConfig"]["NetworkMode"], shared.as_str());
    assert_eq!(seen["HostConfig"]["PidMode"], shared.as_str());
    assert_eq!(seen["Mounts"][0]["Destination"], "/data");
    assert_eq!(seen["Mounts"][0]["RW"], false);
    let alone = stack.start("alone").await;
    assert_eq!(inspect(id_of(&alone))["HostConfig"]["NetworkMode"], "none");
    stack.must(Action::StopContainer { target: guest, grace_secs: Some(1) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_pools_are_given_as_declared() {
    let Some(mut stack) = Stack::new("ipam").await else { return };
    stack.network("default");
    // A /28 out of a range that Docker never picks by itself.
    let third = std::process::id() % 250;
    let pool = mainstay_model::declared::network::IpamPool {
        subnet: Some(format!("10.213.{third}.0/28")),
        gateway: Some(format!("10.213.{third}.1")),
        ..Default::default()
    };
    let network = stack.declared.networks.get_mut("default").unwrap();
    network.ipam = vec![pool.clone()];
    network.internal = true;
    let address = format!("10.213.{third}.9");
    stack.service("web", &["default"], idle("")).attachments[0].ipv4_address = Some(address.clone());
    stack.network("second");
    stack.declared.networks.get_mut("second").unwrap().ipam = vec![pool];
    stack.must(Action::CreateNetwork { key: "default".into(), name: format!("{}_default", stack.name()) }).await;
    let refused = stack.act(Action::CreateNetwork { key: "second".into(), name: format!("{}_second", stack.name()) });
    let refused = refused.await.unwrap_err();
    assert!(refused.hints.iter().any(|hint| hint.contains("subnet")), "{}", support::told(&refused));
    stack.start("web").await;
    let web = stack.see("web").await;
    let endpoint = web.endpoint(&format!("{}_default", stack.name())).unwrap();
    assert_eq!((endpoint.ipv4_address.as_ref(), endpoint.static_ipv4.as_ref()), (Some(&address), Some(&address)));
    assert!(stack.look().await.networks[0].internal);
}
