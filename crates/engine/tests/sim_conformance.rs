//! The simulator of the model, held to a real engine: one list of scenarios, one function that plays each of them in
//! both worlds, and after every action the same verdict and the same normalised snapshot.
//!
//! Where the two are known to differ stands in [`KNOWN`], with the reason; a difference that is not there fails, and so
//! does one that is there and no longer shows.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{StreamExt as _, stream};
use mainstay_engine::World as _;
use mainstay_model::declared::container::{Healthcheck, Mount, Port};
use mainstay_model::declared::{Condition, ContainerSpec, NetworkMode};
use mainstay_model::identity::ServiceName;
use mainstay_model::observed::{AnonymousVolume, Container, Observed, Scope, State};
use mainstay_model::plan::{Action, Impact, Step, StepId};
use mainstay_model::sim;
use support::{Stack, TINY, docker, shell, told};

const SIDE_BY_SIDE: usize = 4;

/// What somebody declares, and what then happens, one by one.
struct Scenario {
    name: &'static str,
    networks: &'static [&'static str],
    volumes: &'static [&'static str],
    /// A service, the keys of its networks, and what is particular about it.
    services: &'static [(&'static str, &'static [&'static str], Kind)],
    actions: &'static [(Do, Expect)],
}

#[derive(Clone, Copy)]
enum Kind {
    /// Runs until it is told to stop, and ends with 143 then, as a program does that does not care about signals.
    Plain,
    Mounts(&'static str),
    /// Mounts a volume that nobody gave a name.
    Anonymous,
    Publishes(&'static str),
    /// Ends with 0 by itself, late enough to be seen running.
    Job,
    /// Has a health check, and becomes healthy late enough to be seen starting.
    Checked,
    /// In the network namespace of another service.
    Within(&'static str),
    Bridge,
}

/// An action by names; ids are put in for each world from its own snapshot. Networks and volumes by key.
#[derive(Clone, Copy, Debug)]
enum Do {
    MakeNetwork(&'static str),
    RemoveNetwork(&'static str),
    MakeVolume(&'static str),
    RemoveVolume(&'static str),
    Create(&'static str),
    CreateOn(&'static str, &'static [&'static str]),
    /// With the anonymous volumes of another one; of one that has none, a volume that is not there.
    CreateCarrying(&'static str, &'static str),
    Start(&'static str),
    Stop(&'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
    /// With the service's own aliases.
    Attach(&'static str, &'static str),
    AttachAs(&'static str, &'static str, &'static [&'static str]),
    Detach(&'static str, &'static str),
    /// By the id of a network that is not there.
    DetachStale(&'static str, &'static str),
    Await(&'static str, Condition),
    /// Somebody else's, made with the plain client and put into the simulated world as the engine shows it.
    ForeignContainer(&'static str),
    ForeignNetwork(&'static str),
    ForeignVolume(&'static str),
    /// Done with the plain client.
    Pause(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Fine,
    Refused,
}

use Do::{
    Attach, AttachAs, Await, Create, CreateCarrying, CreateOn, Detach, DetachStale, ForeignContainer, ForeignNetwork,
    ForeignVolume, MakeNetwork, MakeVolume, Pause, Remove, RemoveNetwork, RemoveVolume, Rename, Start, Stop,
};
use Expect::{Fine, Refused};
use Kind::{Anonymous, Bridge, Checked, Job, Mounts, Plain, Publishes, Within};

/// A scenario ends with its first difference, so a known one is the last action of its scenario. What is expected is
/// what the engine does.
const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a life",
        networks: &["one"],
        volumes: &["data"],
        services: &[("web", &["one"], Mounts("data"))],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeVolume("data"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Stop("web"), Fine),
            (Start("web"), Fine),
            (Stop("web"), Fine),
            (Remove("web"), Fine),
            (RemoveNetwork("one"), Fine),
            (RemoveVolume("data"), Fine),
        ],
    },
    Scenario {
        name: "an anonymous volume goes from one to the next",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Anonymous), ("next", &["one"], Anonymous), ("other", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Create("other"), Fine),
            (CreateCarrying("next", "other"), Refused),
            (CreateCarrying("next", "web"), Fine),
            // What an interrupted run made is given again, with the volume that it has.
            (CreateCarrying("next", "web"), Fine),
            (Stop("web"), Fine),
            (Start("next"), Fine),
            (Remove("web"), Fine),
            (Stop("next"), Fine),
            (Remove("next"), Fine),
        ],
    },
    Scenario {
        name: "everything twice",
        networks: &["one"],
        volumes: &["data"],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeNetwork("one"), Fine),
            (MakeVolume("data"), Fine),
            (MakeVolume("data"), Fine),
            (Create("web"), Fine),
            (Create("web"), Fine),
            (Stop("web"), Fine),
            (Start("web"), Fine),
            (Start("web"), Fine),
            (Create("web"), Refused),
            (Stop("web"), Fine),
            (Stop("web"), Fine),
            (Create("web"), Refused),
            (Remove("web"), Fine),
            (Remove("web"), Fine),
            (RemoveNetwork("one"), Fine),
            (RemoveNetwork("one"), Fine),
            (RemoveVolume("data"), Fine),
            (RemoveVolume("data"), Fine),
        ],
    },
    Scenario {
        name: "a container that is gone",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (Remove("web"), Fine),
            (Stop("web"), Fine),
            (Start("web"), Refused),
            (Rename("web", "other"), Refused),
            (Attach("web", "one"), Refused),
            (Await("web", Condition::Started), Refused),
            (Detach("web", "one"), Fine),
        ],
    },
    Scenario {
        name: "a foreign container has the name",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain), ("db", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (ForeignContainer("web"), Fine),
            (Create("web"), Refused),
            (Create("db"), Fine),
            (Rename("db", "web"), Refused),
        ],
    },
    Scenario {
        name: "a foreign network has the name",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[(ForeignNetwork("one"), Fine), (MakeNetwork("one"), Refused), (Create("web"), Fine)],
    },
    Scenario {
        name: "a foreign volume has the name",
        networks: &[],
        volumes: &["data"],
        services: &[],
        actions: &[(ForeignVolume("data"), Fine), (MakeVolume("data"), Refused), (RemoveVolume("data"), Fine)],
    },
    Scenario {
        name: "in use",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Remove("web"), Refused),
            (RemoveNetwork("one"), Refused),
            (Stop("web"), Fine),
            (RemoveNetwork("one"), Fine),
            (Start("web"), Refused),
            (Remove("web"), Fine),
        ],
    },
    Scenario {
        name: "a volume in use",
        networks: &["one"],
        volumes: &["data"],
        services: &[("web", &["one"], Mounts("data"))],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeVolume("data"), Fine),
            (Create("web"), Fine),
            (RemoveVolume("data"), Refused),
            (Remove("web"), Fine),
            (RemoveVolume("data"), Fine),
        ],
    },
    Scenario {
        name: "on and off a network while it runs",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeNetwork("two"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Attach("web", "two"), Fine),
            (Attach("web", "two"), Fine),
            (RemoveNetwork("two"), Refused),
            (AttachAs("web", "two", &["other"]), Refused),
            (Detach("web", "two"), Fine),
            (Detach("web", "two"), Fine),
            (AttachAs("web", "two", &["zeta", "alpha"]), Fine),
            (AttachAs("web", "two", &["alpha"]), Fine),
            (Detach("web", "one"), Fine),
            (Attach("web", "one"), Fine),
        ],
    },
    Scenario {
        name: "on and off a network before the start",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeNetwork("two"), Fine),
            (Create("web"), Fine),
            (AttachAs("web", "two", &["web", "alpha"]), Fine),
            (AttachAs("web", "two", &["web", "alpha"]), Fine),
            (Start("web"), Fine),
            (Stop("web"), Fine),
            (AttachAs("web", "two", &["other"]), Refused),
            (Detach("web", "two"), Fine),
            (Detach("web", "two"), Fine),
            (AttachAs("web", "two", &["other"]), Fine),
            (Start("web"), Fine),
        ],
    },
    Scenario {
        name: "off its only network and started",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Detach("web", "one"), Fine),
            (Stop("web"), Fine),
            (Start("web"), Fine),
            (Attach("web", "one"), Fine),
        ],
    },
    Scenario {
        name: "a missing network, running",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Attach("web", "two"), Refused),
            (Detach("web", "two"), Fine),
        ],
    },
    Scenario {
        name: "a missing network, not running",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[(MakeNetwork("one"), Fine), (Create("web"), Fine), (Attach("web", "two"), Refused)],
    },
    Scenario {
        name: "a missing network at the creation",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[(Create("web"), Fine)],
    },
    Scenario {
        name: "a missing volume at the creation",
        networks: &["one"],
        volumes: &["data"],
        services: &[("web", &["one"], Mounts("data"))],
        actions: &[(MakeNetwork("one"), Fine), (Create("web"), Fine)],
    },
    Scenario {
        name: "a network that went before the first start",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (RemoveNetwork("one"), Fine),
            (Start("web"), Refused),
        ],
    },
    Scenario {
        name: "a network made again before the first start",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (RemoveNetwork("one"), Fine),
            (MakeNetwork("one"), Fine),
        ],
    },
    Scenario {
        name: "a network joined while down and made again",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeNetwork("two"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Stop("web"), Fine),
            (Attach("web", "two"), Fine),
            (RemoveNetwork("two"), Fine),
            (MakeNetwork("two"), Fine),
        ],
    },
    Scenario {
        name: "a dead endpoint mended",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one", "two"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeNetwork("two"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Stop("web"), Fine),
            (RemoveNetwork("two"), Fine),
            (MakeNetwork("two"), Fine),
            (Start("web"), Refused),
            (Detach("web", "two"), Fine),
            (Attach("web", "two"), Fine),
            (Start("web"), Fine),
        ],
    },
    Scenario {
        name: "a dead endpoint joined without leaving it",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one", "two"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeNetwork("two"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Stop("web"), Fine),
            (RemoveNetwork("two"), Fine),
            (MakeNetwork("two"), Fine),
            (Attach("web", "two"), Fine),
            (Start("web"), Fine),
        ],
    },
    Scenario {
        name: "left by the id of a network that is gone",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one", "two"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeNetwork("two"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (DetachStale("web", "two"), Refused),
        ],
    },
    Scenario {
        name: "renames",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain), ("db", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Rename("web", "before"), Fine),
            (Rename("web", "before"), Fine),
            (Create("db"), Fine),
            (Rename("db", "before"), Refused),
            (Rename("db", "web"), Fine),
            (Stop("web"), Fine),
            (Remove("web"), Fine),
            (Rename("db", "before"), Fine),
            (Create("web"), Fine),
        ],
    },
    Scenario {
        name: "two networks at the creation",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one", "two"], Plain), ("db", &["two"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (MakeNetwork("two"), Fine),
            (Create("web"), Fine),
            (Create("db"), Fine),
            (Start("web"), Fine),
            (Start("db"), Fine),
            (Stop("web"), Fine),
        ],
    },
    Scenario {
        name: "created on one of two declared networks",
        networks: &["one", "two"],
        volumes: &[],
        services: &[("web", &["one", "two"], Plain)],
        actions: &[
            (MakeNetwork("two"), Fine),
            (CreateOn("web", &["two"]), Fine),
            (Start("web"), Fine),
            (MakeNetwork("one"), Fine),
            (Attach("web", "one"), Fine),
        ],
    },
    Scenario {
        name: "waits",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain), ("job", &["one"], Job), ("db", &["one"], Checked)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (Await("web", Condition::Started), Refused),
            (Start("web"), Fine),
            (Await("web", Condition::Started), Fine),
            (Await("web", Condition::Healthy), Fine),
            (Stop("web"), Fine),
            (Await("web", Condition::Started), Refused),
            (Create("job"), Fine),
            (Start("job"), Fine),
            (Await("job", Condition::Completed), Fine),
            (Await("job", Condition::Completed), Fine),
            (Await("job", Condition::Started), Fine),
            (Await("job", Condition::Healthy), Refused),
            (Create("db"), Fine),
            (Start("db"), Fine),
            (Await("db", Condition::Healthy), Fine),
            (Stop("db"), Fine),
            (Start("db"), Fine),
        ],
    },
    Scenario {
        name: "a paused one",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain)],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (Start("web"), Fine),
            (Pause("web"), Fine),
            (Await("web", Condition::Started), Fine),
            (RemoveNetwork("one"), Refused),
            (Remove("web"), Refused),
            (Start("web"), Fine),
            (Pause("web"), Fine),
            (Stop("web"), Fine),
        ],
    },
    Scenario {
        name: "a published port",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Publishes("48913")), ("db", &["one"], Publishes("48913"))],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("web"), Fine),
            (Create("db"), Fine),
            (Start("web"), Fine),
            (Start("db"), Refused),
            (Stop("web"), Fine),
            (Start("db"), Fine),
            (Start("web"), Refused),
        ],
    },
    Scenario {
        name: "in another's network namespace",
        networks: &["one"],
        volumes: &[],
        services: &[("web", &["one"], Plain), ("side", &[], Within("web"))],
        actions: &[
            (MakeNetwork("one"), Fine),
            (Create("side"), Refused),
            (Create("web"), Fine),
            (Create("side"), Fine),
            (Start("side"), Refused),
            (Start("web"), Fine),
            (Start("side"), Fine),
            (Stop("side"), Fine),
        ],
    },
    Scenario {
        name: "on the engine's bridge",
        networks: &[],
        volumes: &[],
        services: &[("web", &[], Bridge)],
        actions: &[(Create("web"), Fine)],
    },
];

