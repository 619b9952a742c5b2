//! A small text for stacks and worlds.
//!
//! A stack, a line each: `stack shop`, `requires supabase`, `network key [external=name]`, `volume key [external=name]`,
//! and `service web` with words: `image=`, `build`, `pull=always|never|build`, `replicas=`, `name=`, `after=db:healthy`
//! (`:restart`, `:optional`), `on=default,front`, `alias=front:api`, `ip=front:10.0.0.9`, `share=db`, `ipc=db`,
//! `volume=data` (`volume=:/cache` has no name), `env=KEY:value`, `port=8080`, `check`, `restart`, `route=shop.localhost:80` (or
//! `route=a.localhost>https://b.localhost`), `probe=/health`, `rollout=rolling|stop-first`, `drain=0`; and
//! `smoke https://shop.localhost edge` (`inside`, `outside`); and `database crm in=db files=1.sql,2.sql` (without `in=` it is
//! elsewhere) with `by-hand` (no release applies them), `drops=2.sql` (a file that takes data away), `faulty=2.sql`,
//! `backup=/srv/backups`.
//!
//! A world, a line each, in the order in which it happened: `image web:1`, `image web:1 volume /data`, `network name [foreign|compose]`,
//! `volume name [foreign|compose]`, `container name [foreign|compose] [service=web number=1] [on=net] [member]`,
//! `up` (the stack was brought up), `up with …` (with the service lines that follow the word, for an older
//! declaration), `steps 3` (only so many of the next `up`), and what befell: `stop x`, `exit x 1`, `crash x`,
//! `pause x`, `sick x`, `remove x`, `rename x y`, `disconnect x net`, `renew net`, `lose net`, `rebuild image`,
//! `ledger crm 1.sql 2.sql` (what a database was migrated by), `unseen crm` (it does not answer),
//! `bucket files there` (or `missing`, or `unseen`),
//! `edge` (one that answers), `edge away`, `taken shop.localhost [container]` (another stack's route), `confused` (the edge shows
//! something else than it was told), `blur x` (fingerprint lost), `compose x` (as if `docker compose` had made it).

use std::collections::BTreeMap;

use mainstay_model::declared::container::{
    Healthcheck, Hidden, Mount, MountKind, Port, Restart, VolumesFrom, VolumesSource,
};
use mainstay_model::declared::route::Ask;
use mainstay_model::declared::{
    Attachment, Backup, BucketServer, Build, Condition, ContainerSpec, Database, Declared, Dependency, Destination,
    Migrations, Network, NetworkMode, PullPolicy, Service, SqlFile, StackBucket, Volume, Whereabouts,
};
use mainstay_model::declared::{Probe, Route, Strategy, route};
use mainstay_model::edge::wanted;
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::{
    Container, Endpoint, Health, Ledger, Maker, Member, Observed, ObservedBucket, ObservedDatabase, ObservedEdge,
    ObservedNetwork, ObservedVolume, State,
};
use mainstay_model::plan::{HeldService, Order, StackOrder, UpOptions, decide};
use mainstay_model::postgres::migration::{LedgerName, LedgerRow, MigrationSet, Target};
use mainstay_model::sim;
use mainstay_model::smoke::{Address, Check, Expected, Tls, Whence};

/// What a text told.
pub struct Told {
    pub declared: Declared,
    pub world: Observed,
}

pub fn service_name(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

pub fn stack_name(name: &str) -> StackName {
    StackName::new(name).unwrap()
}

impl Told {
    pub fn declared_of<'a>(&self, order: &'a Order) -> Option<&'a Declared> {
        match order {
            Order::Up { declared, .. } => Some(declared),
            _ => None,
        }
    }
}

pub fn up(told: &Told) -> Order {
    up_with(|_| {})(told)
}

pub fn up_with(set: impl FnOnce(&mut UpOptions)) -> impl FnOnce(&Told) -> Order {
    move |told| {
        let mut options = UpOptions::default();
        set(&mut options);
        Order::Up { declared: Box::new(told.declared.clone()), options }
    }
}

