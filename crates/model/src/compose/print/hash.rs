//! Compose's hash of a service: what its `config-hash` label holds.
//!
//! The SHA-256 of the service as Go writes it in JSON, in one line and with `$` as it is meant, without what says how
//! many containers there are, when they start, and where their image comes from.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// What may differ between two containers that Compose calls the same.
const LEFT_OUT: [&str; 5] = ["build", "pull_policy", "scale", "depends_on", "profiles"];

/// The hash of a service as [`super::to_json`] prints it.
pub(super) fn of_service(printed: &Value) -> String {
    let mut service = printed.clone();
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
    let text = escaped(&unescaped(service).to_string());
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Printing has doubled every `$`.
fn unescaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("$$", "$")),
        Value::Array(list) => Value::Array(list.into_iter().map(unescaped).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key.replace("$$", "$"), unescaped(value))).collect())
        }
        other => other,
    }
}

/// Go's JSON is safe to stand in a web page. These characters occur in texts only, so the whole may be replaced.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => out.push(other),
        }
    }
    out
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
        assert_eq!(of_service(&web), "6b4d9355a839dbbdcd5bff0a5a27cab03c001d0517eb2bcddd44282233859aef");
        let db = json!({
            "command": null, "deploy": {"replicas": 2, "resources": {}, "placement": {}}, "entrypoint": null,
            "healthcheck": {"test": ["CMD-SHELL", "true"], "interval": "1m30s"}, "image": "mainstay-test/tiny:1",
            "networks": {"default": null}, "stop_grace_period": "1s"});
        assert_eq!(of_service(&db), "94baab43a0b8b511e2c5304f26151a84a340f7e79fd1bf53e483ccda0748391e");
        let limited = json!({
            "command": null, "entrypoint": null, "image": "x", "networks": {"default": null},
            "ulimits": {"core": 0, "nofile": {"soft": 1000, "hard": 2000}, "nproc": 600}});
        assert_eq!(of_service(&limited), "bd221b73e4737532d615266c620478847643075ad0101e2ce8800bb6abd3fb1d");
    }
}
