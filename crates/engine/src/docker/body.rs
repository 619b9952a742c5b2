//! From a container's spec to the engine's create body: pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig,
    HostConfigCgroupnsModeEnum, HostConfigIsolationEnum, HostConfigLogConfig, NetworkingConfig, PortBinding, PortMap,
    ResourcesBlkioWeightDevice, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum, ThrottleDevice,
};
use mainstay_model::declared::container::{Limits, Mount, Restart};
use mainstay_model::declared::{Attachment, ContainerSpec};

use super::mounts::mounts_of;
use crate::world::WorldError;

/// A create body, and what an old engine could not be told.
pub(super) struct Body {
    pub(super) create: ContainerCreateBody,
    /// Before API 1.44 the container has it, not its endpoint; bollard's type lacks the field.
    pub(super) mac_address: Option<String>,
    pub(super) left_out: Vec<String>,
}

/// What the body needs besides the spec, settled when the step runs.
pub(super) struct Settled<'a> {
    pub(super) image: &'a str,
    pub(super) labels: HashMap<String, String>,
    /// The engine's text: a network's name, `host`, `container:<id>`…
    pub(super) network_mode: String,
    /// The endpoints given at create; one at most before API 1.44.
    pub(super) attachments: Vec<&'a Attachment>,
    pub(super) ipc: Option<String>,
    pub(super) pid: Option<String>,
    /// `id[:ro]`
    pub(super) volumes_from: Vec<String>,
    /// The declared ones, with the volumes that are carried over.
    pub(super) mounts: Vec<Mount>,
}

pub(super) fn body_of(spec: &ContainerSpec, settled: Settled<'_>, minor: u32) -> Result<Body, WorldError> {
    let mut left_out = Vec::new();
    let healthcheck = healthcheck_of(spec, minor, &mut left_out);
    let (exposed, bindings) = ports_of(spec);
    let mac_address = mac_of(spec, &settled, minor);
    let endpoints = settled.attachments.iter().enumerate().map(|(place, attachment)| {
        let mut endpoint = endpoint_of(attachment, minor);
        if place == 0 && minor >= 44 && endpoint.mac_address.is_none() {
            endpoint.mac_address.clone_from(&spec.mac_address);
        }
        (attachment.network.clone(), endpoint)
    });
    let endpoints: HashMap<String, EndpointSettings> = endpoints.collect();
    let create = ContainerCreateBody {
        hostname: spec.hostname.clone(),
        domainname: spec.domainname.clone(),
        user: spec.user.clone(),
        exposed_ports: some_list(exposed),
        // As Compose writes it; it means something only to a client that attaches when it creates.
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(spec.tty),
        open_stdin: Some(spec.stdin_open),
        env: some_list(environment_of(spec)?),
        cmd: spec.command.clone(),
        // An empty list would mean the image's own; one empty word takes it away.
        entrypoint: spec.entrypoint.clone().map(|words| if words.is_empty() { vec![String::new()] } else { words }),
        healthcheck,
        image: Some(settled.image.to_owned()),
        working_dir: spec.working_dir.clone(),
        labels: Some(settled.labels.clone()),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_grace_secs.and_then(|secs| i64::try_from(secs).ok()),
        networking_config: (!endpoints.is_empty()).then_some(NetworkingConfig { endpoints_config: Some(endpoints) }),
        host_config: Some(host_of(spec, settled, bindings, minor, &mut left_out)?),
        ..Default::default()
    };
    Ok(Body { create, mac_address, left_out })
}

fn environment_of(spec: &ContainerSpec) -> Result<Vec<String>, WorldError> {
    let entry = |(name, value): (&String, &mainstay_model::declared::Hidden)| {
        if name.is_empty() || name.contains(['=', '\0']) || value.reveal().contains('\0') {
            // The value stays out of the message.
            return Err(WorldError::new(format!("the environment variable `{name}` cannot be given to a container")));
        }
        Ok(format!("{name}={}", value.reveal()))
    };
    // The engine takes a bare name as an order to leave the image's own value out.
    let unset = spec.unset_environment.iter().filter(|name| !name.is_empty() && !name.contains(['=', '\0'])).cloned();
    let set: Result<Vec<String>, WorldError> = spec.environment.iter().map(entry).collect();
    Ok(set?.into_iter().chain(unset).collect())
}

