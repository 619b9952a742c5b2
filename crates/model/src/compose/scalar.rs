//! How a YAML scalar reads as text where Compose wants a string: as Go prints it, because that is what
//! the container sees under the reference (`1.20` is `1.2`, `0440` is `288`).

use super::tree::{Node, Value};

/// The text of a scalar; `None` for nothing, lists and mappings.
pub fn text(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(float(*value)),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// A float as Go's `%v` prints it: the shortest digits, in the exponent form below 1e-4 and from a million on.
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let short = format!("{value:e}");
    let Some((digits, exponent)) = short.split_once('e') else { return short };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Go's `strconv.ParseBool`.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_the_reference_prints_them() {
        for (value, printed) in [
            (1.2, "1.2"),
            (1000.0, "1000"),
            (123_456_789.5, "1.234567895e+08"),
            (0.00001, "1e-05"),
            (1e6, "1e+06"),
            (-0.5, "-0.5"),
        ] {
            assert_eq!(float(value), printed);
        }
    }
}
