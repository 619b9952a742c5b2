//! What could make a release fail is told before its first step.

use std::net::IpAddr;

use mainstay_model::plan::preflight::{Disk, DiskOf, Holder, HostPort, Last, Part, Seen, TakenPort, find, questions};
use mainstay_model::plan::{Finding, Level, Order, UpOptions, decide};

use crate::notation::{stack_name, tell, up_with};

const MB: u64 = 1_000_000;

/// The findings for a stack of which nothing is there but what the world says.
fn told(stack: &str, world: &str, set: impl FnOnce(&mut UpOptions), last: Option<&Last>, seen: &Seen) -> Vec<Finding> {
    let told = tell(stack, world);
    let order: Order = up_with(set)(&told);
    let plan = decide(&order, &told.world);
    questions(&order, &plan, &told.world, last).map_or_else(Vec::new, |_| find(&order, &plan, &told.world, last, seen))
}

fn lines(found: &[Finding]) -> Vec<String> {
    let word = |level| match level {
        Level::Refusal => "refused",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    found.iter().map(|finding| format!("{}: {}", word(finding.level), finding.message)).collect()
}

fn taken(ip: &str, port: u16, holder: Holder) -> TakenPort {
    let ip: IpAddr = ip.parse().unwrap();
    TakenPort { port: HostPort { ip: Some(ip), port, protocol: "tcp".into() }, holder }
}

fn process(name: &str) -> Holder {
    Holder::Process { pid: Some(77), name: Some(name.into()) }
}

fn container(name: &str, stack: Option<&str>) -> Holder {
    Holder::Container { id: format!("{name}-id"), name: name.into(), stack: stack.map(stack_name) }
}

fn disk(of: DiskOf, free_mb: u64, total_mb: u64) -> Disk {
    let folder = if of == DiskOf::Engine { "/var/lib/docker" } else { "/var/lib/mainstay" };
    Disk { of, folder: folder.into(), free: free_mb * MB, total: total_mb * MB }
}

const WEB: &str = "network default\nservice web on=default port=8080";

#[test]
fn a_taken_port_is_refused_with_the_name_of_its_holder() {
    let seen = |taken: TakenPort| Seen { taken: vec![taken], ..Seen::default() };
    let said = |taken: TakenPort| lines(&told(WEB, "", |_| {}, None, &seen(taken)));
    assert_eq!(
        said(taken("0.0.0.0", 8080, container("old-web-1", Some("old")))),
        ["refused: the port 8080/tcp of `web` is taken by the container `old-web-1` of the stack `old`"]
    );
    assert_eq!(
        said(taken("127.0.0.1", 8080, process("nginx"))),
        ["refused: the port 8080/tcp of `web` is taken by the process `nginx` of the host (pid 77)"]
    );
    assert_eq!(
        said(taken("::", 8080, Holder::Process { pid: None, name: None })),
        ["refused: the port 8080/tcp of `web` is taken by a process of the host"]
    );
    assert_eq!(said(taken("0.0.0.0", 8081, process("nginx"))), [""; 0]);
}

#[test]
fn addresses_decide_whether_two_can_be_had_at_once() {
    let stack = "network default\nservice web on=default port=127.0.0.1:8080";
    let said = |ip: &str, holder: Holder| {
        lines(&told(stack, "", |_| {}, None, &Seen { taken: vec![taken(ip, 8080, holder)], ..Seen::default() }))
    };
    assert_eq!(said("10.0.0.5", process("nginx")), [""; 0]);
    assert_eq!(said("0.0.0.0", process("nginx")).len(), 1);
    assert!(
        said("::", process("node"))[0].starts_with("warning: the port 127.0.0.1:8080/tcp of `web` may be taken by")
    );
    assert_eq!(said("::", container("x", None)), [""; 0], "the engine publishes on each family by itself");
}

#[test]
fn a_port_that_changes_hands_within_the_plan_is_free() {
    let old = "up with service web on=default port=8080 env=A:1";
    let stack = "network default\nservice web on=default port=8080 env=A:2";
    let world = tell(stack, old).world;
    let web = world.containers.first().unwrap();
    let holder = Holder::Container { id: web.id.clone(), name: web.name.clone(), stack: web.stack.clone() };
    let seen = Seen { taken: vec![taken("0.0.0.0", 8080, holder)], ..Seen::default() };
    assert_eq!(lines(&told(stack, old, |_| {}, None, &seen)), [""; 0]);
}

#[test]
fn one_port_for_two_of_the_same_plan_is_refused() {
    let stack = "network default\nservice api on=default port=8080\nservice web on=default port=8080";
    assert_eq!(
        lines(&told(stack, "", |_| {}, None, &Seen::default())),
        ["refused: `api` and `web` both are to have the port 8080/tcp"]
    );
}

#[test]
fn a_disk_without_room_is_refused_where_something_is_fetched() {
    let seen = |disks: Vec<Disk>| Seen { disks, ..Seen::default() };
    let said = |world: &str, disk: Disk| lines(&told(WEB, world, |_| {}, None, &seen(vec![disk])));
    assert_eq!(
        said("image none", disk(DiskOf::Engine, 400, 100_000)),
        ["refused: 400 MB are free for the engine's folder `/var/lib/docker`, and 1.0 GB should be left"]
    );
    assert_eq!(
        said("", disk(DiskOf::Engine, 400, 100_000)),
        ["warning: 400 MB are free for the engine's folder `/var/lib/docker`, and 1.0 GB should be left"]
    );
    assert_eq!(said("image none", disk(DiskOf::Engine, 400, 4_000)), [""; 0], "a twentieth is enough on a small one");
    assert_eq!(
        said("", disk(DiskOf::State, 3, 100_000)),
        ["refused: 3 MB are free for the state folder `/var/lib/mainstay`, and 50 MB should be left"]
    );
    assert_eq!(
        lines(&told(
            WEB,
            "image none",
            |o| o.unchecked = [Part::Disk].into(),
            None,
            &seen(vec![disk(DiskOf::Engine, 0, 9)])
        )),
        [""; 0]
    );
}

#[test]
fn a_release_without_a_way_back_is_warned_about_or_refused() {
    let last = |is_kept| Last { number: 7, is_kept, image_ids: [("web".into(), "sha256:aa".into())].into() };
    let there = Seen { images: [("sha256:aa".into(), 5 * MB)].into(), ..Seen::default() };
    let said = |last: &Last, seen: &Seen, required| {
        lines(&told(WEB, "", |options| options.way_back_required = required, Some(last), seen))
    };
    assert_eq!(said(&last(true), &there, true), [""; 0]);
    assert_eq!(
        said(&last(true), &Seen::default(), false),
        ["warning: no way back to release 7, which serves: the image of `web` is gone"]
    );
    assert_eq!(
        said(&last(false), &there, true),
        ["refused: no way back to release 7, which serves: what it declared is not kept"]
    );
}

#[test]
fn a_plan_that_does_nothing_asks_nothing() {
    let told = tell(WEB, "up");
    let order = up_with(|_| {})(&told);
    assert_eq!(questions(&order, &decide(&order, &told.world), &told.world, None), None);
}

#[test]
fn who_answers_to_a_name_of_the_stack_on_its_own_network_is_told() {
    use mainstay_model::observed::Member;
    let stack = "network default\nservice web on=default alias=default:api env=A:2";
    let world = "up with service web on=default alias=default:api env=A:1";
    let seen = tell(stack, world);
    let order: Order = up_with(|_| {})(&seen);
    let plan = decide(&order, &seen.world);
    let asked = questions(&order, &plan, &seen.world, None).unwrap();
    let network = seen.world.networks[0].id.clone();
    assert_eq!(asked.networks, [network.clone()].into());
    assert_eq!(asked.declared, [seen.world.containers[0].id.clone()].into());
    let member = |name: &str, stack: Option<&str>, service: Option<&str>| Member {
        container_id: format!("{name}-id"),
        container_name: name.into(),
        stack: stack.map(stack_name),
        service: service.map(str::to_owned),
        aliases: vec!["API".into()],
    };
    let said = |member: Member| {
        let members = [(network.clone(), vec![member])].into();
        lines(&find(&order, &plan, &seen.world, None, &Seen { members, ..Seen::default() }))
    };
    let clash = |who: &str| {
        vec![format!(
            "warning: `api` is answered on `shop_default` by the service `web` and by {who}: who asks gets one or the other"
        )]
    };
    assert_eq!(said(member("by-hand", None, None)), clash("the container `by-hand`"));
    let other = member("crm-api-1", Some("crm"), Some("api"));
    assert_eq!(said(other), clash("the container `crm-api-1` of the stack `crm`"));
    // An orphan stays, and goes on answering.
    let orphan = member("shop-old-1", Some("shop"), Some("old"));
    assert_eq!(said(orphan), clash("the container `shop-old-1` of the stack `shop`"));
    assert_eq!(said(member("shop-web-1", Some("shop"), Some("web"))), Vec::<String>::new());
    // An external network is seen anyway.
    let told = tell("network default\nnetwork x external=y\nservice web on=default,x env=A:2", "network y foreign\nup");
    let order: Order = up_with(|options| options.force_recreate = true)(&told);
    let asked = questions(&order, &decide(&order, &told.world), &told.world, None).unwrap();
    assert!(asked.networks.is_empty());
}
