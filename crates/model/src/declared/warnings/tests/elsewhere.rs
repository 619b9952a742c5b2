//! Hosts that somebody outside of the stack has.

use super::*;

/// The world in which Supabase is there, as a look for a stack that has not joined its network brings it.
pub(super) fn beside_supabase(declared: &Declared) -> Observed {
    let observed =
        Observed { neighbours: vec![neighbour("supabase", "supabase-db", &["supabase_default"])], ..empty(declared) };
    let asked = sought(declared);
    assert!(asked.iter().any(|host| host.contains("supabase-db")), "the look would not have asked: {asked:?}");
    observed
}

fn neighbour(stack: &str, service: &str, networks: &[&str]) -> Neighbour {
    Neighbour {
        container_name: format!("{stack}-{service}-1"),
        stack: StackName::new(stack).ok(),
        service: Some(service.to_owned()),
        places: networks.iter().map(|network| ((*network).to_owned(), BTreeSet::from([service.to_owned()]))).collect(),
    }
}

#[test]
fn the_incident_is_foretold_with_the_network_that_is_missing() {
    let declared = nocodb(NC_DB, r#""default": {}"#);
    assert_eq!(
        told(&declared, &beside_supabase(&declared)),
        [
            "warning unresolvable-host: `nocodb` names the host `supabase-db` in `NC_DB` and will not resolve it: that is a service of the stack `supabase`, and `nocodb` is not on its network `supabase_default` (declare `networks: { supabase: { external: true, name: supabase_default } }` and give `nocodb` `networks: [default, supabase]`)"
        ]
    );
}

#[test]
fn the_fix_speaks_of_the_networks_that_are_written_already() {
    let declared = declared(&format!(
        r#"{{"name": "nocodb", "services": {{
            "nocodb": {{"image": "a", {NC_DB}, "networks": {{"front": null}}}},
            "proxy": {{"image": "a", "networks": {{"supabase": null}}}}}}, "networks": {{"front": {{}}, "supabase": {{}}}}}}"#
    ));
    let found = told(&declared, &beside_supabase(&declared));
    assert!(
        found[0].ends_with("(declare `networks: { supabase_default: { external: true } }` and add `supabase_default` to `services.nocodb.networks`)"),
        "{found:#?}"
    );
}

#[test]
fn of_several_stacks_with_that_name_the_required_one_is_meant() {
    let json = |requires: &str| {
        format!(
            r#"{{"name": "nocodb", "services": {{"nocodb": {{"image": "a", {NC_DB}}}}}, "x-mainstay": {{"requires": [{requires}]}}}}"#
        )
    };
    let both = |declared: &Declared| {
        let mut observed = beside_supabase(declared);
        observed.neighbours.push(neighbour("staging", "supabase-db", &["staging_default"]));
        told(declared, &observed)
    };
    let found = both(&declared(&json("")));
    assert!(found[0].contains("a name in the stacks `staging` and `supabase`"), "{found:#?}");
    let found = both(&declared(&json(r#""supabase""#)));
    assert!(found[0].contains("its network `supabase_default`") && !found[0].contains("staging"), "{found:#?}");
}

#[test]
fn the_generated_name_of_a_container_of_others_is_found_under_any_key() {
    let with = |key: &str, value: &str| {
        let declared = nocodb(&format!(r#""environment": {{"{key}": "{value}"}}"#), r#""default": {}"#);
        let mut observed = empty(&declared);
        let asked = sought(&declared);
        let names = ["data-db-1", "postgres"].map(str::to_owned);
        for name in names.into_iter().filter(|name| asked.contains(name)) {
            let mut one = neighbour("data", "db", &["data_default"]);
            one.container_name = name;
            observed.neighbours.push(one);
        }
        told(&declared, &observed)
    };
    assert_eq!(
        with("X", "data-db-1"),
        [
            "warning unresolvable-host: `nocodb` names the host `data-db-1` in `X` and will not resolve it: that is a container of the stack `data`, and `nocodb` is not on its network `data_default`; and `data-db-1` is the name of one container, and the next one may have another (declare `networks: { data: { external: true, name: data_default } }` and give `nocodb` `networks: [default, data]`; then use the alias `db`, which every container of that service answers to)"
        ]
    );
    assert_eq!(with("X", "data-db-1:5432").len(), 1);
    assert_eq!(with("X", "http://data-db-1/x").len(), 1);
    // What may mean anything is left in peace, and so is what nobody has, or what only contains the name.
    for (key, value) in [
        ("DB_CONNECTION", "postgres"),
        ("IMAGE", "postgres:16"),
        ("X", "data-db-2"),
        ("X", "see data-db-1"),
        ("ADMIN_PASSWORD", "data-db-1"),
    ] {
        assert_eq!(with(key, value), Vec::<String>::new(), "{key}: {value}");
    }
}

#[test]
fn most_stacks_ask_for_nobody() {
    let declared = declared(
        r#"{"services": {"db": {"image": "postgres"}, "web": {"image": "nginx", "environment": {
            "DB_HOST": "db", "NODE_ENV": "production", "A_URL": "https://api.example.com/v1", "SIZE": "10",
            "REGION": "eu-west-1x", "B_URL": "http://host.docker.internal:80", "TZ": "Europe/Warsaw"}}}}"#,
    );
    assert_eq!(sought(&declared), BTreeSet::new());
}

#[test]
fn a_network_that_is_declared_already_is_called_by_its_key() {
    let declared = declared(&format!(
        r#"{{"name": "nocodb", "services": {{
            "nocodb": {{"image": "nocodb/nocodb", {NC_DB}}},
            "proxy": {{"image": "caddy", "networks": {{"supabase": null}}}}}}, "networks": {{{SHARED}}}}}"#
    ));
    let found = told(&declared, &with_supabase(&declared));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0]
            .ends_with("(`supabase-db` answers on `supabase_default`; add `supabase` to `services.nocodb.networks`)"),
        "{}",
        found[0]
    );
}
