//! Which process made a thing, in a text that fits a label, and whether that process is still there.

use std::fs;

use procfs::process::Process;

/// A process of this machine, as others can recognise it: the boot, the namespace of process ids, the id, and when it
/// began, for ids come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    place: String,
    pid: i32,
    began: u64,
}

/// What is known of the process that a label names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Lives,
    Gone,
    /// It is, or was, on another machine or in another container.
    Unknown,
}

impl Owner {
    /// This process; none where there is no `/proc`.
    pub(super) fn here() -> Option<Owner> {
        let stat = Process::myself().ok()?.stat().ok()?;
        Some(Owner { place: place()?, pid: stat.pid, began: stat.starttime })
    }

    pub(super) fn label(&self) -> String {
        format!("{}/{}/{}", self.place, self.pid, self.began)
    }

    pub(super) fn fate_of(label: &str) -> Fate {
        let read = || -> Option<Owner> {
            let mut parts = label.rsplitn(3, '/');
            let began = parts.next()?.parse().ok()?;
            let pid = parts.next()?.parse().ok()?;
            Some(Owner { place: parts.next()?.to_owned(), pid, began })
        };
        let (Some(owner), Some(here)) = (read(), place()) else { return Fate::Unknown };
        if owner.place != here {
            return Fate::Unknown;
        }
        let stat = Process::new(owner.pid).and_then(|process| process.stat());
        // A zombie holds nothing any more.
        let lives = stat.is_ok_and(|stat| stat.starttime == owner.began && stat.state != 'Z');
        if lives { Fate::Lives } else { Fate::Gone }
    }
}

fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let ids = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), ids.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_beginning() {
        let here = Owner::here().unwrap();
        assert_eq!(Owner::fate_of(&here.label()), Fate::Lives);
        let before = Owner { began: here.began - 1, ..here.clone() };
        assert_eq!(Owner::fate_of(&before.label()), Fate::Gone);
        let elsewhere = Owner { place: "another/pid:[1]".into(), ..here };
        assert_eq!(Owner::fate_of(&elsewhere.label()), Fate::Unknown);
        assert_eq!(Owner::fate_of("nonsense"), Fate::Unknown);
    }
}
