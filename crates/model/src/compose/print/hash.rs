//! Compose's hash of a service: what its `config-hash` label holds, and by which it knows whether a container still fits.
//!
//! The SHA-256 of the service as Go writes it in JSON, in one line and with `$` as it is meant, without what says how
//! many containers there are, when they start, and where their image comes from.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{escaped, json};
use crate::compose::tree::Node;

/// What may differ between two containers that Compose calls the same.
const LEFT_OUT: [&str; 5] = ["build", "pull_policy", "scale", "depends_on", "profiles"];

/// The hash of a settled service.
pub(super) fn of(service: &Node) -> String {
    of_json(json::service(service))
}

fn of_json(mut service: Value) -> String {
    if let Some(map) = service.as_object_mut() {
        map.retain(|key, _| !LEFT_OUT.contains(&key.as_str()));
        if let Some(deploy) = map.get_mut("deploy").and_then(Value::as_object_mut) {
            deploy.shift_remove("replicas");
        }
        for limit in map.get_mut("ulimits").and_then(Value::as_object_mut).into_iter().flat_map(|all| all.values_mut())
        {
            // Go leaves a zero out, and with it all that the limit says.
            if limit.as_i64() == Some(0) {
                *limit = Value::Object(serde_json::Map::new());
            }
        }
    }
    let text = escaped(&service.to_string());
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// These hashes are what Compose 2.40 printed for these services.
    #[test]
    fn a_service_is_hashed_as_compose_hashes_it() {
        let web = json!({
            "build": {"context": "/tmp/runs-x", "dockerfile": "Dockerfile"},
            "command": null,
            "depends_on": {"b": {"condition": "service_started", "required": true}},
            "entrypoint": null,
            "environment": {"A": "<x>&y é", "B": "1.2"},
            "image": "mainstay-test/tiny:1",
            "mem_limit": "67108864",
            "networks": {"default": null},
            "ports": [{"mode": "ingress", "target": 8080, "protocol": "tcp"}],
            "volumes": [
                {"type": "volume", "target": "d:/d", "volume": {}},
                {"type": "bind", "source": "/tmp/runs-x/x", "target": "/x", "bind": {"create_host_path": true}}]});
        assert_eq!(of_json(web), "6b4d9355a839dbbdcd5bff0a5a27cab03c001d0517eb2bcddd44282233859aef");
        let db = json!({
            "command": null, "deploy": {"replicas": 2, "resources": {}, "placement": {}}, "entrypoint": null,
            "healthcheck": {"test": ["CMD-SHELL", "true"], "interval": "1m30s"}, "image": "mainstay-test/tiny:1",
            "networks": {"default": null}, "stop_grace_period": "1s"});
        assert_eq!(of_json(db), "94baab43a0b8b511e2c5304f26151a84a340f7e79fd1bf53e483ccda0748391e");
        let limited = json!({
            "command": null, "entrypoint": null, "image": "x", "networks": {"default": null},
            "ulimits": {"core": 0, "nofile": {"soft": 1000, "hard": 2000}, "nproc": 600}});
        assert_eq!(of_json(limited), "bd221b73e4737532d615266c620478847643075ad0101e2ce8800bb6abd3fb1d");
    }
}