/// A difference that is to be, and why.
struct Known {
    scenario: &'static str,
    /// Counted from 1.
    action: usize,
    sim: &'static str,
    engine: &'static str,
}

/// Where the simulator stays stricter than an engine, or simpler.
const KNOWN: &[Known] = &[
    // STRICTER: an engine takes a network's name on trust until the start. A plan that makes a container before its
    // network is a plan in a wrong order, and the simulator is there to catch it.
    Known {
        scenario: "a missing network at the creation",
        action: 1,
        sim: "refused: there is no network `S_one`",
        engine: "ok",
    },
    // STRICTER: an engine makes a volume that it misses, without labels and otherwise than declared.
    Known {
        scenario: "a missing volume at the creation",
        action: 2,
        sim: "refused: there is no volume `S_data`",
        engine: "ok",
    },
    // IDS: on the engine an endpoint that was made while the container is down has no network id before the start, so a
    // network made again under the name will do. The simulator gives the id at once, so that endpoint is dead to it:
    // the planner's laws (`assert_stands`) compare by that id, running or not.
    Known {
        scenario: "a network made again before the first start",
        action: 4,
        sim: "container S-web-1 on S_one as {\"web\", \"web-on-one\"}, which is gone",
        engine: "container S-web-1 on S_one as {\"web\", \"web-on-one\"}",
    },
    Known {
        scenario: "a network joined while down and made again",
        action: 8,
        sim: "container S-web-1 on S_two as {\"web\", \"web-on-two\"}, which is gone",
        engine: "container S-web-1 on S_two as {\"web\", \"web-on-two\"}",
    },
    // SIMPLER: an engine lists `bridge`, `host` and `none` among a container's networks. The simulated world has no such
    // networks.
    Known {
        scenario: "on the engine's bridge",
        action: 1,
        sim: "(nothing more)",
        engine: "container S-web-1 on bridge as {}",
    },
];

