//! From the engine's account of a container to the model's.

use std::collections::HashMap;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, EndpointSettings, HealthStatusEnum, HostConfig,
    MountPoint, PortMap, RestartPolicyNameEnum,
};
use mainstay_model::declared::container::bare_path;
use mainstay_model::observed::{AnonymousVolume, Container, Endpoint, Health, State};

use super::labels::Seen;

/// The container, and notes about labels that could not be read.
pub(super) fn container_of(inspected: ContainerInspectResponse) -> (Container, Vec<String>) {
    let id = inspected.id.unwrap_or_default();
    let name = inspected.name.unwrap_or_default().trim_start_matches('/').to_owned();
    let config = inspected.config.unwrap_or_default();
    let host = inspected.host_config.unwrap_or_default();
    let network = inspected.network_settings.unwrap_or_default();
    let engine_state = inspected.state.unwrap_or_default();
    let state = state_of(&engine_state);
    let restart_count = inspected.restart_count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
    let labels = config.labels.unwrap_or_default();
    let seen = Seen(&labels);
    let mut notes = Vec::new();
    let mut note = |label: &str| notes.push(format!("label `{label}` of container `{name}` could not be read"));
    let fields = seen.fields().unwrap_or_else(|label| {
        note(label);
        None
    });
    let declared_attachments = seen.attachments().unwrap_or_else(|label| {
        note(label);
        None
    });
    let container = Container {
        maker: seen.maker(),
        stack: seen.stack(),
        service: seen.service(),
        number: seen.number(),
        one_off: seen.one_off(),
        keeper: seen.keeper(),
        image: config.image.unwrap_or_default(),
        image_id: inspected.image.unwrap_or_default(),
        state,
        health: health_of(&engine_state),
        exit_code: ended(state).then_some(engine_state.exit_code).flatten(),
        oom_killed: engine_state.oom_killed.unwrap_or_default(),
        started_at: moment(engine_state.started_at),
        finished_at: moment(engine_state.finished_at),
        created_at: moment(inspected.created),
        restart_count,
        restarts_itself: restarts_itself(&host, restart_count),
        may_end: may_end(&host),
        endpoints: endpoints_of(network.networks.unwrap_or_default(), &id),
        network_mode: host.network_mode.unwrap_or_default(),
        fields,
        declared_attachments,
        depends_on: seen.depends_on(),
        requires: seen.requires(),
        ports: ports_of(network.ports.unwrap_or_default()),
        anonymous_volumes: anonymous_volumes_of(inspected.mounts.unwrap_or_default()),
        id,
        name,
    };
    (container, notes)
}

pub(super) fn state_of(state: &ContainerState) -> State {
    match state.status {
        Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING) => State::Running,
        Some(ContainerStateStatusEnum::PAUSED) => State::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => State::Restarting,
        Some(ContainerStateStatusEnum::REMOVING) => State::Removing,
        Some(ContainerStateStatusEnum::EXITED) => State::Exited,
        Some(ContainerStateStatusEnum::DEAD) => State::Dead,
        Some(ContainerStateStatusEnum::CREATED | ContainerStateStatusEnum::EMPTY) | None => State::Created,
    }
}

pub(super) fn health_of(state: &ContainerState) -> Health {
    match state.health.as_ref().and_then(|health| health.status) {
        Some(HealthStatusEnum::STARTING) => Health::Starting,
        Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
        Some(HealthStatusEnum::EMPTY | HealthStatusEnum::NONE) | None => Health::Unverified,
    }
}

fn ended(state: State) -> bool {
    matches!(state, State::Exited | State::Dead | State::Restarting)
}

/// Go's zero time means never.
fn moment(text: Option<String>) -> String {
    text.filter(|text| !text.starts_with("0001-")).unwrap_or_default()
}

fn restarts_itself(host: &HostConfig, restart_count: u64) -> bool {
    let Some(policy) = &host.restart_policy else { return false };
    match policy.name {
        Some(RestartPolicyNameEnum::ALWAYS | RestartPolicyNameEnum::UNLESS_STOPPED) => true,
        Some(RestartPolicyNameEnum::ON_FAILURE) => {
            let limit = policy.maximum_retry_count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
            limit == 0 || restart_count < limit
        }
        Some(RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY) | None => false,
    }
}

fn may_end(host: &HostConfig) -> bool {
    let policy = host.restart_policy.as_ref().and_then(|policy| policy.name);
    !matches!(policy, Some(RestartPolicyNameEnum::ALWAYS | RestartPolicyNameEnum::UNLESS_STOPPED))
}

/// The volumes whose name is one of the engine's own making. That is all that tells them from others: engines before
/// 23.0 put no mark on them, and one that a container was given by that name, as a replacement is, has no mark either.
fn anonymous_volumes_of(mounts: Vec<MountPoint>) -> Vec<AnonymousVolume> {
    let volumes = mounts.into_iter().filter(|mount| mount.typ.as_deref() == Some("volume"));
    let named = volumes.filter_map(|mount| Some((mount.name?, mount.destination?)));
    let mut found: Vec<AnonymousVolume> = named
        .filter(|(name, _)| is_made_up(name))
        .map(|(name, target)| AnonymousVolume { target: bare_path(&target).to_owned(), name })
        .collect();
    found.sort();
    found
}

fn is_made_up(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn endpoints_of(networks: HashMap<String, EndpointSettings>, container_id: &str) -> Vec<Endpoint> {
    networks.into_iter().map(|(network, settings)| endpoint_of(network, settings, container_id)).collect()
}

pub(super) fn endpoint_of(network: String, settings: EndpointSettings, container_id: &str) -> Endpoint {
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let asked = settings.ipam_config.unwrap_or_default();
    let mut aliases = settings.aliases.unwrap_or_default();
    aliases.retain(|alias| !(alias.len() == 12 && container_id.starts_with(alias.as_str())));
    aliases.sort();
    aliases.dedup();
    Endpoint {
        network,
        network_id: settings.network_id.unwrap_or_default(),
        aliases,
        ipv4_address: filled(settings.ip_address),
        ipv6_address: filled(settings.global_ipv6_address),
        static_ipv4: filled(asked.ipv4_address),
        static_ipv6: filled(asked.ipv6_address),
    }
}

/// `127.0.0.1:8080->8080/tcp`, sorted; ports that are only exposed are left out.
fn ports_of(ports: PortMap) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for (target, bindings) in ports {
        for binding in bindings.unwrap_or_default() {
            let ip = binding.host_ip.unwrap_or_default();
            let ip = if ip.contains(':') { format!("[{ip}]") } else { ip };
            told.push(format!("{ip}:{}->{target}", binding.host_port.unwrap_or_default()));
        }
    }
    told.sort();
    told
}
