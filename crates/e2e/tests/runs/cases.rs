//! Every service key that an engine of this machine can be given, in groups that can live together.

use crate::side_by_side::{Case, same};

#[test]
fn commands_and_entrypoints() {
    same(Case {
        name: "words",
        compose: r#"
services:
  plain: { image: "mainstay-test/tiny:1" }
  text: { image: "mainstay-test/tiny:1", command: "sh -c 'sleep 600 # \"x y\"'" }
  list: { image: "mainstay-test/tiny:1", command: ["sh", "-c", "sleep 600"] }
  entry: { image: "mainstay-test/tiny:1", entrypoint: "sh -c 'sleep 600'" }
  entry-list: { image: "mainstay-test/tiny:1", entrypoint: ["sleep"], command: ["600"] }
  entry-off: { image: "mainstay-test/tiny:1", entrypoint: [], command: ["sleep", "600"] }
  entry-empty: { image: "mainstay-test/tiny:1", entrypoint: "", command: ["sleep", "600"] }
  command-empty: { image: "mainstay-test/tiny:1", command: [] }
  own-entry: { image: "{stack:img}", command: ["600"] }
  own-entry-off: { image: "{stack:img}", entrypoint: [] , command: ["sleep", "600"] }
  own-entry-other: { image: "{stack:img}", entrypoint: ["sleep", "599"] }
  own-null: { image: "{stack:img}", entrypoint: null, command: null }
  user: { image: "{stack:img}", user: "65534:65534", working_dir: /tmp, environment: { VERSION: "3" } }
  number: { image: "mainstay-test/tiny:1", user: "65534", hostname: box, domainname: example.test }
"#,
        images: &[(
            "{stack:img}",
            "FROM mainstay-test/tiny:1\nENTRYPOINT [\"sleep\"]\nCMD [\"600\"]\nUSER nobody\nWORKDIR /home\nVOLUME /var/empty /data\n\
             EXPOSE 9000 53/udp\nENV KEPT=\"a b\" VERSION=9\nLABEL theirs=\"x y\" both=image\nSTOPSIGNAL SIGINT\n\
             HEALTHCHECK --interval=7s --retries=2 CMD true\n",
        )],
        ..Case::default()
    });
}

#[test]
fn environment_values() {
    same(Case {
        name: "env",
        compose: r##"
services:
  map:
    image: mainstay-test/tiny:1
    environment:
      DOLLAR: "a$$b $${NOT} $$$$"
      HASH: "a #b# c"
      QUOTES: "it's \"quoted\""
      NEWLINE: "one\ntwo\n"
      EMPTY: ""
      NULL_VALUE:
      NUMBER: 010
      FLOAT: 1.20
      BIG: 12345678901234567890
      EXPONENT: 1e3
      BOOL: true
      YES: yes
      SPACES: "  two before  "
      JSON: '{"a": ["<b>&"]}'
      VERSION: "9"
  unset: { image: "mainstay-test/tiny:1", environment: { VERSION: } }
  list:
    image: mainstay-test/tiny:1
    environment: [A=b=c, "B=", C, "D= x", 'E="q"', "PATH=/bin:/usr/bin"]
  files:
    image: mainstay-test/tiny:1
    env_file: [a.env, { path: b.env }, { path: none.env, required: false }]
    environment: { BOTH: service, FROM: "${SHARED:-none}" }
  label-file:
    image: mainstay-test/tiny:1
    label_file: [a.labels]
    labels: { plain: "a b", number: 1, empty: "", none: , both: service, "dotted.key": "$$x" }
  label-list:
    image: mainstay-test/tiny:1
    labels: [a=b=c, "b=", c]
"##,
        files: &[
            (
                "a.env",
                "PLAIN=a b  c\nSINGLE='$NOT \"x\" #y'\nDOUBLE=\"one\\ntwo ${PLAIN}\"\nexport EXPORTED=yes\nINLINE=v # gone\nBOTH=file\nLATER=a\nNONE\n",
            ),
            ("b.env", "RAW='kept' # too $HOME\nLATER=b\n"),
            ("a.labels", "from.file=yes\nboth=file\n"),
            (".env", "SHARED=\"a # b\"\n"),
        ],
        asked: &[("map", "env | sort"), ("unset", "echo \"<${VERSION-not set}>\"")],
        ..Case::default()
    });
}

