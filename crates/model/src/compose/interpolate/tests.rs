use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::*;
use crate::compose::diagnostic::Severity;

fn lookup(name: &str) -> Option<String> {
    match name {
        "SET" => Some("val".into()),
        "EMPTY" => Some(String::new()),
        "_dollar" => Some("$SET".into()),
        _ => None,
    }
}

fn run(input: &str) -> (String, Interpolation) {
    let mut out = Interpolation::default();
    let text = text(input, Span::NOWHERE, &lookup, &mut out);
    (text, out)
}

fn refused(out: &Interpolation) -> Option<&str> {
    out.diagnostics.iter().find(|d| d.severity == Severity::Error).map(|d| d.message.as_str())
}

#[test]
fn every_form_gives_its_value() {
    let cases = [
        ("$SET-x", "val-x"),
        ("${SET}/${SET}", "val/val"),
        ("${NONE:-a}${EMPTY:-b}${EMPTY-c}${NONE-d}", "abd"),
        ("${SET:+a}${EMPTY:+b}${EMPTY+c}${NONE+d}", "ac"),
        ("${SET:?no}${EMPTY?no}", "val"),
        ("$$SET $${SET} $$$SET", "$SET ${SET} $val"),
        ("${NONE:-${EMPTY:-x}y}z", "xyz"),
        ("${NONE:-{\"k\":{\"a\":1}}}", "{\"k\":{\"a\":1}}"),
        ("${NONE:-{}}", "{}"),
        ("${NONE-:2283:2283}", ":2283:2283"),
        ("^a$|b$1 $é $", "^a$|b$1 $é $"),
        ("${NONE:-$}", "$"),
        ("${NONE:-a}b}", "ab}"),
        ("a\n${SET}\nb", "a\nval\nb"),
        ("$_dollar ${NONE:-$$SET}", "$SET $SET"),
    ];
    for (input, wanted) in cases {
        let (text, out) = run(input);
        assert_eq!((text.as_str(), refused(&out)), (wanted, None), "{input}");
    }
}

#[test]
fn what_is_no_variable_is_refused() {
    for input in
        ["${", "${}", "${SET", "${1A}", "${SET.x}", "${SET:x}", "${SET!}", "${NONE:=d}", "${NONE :-d}", "${SET:-a\nb}"]
    {
        let (text, out) = run(input);
        assert_eq!(text, input);
        assert!(refused(&out).is_some_and(|m| m.contains("is not a variable")), "{input}: {:?}", out.diagnostics);
    }
}

#[test]
fn a_required_variable_says_why() {
    let (_, out) = run("${NONE:?ask ${SET}}");
    assert_eq!(refused(&out), Some("the variable `NONE` is required and has no value: ask val"));
    let (_, out) = run("${EMPTY:?}");
    assert_eq!(refused(&out), Some("the variable `EMPTY` is required and has no value"));
}

#[test]
fn an_unset_variable_warns_once() {
    let (_, out) = run("$NONE ${NONE} ${OTHER} ${SET} ${NONE2:-x}");
    let messages: Vec<&str> = out.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the variable `NONE` is not set: an empty text takes its place",
            "the variable `OTHER` is not set: an empty text takes its place"
        ]
    );
}

#[test]
fn uses_are_recorded_with_default_and_duty() {
    let (_, out) = run("$A ${B:-b${C}} ${D:?why}");
    let uses: Vec<_> = out.variables.iter().map(|v| (v.name.as_str(), v.default.as_deref(), v.required)).collect();
    assert_eq!(uses, [("A", None, false), ("B", Some("b${C}"), false), ("C", None, false), ("D", None, true)]);
}

#[test]
fn a_tree_keeps_its_keys() {
    let mut map = crate::compose::Map::default();
    map.set("$SET", Node::new(Value::List(vec![Node::string("$SET", Span::NOWHERE)]), Span::NOWHERE));
    let mut node = Node::new(Value::Map(map), Span::NOWHERE);
    interpolate(&mut node, &lookup, &mut Interpolation::default());
    let item = node.get("$SET").and_then(Node::as_list).and_then(|items| items[0].as_str());
    assert_eq!(item, Some("val"));
}

#[test]
fn hostile_texts_end_soon() {
    let deep = format!("{}x{}", "${A:-".repeat(100_000), "}".repeat(100_000));
    assert!(refused(&run(&deep).1).is_some());
    let wide = "${A:-}".repeat(200_000);
    assert_eq!(run(&wide).0, "");
    let open = format!("{}}}", "${A:-{".repeat(100_000));
    let _ = run(&open);
    let dollars = "$".repeat(1_000_000);
    assert_eq!(run(&dollars).0.len(), 500_000);
}

/// The reference's own answers, when the corpus is at hand: `MAINSTAY_CORPUS=<folder>`.
#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test reads the corpus and says when it cannot"
)]
fn the_reference_agrees() {
    let Ok(corpus) = std::env::var("MAINSTAY_CORPUS") else {
        eprintln!("SKIPPED: set MAINSTAY_CORPUS to compare with the reference's answers");
        return;
    };
    let json = std::fs::read_to_string(format!("{corpus}/expected/interpolation.json")).unwrap();
    let cases: Vec<BTreeMap<String, Json>> = serde_json::from_str(&json).unwrap();
    assert_eq!(cases.len(), 78);
    for case in &cases {
        let input = case["in"].as_str().unwrap();
        let (text, out) = run(input);
        match case.get("ok").and_then(Json::as_str) {
            Some(wanted) => assert_eq!((text.as_str(), refused(&out)), (wanted, None), "{input}"),
            None => assert!(refused(&out).is_some(), "{input} gave {text}"),
        }
    }
}