pub fn stack_order(told: &Told) -> StackOrder {
    StackOrder {
        stack: told.declared.stack.clone(),
        services: Default::default(),
        volumes: Default::default(),
        held: Default::default(),
        timeout_secs: None,
        no_wait: false,
    }
}

pub fn hold(told: &Told) -> Order {
    Order::Hold {
        stack: told.declared.stack.clone(),
        services: held(&told.declared),
        returned: BTreeMap::new(),
        reattached: Default::default(),
    }
}

/// A hold in the moment in which a stack that every service leans on is back.
pub fn hold_after_return(told: &Told) -> Order {
    let returned = told.declared.services.keys().map(|service| (service.clone(), stack_name("supabase")));
    Order::Hold {
        stack: told.declared.stack.clone(),
        services: held(&told.declared),
        returned: returned.collect(),
        reattached: Default::default(),
    }
}

pub fn held(declared: &Declared) -> Vec<HeldService> {
    let services = declared.services.values();
    services
        .map(|service| HeldService {
            service: service.name.clone(),
            container_names: [service
                .container_name
                .clone()
                .unwrap_or(format!("{}-{}-1", declared.stack, service.name))]
            .into(),
            attachments: service.attachments.clone(),
        })
        .collect()
}

pub fn tell(stack: &str, world: &str) -> Told {
    let declared = declared(stack);
    let mut observed = Observed::empty(declared.stack.clone());
    for service in declared.services.values() {
        observed.images.insert(service.image.clone(), format!("id-of-{}", service.image));
    }
    for line in world.lines().map(str::trim).filter(|line| !line.is_empty()) {
        happen(&declared, &mut observed, line);
        sim_members(&mut observed);
        observed.settle();
    }
    Told { declared, world: observed }
}

pub fn declared(text: &str) -> Declared {
    let mut declared = Declared {
        disabled: Default::default(),
        stack: stack_name("shop"),
        directory: "/srv/shop".into(),
        files: vec!["/srv/shop/compose.yaml".into()],
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        requires: Vec::new(),
        secrets: Default::default(),
        smoke: Vec::new(),
        databases: std::collections::BTreeMap::new(),
        buckets: std::collections::BTreeMap::new(),
    };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        declare(&mut declared, line);
    }
    declared
}

fn declare(declared: &mut Declared, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let external = words.iter().find_map(|word| word.strip_prefix("external="));
    let name = |key: &str| external.map_or(format!("{}_{key}", declared.stack), str::to_owned);
    match words[..] {
        ["stack", name] => declared.stack = stack_name(name),
        ["requires", name] => declared.requires.push(stack_name(name)),
        ["network", key, ..] => {
            let network = Network { name: name(key), external: external.is_some(), ..Network::default() };
            declared.networks.insert(key.into(), network);
        }
        ["volume", key, ..] => {
            let volume = Volume { name: name(key), external: external.is_some(), ..Volume::default() };
            declared.volumes.insert(key.into(), volume);
        }
        ["smoke", url, from] => declared.smoke.push(smoke(url, from)),
        ["database", name, ref words @ ..] => {
            declared.databases.insert(name.into(), database(words));
        }
        ["bucket", name, ref words @ ..] => {
            declared.buckets.insert(name.into(), bucket(name, words));
        }
        ["service", name, ref words @ ..] => {
            let service = service(declared, name, words);
            declared.services.insert(service.name.clone(), service);
        }
        _ => panic!("not a stack line: {line}"),
    }
}

pub fn database(words: &[&str]) -> Database {
    let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let file = |name: &str| {
        let text = match name {
            name if value("drops") == Some(name) => "drop table old;".to_owned(),
            name if value("faulty") == Some(name) => "begin; create table b (id int); commit;".to_owned(),
            name => format!("create table t{} (id int);", name.trim_end_matches(".sql")),
        };
        SqlFile::new(name, text.into_bytes())
    };
    let files = value("files").unwrap_or_default().split(',').filter(|name| !name.is_empty()).map(file);
    let migrations = Migrations {
        dir: "/srv/shop/sql".into(),
        ledger: LedgerName::default(),
        release: !words.contains(&"by-hand"),
        files: Some(files.collect()),
    };
    let whereabouts = match value("in") {
        None => Whereabouts::Url(Hidden::new("postgres://app@elsewhere/crm")),
        Some(service) => Whereabouts::Service {
            service: service_name(service),
            port: 5432,
            database: "crm".into(),
            user: "postgres".into(),
            password: None,
        },
    };
    Database {
        whereabouts,
        migrations: Some(migrations),
        backup: value("backup").map(backup),
        image: None,
        probes: Vec::new(),
        drift: Default::default(),
    }
}

