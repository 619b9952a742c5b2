//! Generated values taken up again from the containers that carry them: a pure comparison of what a service
//! declares, with a mark where the value belongs, and what its container was made with.

use std::collections::{BTreeMap, BTreeSet};

use super::values::MARKS;
use crate::declared::{Declared, Hidden};
use crate::identity::ServiceName;

/// A container of the stack, as it was made.
#[derive(Clone, Debug)]
pub struct Worn {
    pub service: ServiceName,
    /// Its name, for telling.
    pub container: String,
    pub environment: BTreeMap<String, Hidden>,
    pub command: Vec<Hidden>,
}

/// What the containers told.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    pub values: BTreeMap<String, Hidden>,
    /// Values on which containers do not agree.
    pub disagreements: Vec<Disagreement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    pub name: String,
    pub containers: Vec<String>,
}

/// Finds the values of these names. `declared` was loaded without them.
pub fn recover(names: &BTreeSet<String>, declared: &Declared, worn: &[Worn]) -> Recovered {
    let mut found: BTreeMap<String, Vec<(Hidden, &str)>> = BTreeMap::new();
    for one in worn {
        for (name, value) in told_by(one, names, declared) {
            found.entry(name).or_default().push((value, &one.container));
        }
    }
    let mut recovered = Recovered::default();
    for (name, told) in found {
        let values: BTreeSet<&Hidden> = told.iter().map(|(value, _)| value).collect();
        if let (1, Some(value)) = (values.len(), values.first()) {
            recovered.values.insert(name, (*value).clone());
        } else {
            let containers: BTreeSet<&str> = told.iter().map(|(_, container)| *container).collect();
            let containers = containers.into_iter().map(str::to_owned).collect();
            recovered.disagreements.push(Disagreement { name, containers });
        }
    }
    recovered
}

/// What one container says of the names, each value once.
fn told_by(worn: &Worn, names: &BTreeSet<String>, declared: &Declared) -> BTreeSet<(String, Hidden)> {
    let mut told = BTreeSet::new();
    for name in names {
        if let Some(value) = worn.environment.get(name).filter(|value| !value.reveal().is_empty()) {
            told.insert((name.clone(), value.clone()));
        }
    }
    let Some(service) = declared.services.get(&worn.service) else { return told };
    let variables = service.container.environment.iter();
    let variables = variables.filter_map(|(key, wish)| Some((wish.reveal(), worn.environment.get(key)?.reveal())));
    let command = service.container.command.iter().flatten().map(String::as_str);
    let words = command.zip(worn.command.iter().map(Hidden::reveal));
    for (wish, is) in variables.chain(words).filter(|(wish, _)| wish.contains(MARKS[0])) {
        let parts = read(wish, is).unwrap_or_default();
        told.extend(
            parts
                .into_iter()
                .filter(|(name, _)| names.contains(*name))
                .map(|(name, value)| (name.to_owned(), Hidden::new(value))),
        );
    }
    told
}

/// Lays a text with marks over a text without, and gives what stands under each mark. Nothing when they do not fit,
/// or where two marks touch and nobody can say where one value ends.
fn read<'a>(wish: &'a str, is: &'a str) -> Option<BTreeMap<&'a str, &'a str>> {
    let mut found = BTreeMap::new();
    let (literal, mut wish) = wish.split_once(MARKS[0]).unwrap_or((wish, ""));
    let mut is = is.strip_prefix(literal)?;
    while !wish.is_empty() {
        let (name, after) = wish.split_once(MARKS[1])?;
        let (literal, rest, is_last) = match after.split_once(MARKS[0]) {
            Some((literal, rest)) => (literal, rest, false),
            None => (after, "", true),
        };
        let end = match (literal.is_empty(), is_last) {
            (true, true) => is.len(),
            (true, false) => return None,
            (false, true) => is.strip_suffix(literal)?.len(),
            (false, false) => is.find(literal)?,
        };
        let value = &is[..end];
        if value.is_empty() || *found.entry(name).or_insert(value) != value {
            return None;
        }
        is = &is[end + literal.len()..];
        wish = rest;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::placeholder;
    use super::*;

    fn told(wish: &str, is: &str) -> Option<Vec<(String, String)>> {
        let wish = wish.replace("{U}", &placeholder("U")).replace("{P}", &placeholder("P"));
        read(&wish, is)
            .map(|found| found.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_value_is_what_stands_between_the_literal_parts() {
        assert_eq!(told("{P}", "abc"), pairs(&[("P", "abc")]));
        assert_eq!(
            told("postgres://{U}:{P}@db:5432/app", "postgres://ann:s3@db:5432/app"),
            pairs(&[("P", "s3"), ("U", "ann")])
        );
        assert_eq!(told("{P}-{P}", "x-x"), pairs(&[("P", "x")]));
    }

    #[test]
    fn what_does_not_fit_tells_nothing() {
        assert_eq!(told("postgres://{U}:{P}@db/app", "mysql://a:b@db/app"), None);
        assert_eq!(told("{U}{P}", "ab"), None);
        assert_eq!(told("{P}-{P}", "x-y"), None);
        assert_eq!(told("a{P}", "a"), None);
        assert_eq!(told("{P}@db", "short"), None);
    }
}
