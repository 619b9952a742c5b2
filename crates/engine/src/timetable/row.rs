//! One line of the timetable: what is backed up, and when.

use mainstay_model::declared::{Backup, Database, Declared, StackBucket};

use super::clock::{Clock, clocks};
use super::memory::Kind;
use crate::secrets::Namespace;

/// One database or bucket with its schedules.
pub(super) struct Row {
    pub namespace: Namespace,
    pub declared: Declared,
    pub name: String,
    pub wish: Wish,
    pub backup: Backup,
    pub clocks: (Option<Clock>, Option<Clock>),
}

#[derive(Clone)]
pub(super) enum Wish {
    Database(Database),
    Bucket(StackBucket),
}

impl Row {
    /// Those of a stack.
    pub fn of(namespace: &Namespace, declared: &Declared) -> Vec<Row> {
        let databases = declared
            .databases
            .iter()
            .filter_map(|(name, one)| Some((name, Wish::Database(one.clone()), one.backup.clone()?)));
        let buckets = declared
            .buckets
            .iter()
            .filter_map(|(name, one)| Some((name, Wish::Bucket(one.clone()), one.backup.clone()?)));
        // A bucket first: what the rows of a database name is then in it, or in the next one.
        buckets
            .chain(databases)
            .map(|(name, wish, backup)| Row {
                namespace: namespace.clone(),
                declared: declared.clone(),
                name: name.clone(),
                wish,
                clocks: clocks(Some(&backup)),
                backup,
            })
            .collect()
    }

    pub fn kind(&self) -> Kind {
        match self.wish {
            Wish::Database(_) => Kind::Database,
            Wish::Bucket(_) => Kind::Bucket,
        }
    }

    /// For sentences.
    pub fn of_what(&self) -> String {
        self.kind().of(&self.name)
    }

    /// By which retention counts days.
    pub fn zone(&self) -> Option<&str> {
        self.backup.schedule.as_ref().and_then(|schedule| schedule.zone.as_deref())
    }
}
