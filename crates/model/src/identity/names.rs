//! Typed names, and the rules by which Compose makes one name of others.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that Compose would not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a valid {what}: {rule}")]
pub struct NameProblem {
    pub name: String,
    pub what: &'static str,
    pub rule: &'static str,
}

/// The name of a stack: Compose's project name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StackName(String);

impl StackName {
    /// # Errors
    /// When the name breaks Compose's rule for project names.
    pub fn new(name: impl Into<String>) -> Result<Self, NameProblem> {
        let name = name.into();
        let first_is_fine = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let all_are_fine = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if first_is_fine && all_are_fine {
            Ok(StackName(name))
        } else {
            let rule = "lower case letters, digits, `_` and `-` only, starting with a letter or digit";
            Err(NameProblem { name, what: "stack name", rule })
        }
    }
}

/// The name of a service inside a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

impl ServiceName {
    /// # Errors
    /// When the name breaks Compose's rule for service names.
    pub fn new(name: impl Into<String>) -> Result<Self, NameProblem> {
        let name = name.into();
        let all_are_fine = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if !name.is_empty() && all_are_fine {
            Ok(ServiceName(name))
        } else {
            Err(NameProblem { name, what: "service name", rule: "letters, digits, `_`, `-` and `.` only" })
        }
    }
}

/// One run of an order: made by the engine, sortable by time, told to the user with every report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperationId(pub String);

/// The name under which the image of a release is kept: `mainstay/shop/web:release-7`. Parts that a repository's name
/// cannot have are written in another way, with a digest of what was meant.
pub fn kept_image(stack: &StackName, service: &ServiceName, release: u32) -> String {
    format!("mainstay/{}/{}:release-{release}", repository_part(&stack.0), repository_part(&service.0))
}

/// Letters and digits, with single separators between them.
fn repository_part(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let words: Vec<&str> = name.split(['-', '.', '_']).collect();
    if words.iter().all(|word| !word.is_empty() && word.chars().all(is_plain)) {
        return name.to_owned();
    }
    let words = words.iter().map(|word| word.to_ascii_lowercase()).filter(|word| !word.is_empty());
    let digest: String = super::digest(&name).chars().filter(|c| is_plain(*c)).take(8).collect();
    words.chain([digest]).collect::<Vec<_>>().join("-")
}

macro_rules! name_traits {
    ($($name:ident),*) => {$(
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    )*};
}
name_traits!(StackName, ServiceName, OperationId);

impl TryFrom<String> for StackName {
    type Error = NameProblem;
    fn try_from(name: String) -> Result<Self, NameProblem> {
        StackName::new(name)
    }
}

impl TryFrom<String> for ServiceName {
    type Error = NameProblem;
    fn try_from(name: String) -> Result<Self, NameProblem> {
        ServiceName::new(name)
    }
}

/// The name of a service's container: what Compose v2 would call it.
pub fn container_name(stack: &StackName, service: &ServiceName, number: u32) -> String {
    format!("{stack}-{service}-{number}")
}

/// The engine's name of a network or volume that has none of its own.
pub fn default_resource_name(stack: &StackName, key: &str) -> String {
    format!("{stack}_{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_image_has_a_name_that_a_repository_can_have() {
        let name = |stack: &str, service: &str| {
            kept_image(&StackName::new(stack).unwrap(), &ServiceName::new(service).unwrap(), 7)
        };
        assert_eq!(name("shop", "web-app_2.x"), "mainstay/shop/web-app_2.x:release-7");
        let odd = ["Web", "web", "web-", "web--", "WEB", "__"].map(|service| name("shop_", service));
        for name in &odd {
            let parts: Vec<&str> = name.trim_end_matches(":release-7").split('/').collect();
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            let fits = |part: &&str| part.split(['-', '.', '_']).all(|w| !w.is_empty() && w.chars().all(is_plain));
            assert!(parts.iter().all(fits), "{name}");
        }
        let different: std::collections::BTreeSet<_> = odd.iter().collect();
        assert_eq!(different.len(), odd.len(), "{odd:?}");
    }
}
