//! How far a database's migrations are, as it is remembered of a release.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ledger::LedgerRow;

/// So many files were applied, and the one whose name comes last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaLevel {
    pub applied: usize,
    pub last: Option<String>,
}

impl SchemaLevel {
    /// The level that a ledger shows.
    pub fn of(rows: &[LedgerRow]) -> SchemaLevel {
        SchemaLevel { applied: rows.len(), last: rows.iter().map(|row| row.filename.clone()).max() }
    }

    /// What was applied after this level, by rows in the order in which they were written. `None` when that cannot be
    /// told, because the ledger is not the one that was seen then: rows were taken away, or written as if earlier.
    pub fn since(&self, rows: &[LedgerRow]) -> Option<Vec<String>> {
        let (then, after) = rows.split_at_checked(self.applied)?;
        (SchemaLevel::of(then) == *self).then(|| after.iter().map(|row| row.filename.clone()).collect())
    }
}

impl fmt::Display for SchemaLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.last, self.applied) {
            (None, _) => f.write_str("no migration"),
            (Some(last), 1) => write!(f, "{last} (1 applied)"),
            (Some(last), several) => write!(f, "{last} ({several} applied)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: &[&str]) -> Vec<LedgerRow> {
        let row = |name: &&str| LedgerRow {
            filename: (*name).to_owned(),
            applied_at: String::new(),
            sha256: None,
            notes: None,
        };
        names.iter().map(row).collect()
    }

    #[test]
    fn what_came_after_is_told_in_the_order_in_which_it_came() {
        let level = SchemaLevel::of(&rows(&["1.sql", "3.sql"]));
        assert_eq!(level.to_string(), "3.sql (2 applied)");
        let since = level.since(&rows(&["1.sql", "3.sql", "4.sql", "2.sql"]));
        assert_eq!(since, Some(vec!["4.sql".into(), "2.sql".into()]), "one that came late as well");
        assert_eq!(level.since(&rows(&["1.sql", "3.sql"])), Some(Vec::new()));
    }

    #[test]
    fn another_ledger_than_the_one_seen_then_tells_nothing() {
        let level = SchemaLevel::of(&rows(&["1.sql", "3.sql"]));
        assert_eq!(level.since(&rows(&["1.sql"])), None);
        assert_eq!(level.since(&rows(&["1.sql", "2.sql", "3.sql"])), None);
        assert_eq!(SchemaLevel::default().since(&rows(&["1.sql"])), Some(vec!["1.sql".into()]));
    }
}