fn backup(to: &str) -> Backup {
    Backup { to: Destination::Folder(to.to_owned()), schedule: None, drill: None, keep: None, recipients: Vec::new() }
}

fn bucket(name: &str, words: &[&str]) -> StackBucket {
    let service = words.iter().find_map(|word| word.strip_prefix("in="));
    StackBucket {
        server: match service {
            Some(service) => BucketServer::Service { service: service_name(service), port: 3900 },
            None => BucketServer::Endpoint("https://s3.example.com".into()),
        },
        bucket: format!("shop-{name}"),
        region: None,
        path_style: true,
        access_key: Hidden::new("GK1".to_owned()),
        secret_key: Hidden::new("hunter2".to_owned()),
        cors: None,
        backup: None,
    }
}

/// What a database was migrated by.
pub fn ledger(declared: &Declared, name: &str, files: &[&str]) -> Ledger {
    let migrations = declared.databases[name].migrations.as_ref().unwrap();
    let set = MigrationSet::of(migrations.files.as_ref().unwrap());
    let row = |file: &&str| LedgerRow {
        filename: (*file).to_owned(),
        applied_at: String::new(),
        sha256: set.files.get(*file).map(|file| file.sha256.clone()),
        notes: None,
    };
    let target = Target { system_identifier: "7".into(), database: name.into(), ledger: migrations.ledger.clone() };
    Ledger { target, rows: files.iter().map(row).collect(), attempts: BTreeMap::new() }
}

pub fn plain_service(name: &str) -> Service {
    Service {
        name: service_name(name),
        image: format!("{name}:1"),
        build: None,
        pull_policy: PullPolicy::Missing,
        platform: None,
        compose_hash: String::new(),
        replicas: 1,
        container_name: None,
        depends_on: BTreeMap::new(),
        network_mode: NetworkMode::Attached,
        attachments: Vec::new(),
        container: ContainerSpec::default(),
        routes: Vec::new(),
        probe: None,
        rollout: Default::default(),
        files: Vec::new(),
        unwaited: false,
    }
}

fn service(declared: &Declared, name: &str, words: &[&str]) -> Service {
    let mut service = plain_service(name);
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let parts: Vec<&str> = value.split(':').collect();
        match key {
            "image" => service.image = value.into(),
            "build" => service.build = Some(Build::default()),
            "pull" => service.pull_policy = pull_policy(value),
            "replicas" => service.replicas = value.parse().unwrap(),
            "name" => service.container_name = Some(value.into()),
            "after" => {
                service.depends_on.insert(service_name(parts[0]), dependency(&parts[1..]));
            }
            "on" => service.attachments = value.split(',').map(|key| attachment(declared, key, name)).collect(),
            "alias" => {
                let attachment = service.attachments.iter_mut().find(|a| a.key == parts[0]).unwrap();
                attachment.aliases.push(parts[1].into());
                attachment.aliases.sort();
            }
            "ip" => {
                let attachment = service.attachments.iter_mut().find(|a| a.key == parts[0]).unwrap();
                attachment.ipv4_address = Some(parts[1].into());
            }
            "share" => service.network_mode = NetworkMode::Service(service_name(value)),
            "ipc" => service.container.ipc = Some(format!("service:{value}")),
            "volumes-from" => service
                .container
                .volumes_from
                .push(VolumesFrom { from: VolumesSource::Service(service_name(value)), read_only: false }),
            "volume" => service.container.mounts.push(mount(declared, value)),
            "env" => {
                service.container.environment.insert(parts[0].into(), Hidden::new(parts[1]));
            }
            "port" => service.container.ports.push(Port {
                target: 80,
                protocol: "tcp".into(),
                published: parts.last().map(|port| port.to_string()),
                host_ip: (parts.len() > 1).then(|| parts[0].into()),
            }),
            "route" => service.routes.push(route(value)),
            "probe" => service.probe = Some(probe(value)),
            "rollout" => {
                let is_rolling = value == "rolling";
                service.rollout.strategy = Some(if is_rolling { Strategy::Rolling } else { Strategy::StopFirst });
            }
            "drain" => service.rollout.drain_secs = value.parse().ok(),
            "check" => service.container.healthcheck = Some(Healthcheck::default()),
            "restart" => service.container.restart = Restart::UnlessStopped,
            _ => panic!("not a word of a service: {word}"),
        }
    }
    service
}

