//! Migrations that are part of a release: applied once everything is fetched and their database is there, before
//! anything else starts. Of a database whose migrations are not, and of a rollback, is told how its schema stands.

use std::collections::{BTreeMap, BTreeSet};

use super::dependencies::leans_on;
use super::instances::Instance;
use super::listed;
use super::up::Up;
use super::waits::is_still_to_come;
use crate::declared::container::MountKind;
use crate::declared::{Condition, Database, Migrations, Service, Whereabouts};
use crate::identity::ServiceName;
use crate::observed::{Ledger, ObservedDatabase};
use crate::plan::{Action, Impact, Level, PlannedMigration, StepId};
use crate::postgres::migration::{MigrationPlan, MigrationSet, Refusal, SchemaLevel, Severity, Status, findings};

/// So many files are named in a step itself; of more, a note has the names.
const NAMED_IN_A_STEP: usize = 3;

/// What a step is to apply.
struct Pending {
    files: Vec<PlannedMigration>,
    is_certain: bool,
    why: String,
}

/// The steps of one database.
struct Migrating {
    backup: Option<StepId>,
    migrate: StepId,
}

/// The container of a database, as this plan leaves it.
#[derive(Clone, Copy)]
struct Room {
    /// Its place among the instances of its service.
    index: usize,
    /// This plan starts it.
    comes: bool,
    /// This plan makes it, and what was kept before does not come with it.
    is_emptied: bool,
    /// Nothing of it was there before.
    is_new: bool,
}

impl<'a> Up<'a> {
    pub fn migrations(&mut self) {
        let declared = self.declared;
        let mut steps: Vec<Migrating> = Vec::new();
        for (name, database) in &declared.databases {
            let Some(migrations) = &database.migrations else { continue };
            if let Some(number) = self.options.back_to {
                self.tell_what_came_since(name, number);
                continue;
            }
            let Some(files) = &migrations.files else {
                if migrations.release {
                    let message = format!("the migrations of `{name}` are not at hand, so none is applied");
                    self.draft.tell(Level::Note, "no-migrations", message, None);
                }
                continue;
            };
            let set = match self.ledger(name) {
                Some(ledger) => MigrationSet::beside(files, &ledger.rows),
                None => MigrationSet::of(files),
            };
            if migrations.release && self.is_time_for(database) {
                steps.extend(self.migrate(name, database, migrations, &set));
            } else {
                self.tell_what_is_pending(name, &set);
            }
        }
        self.put_in_between(&steps);
    }

