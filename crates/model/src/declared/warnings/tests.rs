//! The rules on the Pontea stacks: what would have been said before the incident, and what must never be said.

use super::*;
use crate::declared::from_project::testing::settled;
use crate::identity::StackName;
use crate::observed::{Container, Endpoint, Health, Maker, Member, Neighbour, ObservedNetwork, State};
use crate::plan::Level;

mod elsewhere;

fn declared(json: &str) -> Declared {
    settled(json).declared
}

/// One service `nocodb` in the stack `nocodb`, with the given keys, networks at the top, and nothing else.
fn nocodb(keys: &str, networks: &str) -> Declared {
    declared(&format!(
        r#"{{"name": "nocodb", "services": {{"nocodb": {{"image": "nocodb/nocodb", {keys}}}}}, "networks": {{{networks}}}}}"#
    ))
}

const NC_DB: &str = r#""environment": {"NC_DB": "pg://supabase-db:5432?u=nocodb&p=s3cret&d=nocodb"}"#;
const SHARED: &str = r#""default": {}, "supabase": {"name": "supabase_default", "external": true}"#;

fn empty(declared: &Declared) -> Observed {
    Observed::empty(declared.stack.clone())
}

fn member(name: &str, stack: &str, service: &str, aliases: &[&str]) -> Member {
    Member {
        container_id: format!("{name}-id"),
        container_name: name.to_owned(),
        stack: StackName::new(stack).ok(),
        service: Some(service.to_owned()),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
    }
}

fn network(name: &str, members: Vec<Member>) -> ObservedNetwork {
    ObservedNetwork {
        id: format!("{name}-id"),
        name: name.to_owned(),
        maker: Maker::Compose,
        stack: None,
        key: None,
        driver: "bridge".into(),
        internal: false,
        digest: None,
        members,
    }
}

/// The world in which Supabase runs.
fn with_supabase(declared: &Declared) -> Observed {
    let database = member("supabase-supabase-db-1", "supabase", "supabase-db", &["db", "supabase-db"]);
    Observed { networks: vec![network("supabase_default", vec![database])], ..empty(declared) }
}

/// Each finding as `level code: message (hint)`.
fn told(declared: &Declared, observed: &Observed) -> Vec<String> {
    let told = |finding: Finding| {
        let level = match finding.level {
            Level::Refusal => "refusal",
            Level::Warning => "warning",
            Level::Note => "note",
        };
        format!("{level} {}: {} ({})", finding.code, finding.message, finding.hint.unwrap_or_default())
    };
    find(declared, observed).into_iter().map(told).collect()
}

fn codes(declared: &Declared, observed: &Observed) -> Vec<String> {
    find(declared, observed).into_iter().map(|finding| finding.code).collect()
}