/// `/health`, `9000/health` of another port than the routes', or `tcp:5432`.
fn probe(text: &str) -> Probe {
    let number = |port: &str| port.parse().expect("a port");
    let (ask, port) = match text.strip_prefix("tcp:") {
        Some(port) => (Ask::Tcp, Some(number(port))),
        None => {
            let (port, path) = text.split_at(text.find('/').expect("a path"));
            (Ask::Http { path: path.into(), status: 200 }, (!port.is_empty()).then(|| number(port)))
        }
    };
    Probe { ask, port, within_secs: 60 }
}

/// `shop.localhost:80`, `shop.localhost/api:80` or `www.localhost>https://shop.localhost`.
pub fn route(value: &str) -> Route {
    let (address, to) = match value.split_once('>') {
        Some((address, to)) => (address, route::Target::Redirect { redirect: to.into(), status: 302 }),
        None => {
            let (address, port) = value.rsplit_once(':').unwrap();
            (address, route::Target::Port { port: port.parse().unwrap() })
        }
    };
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    Route { host: host.into(), path: format!("/{path}"), to, handling: Default::default() }
}

pub fn smoke(url: &str, from: &str) -> Check {
    Check {
        name: None,
        url: Address::parse(url).unwrap(),
        method: "GET".into(),
        headers: BTreeMap::new(),
        body: None,
        expected: Expected::status(200),
        tls: Tls::Valid,
        from: Whence::WORDS.into_iter().find(|(word, _)| *word == from).unwrap().1,
        container: None,
        within_ms: 1000,
        timeout_ms: 1000,
    }
}

pub const EDGE_NAME: &str = "edge-caddy-1";

pub fn edge() -> ObservedEdge {
    ObservedEdge {
        container: EDGE_NAME.into(),
        answers: true,
        is_as_told: true,
        sites: Vec::new(),
        before: BTreeMap::new(),
        previews: Default::default(),
    }
}

fn pull_policy(word: &str) -> PullPolicy {
    match word {
        "always" => PullPolicy::Always,
        "never" => PullPolicy::Never,
        "build" => PullPolicy::Build,
        _ => PullPolicy::Missing,
    }
}

fn dependency(words: &[&str]) -> Dependency {
    let mut dependency = Dependency { condition: Condition::Started, restart: false, required: true };
    for word in words {
        match *word {
            "started" => dependency.condition = Condition::Started,
            "healthy" => dependency.condition = Condition::Healthy,
            "completed" => dependency.condition = Condition::Completed,
            "restart" => dependency.restart = true,
            "optional" => dependency.required = false,
            _ => panic!("not a word of a dependency: {word}"),
        }
    }
    dependency
}

pub fn attachment(declared: &Declared, key: &str, alias: &str) -> Attachment {
    let network = declared.networks.get(key).unwrap_or_else(|| panic!("no network {key}")).name.clone();
    Attachment { key: key.into(), network, aliases: vec![alias.into()], ..Attachment::default() }
}

