//! What a scalar means.
//!
//! Compose reads YAML through Go's `yaml.v3`: booleans are those of YAML 1.2 (`yes`, `on` and `no` are
//! text, so that `restart: no` keeps its meaning), but a leading zero still means octal, because
//! `mode: 0440` is written everywhere. What does not fit 64 bits becomes a float, as it does there.

use std::borrow::Cow;

use granit_parser::{ScalarStyle, Tag};

use super::super::tree::Value;

/// The reading of one scalar.
#[derive(Debug, PartialEq)]
pub(super) enum Reading {
    Value(Value),
    /// A plain date: Go makes a time of it, which no Compose key takes.
    Date,
    /// The tag asks for a type that the text does not have; the wanted kind in a person's words.
    Mismatch(&'static str),
    /// A tag that Compose has no meaning for.
    UnknownTag,
}

/// The name of a tag of YAML's own (`!!str`, `!!merge`); `None` for any other tag.
pub(super) fn yaml_name(tag: &Tag) -> Option<Cow<'_, str>> {
    tag.suffix_in_namespace("tag:yaml.org,2002:")
}

/// Reads a scalar with its style and tag.
pub(super) fn read(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Reading {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { plain(text) } else { string(text) };
    };
    let Some(kind) = yaml_name(tag) else {
        return match (tag.handle(), tag.suffix()) {
            // `! text` asks for a string.
            ("", "!") | ("!", "") => string(text),
            // Under a tag that is none of YAML's own every scalar is a text; the tag itself is read by the composer.
            ("!", "reset" | "override") => string(text),
            _ => Reading::UnknownTag,
        };
    };
    match kind.as_ref() {
        "str" => string(text),
        "int" => checked(text, "a whole number", |value| matches!(value, Value::Int(_))),
        "bool" => checked(text, "`true` or `false`", |value| matches!(value, Value::Bool(_))),
        "null" => checked(text, "nothing", |value| matches!(value, Value::Null)),
        "float" => match plain(text) {
            Reading::Value(Value::Int(number)) => Reading::Value(Value::Float(number as f64)),
            Reading::Value(Value::Float(number)) => Reading::Value(Value::Float(number)),
            _ => Reading::Mismatch("a number"),
        },
        "timestamp" => Reading::Date,
        "merge" => string(text),
        _ => Reading::UnknownTag,
    }
}

fn string(text: &str) -> Reading {
    Reading::Value(Value::String(text.to_owned()))
}

fn checked(text: &str, wanted: &'static str, fits: impl Fn(&Value) -> bool) -> Reading {
    match plain(text) {
        Reading::Value(value) if fits(&value) => Reading::Value(value),
        _ => Reading::Mismatch(wanted),
    }
}

/// Reads a scalar that stands without quotes and without a tag.
fn plain(text: &str) -> Reading {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
        _ => match text.as_bytes()[0] {
            b'0'..=b'9' | b'+' | b'-' | b'.' => {
                if is_date(text) {
                    return Reading::Date;
                }
                number(text).unwrap_or_else(|| Value::String(text.to_owned()))
            }
            _ => Value::String(text.to_owned()),
        },
    };
    Reading::Value(value)
}

/// A number of YAML 1.1 or 1.2; underscores between digits are for the eye.
fn number(text: &str) -> Option<Value> {
    if text.len() > 512 {
        return None;
    }
    let stripped: String;
    let text = if text.starts_with('.') || !text.contains('_') {
        text
    } else {
        stripped = text.replace('_', "");
        stripped.as_str()
    };
    integer(text).map(Value::Int).or_else(|| float(text).map(Value::Float))
}

/// A whole number in base 10, 16 (`0x`), 8 (`0o` or a leading zero) or 2 (`0b`) that fits 64 bits.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// Digits with an optional point and exponent; the words that Rust also takes (`inf`) are text here.
fn float(text: &str) -> Option<f64> {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return None;
        }
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Whether Go reads the text as a time: a date of four, two and two digits, perhaps with an hour.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let Some((month, rest)) = text[5..].split_once('-') else { return false };
    let day_length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (day, clock) = rest.split_at(day_length);
    let year: u32 = text[..4].parse().unwrap_or(0);
    is_day(year, month, day) && (clock.is_empty() || is_clock(clock))
}

fn is_day(year: u32, month: &str, day: &str) -> bool {
    let small = |part: &str| {
        let plain = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if plain { part.parse::<u32>().ok() } else { None }
    };
    let (Some(month), Some(day)) = (small(month), small(day)) else { return false };
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=longest).contains(&day)
}

/// `T21:59:43.10-05:00`, the same with `t`, or ` 21:59:43.10` without a zone.
fn is_clock(text: &str) -> bool {
    let zoned = text.starts_with(['T', 't']);
    if !zoned && !text.starts_with(' ') {
        return false;
    }
    let body = text[1..].trim_start_matches(' ');
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(body.len());
    let (clock, zone) = body.split_at(end);
    let clock_fits =
        clock.split(':').count() == 3 && clock.split(':').all(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let zone_fits = match zone.as_bytes() {
        [] => !zoned,
        [b'Z'] => zoned,
        [b'+' | b'-', h1, h2, b':', m1, m2] => zoned && [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()),
        _ => false,
    };
    clock_fits && zone_fits
}
