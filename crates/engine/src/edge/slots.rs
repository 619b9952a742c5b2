//! The files that say which container serves, and the link that moves a whole stack from one set of them to the next.

use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use mainstay_model::edge::slots::{LIVE, NEXT, SET, Slots};
use mainstay_model::identity::StackName;

use crate::world::WorldError;

/// The sets of slots in the edge's folder.
#[derive(Clone, Debug)]
pub(super) struct Sets {
    folder: PathBuf,
}

impl Sets {
    pub(super) fn in_folder(folder: &Path) -> Sets {
        Sets { folder: folder.to_owned() }
    }

    /// The name of the set that a stack is served by.
    pub(super) fn live(&self, stack: &StackName) -> Option<String> {
        self.set_at(LIVE, stack)
    }

    fn set_at(&self, links: &str, stack: &StackName) -> Option<String> {
        let target = std::fs::read_link(self.link(links, stack)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// Leads the private door to these slots; who serves stays as it is.
    pub(super) fn lead_preview(&self, stack: &StackName, slots: &Slots) -> Result<(), WorldError> {
        let Some(set) = slots.get(SET) else { return Ok(()) };
        let put = || {
            // The set that serves is read all the time, and is written already.
            if self.live(stack).as_ref() != Some(set) {
                self.put(stack, set, slots)?;
            }
            self.point(NEXT, stack, set)
        };
        put().map_err(|error| self.unwritable(error))?;
        self.clear(stack);
        Ok(())
    }

    pub(super) fn close_preview(&self, stack: &StackName) {
        let _ = std::fs::remove_file(self.link(NEXT, stack));
        self.clear(stack);
    }

    /// Moves a stack to these slots: they are on the disk before the one rename that moves it.
    pub(super) fn lead(&self, stack: &StackName, slots: &Slots) -> Result<(), WorldError> {
        let Some(set) = slots.get(SET) else { return Ok(()) };
        let put = || {
            self.put(stack, set, slots)?;
            self.point(LIVE, stack, set)
        };
        put().map_err(|error| self.unwritable(error))
    }

    /// Moves a stack back to a set that it was served by before.
    pub(super) fn lead_back(&self, stack: &StackName, set: &str) -> Result<(), WorldError> {
        self.point(LIVE, stack, set).map_err(|error| self.unwritable(error))
    }

    /// Removes the sets of a stack that neither door leads to.
    pub(super) fn clear(&self, stack: &StackName) {
        let used: Vec<String> = [LIVE, NEXT].into_iter().filter_map(|links| self.set_at(links, stack)).collect();
        let sets = std::fs::read_dir(self.sets(stack)).into_iter().flatten().flatten();
        for set in sets.filter(|set| !used.iter().any(|used| **used == *set.file_name())) {
            let _ = std::fs::remove_dir_all(set.path());
        }
    }

    /// Removes everything of a stack that has no routes any more.
    pub(super) fn forget(&self, stack: &StackName) {
        let _ = std::fs::remove_file(self.link(LIVE, stack));
        let _ = std::fs::remove_file(self.link(NEXT, stack));
        let _ = std::fs::remove_dir_all(self.sets(stack));
    }

    /// What the set before had and this one has not stays: a configuration that is about to be replaced may name it.
    fn put(&self, stack: &StackName, set: &str, slots: &Slots) -> io::Result<()> {
        let folder = self.sets(stack).join(set);
        std::fs::create_dir_all(&folder)?;
        if let Some(before) = self.live(stack).filter(|before| before != set) {
            for file in std::fs::read_dir(self.sets(stack).join(before)).into_iter().flatten().flatten() {
                if !slots.contains_key(&*file.file_name().to_string_lossy()) {
                    std::fs::copy(file.path(), folder.join(file.file_name()))?;
                }
            }
        }
        for (name, content) in slots {
            let mut file = std::fs::File::create(folder.join(name))?;
            file.write_all(content.as_bytes())?;
            file.sync_all()?;
        }
        std::fs::File::open(&folder)?.sync_all()
    }

    fn point(&self, links: &str, stack: &StackName, set: &str) -> io::Result<()> {
        let link = self.link(links, stack);
        let links = self.folder.join(links);
        std::fs::create_dir_all(&links)?;
        let new = links.join(format!(".{stack}.new"));
        let _ = std::fs::remove_file(&new);
        // Relative: the edge sees the folder under another path.
        symlink(Path::new("..").join("sets").join(stack.as_str()).join(set), &new)?;
        std::fs::rename(&new, link)?;
        std::fs::File::open(&links)?.sync_all()
    }

    fn link(&self, links: &str, stack: &StackName) -> PathBuf {
        self.folder.join(links).join(stack.as_str())
    }

    fn sets(&self, stack: &StackName) -> PathBuf {
        self.folder.join("sets").join(stack.as_str())
    }

    fn unwritable(&self, error: io::Error) -> WorldError {
        WorldError::new(format!("the edge's folder `{}` could not be written", self.folder.display())).caused_by(error)
    }
}