fn healthcheck_of(spec: &ContainerSpec, minor: u32, left_out: &mut Vec<String>) -> Option<HealthConfig> {
    let check = spec.healthcheck.as_ref()?;
    let nanos = |value: Option<u64>| value.and_then(|nanos| i64::try_from(nanos).ok());
    if check.start_interval_nanos.is_some() && minor < 44 {
        left_out.push("`healthcheck.start_interval` (needs an engine with API 1.44)".into());
    }
    Some(HealthConfig {
        test: check.test.clone(),
        interval: nanos(check.interval_nanos),
        timeout: nanos(check.timeout_nanos),
        retries: nanos(check.retries),
        start_period: nanos(check.start_period_nanos),
        start_interval: nanos(check.start_interval_nanos).filter(|_| minor >= 44),
    })
}

/// `port/protocol` of everything exposed, and the bindings of what is published.
fn ports_of(spec: &ContainerSpec) -> (Vec<String>, PortMap) {
    let with_protocol = |port: &str| if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") };
    let mut exposed: Vec<String> = spec.expose.iter().flat_map(|port| spread(&with_protocol(port))).collect();
    let mut bindings = PortMap::new();
    for port in &spec.ports {
        let protocol = if port.protocol.is_empty() { "tcp" } else { port.protocol.as_str() };
        let key = format!("{}/{protocol}", port.target);
        exposed.push(key.clone());
        let binding = PortBinding { host_ip: port.host_ip.clone(), host_port: port.published.clone() };
        bindings.entry(key).or_insert_with(|| Some(Vec::new())).get_or_insert_with(Vec::new).push(binding);
    }
    exposed.sort();
    exposed.dedup();
    (exposed, bindings)
}

