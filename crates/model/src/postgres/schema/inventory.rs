//! What is in a database's schemas at one moment.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::compare::Judged;
use super::ignore::Ignore;
use super::object::{Facets, ObjectKey, ObjectKind};
use crate::postgres::migration::{LedgerName, hex};

/// Everything but the server's own, and what extensions bring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub objects: BTreeMap<ObjectKey, Facets>,
    /// The schemas in which the role that looked finds a name without one, in that order.
    pub path: Vec<String>,
}

impl Inventory {
    pub fn get(&self, key: &ObjectKey) -> Option<&Facets> {
        self.objects.get(key)
    }

    pub fn has(&self, key: &ObjectKey) -> bool {
        self.objects.contains_key(key)
    }

    /// Everything but a ledger, and what stands beside it.
    #[must_use]
    pub fn without(mut self, ledger: &LedgerName) -> Inventory {
        let ignore = Ignore::default().and_ledger(ledger);
        self.objects.retain(|key, _| !ignore.meets(key));
        self
    }

    /// The parts of a relation or function, of one kind.
    pub fn parts<'i>(
        &'i self,
        schema: &str,
        of: &str,
        kind: ObjectKind,
    ) -> impl Iterator<Item = (&'i ObjectKey, &'i Facets)> + use<'i> {
        let first = ObjectKey::part(kind, schema, of, "");
        let from = first.clone();
        let is_part = move |key: &ObjectKey| key.schema == first.schema && key.of == first.of && key.kind == kind;
        self.objects.range(from..).take_while(move |(key, _)| is_part(key))
    }

    /// The schemas that hold a relation of this name.
    pub fn schemas_with(&self, relation: &str) -> BTreeSet<&str> {
        let is_it = |key: &&ObjectKey| key.kind == ObjectKind::Relation && key.name == relation;
        self.objects.keys().filter(is_it).map(|key| key.schema.as_str()).collect()
    }

    /// Where a name without a schema leads.
    pub fn resolve(&self, relation: &str) -> Option<&str> {
        let is_in = |schema: &&String| self.has(&ObjectKey::new(ObjectKind::Relation, schema, relation));
        self.path.iter().find(is_in).map(String::as_str)
    }

    /// SHA-256 of the shape of what is judged, in hexadecimal: who owns it, who may what with it, and in which order
    /// columns stand is no part of it.
    pub fn fingerprint(&self, judged: &Judged) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text.as_bytes());
        };
        for (key, facets) in self.objects.iter().filter(|(key, _)| judged.holds(key)) {
            if matches!(key.kind, ObjectKind::Grant | ObjectKind::FunctionGrant | ObjectKind::SchemaGrant) {
                continue;
            }
            part(key.kind.word());
            part(&key.path());
            for (facet, value) in facets.iter().filter(|(facet, _)| !facet.is_about_people()) {
                part(facet.words());
                part(value);
            }
        }
        hex(&hash.finalize())
    }
}
