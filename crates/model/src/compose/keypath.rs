//! Where a node stands in the tree, as a chain of keys on the stack: walking a project allocates nothing.

use std::fmt;

/// No rule of Compose names a path deeper than this.
const DEEPEST_RULE: usize = 8;

/// Scratch space for [`KeyPath::parts`].
pub type Room<'a> = [&'a str; DEEPEST_RULE];

/// The keys from the root to a node; an item of a list has the key `[]`.
#[derive(Clone, Copy)]
pub struct KeyPath<'a> {
    parent: Option<&'a KeyPath<'a>>,
    key: &'a str,
    depth: usize,
}

impl<'a> KeyPath<'a> {
    pub const ROOT: KeyPath<'static> = KeyPath { parent: None, key: "", depth: 0 };
    /// The key of every item of a list: rules never ask which item it is.
    pub const ITEM: &'static str = "[]";

    pub fn child<'b>(&'b self, key: &'b str) -> KeyPath<'b> {
        KeyPath { parent: Some(self), key, depth: self.depth + 1 }
    }

    /// The keys as a slice that a `match` can take apart; empty at the root and where no rule reaches.
    pub fn parts<'r>(&self, room: &'r mut Room<'a>) -> &'r [&'a str] {
        if self.depth > DEEPEST_RULE {
            return &[];
        }
        let mut at = *self;
        for index in (0..self.depth).rev() {
            room[index] = at.key;
            match at.parent {
                Some(parent) => at = *parent,
                None => break,
            }
        }
        &room[..self.depth]
    }
}

impl fmt::Display for KeyPath<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parent {
            None => Ok(()),
            Some(parent) if parent.depth == 0 => out.write_str(self.key),
            Some(parent) => write!(out, "{parent}.{}", self.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_its_keys_from_the_root() {
        let services = KeyPath::ROOT.child("services");
        let web = services.child("web");
        let ports = web.child("ports");
        let mut room = Room::default();
        assert_eq!(ports.parts(&mut room), ["services", "web", "ports"]);
        assert_eq!(ports.to_string(), "services.web.ports");
        assert!(KeyPath::ROOT.parts(&mut room).is_empty());
    }
}
