//! Types as the server writes them, and whether one holds less than another.

/// Whether every value of `live` is one of `wanted`, and not the other way round: what fits into the wanted type may not
/// fit into the live one.
pub fn is_narrower(live: &str, wanted: &str) -> bool {
    let (Some(live), Some(wanted)) = (Width::of(live), Width::of(wanted)) else { return false };
    match (live, wanted) {
        (Width::Integer(live), Width::Integer(wanted)) | (Width::Float(live), Width::Float(wanted)) => live < wanted,
        (Width::Integer(_), Width::Numeric(None)) => true,
        (Width::Integer(digits), Width::Numeric(Some((precision, scale)))) => digits <= precision.saturating_sub(scale),
        (Width::Numeric(Some(_)), Width::Numeric(None)) => true,
        (Width::Numeric(Some(live)), Width::Numeric(Some(wanted))) => {
            let whole = |(precision, scale): (u32, u32)| precision.saturating_sub(scale);
            live != wanted && whole(live) <= whole(wanted) && live.1 <= wanted.1
        }
        (Width::Text(Some(_)), Width::Text(None)) => true,
        (Width::Text(Some(live)), Width::Text(Some(wanted))) => live < wanted,
        (Width::Seconds(sort, live), Width::Seconds(other, wanted)) => sort == other && live < wanted,
        _ => false,
    }
}

/// How much a type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// Decimal digits that always fit.
    Integer(u32),
    Float(u32),
    /// Precision and scale.
    Numeric(Option<(u32, u32)>),
    Text(Option<u32>),
    /// Digits after the second, of one of the types with a time.
    Seconds(&'static str, u32),
}

impl Width {
    fn of(name: &str) -> Option<Width> {
        let (bare, numbers) = parts(name);
        let first = numbers.first().copied();
        Some(match bare.as_str() {
            "smallint" => Width::Integer(5),
            "integer" => Width::Integer(10),
            "bigint" => Width::Integer(19),
            "real" => Width::Float(4),
            "double precision" => Width::Float(8),
            "numeric" => Width::Numeric(first.map(|precision| (precision, numbers.get(1).copied().unwrap_or(0)))),
            "text" => Width::Text(None),
            "character varying" | "character" => Width::Text(first),
            "timestamp with time zone" => Width::Seconds("timestamptz", first.unwrap_or(6)),
            "timestamp without time zone" => Width::Seconds("timestamp", first.unwrap_or(6)),
            "time without time zone" => Width::Seconds("time", first.unwrap_or(6)),
            _ => return None,
        })
    }
}

/// `numeric(12,2)` as its name and its numbers; the parentheses may stand in the middle.
fn parts(name: &str) -> (String, Vec<u32>) {
    let Some((before, rest)) = name.split_once('(') else { return (name.to_owned(), Vec::new()) };
    let Some((numbers, after)) = rest.split_once(')') else { return (name.to_owned(), Vec::new()) };
    let numbers = numbers.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    (format!("{}{after}", before.trim_end()), numbers)
}