#[test]
fn names_and_name_resolution() {
    same(Case {
        name: "names",
        compose: r#"
services:
  host: { image: "mainstay-test/tiny:1", hostname: box, domainname: example.test }
  fixed: { image: "mainstay-test/tiny:1", container_name: "{stack:fixed}" }
  many: { image: "mainstay-test/tiny:1", deploy: { replicas: 2 } }
  scaled: { image: "mainstay-test/tiny:1", scale: 2 }
  none: { image: "mainstay-test/tiny:1", scale: 0 }
  mac: { image: "mainstay-test/tiny:1", mac_address: "02:42:ac:11:65:43" }
  dns:
    image: mainstay-test/tiny:1
    dns: [10.9.9.9, 10.9.9.8]
    dns_search: [corp.test, example.test]
    dns_opt: [ndots:2, use-vc]
  dns-text: { image: "mainstay-test/tiny:1", dns: 10.9.9.9, dns_search: corp.test }
  hosts:
    image: mainstay-test/tiny:1
    extra_hosts: ["a.test:10.0.0.9", "b.test=10.0.0.8", "six.test=[::1]", "up:host-gateway"]
  hosts-map:
    image: mainstay-test/tiny:1
    extra_hosts: { a.test: 10.0.0.9, b.test: ["10.0.0.8", "10.0.0.7"], six.test: "::1" }
  linked: { image: "mainstay-test/tiny:1", links: [host, "fixed:other", many], external_links: ["{stack:fixed}:outside"] }
"#,
        asked: &[
            ("hosts", "grep test /etc/hosts | sort"),
            ("hosts", "getent hosts $(hostname) | wc -l"),
            ("fixed", "getent hosts {stack:one}-many-2 {stack:fixed} many-1 | wc -l"),
            ("linked", "getent hosts host-1 {stack:one}-host-1 other outside many-1 | wc -l"),
            ("dns", "cat /etc/resolv.conf | grep -v '^#'"),
        ],
        ..Case::default()
    });
}

#[test]
fn networks_of_every_kind() {
    same(Case {
        name: "nets",
        compose: r#"
services:
  plain: { image: "mainstay-test/tiny:1", networks: [front, back] }
  aliased:
    image: mainstay-test/tiny:1
    networks:
      front: { aliases: [www, api, www] }
      back: { aliases: [www], priority: 10 }
  placed:
    image: mainstay-test/tiny:1
    networks:
      pool: { ipv4_address: 10.213.5.20, ipv6_address: "fd00:213:5::20", aliases: [fixed] }
      back: {}
  local:
    image: mainstay-test/tiny:1
    networks:
      back: { link_local_ips: [169.254.7.7] }
  order:
    image: mainstay-test/tiny:1
    mac_address: "02:42:ac:11:65:45"
    networks: { back: { priority: 1 }, front: { priority: 1000 }, zone: }
  outside: { image: "mainstay-test/tiny:1", networks: [theirs, default] }
networks:
  front: {}
  back: { internal: true, attachable: true, labels: { a: b, c: }, name: "{stack:back}" }
  zone: { driver: bridge, driver_opts: { com.docker.network.bridge.enable_icc: "false", com.docker.network.driver.mtu: 1400 }, labels: [x=y] }
  pool:
    enable_ipv6: true
    ipam:
      driver: default
      config:
        - subnet: 10.213.5.0/24
          ip_range: 10.213.5.128/25
          gateway: 10.213.5.254
          aux_addresses: { one: 10.213.5.130 }
        - subnet: fd00:213:5::/64
  theirs: { external: true, name: bridge-of-{stack:x} }
  unused: {}
"#,
        outside: &[&["network", "create", "bridge-of-{stack:x}"]],
        ..Case::default()
    });
}

