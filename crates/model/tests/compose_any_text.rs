//! Whatever stands in a file, the readers answer; they never panic, and never run away.

use mainstay_model::compose::interpolate::{self, Interpolation};
use mainstay_model::compose::{FileId, Node, Severity, Span, bytes, cast, dotenv, duration, schema, yaml};
use proptest::prelude::*;

/// Text made of the pieces that mean something to one of the readers.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("services:\n"),
        Just("  web:\n"),
        Just("    image: x\n"),
        Just("    ports: [80]\n"),
        Just("    ulimits: {a: '1'}\n"),
        Just("\n"),
        Just(" "),
        Just("\t"),
        Just("- "),
        Just(": "),
        Just("a"),
        Just("\u{e9}"),
        Just("&a "),
        Just("*a"),
        Just("<<"),
        Just("!reset "),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("$"),
        Just("${"),
        Just(":-"),
        Just("|\n"),
        Just("---\n"),
        Just("2024-01-01"),
        Just("1.5"),
        Just("=")
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn read_all(text: &str) {
    if let Ok(documents) = yaml::parse(text.as_bytes(), FileId(0)) {
        for mut document in documents {
            let mut out = Interpolation::default();
            interpolate::interpolate(&mut document, &|_| Some("$x".into()), &mut out);
            let _ = cast::cast(&mut document);
            let _ = schema::check(&document);
        }
    }
    let _ = dotenv::parse(text.as_bytes(), FileId(0), &|_| None);
    let _ = dotenv::parse_raw(text.as_bytes(), FileId(0));
    let _ = interpolate::text(text, Span::NOWHERE, &|_| None, &mut Interpolation::default());
    let _ = (duration::parse(text), bytes::parse(text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_are_answered(text in pieces()) {
        read_all(&text);
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,80}") {
        read_all(&text);
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = yaml::parse(&bytes, FileId(0));
        let _ = dotenv::parse(&bytes, FileId(0), &|_| None);
        let _ = dotenv::parse_raw(&bytes, FileId(0));
    }

    #[test]
    fn a_doubled_dollar_guards_any_text(text in "\\PC{0,80}") {
        let mut out = Interpolation::default();
        let guarded = text.replace('$', "$$");
        prop_assert_eq!(interpolate::text(&guarded, Span::NOWHERE, &|_| None, &mut out), text);
        prop_assert!(out.diagnostics.is_empty() && out.variables.is_empty());
    }

    #[test]
    fn a_printed_duration_reads_back(nanos in 0..i64::MAX as u64) {
        let duration = std::time::Duration::from_nanos(nanos);
        prop_assert_eq!(duration::parse(&duration::print(duration)), Ok(duration));
    }

    #[test]
    fn a_double_quoted_text_is_itself(text in "[^\\pC]{0,40}") {
        let node: Node = yaml::parse(format!("a: {}", serde_json::Value::from(text.clone())).as_bytes(), FileId(0))
            .map_err(|complaints| TestCaseError::fail(format!("{complaints:?}")))?
            .remove(0);
        prop_assert_eq!(node.get("a").and_then(Node::as_str), Some(text.as_str()));
    }
}

#[test]
fn values_that_grow_by_doubling_are_refused() {
    let text = format!("A=xxxxxxxx\n{}", "A=$A$A\n".repeat(60));
    let complaints = dotenv::parse(text.as_bytes(), FileId(0), &|_| None);
    assert!(complaints.is_err_and(|list| list[0].severity == Severity::Error));
}