    fn ledger(&self, name: &str) -> Option<&'a Ledger> {
        self.world.databases.get(name).and_then(ObservedDatabase::ledger)
    }

    /// Whether the order is about a database: of a part, about what its services are in.
    fn is_time_for(&self, database: &Database) -> bool {
        let is_meant = match &database.whereabouts {
            Whereabouts::Service { service, .. } => self.scope.contains(service),
            Whereabouts::Url(_) => self.options.services.is_empty(),
        };
        is_meant && !self.options.no_start
    }

    fn migrate(
        &mut self,
        name: &str,
        database: &Database,
        migrations: &Migrations,
        set: &MigrationSet,
    ) -> Option<Migrating> {
        if set.names().is_empty() {
            return None;
        }
        let (service, room) = match &database.whereabouts {
            Whereabouts::Service { service, .. } => (Some(service), Some(self.room_of(name, service)?)),
            Whereabouts::Url(_) => (None, None),
        };
        let pending = self.pending(name, set, room)?;
        if pending.files.is_empty() && pending.is_certain {
            return None;
        }
        let is_new = room.is_some_and(|room| room.is_new);
        if !is_new {
            self.tell_of_dangers(name, set, &pending.files);
        }
        if pending.files.len() > NAMED_IN_A_STEP {
            let names: Vec<&str> = pending.files.iter().map(|one| one.file.as_str()).collect();
            let what = if pending.is_certain { "gets" } else { "may get" };
            let message = format!("`{name}` {what} {}", listed(&names));
            self.draft.tell(Level::Note, "migrations", message, None);
        }
        let loses = pending.files.iter().filter_map(|one| set.files.get(&one.file)).any(|file| file.loses_data());
        let impact = if loses && !is_new { Impact::Destroy } else { Impact::Live };
        let ready = service.zip(room).and_then(|(service, room)| self.ready_for_migrations(name, service, room));
        let at = service.zip(room).map(|(service, room)| self.instances[service][room.index].target.clone());
        let Pending { files, is_certain, why } = pending;
        let harms = !is_new && !files.is_empty();
        let backup = if harms { self.back_up(name, database, at.clone(), is_certain, ready) } else { None };
        let action = Action::Migrate { database: name.to_owned(), at, files, is_certain, is_new };
        debug_assert!(migrations.release);
        Some(Migrating { backup, migrate: self.draft.add(action, impact, why, ready) })
    }

    /// `None`, and a refusal, where no container of it runs at the end of this plan.
    fn room_of(&mut self, name: &str, service: &ServiceName) -> Option<Room> {
        if self.refused.contains(service) {
            return None;
        }
        let declared = self.declared.services.get(service)?;
        let Some(index) = self.running_at_the_end(service) else {
            let message = format!("no container of `{service}` runs, so `{name}` cannot be migrated");
            self.draft.tell(Level::Refusal, "no-database", message, None);
            return None;
        };
        let instance = &self.instances[service][index];
        let is_emptied = self.starts_empty(instance, declared);
        let stood = !self.world.of_service(service).is_empty();
        Some(Room { index, comes: instance.started.is_some(), is_emptied, is_new: is_emptied && !stood })
    }

    /// Whether this plan makes the container, and what was kept before does not come with it.
    pub fn starts_empty(&self, instance: &Instance, service: &Service) -> bool {
        let carries = self.draft.steps().iter().any(|step| match &step.action {
            Action::CreateContainer { carried, .. } => Some(step.id) == instance.created && !carried.is_empty(),
            _ => false,
        });
        instance.created.is_some() && !carries && !self.keeps_data(service)
    }

    /// Whether a container of the service mounts something that was there before this plan.
    fn keeps_data(&self, service: &Service) -> bool {
        service.container.mounts.iter().any(|mount| match mount.kind {
            MountKind::Volume => mount.source.as_ref().is_some_and(|name| !self.volumes_made.contains_key(name)),
            MountKind::Bind => !mount.read_only,
            _ => false,
        })
    }

    fn pending(&mut self, name: &str, set: &MigrationSet, room: Option<Room>) -> Option<Pending> {
        let comes = room.is_some_and(|room| room.comes);
        let is_emptied = room.is_some_and(|room| room.is_emptied);
        match self.world.databases.get(name) {
            Some(ObservedDatabase::Seen(ledger)) if !is_emptied => self.as_the_ledger_says(name, set, ledger),
            _ if comes => Some(self.as_it_turns_out(name, set, room)),
            // Somebody else brings it up before this is applied.
            Some(ObservedDatabase::Unseen { why }) if room.is_none() && !self.declared.requires.is_empty() => {
                let message = format!("what is pending for `{name}` cannot be told yet: {why}");
                self.draft.tell(Level::Warning, "database-unseen", message, None);
                Some(self.as_it_turns_out(name, set, room))
            }
            // It has begun to run, and does not answer yet.
            _ if self.is_starting(room, name) => Some(self.as_it_turns_out(name, set, room)),
            seen => {
                let why = match seen {
                    Some(ObservedDatabase::Unseen { why }) => why.as_str(),
                    _ => "nobody asked it",
                };
                let message = format!("`{name}` is to be migrated with this release, and cannot be asked: {why}");
                let hint = "`mainstay db migrate status` says more; `release: false` leaves migrations to you";
                self.draft.tell(Level::Refusal, "database-unseen", message, Some(hint));
                None
            }
        }
    }

    fn is_starting(&self, room: Option<Room>, name: &str) -> bool {
        let Some(Whereabouts::Service { service, .. }) = self.declared.databases.get(name).map(|one| &one.whereabouts)
        else {
            return false;
        };
        let instance = room.and_then(|room| self.instances.get(service)?.get(room.index));
        instance.and_then(|instance| instance.kept).is_some_and(|kept| is_still_to_come(kept, Condition::Healthy))
    }

    fn as_the_ledger_says(&mut self, name: &str, set: &MigrationSet, ledger: &Ledger) -> Option<Pending> {
        let plan = MigrationPlan::decide(ledger.target.clone(), set, &ledger.rows, &ledger.attempts, &BTreeSet::new());
        for refusal in &plan.refusals {
            self.refuse(name, refusal);
        }
        if !plan.refusals.is_empty() {
            return None;
        }
        let files = plan.steps.into_iter().map(|step| PlannedMigration { file: step.file, sha256: step.sha256 });
        let files: Vec<PlannedMigration> = files.collect();
        let why = if files.len() == 1 { "it is pending".to_owned() } else { "they are pending".to_owned() };
        Some(Pending { files, is_certain: true, why })
    }

    /// What may be pending of a database that cannot be asked before the step begins: every file of a new one, else those
    /// that come after what was seen at the end of the last release. A faulty file surely is pending where the database is
    /// new, and else may have been applied long ago.
    fn as_it_turns_out(&mut self, name: &str, set: &MigrationSet, room: Option<Room>) -> Pending {
        let is_new = room.is_some_and(|room| room.is_new);
        let is_kept = !room.is_some_and(|room| room.is_emptied);
        let last = self.options.schema_then.get(name).filter(|_| is_kept).and_then(|level| level.last.clone());
        let may_be = |file: &str| last.as_ref().is_none_or(|last| file.as_bytes() > last.as_bytes());
        for fault in set.faulty.values().flatten().filter(|fault| may_be(&fault.file)) {
            if is_new {
                self.refuse(name, &Refusal::Fault(fault.clone()));
            } else {
                let message = format!("`{name}`: {fault}; the release fails at it if it is pending");
                self.draft.tell(Level::Warning, "migration-fault", message, Some(&fault.hint()));
            }
        }
        let files = set.files.values().filter(|file| may_be(&file.name));
        let files = files.map(|file| PlannedMigration { file: file.name.clone(), sha256: file.sha256.clone() });
        let why = if is_new { "the database is new" } else { "what is pending is known once it runs" };
        Pending { files: files.collect(), is_certain: false, why: why.into() }
    }

    fn refuse(&mut self, name: &str, refusal: &Refusal) {
        let hint = match refusal {
            Refusal::OutOfOrder { file, .. } => {
                format!("rename it, or apply it by hand: `mainstay db migrate apply -d {name} --out-of-order {file}`")
            }
            other => other.hint(),
        };
        self.draft.tell(Level::Refusal, "migration-refused", format!("`{name}`: {refusal}"), Some(&hint));
    }

    fn tell_of_dangers(&mut self, name: &str, set: &MigrationSet, files: &[PlannedMigration]) {
        let files = files.iter().filter_map(|one| set.files.get(&one.file));
        let dangers = files.flat_map(findings).filter(|finding| finding.severity == Severity::Danger);
        for finding in dangers.collect::<Vec<_>>() {
            let message =
                format!("`{name}`: {}:{}: {} ({})", finding.file, finding.place, finding.message, finding.rule);
            self.draft.tell(Level::Warning, "migration-danger", message, None);
        }
    }

    /// The step that waits for the database, where it is not ready yet.
    fn ready_for_migrations(&mut self, name: &str, service: &ServiceName, room: Room) -> Option<StepId> {
        let kept = self.instances[service][room.index].kept;
        let waits = room.comes || kept.is_some_and(|kept| is_still_to_come(kept, Condition::Healthy));
        let why = format!("the migrations of `{name}` come next");
        waits.then(|| self.wait_for(service, room.index, Condition::Healthy, &why))
    }

    /// After everything that is fetched, and before everything that starts, save what the databases themselves need. What
    /// is stopped for a new container serves until then. No database is migrated before all of them are backed up: a
    /// backup that fails has cost nothing.
    fn put_in_between(&mut self, steps: &[Migrating]) {
        let backups: Vec<StepId> = steps.iter().filter_map(|one| one.backup).collect();
        let migrations: Vec<StepId> = steps.iter().map(|one| one.migrate).collect();
        let bearing = self.bearing();
        let is_bearing = |action: &Action| action.service().is_some_and(|service| bearing.contains(service));
        let mut by_kind: BTreeMap<u8, Vec<StepId>> = BTreeMap::new();
        for step in self.draft.steps() {
            let kind = match &step.action {
                Action::PullImage { .. } | Action::BuildImage { .. } => 0,
                Action::CreateContainer { .. } => 1,
                Action::StartContainer { .. } if !is_bearing(&step.action) => 2,
                Action::StopContainer { .. } if !is_bearing(&step.action) => 3,
                _ => continue,
            };
            by_kind.entry(kind).or_default().push(step.id);
        }
        let of = |kind: u8| by_kind.get(&kind).map(Vec::as_slice).unwrap_or_default();
        let in_order = [&backups[..], &migrations].concat();
        for step in &in_order {
            of(0).iter().for_each(|fetch| self.draft.need(*step, *fetch));
            // One may share something with a container that starts after the migration, or need its place.
            of(1).iter().for_each(|create| self.draft.wish(*step, *create));
        }
        for migrate in &migrations {
            backups.iter().for_each(|backup| self.draft.need(*migrate, *backup));
            of(2).iter().for_each(|start| self.draft.need(*start, *migrate));
            of(3).iter().for_each(|stop| self.draft.wish(*stop, *migrate));
        }
        for pair in in_order.windows(2) {
            self.draft.wish(pair[1], pair[0]);
        }
    }

    /// The services that migrated databases are in, with all that those lean on.
    fn bearing(&self) -> BTreeSet<ServiceName> {
        let migrated =
            self.declared.databases.values().filter(|one| one.migrations.as_ref().is_some_and(|m| m.release));
        let mut open: Vec<ServiceName> = migrated
            .filter_map(|database| match &database.whereabouts {
                Whereabouts::Service { service, .. } => Some(service.clone()),
                Whereabouts::Url(_) => None,
            })
            .collect();
        let mut bearing = BTreeSet::new();
        while let Some(name) = open.pop() {
            let Some(service) = self.declared.services.get(&name) else { continue };
            if bearing.insert(name) {
                open.extend(leans_on(self.declared, service));
            }
        }
        bearing
    }

    /// Readiness of a schema that this plan does not bring forward.
    fn tell_what_is_pending(&mut self, name: &str, set: &MigrationSet) {
        let Some(ledger) = self.ledger(name) else { return };
        let status = Status::of(set, &ledger.rows);
        let pending = status.pending();
        let Some(first) = pending.first() else { return };
        let are = match pending.len() {
            1 => format!("the migration `{first}` is pending"),
            several => format!("{several} migrations are pending, first `{first}`"),
        };
        let message = format!("the schema of `{name}` is behind: {are} (`mainstay db migrate apply -d {name}`)");
        self.draft.tell(Level::Warning, "schema-behind", message, None);
    }

    /// A rollback runs no migration, forwards or backwards: what came since stays, and has to be known before.
    fn tell_what_came_since(&mut self, name: &str, number: u32) {
        let then: Option<&SchemaLevel> = self.options.schema_then.get(name);
        let Some(then) = then else {
            let message = format!("how far the schema of `{name}` was at release {number} is not recorded");
            self.draft.tell(Level::Note, "schema-unknown", message, None);
            return;
        };
        let now = match self.world.databases.get(name) {
            Some(ObservedDatabase::Seen(ledger)) => ledger,
            Some(ObservedDatabase::Unseen { why }) => {
                let message = format!("whether the schema of `{name}` has moved on cannot be told: {why}");
                self.draft.tell(Level::Warning, "schema-unknown", message, None);
                return;
            }
            None => return,
        };
        let hint = "a rollback undoes no migration: the older code has to work with the newer schema";
        match then.since(&now.rows) {
            Some(since) if since.is_empty() => {}
            Some(since) => {
                let came = if since.len() == 1 { "came" } else { "have come" };
                let message = format!(
                    "the schema of `{name}` has moved on since release {number}: {} {came} since, and {}",
                    listed(&since),
                    if since.len() == 1 { "stays" } else { "stay" }
                );
                self.draft.tell(Level::Warning, "schema-moved-on", message, Some(hint));
            }
            None => {
                let now = SchemaLevel::of(&now.rows);
                let message = format!(
                    "the ledger of `{name}` is another one than at release {number}: it was at {then}, and is at {now}"
                );
                self.draft.tell(Level::Warning, "schema-moved-on", message, Some(hint));
            }
        }
    }
}