#[test]
fn network_modes_and_namespaces() {
    same(Case {
        name: "modes",
        compose: r#"
services:
  base: { image: "mainstay-test/tiny:1", ipc: shareable, hostname: base }
  host: { image: "mainstay-test/tiny:1", network_mode: host, environment: { PORT: "47391" } }
  none: { image: "mainstay-test/tiny:1", network_mode: none }
  bridge: { image: "mainstay-test/tiny:1", network_mode: bridge }
  joins-net: { image: "mainstay-test/tiny:1", network_mode: "service:base", environment: { PORT: "9001" } }
  named: { image: "mainstay-test/tiny:1", network_mode: "container:{stack:by-hand}", environment: { PORT: "9002" } }
  joins-ipc: { image: "mainstay-test/tiny:1", ipc: "service:base" }
  ipc-host: { image: "mainstay-test/tiny:1", ipc: host }
  ipc-private: { image: "mainstay-test/tiny:1", ipc: private }
  joins-pid: { image: "mainstay-test/tiny:1", pid: "service:base" }
  pid-host: { image: "mainstay-test/tiny:1", pid: host }
  pid-named: { image: "mainstay-test/tiny:1", pid: "container:{stack:by-hand}" }
  uts: { image: "mainstay-test/tiny:1", uts: host }
  userns: { image: "mainstay-test/tiny:1", userns_mode: host }
  cgroup: { image: "mainstay-test/tiny:1", cgroup: host }
  cgroup-private: { image: "mainstay-test/tiny:1", cgroup: private }
"#,
        outside: &[&["run", "--detach", "--name", "{stack:by-hand}", "mainstay-test/tiny:1"]],
        ..Case::default()
    });
}

#[test]
fn rights_and_limits() {
    same(Case {
        name: "rights",
        compose: r#"
services:
  caps:
    image: mainstay-test/tiny:1
    cap_add: [NET_ADMIN, CAP_SYS_TIME]
    cap_drop: [MKNOD, NET_RAW]
    security_opt: ["no-new-privileges:true", "seccomp=unconfined"]
    group_add: ["12", nogroup, 13]
    init: true
    read_only: true
    tty: true
    stdin_open: true
    stop_signal: SIGUSR1
    stop_grace_period: 1m30s
    sysctls: { net.core.somaxconn: 777, net.ipv4.ip_unprivileged_port_start: "0" }
    ulimits: { nofile: { soft: 1000, hard: 2000 }, nproc: 600, core: 0 }
  more:
    image: mainstay-test/tiny:1
    init: false
    sysctls: [net.core.somaxconn=778]
    shm_size: 128m
    oom_score_adj: 100
    oom_kill_disable: true
    mem_limit: 64m
    privileged: false
    cgroup_parent: mainstay-e2e
    annotations: { a: b }
    runtime: runc
    platform: linux/amd64
    pull_policy: missing
    storage_opt: {}
    stop_grace_period: 500ms
  devices:
    image: mainstay-test/tiny:1
    devices: ["/dev/null:/dev/nil:r", "/dev/zero", { source: /dev/full, target: /dev/filled, permissions: rw }]
    device_cgroup_rules: ["c 1:3 mr", "a 7:* rmw"]
  memory:
    image: mainstay-test/tiny:1
    mem_limit: 128m
    mem_reservation: 64m
    memswap_limit: 256m
    mem_swappiness: 10
    pids_limit: 50
    cpus: 0.5
    cpu_shares: 100
    cpuset: "0"
  swap-off: { image: "mainstay-test/tiny:1", mem_limit: 32mb, memswap_limit: -1, pids_limit: -1 }
  quota: { image: "mainstay-test/tiny:1", cpu_period: 50000, cpu_quota: 25000 }
  deployed:
    image: mainstay-test/tiny:1
    deploy:
      resources:
        limits: { cpus: "0.25", memory: 50M, pids: 20 }
        reservations: { cpus: "0.1", memory: 20M }
      restart_policy: { condition: on-failure, max_attempts: 3, delay: 5s, window: 10s }
      labels: { only: swarm }
  both:
    image: mainstay-test/tiny:1
    mem_limit: 64m
    cpus: 0.3
    deploy: { resources: { limits: { memory: 64m, cpus: "0.3" } } }
  odd-cpus: { image: "mainstay-test/tiny:1", cpus: 0.333, mem_limit: 33554433b }
"#,
        ..Case::default()
    });
}

