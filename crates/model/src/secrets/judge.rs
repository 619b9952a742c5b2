//! Which declared secrets keep a stack from coming up.

use std::collections::BTreeMap;

use super::SecretWish;

/// What is wrong with one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody set it, and nobody said how to make it.
    Missing,
    /// In characters.
    TooShort { length: usize, min_length: usize },
}

/// Every fault, by the names of the secrets. `value` answers for values that are there; an empty one is none. A missing
/// value that has a recipe is no fault: it is made.
pub fn judge<'v>(
    wishes: &BTreeMap<String, SecretWish>,
    value: &dyn Fn(&str) -> Option<&'v str>,
) -> BTreeMap<String, Fault> {
    let faults = wishes.iter().filter_map(|(name, wish)| Some((name.clone(), fault(wish, value(name))?)));
    faults.collect()
}

fn fault(wish: &SecretWish, value: Option<&str>) -> Option<Fault> {
    match value.filter(|value| !value.is_empty()) {
        None => (wish.required && wish.generate.is_none()).then_some(Fault::Missing),
        Some(value) => {
            let length = value.chars().count();
            (length < wish.min_length).then_some(Fault::TooShort { length, min_length: wish.min_length })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{Format, Recipe};

    fn wish(required: bool, generate: Option<usize>, min_length: usize) -> SecretWish {
        let generate = generate.map(|size| Recipe { format: Format::Alnum, size });
        SecretWish { generate, min_length, required, description: None }
    }

    #[test]
    fn all_faults_come_together() {
        let wishes = [
            ("KEY", wish(true, None, 0)),
            ("MADE", wish(true, Some(48), 32)),
            ("OPTIONAL", wish(false, None, 8)),
            ("SHORT", wish(true, Some(48), 8)),
            ("EMPTY", wish(true, None, 0)),
            ("FINE", wish(true, None, 4)),
        ];
        let wishes = wishes.into_iter().map(|(name, wish)| (name.to_owned(), wish)).collect();
        let value = |name: &str| match name {
            "SHORT" => Some("secret"),
            "EMPTY" => Some(""),
            "FINE" => Some("éééé"),
            _ => None,
        };
        let faults: Vec<(String, Fault)> = judge(&wishes, &value).into_iter().collect();
        let expected = [
            ("EMPTY".to_owned(), Fault::Missing),
            ("KEY".to_owned(), Fault::Missing),
            ("SHORT".to_owned(), Fault::TooShort { length: 6, min_length: 8 }),
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_recipe_knows_how_long_its_values_are() {
        let length = |format, size| Recipe { format, size }.length();
        assert_eq!(length(Format::Alnum, 48), 48);
        assert_eq!(length(Format::Hex, 32), 64);
        assert_eq!([length(Format::Base64, 32), length(Format::Base64, 33)], [44, 44]);
        assert_eq!([length(Format::Base64Url, 32), length(Format::Base64Url, 33)], [43, 44]);
    }
}
