//! What to write instead of a value of the wrong kind.

use super::super::tree::{Map, Value};
use super::super::yaml::suspect::spaced;
use super::shape::{BOOL, FREE_TEXT, Fields, INT, NUMBER, Shape, TEXT};
use super::walk::plain_text;

/// Keys whose value is a duration.
const DURATIONS: &[&str] =
    &["stop_grace_period", "interval", "timeout", "start_period", "start_interval", "delay", "window", "monitor"];

/// Keys that hold `KEY: value` lines or a list of `KEY=value`.
const PAIRS: &[&str] = &["environment", "labels", "args", "annotations", "sysctls"];

/// Longer texts are not repeated.
const LONGEST_SHOWN: usize = 60;

/// A number without a unit where a duration belongs.
pub(super) fn is_bare_duration(path: &[String], found: &Value) -> bool {
    matches!(found, Value::Int(_) | Value::Float(_)) && is_one_of(path.last(), DURATIONS)
}

pub(super) fn remedy(path: &[String], shape: &Shape, found: &Value) -> Option<String> {
    match found {
        Value::Null => Some(of_nothing(shape).to_owned()),
        Value::List(items) => {
            let texts: Option<Vec<String>> = items.iter().map(|item| plain_text(&item.value)).collect();
            of_list(path, shape, &texts.filter(|texts| !texts.is_empty()).unwrap_or_default())
        }
        Value::Map(map) => of_map(path, shape, map),
        scalar if is_bare_duration(path, scalar) => {
            plain_text(scalar).map(|text| format!("write the unit as well: `{text}s` for seconds"))
        }
        Value::String(text) => of_text(path, shape, text),
        scalar => of_scalar(shape, scalar),
    }
}

fn of_nothing(shape: &Shape) -> &'static str {
    match noun(shape) {
        "a service" => "say what it runs in an indented line below: `image: …`, or take the name away",
        "a secret" | "a config" => "say where its content is in an indented line below: `file: ./path`",
        _ => "give it a value, or take the key away",
    }
}

fn of_list(path: &[String], shape: &Shape, texts: &[String]) -> Option<String> {
    if shape.map.is_some() {
        return Some("write `key: value` lines, without the `- ` in front".into());
    }
    let is_text = shape.scalars & TEXT != 0;
    is_text.then(|| match texts {
        [] => "write one value in the line of the key".into(),
        [one] => format!("write the value itself: `{one}`"),
        _ if !is_one_of(path.len().checked_sub(2).and_then(|above| path.get(above)), PAIRS) => {
            "write one value in the line of the key".into()
        }
        many => format!("write one text in the line of the key, such as \"{}\"", short(&many.join(","))),
    })
}

fn of_map(path: &[String], shape: &Shape, map: &Map) -> Option<String> {
    let single = map.iter().next().filter(|_| map.len() == 1);
    let pair = single.and_then(|(key, entry)| plain_text(&entry.node.value).map(|value| (key, value)));
    if let Some((key, value)) = &pair
        && is_one_of(path.len().checked_sub(2).and_then(|above| path.get(above)), PAIRS)
    {
        return Some(if path.last().is_some_and(|step| step.starts_with('[')) {
            format!("write `- {key}={value}`, or all of them as `{key}: {value}` without the `- `")
        } else {
            format!("each name has one value; put it in quotes if it is one text: \"{key}: {value}\"")
        });
    }
    if shape.list.is_some() {
        return Some("write a list: each entry in a line that starts with `- `".into());
    }
    let is_text = shape.scalars & TEXT != 0;
    is_text.then(|| match pair {
        Some((key, value)) => format!("put it in quotes if it is one text: \"{key}: {value}\""),
        None => "write one text in the line of the key; if the lines below are no part of it, check their indentation"
            .into(),
    })
}

fn of_text(path: &[String], shape: &Shape, text: &str) -> Option<String> {
    if shape.map.is_some() || shape.list.is_some() {
        if let Some(mended) = spaced(text) {
            return Some(format!("put a space behind the `:`: `{}`", short(&mended)));
        }
        if let Some(item) = text.strip_prefix('-').filter(|_| shape.list.is_some()) {
            let first = item.split(" -").next().unwrap_or_default();
            return Some(format!("put a space behind each `-`: `- {}`", short(first)));
        }
        if text.contains('=') && is_one_of(path.last(), PAIRS) {
            let first = text.split_whitespace().next().unwrap_or_default();
            return Some(format!("write each in a line of its own: `{}`", short(&first.replacen('=', ": ", 1))));
        }
    }
    match noun(shape) {
        "a service" => Some(format!("write what it runs in an indented line below: `image: {}`", short(text))),
        "a dependency" => Some(format!("write `{{ condition: {} }}`", short(text))),
        "`logging`" => Some(format!("write `{{ driver: {} }}`", short(text))),
        _ => of_scalar(shape, &Value::String(text.to_owned())),
    }
}

fn of_scalar(shape: &Shape, scalar: &Value) -> Option<String> {
    let text = plain_text(scalar)?;
    if shape.scalars & (BOOL | NUMBER | INT) == BOOL {
        return Some("write `true` or `false`".into());
    }
    if shape.scalars & (NUMBER | INT) != 0 && shape.scalars & FREE_TEXT != FREE_TEXT {
        // A number or a flag in quotes would pass here and fail where it is used.
        return Some("write a number, without a unit and without quotes".into());
    }
    if shape.scalars & TEXT != 0 {
        return Some(format!("put it in quotes: \"{text}\""));
    }
    if shape.list.is_some() {
        return Some(format!("write a list: `[\"{}\"]`", short(&text)));
    }
    shape.map.map(|_| "write `key: value` lines below it, indented".into())
}

/// What the records of a shape are called.
fn noun(shape: &Shape) -> &'static str {
    match shape.map {
        Some(Fields::Record(record)) => record.noun,
        _ => "",
    }
}

fn is_one_of(step: Option<&String>, words: &[&str]) -> bool {
    step.is_some_and(|step| words.contains(&step.as_str()))
}

fn short(text: &str) -> String {
    if text.chars().count() > LONGEST_SHOWN { "…".into() } else { text.replace('\n', " ") }
}
