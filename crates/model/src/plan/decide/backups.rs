//! The way back from a migration: in production, a database that declares how it is backed up is, just before.

use super::up::Up;
use crate::declared::Database;
use crate::plan::{Action, Impact, Level, StepId, Target};

impl Up<'_> {
    /// The step that backs up a database which holds something and may be migrated next.
    pub fn back_up(
        &mut self,
        name: &str,
        database: &Database,
        at: Option<Target>,
        is_certain: bool,
        ready: Option<StepId>,
    ) -> Option<StepId> {
        let backup = database.backup.as_ref().filter(|_| self.options.is_production())?;
        if self.options.no_backup {
            let message = format!("`--no-backup`: `{name}` is not backed up before its migration");
            self.draft.tell(Level::Note, "no-backup", message, None);
            return None;
        }
        let action = Action::BackUp { database: name.to_owned(), at, to: backup.to.to_string(), is_certain };
        Some(self.draft.add(action, Impact::Live, "a migration in production needs a way back", ready))
    }
}
