//! What a dump does not bring, made anew from a manifest: roles, the database itself, its settings and privileges.

mod acl;
mod recreate;

pub use recreate::{bootstrap, create_database, grants, memberships, roles, settings};

/// A name as SQL writes it, always in quotes.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL writes it.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    // With a backslash the plain form would depend on a setting.
    if text.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests;
