//! Which services are on.

use super::scalar;
use super::tree::{Map, Node, Value};

/// The profiles of a run: those of the flags, or else those of `COMPOSE_PROFILES`. As in the reference, nothing is
/// the profile without a name.
pub fn active(flags: &[String], variable: Option<&str>) -> Vec<String> {
    if !flags.is_empty() {
        return flags.to_vec();
    }
    variable.unwrap_or_default().split(',').map(|name| name.trim().to_owned()).collect()
}

/// Whether a service is on: it has no profiles, or one of them is active; `*` stands for all.
pub fn is_on(service: &Node, active: &[String]) -> bool {
    let profiles = service.get("profiles").and_then(Node::as_list).unwrap_or_default();
    let is_active = |name: String| active.iter().any(|known| *known == name || known == "*");
    profiles.is_empty() || profiles.iter().filter_map(scalar::text).any(is_active)
}

/// Takes the services that are off out of a project and gives them back.
pub fn take_disabled(project: &mut Node, active: &[String]) -> Node {
    let mut disabled = Map::default();
    let span = project.span;
    if let Some(services) = project.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut) {
        let (on, off) = std::mem::take(&mut services.0).into_iter().partition(|(_, entry)| is_on(&entry.node, active));
        services.0 = on;
        disabled.0 = off;
    }
    Node::new(Value::Map(disabled), span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_stand_instead_of_the_variable() {
        assert_eq!(active(&["a".to_owned()], Some("b")), ["a"]);
        assert_eq!(active(&[], Some("b, c")), ["b", "c"]);
        assert_eq!(active(&[], None), [""]);
    }
}