#[test]
fn block_devices() {
    same(Case {
        name: "blkio",
        compose: r#"
services:
  weight:
    image: mainstay-test/tiny:1
    blkio_config:
      device_read_bps: [{ path: /dev/vda, rate: "12mb" }]
      device_write_bps: [{ path: /dev/vda, rate: 1048576 }]
      device_read_iops: [{ path: /dev/vda, rate: 120 }]
      device_write_iops: [{ path: /dev/vda, rate: 30 }]
"#,
        ..Case::default()
    });
}

#[test]
fn restart_policies() {
    same(Case {
        name: "restart",
        compose: r#"
services:
  unset: { image: "mainstay-test/tiny:1" }
  never: { image: "mainstay-test/tiny:1", restart: "no" }
  always: { image: "mainstay-test/tiny:1", restart: always }
  unless: { image: "mainstay-test/tiny:1", restart: unless-stopped }
  failure: { image: "mainstay-test/tiny:1", restart: on-failure }
  failures: { image: "mainstay-test/tiny:1", restart: "on-failure:3" }
  any: { image: "mainstay-test/tiny:1", deploy: { restart_policy: { condition: any } } }
  none: { image: "mainstay-test/tiny:1", deploy: { restart_policy: { condition: none } } }
  empty: { image: "mainstay-test/tiny:1", deploy: { restart_policy: { max_attempts: 3 } } }
  nothing: { image: "mainstay-test/tiny:1", restart: always, deploy: { restart_policy: {} } }
  differ: { image: "mainstay-test/tiny:1", restart: always, deploy: { restart_policy: { condition: on-failure } } }
"#,
        ..Case::default()
    });
}

#[test]
fn health_checks() {
    same(Case {
        name: "health",
        compose: r#"
services:
  text: { image: "mainstay-test/tiny:1", healthcheck: { test: "true || exit 1" } }
  shell: { image: "mainstay-test/tiny:1", healthcheck: { test: [CMD-SHELL, "true"], interval: 1m30s, timeout: 2s, retries: 5, start_period: 1.5s } }
  several: { image: "mainstay-test/tiny:1", healthcheck: { test: [CMD-SHELL, "true", "-U", "me"] } }
  words: { image: "mainstay-test/tiny:1", healthcheck: { test: [CMD, "true"], interval: 1h, start_period: 5s } }
  none: { image: "{stack:img}", healthcheck: { test: ["NONE"] } }
  off: { image: "{stack:img}", healthcheck: { disable: true } }
  from-image: { image: "{stack:img}" }
  over-image: { image: "{stack:img}", healthcheck: { interval: 9s } }
  over-retries: { image: "{stack:img}", healthcheck: { retries: 9, test: [CMD, "true"] } }
  disabled-too: { image: "{stack:img}", healthcheck: { disable: false, timeout: 4s } }
"#,
        images: &[("{stack:img}", "FROM mainstay-test/tiny:1\nHEALTHCHECK --interval=7s --retries=2 CMD true\n")],
        ..Case::default()
    });
}

