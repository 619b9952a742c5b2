//! The private door: a release that is not committed yet, behind the routes that it will have, for those who ask it.

use std::collections::BTreeMap;

use mainstay_model::edge::slots::{self, SET};
use mainstay_model::edge::{RouteTable, Site};
use mainstay_model::identity::StackName;

use super::Edge;
use super::folder::SocketPath;
use crate::world::WorldError;

/// Of each stack with a release behind the private door: what it is to serve.
pub(super) type Previews = BTreeMap<StackName, Vec<Site>>;

impl Edge {
    /// Puts a release behind the private door, and returns when the edge acknowledged it. Visitors notice nothing:
    /// where routes stay as they are, the configuration stays too.
    ///
    /// # Errors
    /// When another stack has one of the addresses, and as [`Edge::load`].
    pub async fn preview(&self, stack: &StackName, sites: Vec<Site>) -> Result<(), WorldError> {
        let _one = self.changing.lock().await;
        self.settle_next().await?;
        let table = self.files.kept()?.table(self.files.settings()?)?;
        let mut previews = self.files.previews()?;
        previews.insert(stack.clone(), sites);
        let to_come = preview_table(&table, &previews)?;
        let all = slots::of(&to_come);
        let Some(slots) = all.get(stack) else { return Ok(()) };
        self.sets.lead_preview(stack, slots)?;
        self.files.keep_previews(&previews)?;
        let opened = match self.load(&table).await {
            Ok(()) => self.previews_set(stack).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(set) if set.as_ref() == slots.get(SET) => return Ok(()),
            Ok(_) => {}
            Err(error) => {
                // What Caddy refuses must not stand in the way of what other stacks want of it.
                self.forget_preview(stack)?;
                self.sets.close_preview(stack);
                return Err(error);
            }
        }
        Err(WorldError::new("the edge reads another set of containers for its preview than it was just given")
            .hint("is its folder the one of this state folder? `mainstay edge status` shows the difference"))
    }

    /// Closes the private door to a release that does not come.
    ///
    /// # Errors
    /// When the folder cannot be written, or as [`Edge::load`].
    pub async fn close_preview(&self, stack: &StackName) -> Result<(), WorldError> {
        let _one = self.changing.lock().await;
        self.settle_next().await?;
        self.forget_preview(stack)?;
        if self.answers().await {
            let table = self.files.kept()?.table(self.files.settings()?)?;
            self.load(&table).await?;
        }
        self.sets.close_preview(stack);
        Ok(())
    }

    pub(super) fn forget_preview(&self, stack: &StackName) -> Result<(), WorldError> {
        let mut previews = self.files.previews()?;
        match previews.remove(stack) {
            Some(_) => self.files.keep_previews(&previews),
            None => Ok(()),
        }
    }

    /// Whether a release of the stack is behind the private door.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn has_preview(&self, stack: &StackName) -> Result<bool, WorldError> {
        Ok(self.files.previews()?.contains_key(stack))
    }

    /// Where the private door is.
    pub(crate) fn preview_door(&self) -> SocketPath {
        self.folder.preview()
    }

    /// What the private door has besides this table. A release whose address another stack has got meanwhile is left
    /// out: its own commit tells of that.
    pub(super) fn to_come(&self, table: &RouteTable) -> Result<RouteTable, WorldError> {
        let previews = self.files.previews()?;
        Ok(preview_table(table, &previews).unwrap_or_else(|_| table.clone()))
    }
}

/// The table with the routes to come in the place of those of their stacks.
fn preview_table(table: &RouteTable, previews: &Previews) -> Result<RouteTable, WorldError> {
    let served = table.sites().iter().filter(|site| !previews.contains_key(&site.stack));
    let sites = served.chain(previews.values().flatten()).cloned().collect();
    RouteTable::new(table.settings.clone(), sites).map_err(|conflicts| {
        let told: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
        WorldError::new(told.join("; ")).hint("give one of them another `host` or `path`")
    })
}