/// Where the two worlds parted.
struct Difference {
    scenario: &'static str,
    action: usize,
    what: Do,
    sim: String,
    engine: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_does_what_the_engine_does() {
    if support::engine().await.is_none() {
        return;
    }
    let only = std::env::var("SCENARIO").ok();
    let chosen = SCENARIOS.iter().filter(|scenario| only.as_ref().is_none_or(|only| scenario.name.contains(only)));
    let plays: Vec<_> = chosen.map(play).collect();
    let played: Vec<Option<Difference>> = stream::iter(plays).buffer_unordered(SIDE_BY_SIDE).collect().await;
    let differences: Vec<Difference> = played.into_iter().flatten().collect();
    let is = |known: &Known, difference: &Difference| {
        (known.scenario, known.action) == (difference.scenario, difference.action)
            && difference.sim.contains(known.sim)
            && difference.engine.contains(known.engine)
    };
    let mut complaints = String::new();
    for new in differences.iter().filter(|difference| !KNOWN.iter().any(|known| is(known, difference))) {
        let Difference { scenario, action, what, sim, engine } = new;
        complaints.push_str(&format!("\n{scenario}, action {action}, {what:?}\n  sim:    {sim}\n  engine: {engine}\n"));
    }
    for gone in KNOWN.iter().filter(|known| only.is_none() && !differences.iter().any(|found| is(known, found))) {
        complaints.push_str(&format!("\n{}, action {}: known, and not to be seen\n", gone.scenario, gone.action));
    }
    assert!(complaints.is_empty(), "{complaints}");
}

/// Plays a scenario in both worlds up to the first difference.
async fn play(scenario: &'static Scenario) -> Option<Difference> {
    let mut stage = Stage::new(scenario).await;
    for (place, (what, expect)) in scenario.actions.iter().enumerate() {
        let engine = stage.in_engine(*what).await;
        let seen = stage.look().await;
        let sim = stage.in_sim(*what, &seen);
        stage.engine_seen = seen;
        let mounted = stage.engine_seen.containers.iter().flat_map(|container| &container.anonymous_volumes);
        stage.strangers.volumes.extend(mounted.map(|volume| volume.name.clone()));
        let part = |sim: String, engine: String| {
            let plain = |text: String| text.replace(stage.stack.name(), "S");
            let (sim, engine) = (plain(sim), plain(engine));
            Some(Difference { scenario: scenario.name, action: place + 1, what: *what, sim, engine })
        };
        let verdict = |result: &Result<(), String>| if result.is_ok() { Fine } else { Refused };
        let say = |result: &Result<(), String>| match result {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("refused: {error}"),
        };
        if verdict(&sim) != verdict(&engine) || verdict(&engine) != *expect {
            return part(say(&sim), say(&engine));
        }
        let (in_sim, in_engine) = (facts(&stage.sim), facts(&stage.engine_seen));
        if in_sim != in_engine {
            let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
                let lines: Vec<&str> = a.difference(b).map(String::as_str).collect();
                if lines.is_empty() { "(nothing more)".to_owned() } else { lines.join("\n          ") }
            };
            return part(only(&in_sim, &in_engine), only(&in_engine, &in_sim));
        }
    }
    None
}

