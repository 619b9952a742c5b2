//! Strings that interpolation left where Compose wants a number or a boolean.
//!
//! `${REPLICAS}` is a string to YAML, so after interpolation a fixed list of places is read again. The
//! list is the reference's; every other place takes strings as they are, or checks them later. Quoted
//! literals (`privileged: "true"`) go the same way.

use std::borrow::Cow;

use super::diagnostic::Diagnostic;
use super::tree::{Node, Span, Value};

/// Complaints of one file; the rest would only be noise.
const COMPLAINTS_MAX: usize = 100;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Int,
    Float,
    Bool,
}
use Kind::{Bool, Float, Int};

/// Places below one service. `*` is any key of a mapping, `[]` any item of a list.
const SERVICE: &[(&str, Kind)] = &[
    ("cpu_count", Int),
    ("cpu_percent", Float),
    ("cpu_period", Int),
    ("cpu_quota", Int),
    ("cpu_rt_period", Int),
    ("cpu_rt_runtime", Int),
    ("cpu_shares", Int),
    ("cpus", Float),
    ("deploy.placement.max_replicas_per_node", Int),
    ("deploy.replicas", Int),
    ("deploy.restart_policy.max_attempts", Int),
    ("deploy.rollback_config.max_failure_ratio", Float),
    ("deploy.rollback_config.parallelism", Int),
    ("deploy.update_config.max_failure_ratio", Float),
    ("deploy.update_config.parallelism", Int),
    ("healthcheck.disable", Bool),
    ("healthcheck.retries", Int),
    ("init", Bool),
    ("oom_kill_disable", Bool),
    ("oom_score_adj", Int),
    ("pids_limit", Int),
    ("ports.[].target", Int),
    ("privileged", Bool),
    ("read_only", Bool),
    ("scale", Int),
    ("stdin_open", Bool),
    ("tty", Bool),
    ("ulimits.*", Int),
    ("ulimits.*.hard", Int),
    ("ulimits.*.soft", Int),
    ("volumes.[].read_only", Bool),
    ("volumes.[].volume.nocopy", Bool),
];

/// Places below the other parts of a project.
const ELSEWHERE: &[(&str, Kind)] = &[
    ("configs.*.external", Bool),
    ("networks.*.attachable", Bool),
    ("networks.*.enable_ipv4", Bool),
    ("networks.*.enable_ipv6", Bool),
    ("networks.*.external", Bool),
    ("networks.*.internal", Bool),
    ("secrets.*.external", Bool),
    ("volumes.*.external", Bool),
];

/// Turns strings on Compose's fixed list of paths into numbers and booleans.
/// `project` is one whole file (its root mapping), after interpolation and before merging.
pub fn cast(project: &mut Node) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let Some(root) = project.as_map_mut() else { return out };
    if let Some(services) = root.get_mut("services").and_then(Node::as_map_mut) {
        for entry in services.0.values_mut() {
            for (path, kind) in SERVICE {
                walk(&mut entry.node, path, *kind, &mut out);
            }
        }
    }
    for (path, kind) in ELSEWHERE {
        walk(project, path, *kind, &mut out);
    }
    out
}

/// Follows one path; every string at its end is cast.
fn walk(node: &mut Node, path: &str, kind: Kind, out: &mut Vec<Diagnostic>) {
    let (step, rest) = match path.split_once('.') {
        Some((step, rest)) => (step, Some(rest)),
        None => (path, None),
    };
    let mut visit = |name: &str, child: &mut Node| match rest {
        Some(rest) => walk(child, rest, kind, out),
        None => settle(name, child, kind, out),
    };
    match (step, &mut node.value) {
        ("*", Value::Map(map)) => {
            for (name, entry) in &mut map.0 {
                visit(name, &mut entry.node);
            }
        }
        ("[]", Value::List(items)) => items.iter_mut().for_each(|item| visit(step, item)),
        (name, Value::Map(map)) => {
            if let Some(child) = map.get_mut(name) {
                visit(name, child);
            }
        }
        _ => {}
    }
}

fn settle(name: &str, node: &mut Node, kind: Kind, out: &mut Vec<Diagnostic>) {
    let Value::String(text) = &node.value else { return };
    if out.len() >= COMPLAINTS_MAX {
        return;
    }
    let value = match kind {
        Int => text.parse::<i64>().ok().map(|number| Value::Int(number.into())),
        Float => float(text).map(Value::Float),
        Bool => boolean(text).map(Value::Bool),
    };
    let Some(value) = value else {
        let wanted = match kind {
            Int => "a whole number",
            Float => "a number",
            Bool => "`true` or `false`",
        };
        let message = if text.is_empty() {
            format!("`{name}` must be {wanted}, but it is empty")
        } else {
            format!("`{name}` must be {wanted}, not `{text}`")
        };
        let complaint = Diagnostic::error("wrong-type", node.span, message);
        let hint = "when it comes from a variable, give the variable a value or a default: `${NAME:-1}`";
        out.push(complaint.hint(match kind {
            _ if text.is_empty() => hint.to_owned(),
            Int => format!("write `{name}: 3`, or another whole number"),
            Float => format!("write `{name}: 0.5`, or another number"),
            Bool => format!("write `{name}: true` or `{name}: false`"),
        }));
        return;
    };
    if let Value::Bool(value) = value {
        out.extend(old_boolean(name, text, value, node.span));
    }
    node.value = value;
}

