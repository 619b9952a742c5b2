//! How much of the machine a container may have.

use std::collections::BTreeMap;

use super::place::Place;
use crate::declared::container::{ContainerSpec, DeviceRequest, Limits};

/// `deploy.resources` wins over the service's own keys, as in Compose.
pub(super) fn read(service: &Place, spec: &mut ContainerSpec) {
    spec.shm_size_bytes = service.size("shm_size");
    spec.oom_kill_disable = service.flag("oom_kill_disable");
    spec.oom_score_adj = service.int("oom_score_adj");
    spec.limits = Limits {
        memory_bytes: service.bytes("mem_limit"),
        memory_reservation_bytes: service.bytes("mem_reservation"),
        memory_swap_bytes: service.bytes("memswap_limit"),
        memory_swappiness: service.bytes("mem_swappiness"),
        nano_cpus: service.child("cpus").and_then(|cpus| nano_cpus(&cpus)),
        cpu_shares: service.int("cpu_shares"),
        cpu_period: service.child("cpu_period").and_then(|period| micros(&period)),
        cpu_quota: service.child("cpu_quota").and_then(|quota| micros(&quota)),
        cpu_rt_period: service.child("cpu_rt_period").and_then(|period| micros(&period)),
        cpu_rt_runtime: service.child("cpu_rt_runtime").and_then(|runtime| micros(&runtime)),
        cpuset: service.word("cpuset"),
        cpu_count: service.int("cpu_count"),
        cpu_percent: service.child("cpu_percent").and_then(|percent| percent.as_float()),
        pids: service.int("pids_limit"),
        ..Limits::default()
    };
    block_io(service, &mut spec.limits);
    deployed(service, &mut spec.limits);
}

/// CPUs as billionths. 0 means no limit, in Compose and in the engine.
fn nano_cpus(place: &Place) -> Option<i64> {
    let cpus = place.as_float()?;
    if !(0.0..=65_536.0).contains(&cpus) {
        place.refuse("is not a number of processors");
        return None;
    }
    let nanos = (cpus * 1e9).round() as i64;
    (nanos > 0).then_some(nanos)
}

/// Microseconds: a number, or a duration.
fn micros(place: &Place) -> Option<i64> {
    match place.node.as_str() {
        Some(text) if text.parse::<i64>().is_err() => {
            place.as_nanos().and_then(|nanos| i64::try_from(nanos / 1000).ok())
        }
        _ => place.as_int(),
    }
}

fn deployed(service: &Place, limits: &mut Limits) {
    let Some(resources) = service.child("deploy").and_then(|deploy| deploy.child("resources")) else { return };
    if let Some(most) = resources.child("limits") {
        limits.nano_cpus = most.child("cpus").and_then(|cpus| nano_cpus(&cpus)).or(limits.nano_cpus);
        limits.memory_bytes = most.bytes("memory").or(limits.memory_bytes);
        limits.pids = most.int("pids").or(limits.pids);
    }
    if let Some(least) = resources.child("reservations") {
        limits.memory_reservation_bytes = least.bytes("memory").or(limits.memory_reservation_bytes);
    }
}

fn block_io(service: &Place, limits: &mut Limits) {
    let Some(place) = service.child("blkio_config") else { return };
    limits.blkio_weight = place.int("weight").filter(|weight| *weight > 0);
    limits.blkio_weight_device = by_path(&place, "weight_device", ["weight", "Weight"]);
    limits.device_read_bps = by_path(&place, "device_read_bps", ["rate", "Rate"]);
    limits.device_write_bps = by_path(&place, "device_write_bps", ["rate", "Rate"]);
    limits.device_read_iops = by_path(&place, "device_read_iops", ["rate", "Rate"]);
    limits.device_write_iops = by_path(&place, "device_write_iops", ["rate", "Rate"]);
}

/// Both spellings: Compose prints these keys in capitals.
fn by_path(place: &Place, key: &str, value: [&str; 2]) -> BTreeMap<String, u64> {
    let Some(list) = place.child(key) else { return BTreeMap::new() };
    let one = |item: Place| {
        let path = item.word("path").or_else(|| item.word("Path"));
        let rate = value.iter().find_map(|name| item.size(name));
        if path.is_none() || rate.is_none() {
            item.refuse(format!("needs `path` and `{}`", value[0]));
        }
        Some((path?, rate?))
    };
    list.items().into_iter().filter_map(one).collect()
}

