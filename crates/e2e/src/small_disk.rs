//! A small disk that a test can fill.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many megabytes at a folder, or says why that is not possible here.
    pub fn at(folder: &Path, megabytes: u32) -> Option<SmallDisk> {
        fs::create_dir_all(folder).expect("the folder of the small disk");
        let options = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(SmallDisk { at: folder.to_owned() });
        }
        eprintln!("skipped: a small disk needs the right to mount one");
        None
    }

    /// Writes until nothing more goes on it.
    pub fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).expect("the filler");
        // By halves, so that not even a line has room at the end.
        let mut size = 1 << 20;
        while size > 0 {
            if file.write_all(&vec![b'x'; size]).is_err() {
                size /= 2;
            }
        }
    }

    /// Fills it up to so many kilobytes.
    pub fn fill_but(&self, kilobytes: u64) {
        self.fill();
        let file = File::options().write(true).open(self.filler()).expect("the filler");
        let length = file.metadata().expect("its length").len();
        file.set_len(length.saturating_sub(kilobytes * 1024)).expect("room again");
    }

    /// Takes away what filled it.
    pub fn clear(&self) {
        let _ = fs::remove_file(self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached: what still has it open must not keep the folder from going.
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
        // Only where they are empty: a scene that went before could not remove them.
        let _ = fs::remove_dir(&self.at);
        let _ = self.at.parent().map(fs::remove_dir);
    }
}