struct Stage {
    strangers: Strangers,
    stack: Stack,
    scope: Scope,
    sim: Observed,
    engine_seen: Observed,
    /// A service's container, also when it is gone.
    sim_ids: BTreeMap<&'static str, String>,
    engine_ids: BTreeMap<&'static str, String>,
    steps: AtomicU32,
}

impl Stage {
    async fn new(scenario: &'static Scenario) -> Stage {
        let mut stack = Stack::new("sim").await.unwrap();
        for key in scenario.networks {
            stack.network(key);
        }
        let volumes: BTreeMap<_, _> = scenario.volumes.iter().map(|key| (*key, stack.volume(key))).collect();
        for (name, networks, kind) in scenario.services {
            let service = stack.service(name, networks, spec(*kind, &volumes));
            match kind {
                Within(other) => service.network_mode = NetworkMode::Service(ServiceName::new(*other).unwrap()),
                Bridge => service.network_mode = NetworkMode::Bridge,
                _ => {}
            }
        }
        let scope = Scope { members: true, ..Scope::of(&stack.declared) };
        let engine_seen = stack.docker.look(&scope).await.unwrap();
        let mut sim = Observed::empty(stack.declared.stack.clone());
        sim.images.clone_from(&engine_seen.images);
        sim.image_volumes.clone_from(&engine_seen.image_volumes);
        assert!(engine_seen.containers.is_empty() && engine_seen.networks.is_empty() && engine_seen.volumes.is_empty());
        let strangers = Strangers { volumes: volumes.into_values().collect(), ..Strangers::default() };
        let ids = BTreeMap::new();
        let steps = AtomicU32::new(1);
        Stage { strangers, stack, scope, sim, engine_seen, sim_ids: ids.clone(), engine_ids: ids, steps }
    }

