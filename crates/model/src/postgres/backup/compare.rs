//! Two contents held against each other.

use std::collections::BTreeMap;

use super::contents::{
    Contents, DatabaseFacts, LargeObjects, Role, RoleAttributes, Sequence, ServerFacts, Settings, Table, TableDigest,
    TableKind,
};
use super::{Difference, Place};

/// Everything in which a restored copy is not what was backed up, sorted; nothing when it is the same.
///
/// What a copy cannot share (the cluster's number, its log, the size on disk, the database's own name) is not held
/// against it. A sequence may be ahead: `pg_dump` reads it after the snapshot, outside of it.
pub fn compare(backed_up: &Contents, copy: &Contents) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    found.servers(&backed_up.server, &copy.server);
    found.databases(&backed_up.database, &copy.database);
    found.each(&backed_up.extensions, &copy.extensions, Place::Extension, |found, name, was, is| {
        found.differs(|| Place::Extension(name.into()), "version", &was.version, &is.version);
        found.differs(|| Place::Extension(name.into()), "schema", &was.schema, &is.schema);
    });
    found.roles(&backed_up.roles, &copy.roles);
    found.settings(&backed_up.settings, &copy.settings);
    found.each(&backed_up.tables, &copy.tables, Place::Table, Found::tables);
    found.each(&backed_up.sequences, &copy.sequences, Place::Sequence, Found::sequences);
    found.large_objects(&backed_up.large_objects, &copy.large_objects);
    if backed_up.schema.sha256 != copy.schema.sha256 {
        let what = format!(
            "its text is another: {} bytes in the backup, {} in the copy",
            backed_up.schema.bytes, copy.schema.bytes
        );
        found.say(Place::Schema, what);
    }
    found.0.sort();
    found.0
}

struct Found(Vec<Difference>);

impl Found {
    fn say(&mut self, place: Place, what: impl Into<String>) {
        self.0.push(Difference { place, what: what.into() });
    }

    fn differs<T: PartialEq + std::fmt::Debug + ?Sized>(
        &mut self,
        place: impl Fn() -> Place,
        of: &str,
        was: &T,
        is: &T,
    ) {
        if was != is {
            self.say(place(), format!("{of} {was:?} in the backup, {is:?} in the copy"));
        }
    }

    /// Names that one side lacks, and what `both` says of the others.
    fn each<T>(
        &mut self,
        was: &BTreeMap<String, T>,
        is: &BTreeMap<String, T>,
        place: impl Fn(String) -> Place,
        both: impl Fn(&mut Found, &str, &T, &T),
    ) {
        for (name, one) in was {
            match is.get(name) {
                Some(other) => both(self, name, one, other),
                None => self.say(place(name.clone()), "is missing in the copy"),
            }
        }
        for name in is.keys().filter(|name| !was.contains_key(*name)) {
            self.say(place(name.clone()), "is in the copy and not in the backup");
        }
    }

    fn servers(&mut self, was: &ServerFacts, is: &ServerFacts) {
        self.differs(|| Place::Server, "major version", &was.major(), &is.major());
    }

    fn databases(&mut self, was: &DatabaseFacts, is: &DatabaseFacts) {
        let place = || Place::Database;
        self.differs(place, "owner", &was.owner, &is.owner);
        self.differs(place, "encoding", &was.encoding, &is.encoding);
        self.differs(place, "collation", &was.collate, &is.collate);
        self.differs(place, "character type", &was.ctype, &is.ctype);
        self.differs(place, "locale provider", &was.provider, &is.provider);
        self.differs(place, "locale", &was.locale, &is.locale);
        self.differs(place, "privileges", &was.acl, &is.acl);
    }

    /// A copy may have roles of its own: the one that restored it, for instance.
    fn roles(&mut self, was: &BTreeMap<String, Role>, is: &BTreeMap<String, Role>) {
        for (name, one) in was {
            let place = || Place::Role(name.clone());
            let Some(other) = is.get(name) else {
                self.say(place(), "is missing in the copy");
                continue;
            };
            for (attribute, was, is) in flags(&one.attributes, &other.attributes) {
                self.differs(place, attribute, &was, &is);
            }
            let (was, is) = (&one.attributes, &other.attributes);
            self.differs(place, "connection limit", &was.connection_limit, &is.connection_limit);
            self.differs(place, "validity", &was.valid_until, &is.valid_until);
            for membership in one.member_of.iter().filter(|one| !other.member_of.contains(one)) {
                self.say(place(), format!("is no longer a member of {} in the same way", membership.role));
            }
            for membership in other.member_of.iter().filter(|other| !one.member_of.contains(other)) {
                self.say(
                    place(),
                    format!("is a member of {} in the copy and was not, or in another way", membership.role),
                );
            }
        }
    }

