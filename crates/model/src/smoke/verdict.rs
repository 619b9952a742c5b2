//! The verdict: a check and what was answered, compared.

use http::StatusCode;

use super::answer::span;
use super::same_place::same_place;
use super::{Answer, Check, Rule};

/// So much of a body is shown.
const SHOWN_OF_A_BODY: usize = 200;

/// Why the answer is not as expected; nothing when it is.
///
/// Each reason stands for itself. What the request kept secret is taken out of what the answer says.
pub fn judge(check: &Check, answer: &Answer) -> Vec<String> {
    let expected = &check.expected;
    let mut reasons = Vec::new();
    if !expected.statuses.contains(&answer.status) {
        reasons.push(wrong_status(check, answer));
    }
    if let Some(rule) = &expected.location {
        reasons.extend(wrong_location(check, rule, answer));
    }
    for (name, rule) in &expected.headers {
        let values = answer.header(name);
        if !rule.holds(&values) {
            reasons.push(format!("expected the header `{name}` {}, {}", header_wanted(rule), said(&values)));
        }
    }
    // The body of another answer than the expected one has just been shown.
    if expected.statuses.contains(&answer.status) {
        reasons.extend(wrong_body(check, answer));
    }
    reasons.into_iter().map(|reason| veiled(check, reason)).collect()
}

/// What is good to know of an answer that is as expected.
pub fn warnings(check: &Check, answer: &Answer) -> Vec<String> {
    let ends_in = answer.certificate.and_then(|certificate| certificate.ends_in);
    let warning = |left| format!("the certificate of `{}` ends in {}, and was not renewed", check.url.host, span(left));
    ends_in.map(warning).into_iter().collect()
}

fn wrong_status(check: &Check, answer: &Answer) -> String {
    let wanted: Vec<String> = check.expected.statuses.iter().map(u16::to_string).collect();
    let mut reason = format!("expected {}, answered {}", wanted.join(" or "), status(answer.status));
    match answer.header("location").first() {
        Some(location) => reason += &format!(", to `{location}`"),
        None => reason += &excerpt(answer).map_or(String::new(), |text| format!(": {text}")),
    }
    reason
}

/// `502 `Bad Gateway``.
fn status(status: u16) -> String {
    let words = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    words.map_or(status.to_string(), |words| format!("{status} `{words}`"))
}

fn wrong_location(check: &Check, rule: &Rule, answer: &Answer) -> Option<String> {
    let given = answer.header("location");
    let holds = match rule {
        Rule::Is(wanted) => given.iter().any(|given| same_place(&check.url, wanted, given)),
        other => other.holds(&given),
    };
    if holds {
        return None;
    }
    let is = given.first().map_or("there is none".to_owned(), |given| format!("it is `{given}`"));
    Some(format!("expected the location {}, {is}", rule_wanted(rule)))
}

fn rule_wanted(rule: &Rule) -> String {
    match rule {
        Rule::Is(text) => format!("`{text}`"),
        other => format!("to be {}", other.wanted()),
    }
}

fn header_wanted(rule: &Rule) -> String {
    match rule {
        Rule::Present | Rule::Absent => rule.wanted(),
        other => format!("to be {}", other.wanted()),
    }
}

fn said(values: &[&str]) -> String {
    if values.is_empty() {
        return "it is not there".to_owned();
    }
    format!("it is {}", values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "))
}

fn wrong_body(check: &Check, answer: &Answer) -> Option<String> {
    let expected = &check.expected;
    let missing = expected.contains.iter().filter(|part| !answer.body.contains(part.as_str()));
    let mut wanted: Vec<String> = missing.map(|part| format!("`{part}`")).collect();
    if let Some(pattern) = expected.matches.as_ref().filter(|pattern| !pattern.finds(&answer.body)) {
        wanted.push(format!("what matches `{}`", pattern.text()));
    }
    if wanted.is_empty() {
        return None;
    }
    let body = excerpt(answer).map_or("which is empty".to_owned(), |text| format!("which is {text}"));
    Some(format!("expected {} in the body, {body}", wanted.join(" and ")))
}

/// The beginning of a body in one line. Bytes that are no text are not shown.
fn excerpt(answer: &Answer) -> Option<String> {
    let words: Vec<&str> = answer.body.split_whitespace().collect();
    let text = words.join(" ");
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    if text.is_empty() {
        return None;
    }
    if text.chars().filter(|letter| *letter == char::REPLACEMENT_CHARACTER).count() > text.chars().count() / 10 {
        return Some(format!("{} bytes that are no text", answer.body.len()));
    }
    let shown: String = text.chars().take(SHOWN_OF_A_BODY).collect();
    let is_cut = answer.is_cut || shown.len() < text.len();
    Some(format!("`{shown}{}`", if is_cut { "…" } else { "" }))
}

/// A service may say back what it was sent.
fn veiled(check: &Check, reason: String) -> String {
    /// Shorter ones, such as `no-cache`, hide nothing and would blot out words.
    const SHORTEST: usize = 6;
    let values = check.headers.values().chain(&check.body).map(|value| value.reveal());
    let words = values.flat_map(|value| [value, value.rsplit(' ').next().unwrap_or(value)]);
    words.filter(|word| word.len() >= SHORTEST).fold(reason, |reason, word| reason.replace(word, "…"))
}

#[cfg(test)]
mod tests;
