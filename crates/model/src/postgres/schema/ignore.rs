//! Objects that a comparison passes over, by patterns.

use super::object::ObjectKey;
use crate::postgres::migration::LedgerName;

/// Postgres keeps so many bytes of a name, and takes a longer one for its beginning.
pub const LONGEST_NAME: usize = 63;

/// A list of patterns such as `public.bookings_p*`, `audit.*` or `public.guests.legacy_*`. `*` stands for any text; what
/// a pattern meets is passed over with all its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<String>,
}

impl Ignore {
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Ignore {
        Ignore { patterns: patterns.into_iter().map(cut).collect() }
    }

    /// Passes over a ledger too, and what stands beside it.
    #[must_use]
    pub fn and_ledger(mut self, ledger: &LedgerName) -> Ignore {
        let attempts = ledger.attempts();
        self.patterns.extend([ledger, &attempts].map(|one| format!("{}.{}", one.schema, one.table)));
        self
    }

    pub fn meets(&self, key: &ObjectKey) -> bool {
        let path = key.path();
        let of = key.of.as_ref().map(|of| format!("{}.{of}", key.schema));
        let of = of.as_deref();
        self.patterns.iter().any(|pattern| fits(pattern, &path) || of.is_some_and(|of| fits(pattern, of)))
    }
}

/// Names as the server keeps them.
fn cut(pattern: &str) -> String {
    let cut = |part: &str| {
        if part.contains('*') || part.len() <= LONGEST_NAME {
            return part.to_owned();
        }
        let end = (0..=LONGEST_NAME).rev().find(|end| part.is_char_boundary(*end)).unwrap_or(0);
        part[..end].to_owned()
    };
    pattern.split('.').map(cut).collect::<Vec<_>>().join(".")
}

/// Whether `text` is what `pattern` says, `*` standing for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut last_was_all = !pattern.contains('*');
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        if index + 1 == parts.len() {
            return rest.len() >= part.len() && rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last_was_all = false;
    }
    last_was_all && rest.is_empty()
}
