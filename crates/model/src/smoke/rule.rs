//! What a text of an answer must be: a header's value, a location.

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

/// One rule about one text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Letter by letter.
    Is(String),
    Contains(String),
    Matches(Pattern),
    /// There, whatever it says.
    Present,
    Absent,
}

impl Rule {
    /// Whether one of the values, which may be none, is as the rule says.
    pub fn holds(&self, values: &[&str]) -> bool {
        match self {
            Rule::Is(wanted) => values.contains(&wanted.as_str()),
            Rule::Contains(part) => values.iter().any(|value| value.contains(part.as_str())),
            Rule::Matches(pattern) => values.iter().any(|value| pattern.finds(value)),
            Rule::Present => !values.is_empty(),
            Rule::Absent => values.is_empty(),
        }
    }

    /// What was expected, to go on a sentence that ends in "expected".
    pub fn wanted(&self) -> String {
        match self {
            Rule::Is(text) => format!("`{text}`"),
            Rule::Contains(part) => format!("something with `{part}` in it"),
            Rule::Matches(pattern) => format!("something that matches `{}`", pattern.text()),
            Rule::Present => "to be there".to_owned(),
            Rule::Absent => "not to be there".to_owned(),
        }
    }
}

/// A regular expression that was seen to be one. It is found anywhere in a text unless it says `^` and `$`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

impl Pattern {
    /// # Errors
    /// What is wrong with the expression.
    pub fn new(text: impl Into<String>) -> Result<Pattern, String> {
        let text = text.into();
        Regex::new(&text).map(|_| Pattern(text)).map_err(|error| error.to_string())
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn finds(&self, text: &str) -> bool {
        Regex::new(&self.0).is_ok_and(|regex| regex.is_match(text))
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Pattern, String> {
        Pattern::new(text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_holds_when_one_of_the_values_is_as_it_says() {
        let matches = Rule::Matches(Pattern::new("^text/(html|plain)").expect("a pattern"));
        for (rule, values, holds) in [
            (Rule::Is("a".into()), &["b", "a"][..], true),
            (Rule::Is("a".into()), &["A"], false),
            (Rule::Contains("b".into()), &["abc"], true),
            (Rule::Contains("b".into()), &[], false),
            (matches.clone(), &["text/html; charset=utf-8"], true),
            (matches, &["application/text/html"], false),
            (Rule::Present, &[""], true),
            (Rule::Present, &[], false),
            (Rule::Absent, &[], true),
            (Rule::Absent, &["x"], false),
        ] {
            assert_eq!(rule.holds(values), holds, "{rule:?} {values:?}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused_also_from_the_wire() {
        assert!(Pattern::new("(").is_err());
        assert!(serde_json::from_str::<Pattern>("\"(\"").is_err());
    }
}
