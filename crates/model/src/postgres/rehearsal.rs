//! What files did to a copy of a database: how long each took, and whom it would have kept waiting.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::migration::Mode;

/// A lock of this length is felt by whoever waits behind it.
pub const FELT_MS: u64 = 100;

/// The modes of a lock on a relation, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

/// What of an app waits behind a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocks {
    /// At most other changes of the schema, and `VACUUM`.
    Nothing,
    Writes,
    ReadsAndWrites,
}

impl LockMode {
    const ALL: [(LockMode, &'static str, &'static str); 8] = [
        (LockMode::AccessShare, "AccessShareLock", "ACCESS SHARE"),
        (LockMode::RowShare, "RowShareLock", "ROW SHARE"),
        (LockMode::RowExclusive, "RowExclusiveLock", "ROW EXCLUSIVE"),
        (LockMode::ShareUpdateExclusive, "ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"),
        (LockMode::Share, "ShareLock", "SHARE"),
        (LockMode::ShareRowExclusive, "ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"),
        (LockMode::Exclusive, "ExclusiveLock", "EXCLUSIVE"),
        (LockMode::AccessExclusive, "AccessExclusiveLock", "ACCESS EXCLUSIVE"),
    ];

    /// As `pg_locks` names it.
    pub fn of(name: &str) -> Option<LockMode> {
        LockMode::ALL.iter().find(|(_, theirs, _)| *theirs == name).map(|(mode, ..)| *mode)
    }

    pub fn blocks(self) -> Blocks {
        match self {
            LockMode::AccessExclusive => Blocks::ReadsAndWrites,
            LockMode::Share | LockMode::ShareRowExclusive | LockMode::Exclusive => Blocks::Writes,
            _ => Blocks::Nothing,
        }
    }
}

/// As SQL writes it.
impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LockMode::ALL[*self as usize].2)
    }
}

/// What became of a relation's rows on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// They lie where they lay.
    Stays,
    /// All of them were written anew, or emptied.
    Rewritten,
    Dropped,
}

/// One lock on what was there before the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// `public.orders`, as it was called before the file.
    pub relation: String,
    pub kind: Kind,
    /// In the backup; none of what has no rows, or was made since.
    pub rows: Option<u64>,
    pub mode: LockMode,
    pub blocks: Blocks,
    /// From the beginning of the statement that took it to the end of its transaction.
    pub held_ms: u64,
    /// The line of that statement.
    pub line: u32,
    pub fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Table,
    Partitioned,
    View,
    MaterializedView,
    Sequence,
    Foreign,
}

impl Kind {
    /// As `pg_class` writes it.
    pub fn of(relkind: &str) -> Option<Kind> {
        Some(match relkind {
            "r" => Kind::Table,
            "p" => Kind::Partitioned,
            "v" => Kind::View,
            "m" => Kind::MaterializedView,
            "S" => Kind::Sequence,
            "f" => Kind::Foreign,
            _ => return None,
        })
    }
}

impl Held {
    /// What somebody who waits behind it reads.
    pub fn sentence(&self) -> Option<String> {
        let against = match self.blocks {
            Blocks::Nothing => return None,
            Blocks::Writes => "writes",
            Blocks::ReadsAndWrites => "reads and writes",
        };
        let rows = self.rows.map(|rows| format!(" ({})", shown_rows(rows))).unwrap_or_default();
        Some(format!("`{}`{rows} is locked against {against} for {}", self.relation, lasting(self.held_ms)))
    }

    /// Whether somebody notices.
    pub fn is_felt(&self) -> bool {
        self.blocks > Blocks::Nothing && self.held_ms >= FELT_MS
    }
}

/// One file, run on the copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rehearsed {
    pub file: String,
    pub mode: Mode,
    /// Those that ran.
    pub statements: usize,
    /// Without what watching it took.
    pub took_ms: u64,
    /// The strongest first.
    pub locks: Vec<Held>,
    /// Lines of statements that end their own transactions, so that what they held could not be seen.
    pub unseen: Vec<u32>,
}

impl Rehearsed {
    /// The locks as they are told: the strongest first, then those that were held for longest; of each relation none that a
    /// stronger one covers.
    pub fn in_order(mut locks: Vec<Held>) -> Vec<Held> {
        locks.sort_by(|one, other| {
            let by_strength = other.mode.cmp(&one.mode).then(other.held_ms.cmp(&one.held_ms));
            by_strength.then_with(|| one.relation.cmp(&other.relation))
        });
        let mut longest: BTreeMap<String, u64> = BTreeMap::new();
        locks.retain(|held| {
            let covered = longest.get(&held.relation).copied();
            longest.entry(held.relation.clone()).and_modify(|ms| *ms = held.held_ms.max(*ms)).or_insert(held.held_ms);
            covered.is_none_or(|covered| held.held_ms > covered)
        });
        locks
    }
}

/// `1,204,331 rows`.
pub fn shown_rows(rows: u64) -> String {
    let digits = rows.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + if rows == 1 { " row" } else { " rows" }
}

/// `340 ms`, `8.2 s`, `3 min 05 s`.
pub fn lasting(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(relation: &str, mode: LockMode, held_ms: u64) -> Held {
        let (kind, rows, fate) = (Kind::Table, Some(1_204_331), Fate::Stays);
        Held { relation: relation.into(), kind, rows, mode, blocks: mode.blocks(), held_ms, line: 1, fate }
    }

    #[test]
    fn modes_are_in_the_order_of_their_strength_and_known_by_both_names() {
        for (index, (mode, theirs, _)) in LockMode::ALL.iter().enumerate() {
            assert_eq!((*mode as usize, LockMode::of(theirs)), (index, Some(*mode)));
        }
        assert_eq!(LockMode::of("SIReadLock"), None);
        assert_eq!(LockMode::ShareUpdateExclusive.blocks(), Blocks::Nothing);
        assert_eq!(LockMode::Share.blocks(), Blocks::Writes);
    }

    #[test]
    fn what_blocks_is_said_in_a_sentence_and_what_does_not_in_none() {
        let exclusive = held("public.orders", LockMode::AccessExclusive, 8_240);
        assert_eq!(
            exclusive.sentence().as_deref(),
            Some("`public.orders` (1,204,331 rows) is locked against reads and writes for 8.2 s")
        );
        assert!(exclusive.is_felt() && !held("a", LockMode::AccessExclusive, 99).is_felt());
        let share = Held { rows: Some(1), ..held("public.a", LockMode::Share, 340) };
        assert_eq!(share.sentence().as_deref(), Some("`public.a` (1 row) is locked against writes for 340 ms"));
        assert_eq!(held("public.a", LockMode::RowExclusive, 90_000).sentence(), None);
        assert_eq!(
            [lasting(185_400), shown_rows(12_345), shown_rows(999)].join("; "),
            "3 min 05 s; 12,345 rows; 999 rows"
        );
    }

    #[test]
    fn a_weaker_lock_is_told_only_where_it_was_held_for_longer() {
        let told = Rehearsed::in_order(vec![
            held("a", LockMode::AccessShare, 10),
            held("b", LockMode::AccessExclusive, 30),
            held("a", LockMode::Share, 50),
            held("a", LockMode::AccessExclusive, 10),
            held("a", LockMode::RowExclusive, 50),
        ]);
        let told: Vec<_> = told.iter().map(|held| (held.relation.as_str(), held.mode)).collect();
        assert_eq!(told, [("b", LockMode::AccessExclusive), ("a", LockMode::AccessExclusive), ("a", LockMode::Share)]);
    }
}
