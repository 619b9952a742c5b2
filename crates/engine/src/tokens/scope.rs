//! What a token allows.

use std::fmt;
use std::str::FromStr;

use mainstay_model::identity::StackName;
use serde::{Deserialize, Serialize};

/// One thing that is allowed. Written as `read`, `read:shop`, `release:shop` or `admin`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// To look: at one stack, or at all.
    Read(Option<StackName>),
    /// To promote and to roll back one stack, to ask its smoke checks, and to look at it.
    Release(StackName),
    /// Everything.
    Admin,
}

/// Why a text is no scope.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no scope: there are `read`, `read:STACK`, `release:STACK` and `admin`")]
pub struct NoScope(String);

impl FromStr for Scope {
    type Err = NoScope;
    fn from_str(text: &str) -> Result<Scope, NoScope> {
        let no = || NoScope(text.to_owned());
        let stack = |name: &str| StackName::new(name).map_err(|_| no());
        match text.split_once(':') {
            None if text == "read" => Ok(Scope::Read(None)),
            None if text == "admin" => Ok(Scope::Admin),
            Some(("read", name)) => Ok(Scope::Read(Some(stack(name)?))),
            Some(("release", name)) => Ok(Scope::Release(stack(name)?)),
            _ => Err(no()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Read(None) => f.write_str("read"),
            Scope::Read(Some(stack)) => write!(f, "read:{stack}"),
            Scope::Release(stack) => write!(f, "release:{stack}"),
            Scope::Admin => f.write_str("admin"),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = NoScope;
    fn try_from(text: String) -> Result<Scope, NoScope> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> String {
        scope.to_string()
    }
}

impl Scope {
    /// Whether having this one is having that one.
    pub fn includes(&self, other: &Scope) -> bool {
        match (self, other) {
            (Scope::Admin, _) | (Scope::Read(None), Scope::Read(_)) => true,
            (Scope::Release(mine), Scope::Read(Some(stack))) => mine == stack,
            (mine, other) => mine == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_must_include_what_is_less_and_nothing_else() {
        let scope = |text: &str| text.parse::<Scope>().expect("a scope");
        for (mine, other, is_so) in [
            ("admin", "release:shop", true),
            ("admin", "admin", true),
            ("read", "read:shop", true),
            ("read", "read", true),
            ("release:shop", "read:shop", true),
            ("release:shop", "release:shop", true),
            ("release:shop", "release:crm", false),
            ("release:shop", "read:crm", false),
            ("release:shop", "read", false),
            ("release:shop", "admin", false),
            ("read:shop", "read", false),
            ("read", "release:shop", false),
        ] {
            assert_eq!(scope(mine).includes(&scope(other)), is_so, "{mine} and {other}");
        }
        for text in ["", "write", "release", "release:", "read:NOT A NAME", "admin:shop"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
    }
}