    async fn look(&self) -> Observed {
        self.stack.docker.look(&self.scope).await.unwrap()
    }

    async fn in_engine(&mut self, what: Do) -> Result<(), String> {
        let Some(action) = self.action(what, &self.engine_ids, &self.engine_seen) else {
            self.outside(what);
            return Ok(());
        };
        let acted = self.stack.act(action).await.map_err(|error| told(&error))?;
        if let (Create(service) | CreateOn(service, _) | CreateCarrying(service, _), Some(id)) =
            (what, acted.container_id)
        {
            self.engine_ids.insert(service, id);
        }
        Ok(())
    }

    /// What somebody else did on the engine is taken from what the engine shows of it now.
    fn in_sim(&mut self, what: Do, engine: &Observed) -> Result<(), String> {
        let Some(action) = self.action(what, &self.sim_ids, &self.sim) else {
            self.outside_in_sim(what, engine);
            return Ok(());
        };
        let id = StepId(self.steps.fetch_add(1, Ordering::Relaxed));
        let step = Step { id, action, why: "a test".into(), impact: Impact::Live, needs: Vec::new() };
        let mut made = BTreeMap::new();
        let before = self.sim.clone();
        let done = sim::step(&mut self.sim, &step, Some(&self.stack.declared), &mut made);
        assert!(done.is_ok() || self.sim == before, "{what:?}: a refused step leaves the world as it was");
        if let (Create(service) | CreateOn(service, _) | CreateCarrying(service, _), Some(id)) =
            (what, made.remove(&id))
        {
            self.sim_ids.insert(service, id);
        }
        done.map_err(|error| error.to_string())
    }