pub fn mount(declared: &Declared, value: &str) -> Mount {
    let source = declared.volumes.get(value).map(|volume| volume.name.clone());
    let target = value.strip_prefix(':').map_or(format!("/{value}"), str::to_owned);
    Mount {
        kind: MountKind::Volume,
        source,
        target,
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

fn maker(words: &[&str]) -> Maker {
    match words {
        words if words.contains(&"foreign") => Maker::Foreign,
        words if words.contains(&"compose") => Maker::Compose,
        _ => Maker::Mainstay,
    }
}

pub fn network(name: &str, id: &str, maker: Maker, stack: Option<StackName>) -> ObservedNetwork {
    ObservedNetwork {
        id: id.into(),
        name: name.into(),
        maker,
        stack,
        key: None,
        driver: "bridge".into(),
        internal: false,
        digest: None,
        members: Vec::new(),
    }
}

fn happen(declared: &Declared, world: &mut Observed, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let of_stack = |maker| (maker != Maker::Foreign).then(|| declared.stack.clone());
    match words[..] {
        ["image", "none"] => world.images.clear(),
        ["image", name, "volume", target] => {
            world.image_volumes.entry(name.into()).or_default().insert(target.into());
        }
        ["image", name] => {
            world.images.insert(name.into(), format!("id-of-{name}"));
        }
        ["network", name, ref words @ ..] => {
            let count = world.networks.len();
            let maker = maker(words);
            world.networks.push(network(name, &format!("net{count}-{name}"), maker, of_stack(maker)));
        }
        ["volume", name, ref words @ ..] => {
            let maker = maker(words);
            world.volumes.push(ObservedVolume {
                name: name.into(),
                maker,
                stack: of_stack(maker),
                key: None,
                driver: "local".into(),
                digest: None,
            });
        }
        ["container", name, ref words @ ..] => {
            let container = container(declared, world, name, words);
            world.containers.push(container);
        }
        ["ledger", name, ref files @ ..] => {
            let seen = ObservedDatabase::Seen(ledger(declared, name, files));
            world.databases.insert(name.into(), seen);
        }
        ["bucket", name, how] => {
            let seen = match how {
                "there" => ObservedBucket::There,
                "missing" => ObservedBucket::Missing,
                _ => ObservedBucket::Unseen { why: "nothing listens there".into() },
            };
            world.buckets.insert(name.into(), seen);
        }
        ["unseen", name] => {
            let unseen = ObservedDatabase::Unseen { why: "nothing listens there".into() };
            world.databases.insert(name.into(), unseen);
        }
        ["edge"] => {
            let mut container = container(declared, world, EDGE_NAME, &["service=caddy", "number=1"]);
            container.stack = Some(stack_name("edge"));
            world.containers.push(container);
            world.edge = Some(edge());
        }
        ["edge", "away"] => world.edge = Some(ObservedEdge { answers: false, ..edge() }),
        ["confused"] => world.edge.as_mut().unwrap().is_as_told = false,
        ["taken", host, ref by @ ..] => {
            let route = route(&format!("{host}:80"));
            let id = by.first().map_or("f00".to_owned(), |name| format!("id-of-{name}"));
            let site = wanted::site(&stack_name("other"), &plain_service("web"), &route, &[id]);
            world.edge.as_mut().unwrap().sites.push(site);
        }
        ["up"] => walk(declared, declared, world, usize::MAX),
        ["steps", count] => walk(declared, declared, world, count.parse().unwrap()),
        ["up", "with", ..] => {
            let mut older = declared.clone();
            for service in line["up with".len()..].split(';') {
                declare(&mut older, service.trim());
            }
            for service in older.services.values() {
                world.images.entry(service.image.clone()).or_insert_with(|| format!("id-of-{}", service.image));
            }
            walk(declared, &older, world, usize::MAX);
        }
        _ => befall(world, &words),
    }
}

fn walk(declared: &Declared, wanted: &Declared, world: &mut Observed, steps: usize) {
    // How databases stand is told by lines of their own.
    let wanted = &Declared { databases: BTreeMap::new(), buckets: BTreeMap::new(), ..wanted.clone() };
    let order = Order::Up { declared: Box::new(wanted.clone()), options: UpOptions::default() };
    let plan = decide(&order, world);
    assert_eq!(plan.refusals().count(), 0, "{:?} of {}", plan.findings, declared.stack);
    let mut made = BTreeMap::new();
    for step in plan.steps.iter().take(steps) {
        sim::step(world, step, Some(wanted), &mut made).unwrap_or_else(|error| panic!("{step:?}: {error}"));
    }
}

fn container(declared: &Declared, world: &Observed, name: &str, words: &[&str]) -> Container {
    let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let on = value("on").map_or(Vec::new(), |names| names.split(',').collect());
    let maker = maker(words);
    let endpoint = |network: &&str| {
        let found = world.networks_named(network).next().map_or(String::new(), |network| network.id.clone());
        Endpoint { network: network.to_string(), network_id: found, ..Endpoint::default() }
    };
    Container {
        id: format!("id-of-{name}"),
        name: name.into(),
        maker,
        stack: (maker != Maker::Foreign).then(|| declared.stack.clone()),
        service: value("service").map(service_name),
        number: value("number").map_or(0, |number| number.parse().unwrap()),
        one_off: words.contains(&"one-off"),
        keeper: None,
        image: "foreign:1".into(),
        image_id: "id-of-foreign:1".into(),
        state: State::Running,
        health: Health::Unverified,
        exit_code: None,
        oom_killed: false,
        started_at: "2026-01-01T00:00:00Z".into(),
        finished_at: String::new(),
        created_at: "2026-01-01T00:00:00Z".into(),
        restart_count: 0,
        restarts_itself: true,
        may_end: false,
        endpoints: on.iter().map(endpoint).collect(),
        network_mode: "bridge".into(),
        fields: None,
        declared_attachments: None,
        depends_on: Vec::new(),
        requires: Vec::new(),
        ports: Vec::new(),
        anonymous_volumes: Vec::new(),
    }
}

fn befall(world: &mut Observed, words: &[&str]) {
    let find = |world: &Observed, name: &str| {
        let at = world.containers.iter().position(|container| container.name == name);
        at.unwrap_or_else(|| panic!("no container {name}"))
    };
    match *words {
        ["renew", name] => {
            for network in world.networks.iter_mut().filter(|network| network.name == name) {
                network.id += "-anew";
            }
        }
        ["lose", name] => world.networks.retain(|network| network.name != name),
        ["drop", name] => world.volumes.retain(|volume| volume.name != name),
        ["rebuild", image] => {
            world.images.insert(image.into(), format!("another-id-of-{image}"));
        }
        ["member", network, name] => {
            let network = world.networks.iter_mut().find(|n| n.name == network).unwrap();
            network.members.push(Member {
                container_id: format!("id-of-{name}"),
                container_name: name.into(),
                stack: Some(stack_name("other")),
                service: None,
                aliases: vec![],
            });
        }
        ["remove", name] => {
            let at = find(world, name);
            world.containers.remove(at);
        }
        [what, name, ref rest @ ..] => {
            let at = find(world, name);
            befall_container(&mut world.containers[at], what, rest);
        }
        _ => panic!("not a world line: {words:?}"),
    }
}

fn befall_container(container: &mut Container, what: &str, rest: &[&str]) {
    match (what, rest) {
        ("stop", _) => (container.state, container.exit_code) = (State::Exited, Some(143)),
        ("exit", [code]) => (container.state, container.exit_code) = (State::Exited, Some(code.parse().unwrap())),
        ("crash", _) => (container.state, container.exit_code) = (State::Restarting, Some(1)),
        ("pause", _) => container.state = State::Paused,
        ("sick", _) => container.health = Health::Unhealthy,
        ("blur", _) => container.fields = None,
        ("compose", _) => container.maker = Maker::Compose,
        ("rename", [to]) => container.name = to.to_string(),
        ("disconnect", [network]) => container.endpoints.retain(|endpoint| endpoint.network != *network),
        ("unalias", [network]) => {
            let endpoint = container.endpoints.iter_mut().find(|endpoint| endpoint.network == *network);
            endpoint.unwrap().aliases.clear();
        }
        _ => panic!("nothing that befalls a container: {what} {rest:?}"),
    }
}

/// Brings the member lists to what the containers show, as a look would.
pub fn sim_members(world: &mut Observed) {
    sim::refresh_members(world);
}
