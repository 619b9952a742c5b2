//! The live schema against the wanted one, object by object.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::{Change, Difference, Grade, Severity};
use super::ignore::Ignore;
use super::inventory::Inventory;
use super::object::{Facet, Facets, ObjectKey, ObjectKind};
use super::replay::Replay;
use super::severity::{of_change, of_extra, of_missing};

/// What a comparison is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Other schemas are somebody else's.
    pub schemas: BTreeSet<String>,
    pub ignore: Ignore,
}

impl Judged {
    pub fn holds(&self, key: &ObjectKey) -> bool {
        let is_in = key.kind == ObjectKind::Extension || self.schemas.contains(&key.schema);
        is_in && !self.ignore.meets(key)
    }
}

/// Every difference, the worst first. `replay` ends in the wanted state, and knows which file brings what.
pub fn compare(replay: &Replay, live: &Inventory, judged: &Judged) -> Vec<Difference> {
    let wanted = replay.wanted();
    let looks = Looks { replay, wanted: &wanted, live, judged };
    let renamed = looks.renamed();
    let mut found = Vec::new();
    let keys: BTreeSet<&ObjectKey> = wanted.objects.keys().chain(live.objects.keys()).collect();
    for key in keys.into_iter().filter(|key| judged.holds(key)) {
        found.extend(looks.at(key, &renamed));
    }
    found.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.key.cmp(&other.key)));
    found
}

struct Looks<'l> {
    replay: &'l Replay,
    wanted: &'l Inventory,
    live: &'l Inventory,
    judged: &'l Judged,
}

/// Parts that are there under another name, both ways.
struct Renamed {
    /// From the wanted name to the live one.
    to: BTreeMap<ObjectKey, ObjectKey>,
    from: BTreeSet<ObjectKey>,
}