#[test]
fn a_service_on_the_shared_network_is_left_in_peace() {
    let declared = nocodb(&format!(r#"{NC_DB}, "networks": {{"default": null, "supabase": null}}"#), SHARED);
    assert_eq!(told(&declared, &with_supabase(&declared)), Vec::<String>::new());
}

#[test]
fn a_host_that_nothing_known_answers_to_is_warned_about() {
    let declared = nocodb(NC_DB, "");
    assert_eq!(
        told(&declared, &empty(&declared)),
        [
            "warning unresolvable-host: `nocodb` names the host `supabase-db` in `NC_DB`, and nothing that is known here answers to that name (if `supabase-db` runs in another stack, add that stack's network to `services.nocodb.networks`, declared with `external: true`)"
        ]
    );
    assert_eq!(sought(&declared), BTreeSet::from(["supabase-db".to_owned()]));
}

#[test]
fn what_is_down_on_a_network_of_others_is_only_noted() {
    let declared = nocodb(&format!(r#"{NC_DB}, "networks": {{"default": null, "supabase": null}}"#), SHARED);
    let observed = Observed { networks: vec![network("supabase_default", Vec::new())], ..empty(&declared) };
    assert_eq!(
        told(&declared, &observed),
        [
            "note unresolvable-host: `nocodb` names the host `supabase-db` in `NC_DB`, and nothing that runs on `supabase_default` answers to it now (start the stack that has `supabase-db`, or check the name)"
        ]
    );
}

#[test]
fn of_a_network_that_is_not_there_yet_nothing_is_said_but_that() {
    let declared = nocodb(&format!(r#"{NC_DB}, "networks": {{"default": null, "supabase": null}}"#), SHARED);
    assert_eq!(codes(&declared, &empty(&declared)), ["no-maker"]);
}

#[test]
fn a_value_is_never_told() {
    let declared = nocodb(NC_DB, "");
    for text in told(&declared, &with_supabase(&declared)).iter().chain(&told(&declared, &empty(&declared))) {
        assert!(!text.contains("s3cret") && !text.contains("5432"), "{text}");
    }
}

#[test]
fn names_that_always_resolve_are_left_in_peace() {
    let declared = nocodb(
        r#""hostname": "table", "container_name": "nc", "extra_hosts": ["mail=10.0.0.5"], "external_links": ["old_db:db"],
           "networks": {"default": {"aliases": ["tables"]}},
           "environment": {
               "A_URL": "http://localhost:1/ http://127.0.0.1:2/ http://[::1]:3/ https://www.example.com:443/",
               "B_URL": "http://host.docker.internal:1 http://table:1 http://nc:1 http://nocodb:1 http://tables:1",
               "SMTP_HOST": "mail", "PGHOST": "db", "C_URL": "http://app.localhost:80", "DB_HOST": "10.0.0.1",
               "D": "postgres:16", "NODE_ENV": "production", "HOST": "anything", "TZ": "12:30"}"#,
        "",
    );
    assert_eq!(told(&declared, &empty(&declared)), Vec::<String>::new());
}

#[test]
fn a_service_of_the_same_stack_on_another_network_is_not_resolved() {
    let declared = declared(
        r#"{"services": {
            "db": {"image": "postgres", "networks": {"back": null}},
            "web": {"image": "nginx", "networks": {"front": null}, "command": ["serve", "--db=db:5432"],
                    "environment": {"API_HOST": "db"}}},
            "networks": {"back": {"name": "shop_back"}, "front": {"name": "shop_front"}}}"#,
    );
    let found = told(&declared, &empty(&declared));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("in `API_HOST`") && found[1].contains("in its command"), "{found:#?}");
    assert!(found[0].contains("add `back` to `services.web.networks`"), "{found:#?}");
}

#[test]
fn a_service_on_the_hosts_network_cannot_resolve_containers() {
    let json = |mode: &str| {
        format!(
            r#"{{"services": {{"db": {{"image": "postgres"}},
                "web": {{"image": "nginx", "network_mode": "{mode}", "environment": {{"DB_HOST": "db", "X_URL": "http://nas:5000"}}}}}}}}"#
        )
    };
    let on_host = declared(&json("host"));
    let found = told(&on_host, &empty(&on_host));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("`db`") && found[0].contains("`localhost`"), "{found:#?}");
    let none = declared(&json("none"));
    assert_eq!(codes(&none, &empty(&none)), Vec::<String>::new());
}

#[test]
fn a_service_in_anothers_namespace_resolves_what_that_one_resolves() {
    let declared = declared(
        r#"{"services": {
            "vpn": {"image": "gluetun", "networks": {"back": null}},
            "db": {"image": "postgres", "networks": {"back": null}},
            "app": {"image": "nginx", "network_mode": "service:vpn", "environment": {"DB_HOST": "db", "A": "http://vpn:80"}}},
            "networks": {"back": {"name": "shop_back"}}}"#,
    );
    assert_eq!(codes(&declared, &empty(&declared)), Vec::<String>::new());
}

#[test]
fn a_containers_own_name_is_traced_to_its_stable_alias() {
    let declared = declared(
        r#"{"services": {"db": {"image": "postgres"},
            "web": {"image": "nginx", "environment": {"A_URL": "postgres://u:p@shop-db-1:5432/x", "B_URL": "postgres://u:p@shop_db_1:5432/x"}}}}"#,
    );
    let found = told(&declared, &empty(&declared));
    assert_eq!(
        found,
        [
            "warning generated-name: `web` names the host `shop-db-1` in `A_URL`: that is the name of one container, and the next one may have another (use the alias `db`, which every container of that service answers to)",
            "warning unresolvable-host: `web` names the host `shop_db_1` in `B_URL`, and nothing that is known here answers to that name; and `shop_db_1` is the name of one container, and the next one may have another (use the alias `db`, which every container of that service answers to)",
        ]
    );
}

#[test]
fn a_fixed_container_name_of_this_stack_is_a_fine_host() {
    let declared = declared(
        r#"{"services": {"db": {"image": "postgres", "container_name": "shop-db-1"},
            "web": {"image": "nginx", "environment": {"A_URL": "postgres://u:p@shop-db-1:5432/x"}}}}"#,
    );
    assert_eq!(told(&declared, &empty(&declared)), Vec::<String>::new());
}

#[test]
fn a_name_with_a_random_end_is_told_with_the_stable_one() {
    let keys = r#""environment": {"NC_DB": "pg://supabase-db-xo4k0c8ow4skg8s0:5432?u=a"}, "networks": {"default": null, "supabase": null}"#;
    let declared = nocodb(keys, SHARED);
    assert_eq!(told(&declared, &with_supabase(&declared)), [GENERATED]);
}