    /// The action in the terms of one world; none for what somebody else does.
    fn action(&self, what: Do, ids: &BTreeMap<&'static str, String>, seen: &Observed) -> Option<Action> {
        let stack = &self.stack;
        let target = |service: &str| stack.target(service, ids.get(service).map_or("none", String::as_str));
        let named = |key: &str| format!("{}_{key}", stack.name());
        let endpoint_id = |service: &str, key: &str| {
            let container = seen.container(ids.get(service)?)?;
            Some(container.endpoint(&named(key))?.network_id.clone())
        };
        Some(match what {
            MakeNetwork(key) => Action::CreateNetwork { key: key.into(), name: named(key) },
            RemoveNetwork(key) => {
                let id = seen.networks_named(&named(key)).next().map_or("0".repeat(64), |network| network.id.clone());
                Action::RemoveNetwork { id, name: named(key) }
            }
            MakeVolume(key) => Action::CreateVolume { key: key.into(), name: named(key) },
            RemoveVolume(key) => Action::RemoveVolume { name: named(key) },
            Create(service) => stack.create_action(service),
            CreateOn(service, keys) => match stack.create_action(service) {
                Action::CreateContainer { service, number, name, carried, .. } => {
                    let networks = keys.iter().map(|key| named(key)).collect();
                    Action::CreateContainer { service, number, name, networks, carried }
                }
                other => other,
            },
            CreateCarrying(service, from) => match stack.create_action(service) {
                Action::CreateContainer { service, number, name, networks, .. } => {
                    let from = ids.get(from).and_then(|id| seen.container(id));
                    let mut carried = from.map_or(Vec::new(), |from| from.anonymous_volumes.clone());
                    if carried.is_empty() {
                        carried.push(AnonymousVolume { target: "/data".into(), name: "0".repeat(64) });
                    }
                    Action::CreateContainer { service, number, name, networks, carried }
                }
                other => other,
            },
            Start(service) => Action::StartContainer { target: target(service) },
            Stop(service) => Action::StopContainer { target: target(service), grace_secs: None },
            Remove(service) => Action::RemoveContainer { target: target(service), volumes: false },
            Rename(service, to) => Action::RenameContainer { target: target(service), to: stack.container(to) },
            Attach(service, key) => {
                Action::Attach { target: target(service), attachment: stack.attachment(service, key) }
            }
            AttachAs(service, key, aliases) => {
                let mut attachment = stack.attachment(service, key);
                attachment.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
                Action::Attach { target: target(service), attachment }
            }
            Detach(service, key) => {
                let network_id = endpoint_id(service, key).unwrap_or_default();
                Action::Detach { target: target(service), network: named(key), network_id }
            }
            DetachStale(service, key) => {
                Action::Detach { target: target(service), network: named(key), network_id: "0".repeat(64) }
            }
            // Nothing makes a container start by itself that was not started: there the patience is short.
            Await(service, condition) => {
                let started = ids.get(service).and_then(|id| seen.container(id));
                let within_secs = if started.is_some_and(|it| it.state == State::Created) { 1 } else { 30 };
                Action::Await { target: target(service), condition, within_secs, steady_ms: 0 }
            }
            ForeignContainer(_) | ForeignNetwork(_) | ForeignVolume(_) | Pause(_) => return None,
        })
    }