/// `gpus`, then `deploy.resources.reservations.devices`.
pub(super) fn device_requests(service: &Place) -> Vec<DeviceRequest> {
    let mut found = Vec::new();
    if let Some(gpus) = service.child("gpus") {
        if gpus.node.as_str() == Some("all") {
            found.push(DeviceRequest { count: Some(-1), capabilities: vec!["gpu".to_owned()], ..Default::default() });
        } else {
            found.extend(gpus.items().iter().map(|item| device_request(item, Some("gpu"))));
        }
    }
    let reserved = service
        .child("deploy")
        .and_then(|deploy| deploy.child("resources"))
        .and_then(|resources| resources.child("reservations"))
        .and_then(|reservations| reservations.child("devices"));
    let reserved = reserved.map(|devices| devices.items()).unwrap_or_default();
    found.extend(reserved.iter().map(|item| device_request(item, None)));
    found
}

/// A request without a count and without ids is for all.
fn device_request(item: &Place, capability: Option<&str>) -> DeviceRequest {
    let device_ids = item.strings("device_ids");
    let mut capabilities = item.strings("capabilities");
    if let Some(capability) = capability.filter(|capability| !capabilities.iter().any(|have| have == capability)) {
        capabilities.push(capability.to_owned());
    }
    let count = match item.child("count") {
        Some(count) if count.node.as_str() == Some("all") => Some(-1),
        Some(count) => count.as_int(),
        None => device_ids.is_empty().then_some(-1),
    };
    if count.is_some() && !device_ids.is_empty() {
        item.refuse("has both `count` and `device_ids`, and the engine takes only one of them");
    }
    DeviceRequest { driver: item.word("driver"), count, device_ids, capabilities, options: item.pairs("options") }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{container, refused, web_project};

    #[test]
    fn deployed_limits_win_over_the_services_own() {
        let limits = container(
            r#""cpus": 0.5, "mem_limit": "256m", "pids_limit": 10, "deploy": {"resources": {
                "limits": {"cpus": "1.5", "memory": "512m"}, "reservations": {"memory": "64m"}}}"#,
        )
        .limits;
        assert_eq!(limits.nano_cpus, Some(1_500_000_000));
        assert_eq!(limits.memory_bytes, Some(512 << 20));
        assert_eq!(limits.memory_reservation_bytes, Some(64 << 20));
        assert_eq!(limits.pids, Some(10));
    }

    #[test]
    fn sizes_may_be_numbers_or_text() {
        let spec =
            container(r#""mem_limit": 1073741824, "memswap_limit": -1, "shm_size": "1gb", "mem_swappiness": "60""#);
        assert_eq!(spec.limits.memory_bytes, Some(1 << 30));
        assert_eq!(spec.limits.memory_swap_bytes, Some(-1));
        assert_eq!(spec.limits.memory_swappiness, Some(60));
        assert_eq!(spec.shm_size_bytes, Some(1 << 30));
        assert_eq!(
            refused(&web_project(r#""mem_limit": "12q""#)),
            ["`services.web.mem_limit` cannot be read: `12q` is not a size (write `64m`, `1.5g` or a number of bytes)"]
        );
    }

    #[test]
    fn every_gpu_is_asked_for_when_neither_count_nor_ids_are_given() {
        let all = container(r#""gpus": "all""#).device_requests;
        assert_eq!(all.first().map(|request| request.count), Some(Some(-1)));
        let found = container(
            r#""gpus": [{"driver": "nvidia"}], "deploy": {"resources": {"reservations": {"devices": [
                {"capabilities": ["gpu"], "device_ids": ["0"], "driver": "nvidia"}]}}}"#,
        )
        .device_requests;
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].count, found[0].capabilities.as_slice()), (Some(-1), ["gpu".to_owned()].as_slice()));
        assert_eq!((found[1].count, found[1].device_ids.as_slice()), (None, ["0".to_owned()].as_slice()));
    }

    #[test]
    fn block_io_is_read_in_both_spellings() {
        let limits = container(
            r#""blkio_config": {"weight": 300, "weight_device": [{"Path": "/dev/sda", "Weight": 400}],
                "device_read_bps": [{"path": "/dev/sdb", "rate": "12mb"}]}"#,
        )
        .limits;
        assert_eq!(limits.blkio_weight, Some(300));
        assert_eq!(limits.blkio_weight_device["/dev/sda"], 400);
        assert_eq!(limits.device_read_bps["/dev/sdb"], 12 << 20);
    }
}
