//! `x-mainstay.secrets`: what the files ask of each secret.

use std::collections::BTreeMap;

use super::place::Place;
use super::x_mainstay::unknown;
use crate::compose::schema::suggest;
use crate::compose::{Diagnostic, Value};
use crate::secrets::wish::is_name;
use crate::secrets::{Format, Recipe, SecretWish};

/// Words of a secret.
const WORDS: &[&str] = &["generate", "format", "min_length", "required", "description"];

/// More characters than any secret is asked to have.
const LONGEST: usize = 1 << 20;

/// Every secret by its name.
pub(super) fn wishes(place: &Place) -> BTreeMap<String, SecretWish> {
    let mut wishes = BTreeMap::new();
    for (name, child) in place.children() {
        if let Err(problem) = is_name(name) {
            child.say(Diagnostic::error("bad-name", child.span, format!("`{}` {problem}", child.path)));
        }
        wishes.insert(name.to_owned(), wish(&child));
    }
    wishes
}

fn wish(place: &Place) -> SecretWish {
    let mut wish = SecretWish { generate: None, min_length: 0, required: true, description: None };
    let (mut size, mut format) = (None, None);
    if let Value::String(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) = place.node.value {
        // A value that somebody wrote into the file must not be told.
        let hint = "the value is never written into the file: `mainstay secret set NAME` keeps it on this host";
        let message = format!("`{}` must be a mapping of rules, such as `{{ min_length: 32 }}`", place.path);
        place.say(Diagnostic::error("bad-value", place.span, message).hint(hint));
        return wish;
    }
    for (word, child) in place.children() {
        match word {
            "generate" => size = child.as_int::<usize>().map(|size| (size, child)),
            "format" => format = child.as_text().map(|text| (text, child)),
            "min_length" => wish.min_length = within(&child, child.as_int(), LONGEST).unwrap_or_default(),
            "required" => wish.required = child.as_flag().unwrap_or(true),
            "description" => wish.description = child.as_text(),
            "value" => child
                .say(Diagnostic::error("unknown-key", child.span, format!("`{}` is never read", child.path)).hint(
                    "the value is never written into the file: `mainstay secret set NAME` keeps it on this host",
                )),
            _ => unknown(&child, word, WORDS),
        }
    }
    wish.generate = recipe(size, format);
    if let Some(recipe) = wish.generate.filter(|recipe| recipe.length() < wish.min_length) {
        let (is, least) = (recipe.length(), wish.min_length);
        place.refuse(format!("generates {is} characters, and asks for {least}; write a larger `generate`"));
    }
    wish
}

fn within(place: &Place, number: Option<usize>, most: usize) -> Option<usize> {
    if number.is_some_and(|number| number > most) {
        place.refuse(format!("is more than {most}"));
        return None;
    }
    number
}

fn recipe(size: Option<(usize, Place)>, format: Option<(String, Place)>) -> Option<Recipe> {
    let format = match format {
        None => Format::default(),
        Some((_, place)) if size.is_none() => {
            place.refuse("says how to generate, and nothing is generated; write `generate: 48` beside it");
            return None;
        }
        Some((text, place)) => match Format::named(&text) {
            Some(format) => format,
            None => {
                let words: Vec<&str> = Format::WORDS.iter().map(|(word, _)| *word).collect();
                let message = format!("`{}` is `{text}`, which is no format that Mainstay knows", place.path);
                let complaint = Diagnostic::error("bad-value", place.value_span(), message);
                place.say(match suggest(&text, words.iter().copied()) {
                    Some(meant) => complaint.hint(format!("did you mean `{meant}`?")),
                    None => complaint.hint(format!("known: `{}`", words.join("`, `"))),
                });
                return None;
            }
        },
    };
    let (size, place) = size?;
    if !Recipe::SIZES.contains(&size) {
        let (least, most) = (Recipe::SIZES.start(), Recipe::SIZES.end());
        place.refuse(format!("is {size}, which is not between {least} and {most}; write `generate: 48`"));
        return None;
    }
    Some(Recipe { format, size })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused};
    use crate::secrets::{Format, Recipe};

    fn top(secrets: &str) -> String {
        format!(r#"{{"services": {{"web": {{"image": "nginx"}}}}, "x-mainstay": {{"secrets": {{{secrets}}}}}}}"#)
    }

    #[test]
    fn rules_are_read_with_their_defaults() {
        let wishes =
            declared(&top(r#""A": {"generate": 48, "min_length": 32, "description": "signs sessions"}, "B": null,
               "C": {"required": false, "generate": "32", "format": "base64url"}"#))
            .secrets
            .wishes;
        let a = &wishes["A"];
        assert_eq!(a.generate, Some(Recipe { format: Format::Alnum, size: 48 }));
        assert_eq!((a.min_length, a.required, a.description.as_deref()), (32, true, Some("signs sessions")));
        assert!(wishes["B"].required && wishes["B"].generate.is_none());
        assert_eq!(wishes["C"].generate, Some(Recipe { format: Format::Base64Url, size: 32 }));
        assert!(!wishes["C"].required);
    }

    #[test]
    fn a_mistake_is_refused_with_its_place_and_what_was_meant() {
        let cases = [
            (
                r#""A": {"min_lenght": 3}"#,
                "`x-mainstay.secrets.A.min_lenght` is not a word that Mainstay knows (did you mean `min_length`?)",
            ),
            (
                r#""A": {"generate": 4}"#,
                "`x-mainstay.secrets.A.generate` is 4, which is not between 8 and 4096 (write `generate: 48`)",
            ),
            (
                r#""A": {"generate": 16, "format": "base46"}"#,
                "`x-mainstay.secrets.A.format` is `base46`, which is no format that Mainstay knows (did you mean `base64`?)",
            ),
            (
                r#""A": {"format": "hex"}"#,
                "`x-mainstay.secrets.A.format` says how to generate, and nothing is generated (write `generate: 48` beside it)",
            ),
            (
                r#""A": {"generate": 16, "min_length": 32}"#,
                "`x-mainstay.secrets.A` generates 16 characters, and asks for 32 (write a larger `generate`)",
            ),
            (
                r#""A-B": {}"#,
                "`x-mainstay.secrets.A-B` cannot be the name of a variable: letters, digits and `_`, and no digit first",
            ),
            (
                r#""A": {"value": "hunter22"}"#,
                "`x-mainstay.secrets.A.value` is never read (the value is never written into the file: `mainstay secret set NAME` keeps it on this host)",
            ),
            (
                r#""COMPOSE_FILE": {}"#,
                "`x-mainstay.secrets.COMPOSE_FILE` is read by Compose itself, before there are secrets",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(refused(&top(text)), [expected], "{text}");
        }
        let told = refused(&top(r#""A": "hunter22""#));
        assert!(told.len() == 1 && told[0].contains("must be a mapping") && !told[0].contains("hunter22"), "{told:?}");
    }
}
