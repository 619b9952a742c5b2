//! Values that come out of Compose as another text than the one that was written.
//!
//! Where Compose wants a text and finds a number, it prints the number anew: `1.20` becomes `1.2`, `0440` becomes `288`.
//! The container would see the same under the reference, so that is what is done; but a person should know.

use super::diagnostic::Diagnostic;
use super::scalar;
use super::tree::{Map, Node, Sources, Span, Value};

/// Complaints of one document; the rest would only be noise.
const COMPLAINTS_MAX: usize = 20;

/// Names with texts, below a service.
const OF_SERVICE: [&[&str]; 8] = [
    &["annotations"],
    &["build", "args"],
    &["build", "labels"],
    &["deploy", "labels"],
    &["environment"],
    &["labels"],
    &["logging", "options"],
    &["sysctls"],
];
/// The same below a network or a volume.
const OF_RESOURCE: [&[&str]; 2] = [&["driver_opts"], &["labels"]];

/// Warns about every such value of a document as it was parsed.
pub fn check(document: &Node, sources: &Sources, out: &mut Vec<Diagnostic>) {
    let mut found: Vec<(Span, String)> = Vec::new();
    for (section, places) in [("services", &OF_SERVICE[..]), ("networks", &OF_RESOURCE), ("volumes", &OF_RESOURCE)] {
        for (_, entry) in document.get(section).and_then(Node::as_map).into_iter().flat_map(Map::iter) {
            for place in places {
                let map = place.iter().try_fold(&entry.node, |node, key| node.get(key)).and_then(Node::as_map);
                found.extend(map.into_iter().flat_map(Map::iter).filter_map(|(_, entry)| reading(&entry.node)));
            }
        }
    }
    if found.is_empty() {
        return;
    }
    let lines: Vec<&str> = sources.text(document.span.file).lines().collect();
    let changed = found.into_iter().filter_map(|(span, reading)| {
        let written = token(lines.get((span.line as usize).checked_sub(1)?)?, span);
        // A tag, or a quotation that a variable filled in, is no number that was written.
        let is_number = written.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-'));
        (is_number && written != reading).then(|| warning(span, written, &reading))
    });
    out.extend(changed.take(COMPLAINTS_MAX));
}

/// The text that Compose makes of a value that is none.
fn reading(node: &Node) -> Option<(Span, String)> {
    let is_other = matches!(node.value, Value::Bool(_) | Value::Int(_) | Value::Float(_));
    if is_other && node.span.is_written() { Some((node.span, scalar::text(node)?)) } else { None }
}

/// What stands at a place, up to the end of the value.
fn token(line: &str, span: Span) -> &str {
    let start = line.char_indices().nth((span.column as usize).saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let rest = &line[start..];
    &rest[..rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}')).unwrap_or(rest.len())]
}

fn warning(span: Span, written: &str, reading: &str) -> Diagnostic {
    let kind = if matches!(reading, "true" | "false") { "as true or false" } else { "as a number" };
    let message = format!("Compose reads `{written}` {kind}, and passes it on as `{reading}`");
    Diagnostic::warning("value-changed", span, message)
        .hint(format!("write \"{written}\" in quotes to pass it on as it stands, or `{reading}` if that is meant"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::yaml;

    fn warned(text: &str) -> Vec<(u32, String)> {
        let mut sources = Sources::default();
        let file = sources.add("compose.yaml", text);
        let document = yaml::parse(text.as_bytes(), file).unwrap().remove(0);
        let mut out = Vec::new();
        check(&document, &sources, &mut out);
        out.into_iter().map(|one| (one.span.column, one.message)).collect()
    }

    #[test]
    fn a_number_that_comes_out_otherwise_is_told_with_both_readings() {
        let found = warned(
            "services:\n  a:\n    environment: {A: 1.20, B: 0440, C: 1, D: 1.5, E: '1.20', F: True, G: yes, H: 1e3, I: }\n",
        );
        let readings = [(22, "1.20", "1.2"), (31, "0440", "288"), (65, "True", "true"), (82, "1e3", "1000")];
        let wanted = readings.map(|(column, written, reading)| {
            let kind = if reading == "true" { "as true or false" } else { "as a number" };
            (column, format!("Compose reads `{written}` {kind}, and passes it on as `{reading}`"))
        });
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_wants_a_number_is_left_alone() {
        assert!(warned("services: {a: {cpus: 1.50, deploy: {replicas: 02}}}\n").is_empty());
        assert_eq!(warned("volumes: {v: {labels: {a: 007}}}\n").len(), 1);
    }
}