const GENERATED: &str = "warning generated-name: `nocodb` names the host `supabase-db-xo4k0c8ow4skg8s0` in `NC_DB`: that is the name of one container, and the next one may have another (use the alias `supabase-db`, which every container of that service answers to)";

#[test]
fn the_incident_as_it_was_is_told_once_with_both_its_causes() {
    let declared = nocodb(r#""environment": {"NC_DB": "pg://supabase-db-xo4k0c8ow4skg8s0:5432?u=a"}"#, "");
    assert_eq!(
        told(&declared, &elsewhere::beside_supabase(&declared)),
        [
            "warning unresolvable-host: `nocodb` names the host `supabase-db-xo4k0c8ow4skg8s0` in `NC_DB` and will not resolve it: `supabase-db` is a service of the stack `supabase`, and `nocodb` is not on its network `supabase_default`; and `supabase-db-xo4k0c8ow4skg8s0` is the name of one container, and the next one may have another (declare `networks: { supabase: { external: true, name: supabase_default } }` and give `nocodb` `networks: [default, supabase]`; then use the alias `supabase-db`, which every container of that service answers to)"
        ]
    );
}

#[test]
fn words_with_versions_are_not_random() {
    let keys = r#""environment": {"A_URL": "http://app-elasticsearch7:9200 http://app-postgres15:5432 http://my-production:80"}"#;
    let found = codes(&nocodb(keys, ""), &empty(&nocodb(keys, "")));
    assert!(!found.contains(&"generated-name".to_owned()), "{found:?}");
}

#[test]
fn the_container_name_of_another_stack_is_traced_to_its_alias() {
    let keys = r#""environment": {"NC_DB": "pg://supabase-supabase-db-1:5432?u=a"}, "networks": {"supabase": null}"#;
    let declared = nocodb(keys, SHARED);
    let found = told(&declared, &with_supabase(&declared));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("warning generated-name:") && found[0].contains("`supabase-db`"), "{found:#?}");
}

#[test]
fn a_chosen_container_name_of_another_stack_is_only_noted() {
    let keys = r#""environment": {"NC_DB": "pg://postgres-main:5432?u=a"}, "networks": {"supabase": null}"#;
    let declared = nocodb(keys, SHARED);
    let database = member("postgres-main", "supabase", "db", &["db"]);
    let observed = Observed { networks: vec![network("supabase_default", vec![database])], ..empty(&declared) };
    let found = told(&declared, &observed);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("note generated-name:"), "{found:#?}");
}

#[test]
fn two_services_with_one_alias_clash() {
    let declared = declared(
        r#"{"services": {
            "blue": {"image": "a", "networks": {"default": {"aliases": ["app"]}}},
            "green": {"image": "a", "networks": {"default": {"aliases": ["App"]}}}}, "networks": {"default": {}}}"#,
    );
    assert_eq!(
        told(&declared, &empty(&declared)),
        [
            "warning alias-clash: `app` is answered on `shop_default` by the service `blue` and by the service `green`: who asks gets one or the other (give each an alias of its own under `networks`, and let others use that)"
        ]
    );
}

#[test]
fn a_service_and_a_stranger_with_one_alias_on_a_shared_network_clash() {
    let keys = r#""networks": {"supabase": {"aliases": ["db"]}}"#;
    let declared = nocodb(keys, SHARED);
    let found = told(&declared, &with_supabase(&declared));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("the container `supabase-supabase-db-1` of the stack `supabase`"), "{found:#?}");
}

