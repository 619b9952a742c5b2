//! How bad it is that something is missing, extra or otherwise.

use super::difference::{Change, Severity};
use super::object::{Facet, Facets, ObjectKey, ObjectKind};
use super::types::is_narrower;

/// Of an object that is wanted and not there.
pub(super) fn of_missing(key: &ObjectKey, wanted: &Facets) -> Severity {
    match key.kind {
        // Those that are dropped in time are gone rightly.
        ObjectKind::Relation if wanted.contains_key(&Facet::PartitionOf) => Severity::Warning,
        ObjectKind::Extension
        | ObjectKind::Schema
        | ObjectKind::Relation
        | ObjectKind::Column
        | ObjectKind::Type
        | ObjectKind::Function
        | ObjectKind::Grant
        | ObjectKind::FunctionGrant
        | ObjectKind::SchemaGrant => Severity::NotReady,
        // One that restricts keeps rows closed; without one that permits, rows are hidden.
        ObjectKind::Policy if wanted.get(&Facet::Permissive).is_some_and(|value| value == "false") => {
            Severity::Critical
        }
        ObjectKind::Policy => Severity::NotReady,
        ObjectKind::Constraint | ObjectKind::Index | ObjectKind::Trigger | ObjectKind::Rule => Severity::Warning,
    }
}

/// Of an object that no file makes.
pub(super) fn of_extra(key: &ObjectKey, live: &Facets) -> Severity {
    match key.kind {
        // An insert that does not know of it fails.
        ObjectKind::Column
            if live.contains_key(&Facet::NotNull)
                && ![Facet::Default, Facet::Generated, Facet::Identity]
                    .iter()
                    .any(|facet| live.contains_key(facet)) =>
        {
            Severity::NotReady
        }
        ObjectKind::Policy if live.get(&Facet::Permissive).is_none_or(|value| value != "false") => Severity::Critical,
        // Whoever may call it does what its owner may.
        ObjectKind::Function if live.contains_key(&Facet::SecurityDefiner) => Severity::Critical,
        ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy => Severity::Warning,
        ObjectKind::Grant | ObjectKind::FunctionGrant | ObjectKind::SchemaGrant => Severity::Warning,
        _ => Severity::Note,
    }
}

/// Of one fact that is otherwise.
pub(super) fn of_change(key: &ObjectKey, change: &Change) -> Severity {
    let (wanted, live) = (change.wanted.as_deref(), change.live.as_deref());
    match change.facet {
        Facet::RowSecurity | Facet::ForceRowSecurity | Facet::SecurityInvoker if wanted.is_some() => Severity::Critical,
        Facet::SecurityDefiner if live.is_some() => Severity::Critical,
        Facet::Using | Facet::Check | Facet::Roles | Facet::Command | Facet::Permissive
            if key.kind == ObjectKind::Policy =>
        {
            Severity::Critical
        }
        Facet::Type | Facet::Base => match (live, wanted) {
            // What fits into the wanted type fits.
            (Some(live), Some(wanted)) if is_narrower(wanted, live) => Severity::Warning,
            _ => Severity::NotReady,
        },
        // Rows without a value are refused.
        Facet::NotNull if live.is_some() => Severity::NotReady,
        Facet::Default if live.is_none() && key.kind == ObjectKind::Column => Severity::NotReady,
        Facet::Labels => match (live, wanted) {
            (Some(live), Some(wanted)) if labels(wanted).iter().all(|label| labels(live).contains(label)) => {
                Severity::Warning
            }
            _ => Severity::NotReady,
        },
        Facet::Sort
        | Facet::Generated
        | Facet::Identity
        | Facet::Columns
        | Facet::Returns
        | Facet::PartitionKey
        | Facet::Populated
        | Facet::May => Severity::NotReady,
        Facet::Version => Severity::Note,
        _ => Severity::Warning,
    }
}

/// The labels of an enum as they are written: quoted, with commas between.
fn labels(written: &str) -> Vec<&str> {
    written.split(", ").collect()
}
