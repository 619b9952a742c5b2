//! From a lost attachment to a working name: by Mainstay's loop, and by a bare `network connect` on the same event.

use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::Api;
use crate::figures::Figures;
use crate::subjects::{IMAGE, Mainstay, Stack};

pub fn measure(figures: &mut Figures, root: &Path, served: &Mainstay, rounds: usize) {
    let stack = Stack::write(root, 2, 0);
    let _server = served.serve();
    served.run(&stack, &["up"]);
    let network = format!("{}_default", stack.name);
    let held = format!("{}-s1-1", stack.name);
    let bare = "mainstay-bench-bare";
    let mut api = Api::connect();
    start_bare(&mut api, bare, &network);

    let (send, events) = channel();
    thread::spawn(move || Api::connect().network_events().for_each(|event| drop(send.send(event))));
    thread::sleep(Duration::from_millis(200));
    for _ in 0..rounds {
        let bare_repair = one(&mut api, &events, bare, &network, |api| {
            let body = json!({ "Container": bare, "EndpointConfig": { "Aliases": ["s1"] } });
            api.ok("POST", &format!("/v1.41/networks/{network}/connect"), Some(&body));
        });
        figures.add("repair, event to connected", "floor", bare_repair.0);
        figures.add("repair, to a name lookup", "floor", bare_repair.1);
        let ours = one(&mut api, &events, &held, &network, |_| {});
        figures.add("repair, event to connected", "mainstay, served", ours.0);
        figures.add("repair, to a name lookup", "mainstay, served", ours.1);
    }
    api.ok("DELETE", &format!("/v1.41/containers/{bare}?force=1"), None);
    served.run(&stack, &["--yes", "down"]);
}

/// Disconnects, lets `mend` do its part once the event was seen, and waits for the connect event and a lookup.
/// The first time is between the engine's own stamps of the two events.
fn one(
    api: &mut Api,
    events: &Receiver<Value>,
    name: &str,
    network: &str,
    mend: impl FnOnce(&mut Api),
) -> (Duration, Duration) {
    let id =
        api.ok("GET", &format!("/v1.41/containers/{name}/json"), None)["Id"].as_str().unwrap_or_default().to_owned();
    while events.try_recv().is_ok() {}
    api.ok("POST", &format!("/v1.41/networks/{network}/disconnect"), Some(&json!({ "Container": name })));
    let lost = wait_for(events, "disconnect", &id);
    let seen = Instant::now();
    mend(api);
    let back = wait_for(events, "connect", &id);
    let connected = Duration::from_nanos((back - lost).unsigned_abs());
    loop {
        let lookup = Command::new("docker").args(["exec", name, "nslookup", "s2"]).output();
        if lookup.is_ok_and(|output| output.status.success()) {
            break;
        }
    }
    (connected, seen.elapsed())
}

fn wait_for(events: &Receiver<Value>, action: &str, container: &str) -> i64 {
    loop {
        let event = events.recv_timeout(Duration::from_secs(20)).expect("the engine tells of the network within 20 s");
        if event["Action"] == action && event["Actor"]["Attributes"]["container"] == container {
            return event["timeNano"].as_i64().expect("the engine stamps its events");
        }
    }
}

fn start_bare(api: &mut Api, name: &str, network: &str) {
    let body = json!({ "Image": IMAGE, "HostConfig": { "NetworkMode": network } });
    api.ok("POST", &format!("/v1.41/containers/create?name={name}"), Some(&body));
    api.ok("POST", &format!("/v1.41/containers/{name}/start"), None);
}
