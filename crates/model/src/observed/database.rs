//! A database of a stack as it answered, as far as its migrations are concerned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::declared::{Database, Whereabouts};
use crate::postgres::migration::{LedgerName, LedgerRow, Target};

/// A database to ask, and the table to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerPlace {
    pub whereabouts: Whereabouts,
    pub ledger: LedgerName,
}

impl LedgerPlace {
    /// `None` for a database without migrations.
    pub fn of(database: &Database) -> Option<LedgerPlace> {
        let ledger = database.migrations.as_ref()?.ledger.clone();
        Some(LedgerPlace { whereabouts: database.whereabouts.clone(), ledger })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedDatabase {
    Seen(Ledger),
    /// It could not be asked.
    Unseen {
        why: String,
    },
}

impl ObservedDatabase {
    pub fn ledger(&self) -> Option<&Ledger> {
        match self {
            ObservedDatabase::Seen(ledger) => Some(ledger),
            ObservedDatabase::Unseen { .. } => None,
        }
    }
}

/// What a database says of its migrations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub target: Target,
    /// In the order in which they were written; empty when there is no such table yet.
    pub rows: Vec<LedgerRow>,
    /// Of files without a transaction that are not done: the hashes of the statements that ran, in their order.
    pub attempts: BTreeMap<String, Vec<String>>,
}