#[test]
fn a_stranger_under_the_name_of_a_services_container_is_no_clash() {
    let declared = nocodb(r#""networks": {"default": {"aliases": ["nc", "tables"]}}"#, r#""default": {}"#);
    let stranger =
        Member { stack: None, service: None, ..member("nocodb-nocodb-1", "x", "x", &["nocodb", "nc", "tables"]) };
    let observed = Observed { networks: vec![network("nocodb_default", vec![stranger])], ..empty(&declared) };
    assert_eq!(told(&declared, &observed), Vec::<String>::new(), "the plan says that the name is taken");
}

#[test]
fn a_services_own_running_container_is_no_clash() {
    let declared = nocodb(r#""scale": 2"#, "");
    let own = member("nocodb-nocodb-1", "nocodb", "nocodb", &["nocodb"]);
    let observed = Observed { networks: vec![network("nocodb_default", vec![own])], ..empty(&declared) };
    assert_eq!(told(&declared, &observed), Vec::<String>::new());
}

#[test]
fn a_network_without_a_maker_is_told_with_the_command() {
    let declared = nocodb(r#""networks": {"supabase": null}"#, SHARED);
    assert_eq!(
        told(&declared, &empty(&declared)),
        [
            "refusal no-maker: the external network `supabase_default` does not exist, and no stack that is required makes it (`mainstay up` of `supabase` makes it; `x-mainstay: { requires: [supabase] }` says so in the file)"
        ]
    );
}

#[test]
fn a_network_of_a_required_stack_has_a_maker() {
    let declared = declared(
        r#"{"name": "nocodb", "services": {"nocodb": {"image": "a", "networks": {"s": null}}},
            "networks": {"s": {"name": "supabase_default", "external": true}}, "x-mainstay": {"requires": ["supabase"]}}"#,
    );
    assert_eq!(told(&declared, &empty(&declared)), Vec::<String>::new());
}

#[test]
fn a_network_that_is_named_after_nobody_can_be_made_by_hand() {
    let declared = nocodb(r#""networks": {"edge": null}"#, r#""edge": {"external": true}"#);
    let found = told(&declared, &empty(&declared));
    assert!(found[0].contains("`docker network create edge`"), "{found:#?}");
}

#[test]
fn the_order_of_an_observation_never_shows() {
    let declared = declared(
        r#"{"name": "nocodb", "services": {
            "a": {"image": "a", "networks": {"s": {"aliases": ["db"]}}, "environment": {"X_URL": "http://one:1 http://two:2"}},
            "b": {"image": "b", "environment": {"DB_HOST": "db"}}},
            "networks": {"default": {}, "s": {"name": "supabase_default", "external": true}}}"#,
    );
    let mut observed = with_supabase(&declared);
    observed.networks.push(network("other_default", vec![member("other-one-1", "other", "one", &["one"])]));
    observed.networks[0].members.push(member("supabase-kong-1", "supabase", "kong", &["kong", "db"]));
    let before = find(&declared, &observed);
    observed.networks.reverse();
    observed.networks[1].members.reverse();
    assert_eq!(find(&declared, &observed), before);
    assert!(before.len() >= 4, "{before:#?}");
}

#[test]
fn a_service_in_the_namespace_of_a_seen_container_resolves_on_its_networks() {
    let declared = nocodb(&format!(r#"{NC_DB}, "network_mode": "container:vpn""#), "");
    assert_eq!(told(&declared, &empty(&declared)), Vec::<String>::new());
    let mut observed = with_supabase(&declared);
    observed.containers.push(container("vpn", "vpn_default"));
    observed.networks.push(network("vpn_default", Vec::new()));
    assert_eq!(codes(&declared, &observed), ["unresolvable-host"]);
}

fn container(name: &str, network: &str) -> Container {
    Container {
        id: format!("{name}-id"),
        name: name.into(),
        maker: Maker::Foreign,
        stack: None,
        service: None,
        number: 0,
        one_off: false,
        keeper: None,
        image: "a".into(),
        image_id: String::new(),
        state: State::Running,
        health: Health::Unverified,
        exit_code: None,
        oom_killed: false,
        started_at: String::new(),
        finished_at: String::new(),
        created_at: String::new(),
        restart_count: 0,
        restarts_itself: false,
        may_end: true,
        endpoints: vec![Endpoint { network: network.into(), ..Endpoint::default() }],
        network_mode: network.into(),
        fields: None,
        declared_attachments: None,
        depends_on: Vec::new(),
        requires: Vec::new(),
        ports: Vec::new(),
        anonymous_volumes: Vec::new(),
    }
}

#[test]
fn an_external_network_that_was_made_by_hand_is_told_with_the_way_out() {
    let declared = nocodb(
        r#""networks": {"edge": null, "own": null, "engine": null}"#,
        r#""edge": {"name": "edge", "external": true}, "own": {}, "engine": {"name": "bridge", "external": true}"#,
    );
    let foreign = |name: &str| ObservedNetwork { maker: Maker::Foreign, ..network(name, Vec::new()) };
    let world = Observed { networks: vec![foreign("edge"), foreign("bridge")], ..empty(&declared) };
    assert_eq!(codes(&declared, &world), ["made-by-hand"]);
    let found = told(&declared, &world);
    assert!(found[0].starts_with("warning made-by-hand: the external network `edge` is made by no stack"), "{found:?}");
    // Whoever made it: a stack will make it again.
    let world = Observed { networks: vec![network("edge", Vec::new()), foreign("bridge")], ..empty(&declared) };
    assert_eq!(codes(&declared, &world), Vec::<String>::new());
}