    fn outside(&mut self, what: Do) {
        let label = "dev.mainstay.test=docker-room";
        let named = |key: &str| format!("{}_{key}", self.stack.name());
        match what {
            ForeignContainer(service) => {
                let name = self.stack.container(service);
                docker(&["create", "--name", &name, "--label", label, "--network", "none", TINY, "true"]);
                self.strangers.containers.push(name);
            }
            ForeignNetwork(key) => {
                docker(&["network", "create", "--label", label, &named(key)]);
                self.strangers.networks.push(named(key));
            }
            ForeignVolume(key) => {
                docker(&["volume", "create", "--label", label, &named(key)]);
            }
            Pause(service) => {
                docker(&["pause", &self.engine_ids[service]]);
            }
            _ => panic!("{what:?} is an action"),
        }
    }

    fn outside_in_sim(&mut self, what: Do, engine: &Observed) {
        let named = |key: &str| format!("{}_{key}", self.stack.name());
        match what {
            ForeignContainer(service) => {
                let name = self.stack.container(service);
                self.sim.containers.push(engine.container_named(&name).unwrap().clone());
            }
            ForeignNetwork(key) => self.sim.networks.push(engine.networks_named(&named(key)).next().unwrap().clone()),
            ForeignVolume(key) => self.sim.volumes.push(engine.volume_named(&named(key)).unwrap().clone()),
            Pause(service) => {
                let id = &self.sim_ids[service];
                self.sim.containers.iter_mut().find(|container| container.id == *id).unwrap().state = State::Paused;
            }
            _ => panic!("{what:?} is an action"),
        }
        sim::refresh_members(&mut self.sim);
        self.sim.settle();
    }
}

fn spec(kind: Kind, volumes: &BTreeMap<&str, String>) -> ContainerSpec {
    let idle = |first: &str| shell(&format!("{first}\ntrap 'exit 143' TERM; while :; do sleep 1 & wait $!; done"));
    match kind {
        Plain | Within(_) | Bridge => idle(""),
        Mounts(key) => ContainerSpec { mounts: vec![Mount::of_volume(volumes[key].as_str(), "/data")], ..idle("") },
        Anonymous => {
            let mount = Mount { source: None, ..Mount::of_volume("", "/data/") };
            ContainerSpec { mounts: vec![mount], ..idle("") }
        }
        Publishes(port) => {
            let (published, host_ip) = (Some(port.to_owned()), Some("127.0.0.1".to_owned()));
            let port = Port { target: 8080, protocol: "tcp".into(), published, host_ip };
            ContainerSpec { ports: vec![port], ..idle("") }
        }
        Job => shell("sleep 4"),
        Checked => {
            let check = Healthcheck {
                test: Some(vec!["CMD-SHELL".into(), "test -f /tmp/ok".into()]),
                interval_nanos: Some(500_000_000),
                timeout_nanos: Some(5_000_000_000),
                retries: Some(1000),
                ..Healthcheck::default()
            };
            ContainerSpec { healthcheck: Some(check), ..idle("rm -f /tmp/ok; (sleep 4; touch /tmp/ok) &") }
        }
    }
}

