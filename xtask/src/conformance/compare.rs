//! Two answers beside each other.

use serde_json::Value as Json;

use super::answer::Answer;
use super::report::Verdict;

/// Field by field.
pub fn json(ours: Answer, theirs: Answer) -> Verdict {
    match (ours, theirs) {
        (Answer::Broke(ours), _) => Verdict::Broke { ours },
        (ours, Answer::Broke(theirs)) => json(ours, Answer::Refused(theirs)),
        (Answer::Refused(ours), Answer::Refused(theirs)) => Verdict::RefusedByBoth { ours, theirs },
        (Answer::Refused(ours), Answer::Printed(_)) => Verdict::RefusedByUs { ours },
        (Answer::Printed(_), Answer::Refused(theirs)) => Verdict::TakenByUs { theirs },
        (Answer::Printed(ours), Answer::Printed(theirs)) => {
            let read = |who: &str, text: &str| {
                serde_json::from_str::<Json>(text).map_err(|error| format!("{who} is no JSON: {error}"))
            };
            let fields = match (read("our answer", &ours), read("the reference's answer", &theirs)) {
                (Ok(ours), Ok(theirs)) => {
                    let mut fields = Vec::new();
                    differences(&ours, &theirs, "", &mut fields);
                    fields
                }
                (Err(problem), _) | (_, Err(problem)) => vec![problem],
            };
            if fields.is_empty() { Verdict::Same } else { Verdict::Differs { fields } }
        }
    }
}

/// Byte for byte.
pub fn text(ours: &Answer, theirs: &Answer) -> Verdict {
    let (Answer::Printed(ours), Answer::Printed(theirs)) = (ours, theirs) else {
        return Verdict::Differs { fields: vec!["one of the two prints JSON and no YAML".to_owned()] };
    };
    if ours == theirs {
        return Verdict::Same;
    }
    let longest = ours.lines().count().max(theirs.lines().count());
    let pad = |text: &str| -> Vec<String> {
        text.lines().map(str::to_owned).chain(std::iter::repeat("(nothing)".to_owned())).take(longest + 1).collect()
    };
    let (ours, theirs) = (pad(ours), pad(theirs));
    let at = ours.iter().zip(&theirs).position(|(a, b)| a != b).unwrap_or(longest);
    Verdict::Differs {
        fields: vec![format!(
            "YAML, line {}: ours `{}`, theirs `{}`",
            at + 1,
            ours[at].trim_end(),
            theirs[at].trim_end()
        )],
    }
}

fn differences(ours: &Json, theirs: &Json, place: &str, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Json::Object(a), Json::Object(b)) => {
            for (key, value) in b {
                match a.get(key) {
                    None => found.push(format!("{place}.{key}: ours has none, theirs {value}")),
                    Some(own) => differences(own, value, &format!("{place}.{key}"), found),
                }
            }
            let more = a.iter().filter(|(key, _)| !b.contains_key(*key));
            found.extend(more.map(|(key, value)| format!("{place}.{key}: ours {value}, theirs has none")));
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(at, (a, b))| differences(a, b, &format!("{place}[{at}]"), found));
        }
        (Json::Number(a), Json::Number(b)) if a.as_f64() == b.as_f64() => {}
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{place}: ours {a}, theirs {b}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> Answer {
        Answer::Printed(text.to_owned())
    }

    fn fields(verdict: Verdict) -> Vec<String> {
        if let Verdict::Differs { fields } = verdict { fields } else { Vec::new() }
    }

    #[test]
    fn every_field_that_differs_is_named_and_numbers_are_compared_by_value() {
        let ours = r#"{"a": {"b": 1, "c": [1, 2]}, "d": 2.0}"#;
        let theirs = r#"{"a": {"b": 2, "c": [1, 3]}, "d": 2, "e": null}"#;
        let found = fields(json(printed(ours), printed(theirs)));
        assert_eq!(found, [".a.b: ours 1, theirs 2", ".a.c[1]: ours 2, theirs 3", ".e: ours has none, theirs null"]);
        assert!(matches!(json(printed(ours), printed(ours)), Verdict::Same));
    }

    #[test]
    fn the_first_differing_line_of_a_text_is_named() {
        let found = fields(text(&printed("a\nb\n"), &printed("a\nb\nc\n")));
        assert_eq!(found, ["YAML, line 3: ours `(nothing)`, theirs `c`"]);
        assert!(matches!(text(&printed("a\n"), &printed("a\n")), Verdict::Same));
        assert!(matches!(text(&printed("a\n"), &printed("a")), Verdict::Differs { .. }));
    }

    #[test]
    fn who_refuses_is_told_apart() {
        let refused = || Answer::Refused("no".to_owned());
        assert!(matches!(json(refused(), refused()), Verdict::RefusedByBoth { .. }));
        assert!(matches!(json(refused(), printed("{}")), Verdict::RefusedByUs { .. }));
        assert!(matches!(json(printed("{}"), refused()), Verdict::TakenByUs { .. }));
        let broke = || Answer::Broke("a panic".to_owned());
        assert!(matches!(json(broke(), refused()), Verdict::Broke { .. }));
        assert!(matches!(json(refused(), broke()), Verdict::RefusedByBoth { .. }));
    }
}
