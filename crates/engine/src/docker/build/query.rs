//! What a build is asked for with, apart from its files.

use std::collections::BTreeSet;

use mainstay_model::declared::Hidden;
use serde_json::{Value, json};

use super::Order;

/// The words that both builders understand.
pub(super) fn common(order: &Order<'_>, dockerfile: &str) -> Vec<(&'static str, String)> {
    let Order { build, service, image, .. } = order;
    let tags: BTreeSet<&str> = [*image].into_iter().chain(build.tags.iter().map(String::as_str)).collect();
    let mut query: Vec<(&'static str, String)> = tags.into_iter().map(|tag| ("t", tag.to_owned())).collect();
    query.push(("dockerfile", dockerfile.to_owned()));
    query.extend(build.target.clone().map(|target| ("target", target)));
    if !build.args.is_empty() {
        let args: serde_json::Map<_, _> =
            build.args.iter().map(|(name, value)| (name.clone(), json!(value.as_ref().map(Hidden::reveal)))).collect();
        query.push(("buildargs", Value::Object(args).to_string()));
    }
    if !build.labels.is_empty() {
        query.push(("labels", json!(build.labels).to_string()));
    }
    let cache_from: Vec<&str> = build.cache_from.iter().filter_map(|from| cached_image(from)).collect();
    if !cache_from.is_empty() {
        query.push(("cachefrom", json!(cache_from).to_string()));
    }
    query.extend(build.extra_hosts.iter().map(|host| ("extrahosts", host.clone())));
    query.extend(build.network.clone().map(|network| ("networkmode", network)));
    query.extend(build.shm_size_bytes.map(|bytes| ("shmsize", bytes.to_string())));
    if !build.ulimits.is_empty() {
        let ulimits = build.ulimits.iter().map(|(name, l)| json!({"Name": name, "Soft": l.soft, "Hard": l.hard}));
        query.push(("ulimits", Value::Array(ulimits.collect()).to_string()));
    }
    query.extend(build.no_cache.then(|| ("nocache", "1".to_owned())));
    query.extend(build.pull.then(|| ("pull", "1".to_owned())));
    let platform = build.platforms.first().or(service.platform.as_ref());
    query.extend(platform.map(|platform| ("platform", platform.clone())));
    query
}

/// The image of `acme/web:cache` and of `type=registry,ref=acme/web:cache`. The engine's own builder reads a cache
/// from nowhere else.
fn cached_image(from: &str) -> Option<&str> {
    if !from.contains('=') {
        return Some(from);
    }
    let mut pairs = from.split(',').filter_map(|pair| pair.split_once('='));
    let is_registry = pairs.clone().any(|pair| pair == ("type", "registry"));
    pairs.find(|(key, _)| is_registry && *key == "ref").map(|(_, image)| image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_an_image() {
        assert_eq!(cached_image("acme/web:1"), Some("acme/web:1"));
        assert_eq!(cached_image("type=registry,ref=acme/web:1"), Some("acme/web:1"));
        assert_eq!(cached_image("type=local,src=/tmp"), None);
    }
}