#[test]
fn mounts_of_every_kind() {
    same(Case {
        name: "mounts",
        compose: r#"
services:
  short:
    image: mainstay-test/tiny:1
    volumes:
      - ./content:/content:ro
      - ./content:/again
      - ./made-short:/made
      - data:/data
      - data:/data-ro:ro
      - data:/data-raw:nocopy
      - /anonymous
      - ./content:/labelled:z
      - /etc/hostname:/their-name:ro,Z
      - ./content/hello.txt:/hello.txt
  long:
    image: mainstay-test/tiny:1
    volumes:
      - { type: bind, source: ./content, target: /content, read_only: true }
      - { type: bind, source: ./made-long, target: /made, bind: { create_host_path: true } }
      - { type: bind, source: ./content, target: /plain, bind: { create_host_path: false } }
      - { type: bind, source: ./content, target: /slave, bind: { propagation: rprivate } }
      - { type: volume, source: data, target: /data, read_only: true }
      - { type: volume, source: fresh, target: /www, volume: { nocopy: true } }
      - { type: volume, target: /unnamed }
      - { type: volume, source: outside, target: /outside }
      - { type: volume, source: memory, target: /memory }
      - { type: tmpfs, target: /scratch, tmpfs: { size: 1m, mode: 0o700 } }
      - { type: tmpfs, target: /scratch-plain }
      - { type: tmpfs, target: /scratch-ro, read_only: true }
    tmpfs: [/one, "/two:size=64k,mode=1770"]
  joins-read-only-x: { image: "mainstay-test/tiny:1", volumes_from: ["image-volumes:ro", "container:{stack:by-hand}:ro"] }
  options:
    image: mainstay-test/tiny:1
    volumes:
      - ./content:/shared:rprivate
      - { type: bind, source: ./content, target: /selinux, bind: { selinux: z } }
  text-tmpfs: { image: "mainstay-test/tiny:1", tmpfs: /run }
  joins-from: { image: "mainstay-test/tiny:1", volumes_from: [text-tmpfs, image-volumes] }
  joins-hand: { image: "mainstay-test/tiny:1", volumes_from: ["container:{stack:by-hand}"] }
  image-volumes: { image: "{stack:img}", volumes: ["data:/from-image", "./content:/from-image/inner"] }
volumes:
  data: { labels: { kept: "yes", none: } }
  fresh: { name: "{stack:fresh}", labels: [a=b] }
  outside: { external: true, name: "{stack:outside}" }
  memory: { driver: local, driver_opts: { type: tmpfs, device: tmpfs, o: "size=1m" } }
  unused: {}
"#,
        files: &[("content/hello.txt", "from the host")],
        images: &[("{stack:img}", "FROM mainstay-test/tiny:1\nVOLUME /from-image /other\n")],
        outside: &[
            &["volume", "create", "{stack:outside}"],
            &["run", "--detach", "--name", "{stack:by-hand}", "--volume", "/byhand", "mainstay-test/tiny:1"],
        ],
        asked: &[
            ("long", "stat -c '%a %n' /scratch /scratch-plain; grep -c scratch /proc/mounts"),
            ("short", "cat /hello.txt"),
        ],
    });
}

#[test]
fn configs_and_secrets() {
    same(Case {
        name: "files",
        compose: r#"
services:
  it:
    image: mainstay-test/tiny:1
    configs:
      - plain
      - { source: inline, target: /etc/inline.conf, uid: "103", gid: "104", mode: 0440 }
      - { source: variable, target: /etc/variable.conf }
      - { source: plain, target: /etc/moved.conf, mode: 0400 }
      - inline
    secrets:
      - key
      - { source: key, target: moved }
      - { source: key, target: /etc/absolute.key }
      - { source: token, target: token.txt, uid: "1000", mode: 0400 }
      - token
  user: { image: "mainstay-test/tiny:1", user: "65534", secrets: [token], configs: [inline] }
configs:
  plain: { file: ./plain.conf }
  inline: { content: "a=${SHARED}\nb=$$c\n" }
  variable: { environment: SHARED }
secrets:
  key: { file: ./key.txt }
  token: { environment: TOKEN }
"#,
        files: &[("plain.conf", "plain\n"), ("key.txt", "s3cret"), (".env", "SHARED=from env\nTOKEN=t0ken\n")],
        asked: &[
            ("it", "stat -c '%a %u %g %F %n' /plain /etc/*.conf /etc/*.key /inline /run/secrets/*"),
            ("it", "for f in /plain /etc/*.conf /etc/*.key /inline /run/secrets/*; do echo \"== $f\"; cat $f; done"),
            ("it", "stat -c '%a %u %g %n' /run /run/secrets"),
            ("user", "cat /run/secrets/token /inline"),
        ],
        ..Case::default()
    });
}