/// `8000-8002/tcp` as three.
fn spread(port: &str) -> Vec<String> {
    let (range, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let ends = range.split_once('-').and_then(|(from, to)| Some((from.parse::<u16>().ok()?, to.parse::<u16>().ok()?)));
    match ends {
        Some((from, to)) => (from..=to).map(|port| format!("{port}/{protocol}")).collect(),
        None => vec![port.to_owned()],
    }
}

fn mac_of(spec: &ContainerSpec, settled: &Settled<'_>, minor: u32) -> Option<String> {
    if minor >= 44 {
        return None;
    }
    let first = settled.attachments.first().and_then(|attachment| attachment.mac_address.clone());
    spec.mac_address.clone().or(first)
}

/// What joins a network; the same at create and at connect.
pub(super) fn endpoint_of(attachment: &Attachment, minor: u32) -> EndpointSettings {
    let ipam = (attachment.ipv4_address.is_some()
        || attachment.ipv6_address.is_some()
        || !attachment.link_local_ips.is_empty())
    .then(|| EndpointIpamConfig {
        ipv4_address: attachment.ipv4_address.clone(),
        ipv6_address: attachment.ipv6_address.clone(),
        link_local_ips: some_list(attachment.link_local_ips.clone()),
    });
    EndpointSettings {
        ipam_config: ipam,
        links: some_list(attachment.links.clone()),
        mac_address: attachment.mac_address.clone().filter(|_| minor >= 44),
        aliases: some_list(attachment.aliases.clone()),
        driver_opts: some_map(&attachment.driver_opts),
        ..Default::default()
    }
}

fn host_of(
    spec: &ContainerSpec,
    settled: Settled<'_>,
    bindings: PortMap,
    minor: u32,
    left_out: &mut Vec<String>,
) -> Result<HostConfig, WorldError> {
    let mounts = mounts_of(&settled.mounts, minor)?;
    if !spec.annotations.is_empty() && minor < 43 {
        left_out.push("`annotations` (needs an engine with API 1.43)".into());
    }
    let mut host = HostConfig {
        binds: some_list(mounts.binds),
        mounts: some_list(mounts.mounts),
        log_config: spec.logging.as_ref().map(|logging| HostConfigLogConfig {
            typ: logging.driver.clone(),
            config: Some(logging.options.clone().into_iter().collect()),
        }),
        network_mode: Some(settled.network_mode),
        port_bindings: (!bindings.is_empty()).then_some(bindings),
        restart_policy: Some(restart_of(spec.restart)),
        volumes_from: some_list(settled.volumes_from),
        annotations: some_map(&spec.annotations).filter(|_| minor >= 43),
        cap_add: some_list(capabilities(&spec.cap_add)),
        cap_drop: some_list(capabilities(&spec.cap_drop)),
        cgroupns_mode: cgroup_namespace(spec)?,
        dns: some_list(spec.dns.clone()),
        dns_options: some_list(spec.dns_opt.clone()),
        dns_search: some_list(spec.dns_search.clone()),
        extra_hosts: some_list(spec.extra_hosts.clone()),
        group_add: some_list(spec.group_add.clone()),
        ipc_mode: settled.ipc,
        pid_mode: settled.pid,
        uts_mode: spec.uts.clone(),
        userns_mode: spec.userns_mode.clone(),
        oom_score_adj: spec.oom_score_adj,
        privileged: Some(spec.privileged),
        readonly_rootfs: Some(spec.read_only),
        security_opt: some_list(spec.security_opt.clone()),
        storage_opt: some_map(&spec.storage_opt),
        tmpfs: some_map(&spec.tmpfs),
        shm_size: spec.shm_size_bytes.and_then(|bytes| i64::try_from(bytes).ok()),
        sysctls: some_map(&spec.sysctls),
        runtime: spec.runtime.clone(),
        isolation: isolation_of(spec)?,
        init: spec.init,
        cgroup_parent: spec.cgroup_parent.clone(),
        devices: some_list(devices_of(spec)),
        device_cgroup_rules: some_list(spec.device_cgroup_rules.clone()),
        device_requests: some_list(device_requests_of(spec)),
        ulimits: some_list(ulimits_of(&spec.ulimits)),
        oom_kill_disable: spec.oom_kill_disable.then_some(true),
        ..Default::default()
    };
    set_limits(&mut host, &spec.limits);
    Ok(host)
}

/// `NET_ADMIN`, `net_admin` and `CAP_NET_ADMIN` as the kernel calls it, as Compose gives them to the engine.
fn capabilities(names: &[String]) -> Vec<String> {
    let full = |name: &String| match name.to_ascii_uppercase() {
        all if all == "ALL" => all,
        whole if whole.starts_with("CAP_") => whole,
        short => format!("CAP_{short}"),
    };
    names.iter().map(full).collect::<BTreeSet<_>>().into_iter().collect()
}

fn set_limits(host: &mut HostConfig, limits: &Limits) {
    let throttle = |devices: &BTreeMap<String, u64>| {
        let device = |(path, rate): (&String, &u64)| ThrottleDevice {
            path: Some(path.clone()),
            rate: i64::try_from(*rate).ok(),
        };
        some_list(devices.iter().map(device).collect())
    };
    let weight = |(path, weight): (&String, &u64)| ResourcesBlkioWeightDevice {
        path: Some(path.clone()),
        weight: usize::try_from(*weight).ok(),
    };
    host.memory = limits.memory_bytes;
    host.memory_reservation = limits.memory_reservation_bytes;
    host.memory_swap = limits.memory_swap_bytes;
    host.memory_swappiness = limits.memory_swappiness;
    host.nano_cpus = limits.nano_cpus;
    host.cpu_shares = limits.cpu_shares;
    host.cpu_period = limits.cpu_period;
    host.cpu_quota = limits.cpu_quota;
    host.cpu_realtime_period = limits.cpu_rt_period;
    host.cpu_realtime_runtime = limits.cpu_rt_runtime;
    host.cpuset_cpus.clone_from(&limits.cpuset);
    host.cpu_count = limits.cpu_count;
    #[expect(clippy::cast_possible_truncation, reason = "a percentage; the engine takes whole ones")]
    let percent = limits.cpu_percent.map(|percent| percent.round() as i64);
    host.cpu_percent = percent;
    host.pids_limit = limits.pids;
    host.blkio_weight = limits.blkio_weight;
    host.blkio_weight_device = some_list(limits.blkio_weight_device.iter().map(weight).collect());
    host.blkio_device_read_bps = throttle(&limits.device_read_bps);
    host.blkio_device_write_bps = throttle(&limits.device_write_bps);
    host.blkio_device_read_iops = throttle(&limits.device_read_iops);
    host.blkio_device_write_iops = throttle(&limits.device_write_iops);
}

fn restart_of(restart: Restart) -> RestartPolicy {
    let (name, retries) = match restart {
        Restart::No => (RestartPolicyNameEnum::NO, None),
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        Restart::OnFailure { max_retries } => (RestartPolicyNameEnum::ON_FAILURE, Some(i64::from(max_retries))),
    };
    RestartPolicy { name: Some(name), maximum_retry_count: retries }
}

fn devices_of(spec: &ContainerSpec) -> Vec<DeviceMapping> {
    let device = |device: &mainstay_model::declared::container::Device| DeviceMapping {
        path_on_host: Some(device.source.clone()),
        path_in_container: Some(device.target.clone()),
        cgroup_permissions: Some(device.permissions.clone()),
    };
    spec.devices.iter().map(device).collect()
}

fn device_requests_of(spec: &ContainerSpec) -> Vec<DeviceRequest> {
    let request = |request: &mainstay_model::declared::container::DeviceRequest| DeviceRequest {
        driver: request.driver.clone(),
        count: request.count,
        device_ids: some_list(request.device_ids.clone()),
        // The outer list is "or", the inner "and"; Compose knows only "and".
        capabilities: some_list(request.capabilities.clone()).map(|all| vec![all]),
        options: some_map(&request.options),
    };
    spec.device_requests.iter().map(request).collect()
}

fn ulimits_of(ulimits: &BTreeMap<String, mainstay_model::declared::container::Ulimit>) -> Vec<ResourcesUlimits> {
    let ulimit = |(name, limit): (&String, &mainstay_model::declared::container::Ulimit)| ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    };
    ulimits.iter().map(ulimit).collect()
}

fn cgroup_namespace(spec: &ContainerSpec) -> Result<Option<HostConfigCgroupnsModeEnum>, WorldError> {
    match spec.cgroup.as_deref() {
        None | Some("") => Ok(None),
        Some("host") => Ok(Some(HostConfigCgroupnsModeEnum::HOST)),
        Some("private") => Ok(Some(HostConfigCgroupnsModeEnum::PRIVATE)),
        Some(other) => Err(WorldError::new(format!("the cgroup namespace `{other}` is neither `host` nor `private`"))),
    }
}

fn isolation_of(spec: &ContainerSpec) -> Result<Option<HostConfigIsolationEnum>, WorldError> {
    match spec.isolation.as_deref() {
        None | Some("") => Ok(None),
        Some("default") => Ok(Some(HostConfigIsolationEnum::DEFAULT)),
        Some("process") => Ok(Some(HostConfigIsolationEnum::PROCESS)),
        Some("hyperv") => Ok(Some(HostConfigIsolationEnum::HYPERV)),
        Some(other) => Err(WorldError::new(format!("the isolation `{other}` is not known"))),
    }
}

fn some_list<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn some_map(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then(|| map.clone().into_iter().collect())
}
