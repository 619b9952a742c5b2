//! The way back from a migration: there in production where it is declared, before the first file of any database, and
//! nowhere else.

use super::Reader;
use crate::declared::{Backup, Database};
use crate::plan::{Action, Order, Step};

impl Reader<'_> {
    pub fn read_backup(&mut self, step: &Step) {
        let Action::BackUp { database, at, to, is_certain } = &step.action else { return };
        let Some(backup) = self.way_back(database) else {
            self.wrong(step, "backup-unasked", format!("nothing asks for a backup of `{database}` here"));
            return;
        };
        if backup.to.to_string() != *to {
            self.wrong(step, "backup-elsewhere", format!("backups of `{database}` are declared to go elsewhere"));
        }
        let is_for = |action: &Action| match action {
            Action::Migrate { database: migrated, at: there, is_certain: surely, .. } => {
                migrated == database && there == at && surely == is_certain && is_harmful(action)
            }
            _ => false,
        };
        let plan = self.plan;
        let mut migrations = plan.steps.iter().filter(|other| is_for(&other.action));
        if !migrations.any(|migrate| self.before[&migrate.id].contains(&step.id)) {
            self.wrong(step, "backup-for-nothing", format!("no migration of `{database}` surely comes after it"));
        }
        if at.as_ref().is_some_and(|at| !self.is_surely_ready(step, &at.container)) {
            self.wrong(step, "backup-unready", "its database is not surely ready");
        }
        let before = self.before[&step.id].clone();
        for other in plan.steps.iter().filter(|other| !before.contains(&other.id)) {
            if matches!(other.action, Action::PullImage { .. } | Action::BuildImage { .. }) {
                self.wrong(step, "backs-up-unfetched", format!("step {} may still fail", other.id.0));
            }
        }
    }

    /// What is migrated has its way back before, and so has every other database.
    pub fn read_way_back(&mut self, step: &Step) {
        let Action::Migrate { database, .. } = &step.action else { return };
        let before = self.before[&step.id].clone();
        let plan = self.plan;
        let is_backed_up =
            plan.steps.iter().filter(|other| before.contains(&other.id)).any(
                |other| matches!(&other.action, Action::BackUp { database: backed_up, .. } if backed_up == database),
            );
        if is_harmful(&step.action) && self.way_back(database).is_some() && !is_backed_up {
            self.wrong(step, "no-way-back", format!("`{database}` is not surely backed up before"));
        }
        for other in plan.steps.iter().filter(|other| !before.contains(&other.id)) {
            if matches!(other.action, Action::BackUp { .. }) {
                self.wrong(step, "migrates-before-backup", format!("step {} may still fail", other.id.0));
            }
        }
    }

    /// How a database is backed up before a migration, where this order has that done.
    fn way_back(&self, database: &str) -> Option<&Backup> {
        match self.order {
            Order::Up { declared, options } if options.is_production() && !options.no_backup => {
                declared.databases.get(database).and_then(|database: &Database| database.backup.as_ref())
            }
            _ => None,
        }
    }
}

/// Whether a migration may change what a database holds.
fn is_harmful(action: &Action) -> bool {
    matches!(action, Action::Migrate { files, is_new: false, .. } if !files.is_empty())
}