    /// Values are not told: people keep keys in settings.
    fn settings(&mut self, was: &[Settings], is: &[Settings]) {
        let key = |one: &Settings| (one.role.clone(), one.in_database);
        let values = |side: &[Settings], of: &(Option<String>, bool)| -> BTreeMap<String, String> {
            let fitting = side.iter().filter(|one| key(one) == *of).flat_map(|one| &one.settings);
            fitting.map(|one| (one.name.clone(), one.value.reveal().to_owned())).collect()
        };
        let mut keys: Vec<_> = was.iter().chain(is).map(key).collect();
        keys.sort();
        keys.dedup();
        for of in keys {
            let (was, is) = (values(was, &of), values(is, &of));
            let place = || Place::Settings(of.0.clone());
            for (name, value) in &was {
                match is.get(name) {
                    None => self.say(place(), format!("{name} is not set in the copy")),
                    Some(other) if other != value => self.say(place(), format!("{name} has another value in the copy")),
                    Some(_) => {}
                }
            }
            for name in is.keys().filter(|name| !was.contains_key(*name)) {
                self.say(place(), format!("{name} is set in the copy and was not"));
            }
        }
    }

    fn tables(&mut self, name: &str, was: &Table, is: &Table) {
        let place = || Place::Table(name.to_owned());
        self.differs(place, "kind", &was.kind, &is.kind);
        for (what, was, is) in [
            ("row security", was.row_security, is.row_security),
            ("row security for its owner", was.row_security_forced, is.row_security_forced),
        ] {
            if was != is {
                let shown = |on: bool| if on { "on" } else { "off" };
                self.say(place(), format!("{what} was {} and is {} in the copy", shown(was), shown(is)));
            }
        }
        self.differs(place, "extension", &was.extension, &is.extension);
        // A restore makes its rows anew, from what its query finds then.
        if was.kind == TableKind::MaterializedView {
            return;
        }
        let none = TableDigest::default();
        let (was, is) = (was.digest.as_ref().unwrap_or(&none), is.digest.as_ref().unwrap_or(&none));
        if was.rows != is.rows {
            self.say(place(), format!("{} in the backup, {} in the copy", rows(was.rows), rows(is.rows)));
        } else if was.sums != is.sums {
            self.say(place(), format!("{} in both, and their contents differ", rows(was.rows)));
        }
    }

    fn sequences(&mut self, name: &str, was: &Sequence, is: &Sequence) {
        let place = || Place::Sequence(name.to_owned());
        self.differs(place, "increment", &was.increment, &is.increment);
        // What it would give next, counted in the direction in which it goes.
        let next = |one: &Sequence| {
            let last = i128::from(one.last_value);
            if one.is_called { last + i128::from(was.increment) } else { last }
        };
        let behind = if was.increment < 0 { next(is) > next(was) } else { next(is) < next(was) };
        if behind {
            let (was, is) = (next(was), next(is));
            self.say(
                place(),
                format!("would give {is} next in the copy, and {was} in the backup: values would come twice"),
            );
        }
    }

    fn large_objects(&mut self, was: &LargeObjects, is: &LargeObjects) {
        let place = || Place::LargeObjects;
        if was.count != is.count {
            self.say(place(), format!("{} in the backup, {} in the copy", was.count, is.count));
        } else if was.bytes != is.bytes {
            self.say(place(), format!("{} bytes in the backup, {} in the copy", was.bytes, is.bytes));
        } else if was.sums != is.sums {
            self.say(place(), format!("{} in both, and their contents differ", was.count));
        }
    }
}

fn flags(was: &RoleAttributes, is: &RoleAttributes) -> [(&'static str, bool, bool); 7] {
    [
        ("superuser", was.superuser, is.superuser),
        ("inherit", was.inherit, is.inherit),
        ("create roles", was.create_role, is.create_role),
        ("create databases", was.create_db, is.create_db),
        ("login", was.login, is.login),
        ("replication", was.replication, is.replication),
        ("bypass row security", was.bypass_rls, is.bypass_rls),
    ]
}

fn rows(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{out} {}", if count == 1 { "row" } else { "rows" })
}