#[test]
fn ports_and_exposed_ports() {
    same(Case {
        name: "ports",
        compose: r#"
services:
  short:
    image: mainstay-test/tiny:1
    ports: ["8080", "127.0.0.1:47401:8080", "47402:8081/udp", "47403-47404:8082-8083", "127.0.0.1::8084", "[::1]:47405:8085", 47406:8086]
    expose: ["3000", "53/udp", 9091-9092]
  long:
    image: mainstay-test/tiny:1
    ports:
      - { target: 80, published: "47410", protocol: tcp, mode: host, host_ip: 127.0.0.1, name: web, app_protocol: http }
      - { target: 81, published: 47411, protocol: udp }
      - { target: 82 }
      - { target: 83, published: "47420-47429" }
      - { target: 84, published: "0" }
      - { target: 80, published: "47412" }
  number: { image: "mainstay-test/tiny:1", ports: [8080], expose: [8080, 9000] }
"#,
        ..Case::default()
    });
}

#[test]
fn logging_profiles_and_dependencies() {
    same(Case {
        name: "rest",
        compose: r#"
services:
  json: { image: "mainstay-test/tiny:1", logging: { driver: json-file, options: { max-size: 10m, max-file: "3", labels: a } } }
  none: { image: "mainstay-test/tiny:1", logging: { driver: none } }
  local: { image: "mainstay-test/tiny:1", logging: { driver: local } }
  options-only: { image: "mainstay-test/tiny:1", logging: { options: { max-size: 1m } } }
  off: { image: "mainstay-test/tiny:1", profiles: [debug] }
  last:
    image: mainstay-test/tiny:1
    depends_on:
      json: { condition: service_started, restart: true }
      well: { condition: service_healthy }
      once: { condition: service_completed_successfully }
      off: { condition: service_started, required: false }
  list: { image: "mainstay-test/tiny:1", depends_on: [well, json] }
  well: { image: "mainstay-test/tiny:1", healthcheck: { test: "true", interval: 1s } }
  once: { image: "mainstay-test/tiny:1", command: ["true"] }
  extended: { extends: json, labels: { own: "1" } }
"#,
        ..Case::default()
    });
}

#[test]
fn what_is_built() {
    same(Case {
        name: "build",
        compose: r#"
services:
  context: { build: ./src, image: "{stack:made}" }
  long:
    build:
      context: ./src
      dockerfile: Other.Dockerfile
      args: { NAME: "a b", EMPTY: }
      labels: { built: "yes" }
      target: second
      tags: ["{stack:tagged}:x"]
      network: none
      shm_size: 64m
      extra_hosts: ["up.test:10.0.0.1"]
  inline: { build: { context: ./src, dockerfile_inline: "FROM mainstay-test/tiny:1\nCOPY hello.txt /hello\n" }, pull_policy: build }
"#,
        files: &[
            ("src/Dockerfile", "FROM mainstay-test/tiny:1\nCOPY hello.txt /hello\nENV BUILT=1\n"),
            (
                "src/Other.Dockerfile",
                "FROM mainstay-test/tiny:1 AS first\nFROM first AS second\nARG NAME\nENV NAME=$NAME\nFROM second AS third\nENV TOO=far\n",
            ),
            ("src/hello.txt", "hello"),
            ("src/.dockerignore", "*.md\n"),
        ],
        asked: &[("context", "cat /hello"), ("inline", "cat /hello"), ("long", "echo $NAME")],
        ..Case::default()
    });
}
