//! What is said of things that another platform would have supplied.

use mainstay_model::compose::{Dialect, LoadRequest};

use super::{load_with, warnings};

fn plain(request: &mut LoadRequest) {
    request.dialect = Some(Dialect::Compose);
}

/// The sentences of a refusal, each with its hint.
#[track_caller]
fn refusal(text: &str) -> Vec<String> {
    let complaints = load_with(text, plain).expect_err("it is refused");
    complaints.list.iter().map(|one| format!("{} | {}", one.message, one.hint.clone().unwrap_or_default())).collect()
}

#[test]
fn umbrels_proxy_is_answered_with_the_port_to_publish() {
    let text = "
services:
  app_proxy: { environment: { APP_HOST: notes_server_1, APP_PORT: 8080 } }
  server: { image: a }
";
    assert_eq!(
        refusal(text),
        ["`app_proxy` is Umbrel's own proxy: Umbrel puts it in front of the app, and it is not here | remove \
             `app_proxy`, and publish the port 8080 of `server`: `ports: [\"8080:8080\"]`"]
    );
    let unknown = refusal(&text.replace("notes_server_1", "10.0.0.1"));
    assert!(
        unknown[0].ends_with("publish the port 8080 of the service that it stood for, with `ports`"),
        "{unknown:?}"
    );
    assert_eq!(refusal("services: { app_proxy: { environment: {} } }").len(), 1);
}

#[test]
fn a_network_of_a_platform_is_answered_by_name() {
    for (network, platform) in
        [("tipi_main_network", "runtipi"), ("dokploy-network", "Dokploy"), ("coolify", "Coolify")]
    {
        let told = refusal(&format!("services: {{ web: {{ image: a, networks: [{network}] }} }}"));
        assert_eq!(told.len(), 1);
        assert!(told[0].contains(platform) && told[0].contains("remove it from `networks`"), "{told:?}");
    }
    let other = refusal("services: { web: { image: a, networks: [else] } }");
    assert!(other[0].contains("which is not declared"), "{other:?}");
}

#[test]
fn a_variable_of_a_platform_is_told_with_what_it_is() {
    let told = |text: &str| warnings(&load_with(text, plain).unwrap(), "unset-variable");
    let casaos = told("services: { web: { image: 'a:$TAG', user: $PUID } }\nx-casaos: { main: web }\n");
    assert_eq!(casaos.len(), 2);
    assert!(
        casaos.iter().any(|text| text.starts_with("`PUID` is set by CasaOS") && text.contains("`1000`")),
        "{casaos:?}"
    );
    let plain = told("services: { web: { image: a, user: $PUID } }");
    assert!(plain[0].starts_with("the variable `PUID` is not set"), "{plain:?}");
}

#[test]
fn what_needs_nothing_of_its_platform_is_taken() {
    load_with("services: { web: { image: a } }\nx-casaos: { main: web }\n", plain).unwrap();
    let external = "services: { web: { image: a, networks: [dokploy-network] } }\nnetworks: { dokploy-network: { external: true } }\n";
    load_with(external, plain).unwrap();
}