/// A snapshot as facts that both worlds can share.
///
/// Left out: ids, addresses and times, which each world makes by itself (an endpoint says instead whether its network is
/// still there); the keeper, which comes with the context of an act and not with the step; the engine's version.
fn facts(world: &Observed) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for container in &world.containers {
        let Container { name, service, number, maker, stack, one_off, state, health, exit_code, .. } = container;
        let mut say = |what: String| facts.insert(format!("container {name} {what}"));
        say(format!("of {stack:?} {service:?} {number} by {maker:?}, one-off {one_off}"));
        say(format!("is {state:?} {health:?}, exit code {exit_code:?}"));
        say(format!("was killed for its memory {}, restarted {}", container.oom_killed, container.restart_count));
        say(format!("restarts itself {}", container.restarts_itself));
        say(format!("from {} {}", container.image, container.image_id));
        say(format!("declares the attachments {:?}", container.declared_attachments));
        say(format!("has the fields {:?}", container.fields));
        say(format!("depends on {:?}, requires {:?}", container.depends_on, container.requires));
        say(format!("publishes {:?}", container.ports));
        say(format!("may end {}", container.may_end));
        for volume in &container.anonymous_volumes {
            let mounts = |other: &&Container| other.anonymous_volumes.iter().any(|mounted| mounted.name == volume.name);
            let sharers: Vec<&String> = world.containers.iter().filter(mounts).map(|other| &other.name).collect();
            say(format!("has an anonymous volume at {}, as have {sharers:?}", volume.target));
        }
        let mode = container.network_mode.as_str();
        let owner = mode.strip_prefix("container:").map(|id| world.container(id).map(|owner| &owner.name));
        say(owner.map_or(format!("in the mode {mode}"), |owner| format!("in the namespace of {owner:?}")));
        for endpoint in &container.endpoints {
            // An endpoint that has no id yet is its name's.
            let there = world.networks.iter().any(|network| {
                if endpoint.network_id.is_empty() {
                    network.name == endpoint.network
                } else {
                    network.id == endpoint.network_id
                }
            });
            let is_builtin = matches!(endpoint.network.as_str(), "bridge" | "host" | "none");
            let there = if there || is_builtin { "" } else { ", which is gone" };
            say(format!("on {} as {:?}{there}", endpoint.network, sorted(&endpoint.aliases)));
        }
    }
    for network in &world.networks {
        let mut say = |what: String| facts.insert(format!("network {} {what}", network.name));
        say(format!("of {:?} {:?} by {:?}, {:?}", network.stack, network.key, network.maker, network.digest));
        say(format!("driver {}, internal {}", network.driver, network.internal));
        for member in &network.members {
            let (name, service) = (&member.container_name, &member.service);
            say(format!("with {name} of {:?} {service:?} as {:?}", member.stack, sorted(&member.aliases)));
        }
    }
    for volume in &world.volumes {
        let mut say = |what: String| facts.insert(format!("volume {} {what}", volume.name));
        say(format!("of {:?} {:?} by {:?}, {:?}", volume.stack, volume.key, volume.maker, volume.digest));
        say(format!("driver {}", volume.driver));
    }
    facts.extend(world.unreadable.iter().map(|what| format!("unreadable: {what}")));
    facts
}

fn sorted(aliases: &[String]) -> BTreeSet<&str> {
    aliases.iter().map(String::as_str).collect()
}

/// What carries no label of the stack, by name: what the client made, and what the engine makes by itself.
#[derive(Default)]
struct Strangers {
    containers: Vec<String>,
    networks: Vec<String>,
    volumes: Vec<String>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The stack's containers first: a volume goes after its user.
        let label = format!("label=com.docker.compose.project={}", self.stack.name());
        let ours = Command::new("docker").args(["ps", "-aq", "--filter", &label]).output();
        let ours = ours.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned()).unwrap_or_default();
        let ours = ours.split_whitespace().map(str::to_owned).chain(self.strangers.containers.drain(..)).collect();
        let Strangers { networks, volumes, .. } = std::mem::take(&mut self.strangers);
        let removals: [(&[&str], Vec<String>); 3] =
            [(&["rm", "-f", "-v"], ours), (&["network", "rm"], networks), (&["volume", "rm", "-f"], volumes)];
        for (remove, names) in removals {
            if !names.is_empty() {
                let _ = Command::new("docker").args(remove).args(names).output();
            }
        }
    }
}