/// The warning about a boolean that is not written as one.
pub fn old_boolean(name: &str, text: &str, value: bool, at: Span) -> Option<Diagnostic> {
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return None;
    }
    let message = format!("`{text}` is an old way to write `{value}`");
    Some(Diagnostic::warning("old-boolean", at, message).hint(format!("write `{name}: {value}`")))
}

/// A number as Go reads it from a text: underscores between digits are for the eye.
pub fn float(text: &str) -> Option<f64> {
    without_underscores(text)?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// `None` when an underscore is not between two digits.
pub fn without_underscores(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let digit = |part: Option<u8>| part.is_some_and(|byte| byte.is_ascii_digit());
    let parts: Vec<&[u8]> = text.as_bytes().split(|byte| *byte == b'_').collect();
    let between = parts.windows(2).all(|pair| digit(pair[0].last().copied()) && digit(pair[1].first().copied()));
    between.then(|| Cow::Owned(text.replace('_', "")))
}

/// The booleans of YAML 1.1, which the reference still takes where it wants a boolean and finds a text.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Some(true),
        "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::diagnostic::Severity;
    use crate::compose::{FileId, yaml};

    fn cast_text(text: &str) -> (Node, Vec<Diagnostic>) {
        let mut node = yaml::parse(text.as_bytes(), FileId(0)).unwrap().remove(0);
        let complaints = cast(&mut node);
        (node, complaints)
    }

    fn at<'n>(node: &'n Node, path: &str) -> &'n Value {
        let last = path.split('.').fold(node, |node, step| match step.parse::<usize>() {
            Ok(index) => &node.as_list().unwrap()[index],
            Err(_) => node.get(step).unwrap(),
        });
        &last.value
    }

    #[test]
    fn strings_on_the_list_get_their_type() {
        let (node, complaints) = cast_text(
            "services:\n  web:\n    cpus: '0.5'\n    scale: '+3'\n    init: 'TRUE'\n    user: '1000'\n    ulimits: {nofile: '5', core: {soft: '1', hard: 2}}\n    ports: ['80', {target: '80', published: '8080'}]\n    volumes: [{type: volume, read_only: 'false', volume: {nocopy: 'true'}}]\nnetworks: {n: {external: 'true'}}\n",
        );
        assert_eq!(complaints, []);
        let text = |text: &str| Value::String(text.into());
        for (path, value) in [
            ("services.web.cpus", Value::Float(0.5)),
            ("services.web.scale", Value::Int(3)),
            ("services.web.init", Value::Bool(true)),
            ("services.web.user", text("1000")),
            ("services.web.ulimits.nofile", Value::Int(5)),
            ("services.web.ulimits.core.soft", Value::Int(1)),
            ("services.web.ports.0", text("80")),
            ("services.web.ports.1.target", Value::Int(80)),
            ("services.web.ports.1.published", text("8080")),
            ("services.web.volumes.0.read_only", Value::Bool(false)),
            ("services.web.volumes.0.volume.nocopy", Value::Bool(true)),
            ("networks.n.external", Value::Bool(true)),
        ] {
            assert_eq!(at(&node, path), &value, "{path}");
        }
    }

    #[test]
    fn old_booleans_warn_and_count() {
        let (node, complaints) = cast_text("services: {web: {tty: 'yes', read_only: off}}\n");
        assert_eq!(at(&node, "services.web.tty"), &Value::Bool(true));
        assert_eq!(at(&node, "services.web.read_only"), &Value::Bool(false));
        assert!(complaints.iter().all(|c| c.severity == Severity::Warning && c.code == "old-boolean"));
        assert_eq!(complaints.len(), 2);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        let (_, complaints) = cast_text("services:\n  web:\n    scale: many\n    privileged: ''\n");
        let seen: Vec<_> = complaints.iter().map(|c| (c.message.as_str(), c.span.line)).collect();
        assert_eq!(
            seen,
            [
                ("`privileged` must be `true` or `false`, but it is empty", 4),
                ("`scale` must be a whole number, not `many`", 3)
            ]
        );
    }
}