impl Looks<'_> {
    fn at(&self, key: &ObjectKey, renamed: &Renamed) -> Option<Difference> {
        match (self.wanted.get(key), self.live.get(key)) {
            (Some(wanted), None) if self.stands_in(key, self.live) => match renamed.to.get(key) {
                Some(other) => Some(self.other_name(key, other)),
                None => Some(self.missing(key, wanted)),
            },
            (None, Some(live)) if self.stands_in(key, self.wanted) && !renamed.from.contains(key) => {
                self.extra(key, live)
            }
            (Some(wanted), Some(live)) => self.different(key, wanted, live),
            // Its relation is missing or extra itself, and counts it.
            _ => None,
        }
    }

    /// Whether what it is a part of is there.
    fn stands_in(&self, key: &ObjectKey, inventory: &Inventory) -> bool {
        key.parent().is_none_or(|parent| inventory.has(&parent))
    }

    fn missing(&self, key: &ObjectKey, wanted: &Facets) -> Difference {
        let is_grant = matches!(key.kind, ObjectKind::Grant | ObjectKind::FunctionGrant | ObjectKind::SchemaGrant);
        let changes = wanted.get(&Facet::Privileges).filter(|_| is_grant);
        Difference {
            key: key.clone(),
            grade: if is_grant { Grade::Unprivileged } else { Grade::Missing },
            severity: of_missing(key, wanted),
            changes: changes
                .map(|wanted| Change { facet: Facet::Privileges, wanted: Some(wanted.clone()), live: None })
                .into_iter()
                .collect(),
            parts: parts(key, self.wanted, self.judged),
            file: self.replay.brings(key),
            remark: self.where_else(key, wanted),
        }
    }

    fn extra(&self, key: &ObjectKey, live: &Facets) -> Option<Difference> {
        // Extensions that the image brings along are nobody's wish.
        if key.kind == ObjectKind::Extension {
            return None;
        }
        let mut severity = of_extra(key, live);
        let is_of_wanted_partition = live.get(&Facet::PartitionOf).is_some_and(|parent| {
            self.wanted.objects.keys().any(|key| key.kind == ObjectKind::Relation && key.path() == *parent)
        });
        let file = self.replay.takes_away(key);
        let remark = match &file {
            Some(file) => Some(format!("{file} takes it away")),
            None if is_of_wanted_partition => Some("a partition".to_owned()),
            None => None,
        };
        if is_of_wanted_partition {
            severity = Severity::Note;
        }
        let privileges = live.get(&Facet::Privileges);
        let changes = privileges
            .map(|live| Change { facet: Facet::Privileges, wanted: None, live: Some(live.clone()) })
            .into_iter()
            .collect();
        let parts = parts(key, self.live, self.judged);
        Some(Difference { key: key.clone(), grade: Grade::Extra, severity, changes, parts, file, remark })
    }

    fn different(&self, key: &ObjectKey, wanted: &Facets, live: &Facets) -> Option<Difference> {
        let mut changes = changes(wanted, live);
        if changes.is_empty() {
            return self.hidden(key);
        }
        let mut severity = changes.iter().map(|change| of_change(key, change)).max()?;
        let is_privileges = |change: &Change| matches!(change.facet, Facet::Privileges | Facet::May);
        let mut grade = if changes.iter().all(is_privileges) { Grade::Unprivileged } else { Grade::Different };
        let may_all = changes.iter().filter(|change| is_privileges(change)).all(|change| lacks(change).is_empty());
        if grade == Grade::Unprivileged && may_all {
            (grade, severity) = (Grade::Extra, Severity::Warning);
            changes.retain(|change| change.facet == Facet::Privileges);
        } else if grade == Grade::Unprivileged {
            severity = Severity::NotReady;
        }
        if changes.is_empty() {
            return None;
        }
        changes.sort_by_key(|change| std::cmp::Reverse(of_change(key, change)));
        let file = changes.iter().find_map(|change| self.replay.sets(key, change.facet));
        let file = file.or_else(|| self.replay.brings(key));
        Some(Difference { key: key.clone(), grade, severity, changes, parts: 0, file, remark: None })
    }

    /// A relation that is as wanted, and that a name without a schema does not reach.
    fn hidden(&self, key: &ObjectKey) -> Option<Difference> {
        if key.kind != ObjectKind::Relation || !self.live.path.contains(&key.schema) {
            return None;
        }
        let first = self.live.resolve(&key.name).filter(|schema| *schema != key.schema)?;
        // Where the files themselves make both, it is meant.
        if self.wanted.schemas_with(&key.name).contains(first) {
            return None;
        }
        let remark = format!(
            "hidden by relation {}, whose schema comes first in the search_path",
            ObjectKey::new(ObjectKind::Relation, first, &key.name).path()
        );
        Some(Difference {
            key: key.clone(),
            grade: Grade::Different,
            severity: Severity::NotReady,
            changes: Vec::new(),
            parts: 0,
            file: self.replay.brings(key),
            remark: Some(remark),
        })
    }

    /// A missing thing may be there under another name, or elsewhere.
    fn where_else(&self, key: &ObjectKey, wanted: &Facets) -> Option<String> {
        let lower = key.name.to_lowercase();
        let same_place = |other: &&ObjectKey| {
            other.kind == key.kind && other.schema == key.schema && other.of == key.of && !self.wanted.has(other)
        };
        let mut others = self.live.objects.keys().filter(same_place);
        if let Some(other) = others.clone().find(|other| other.name.to_lowercase() == lower) {
            return Some(format!("there is `{}`: names differ in case", other.name));
        }
        match key.kind {
            ObjectKind::Relation => {
                let elsewhere = self.live.schemas_with(&key.name);
                let elsewhere = elsewhere.into_iter().find(|schema| *schema != key.schema)?;
                Some(format!("there is one in schema {elsewhere}"))
            }
            ObjectKind::Column => {
                let sort = wanted.get(&Facet::Type)?;
                let of_type =
                    |other: &&ObjectKey| self.live.get(other).and_then(|one| one.get(&Facet::Type)) == Some(sort);
                let other = others.find(of_type)?;
                Some(format!("no file makes `{}`, which has its type: renamed?", other.name))
            }
            _ => None,
        }
    }

    /// Constraints and indexes that do the same under another name.
    fn renamed(&self) -> Renamed {
        let mut renamed = Renamed { to: BTreeMap::new(), from: BTreeSet::new() };
        let can_be = |key: &ObjectKey| matches!(key.kind, ObjectKind::Constraint | ObjectKind::Index);
        let wanted = self.wanted.objects.iter().filter(|(key, _)| can_be(key) && self.judged.holds(key));
        for (key, facets) in wanted.filter(|(key, _)| !self.live.has(key)) {
            let Some(of) = &key.of else { continue };
            let other = self.live.parts(&key.schema, of, key.kind).find(|(other, live)| {
                !self.wanted.has(other) && !renamed.from.contains(*other) && changes(facets, live).is_empty()
            });
            if let Some((other, _)) = other {
                renamed.from.insert(other.clone());
                renamed.to.insert(key.clone(), other.clone());
            }
        }
        renamed
    }

    fn other_name(&self, key: &ObjectKey, other: &ObjectKey) -> Difference {
        Difference {
            key: key.clone(),
            grade: Grade::Different,
            severity: Severity::Note,
            changes: Vec::new(),
            parts: 0,
            file: self.replay.brings(key),
            remark: Some(format!("there under the name `{}`", other.name)),
        }
    }
}

/// The facts that are otherwise. Where one side could not be read, there are none.
pub(super) fn changes(wanted: &Facets, live: &Facets) -> Vec<Change> {
    if wanted.contains_key(&Facet::Unread) || live.contains_key(&Facet::Unread) {
        return Vec::new();
    }
    let facets: BTreeSet<Facet> = wanted.keys().chain(live.keys()).copied().collect();
    let change = |facet| Change { facet, wanted: wanted.get(&facet).cloned(), live: live.get(&facet).cloned() };
    let is_otherwise = |change: &Change| match change.facet {
        // More than is needed is no trouble.
        Facet::May => !lacks(change).is_empty(),
        _ => change.wanted != change.live,
    };
    facets.into_iter().map(change).filter(is_otherwise).collect()
}

/// Privileges that are wanted and not there.
fn lacks(change: &Change) -> BTreeSet<&str> {
    let live: BTreeSet<&str> = change.live.iter().flat_map(|text| text.split(", ")).collect();
    change.wanted.iter().flat_map(|text| text.split(", ")).filter(|one| !live.contains(*one)).collect()
}

/// How many parts go with it, as far as a person would count them.
fn parts(key: &ObjectKey, inventory: &Inventory, judged: &Judged) -> usize {
    if key.kind != ObjectKind::Relation {
        return 0;
    }
    let kinds =
        [ObjectKind::Constraint, ObjectKind::Index, ObjectKind::Trigger, ObjectKind::Policy, ObjectKind::Column];
    let of_kind = |kind| inventory.parts(&key.schema, &key.name, kind).filter(|(part, _)| judged.holds(part)).count();
    kinds.into_iter().map(of_kind).sum()
}
