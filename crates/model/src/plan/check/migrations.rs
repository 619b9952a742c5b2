//! Migrations: declared to be part of the release, in order, not applied yet, and in between what is fetched and what
//! starts.

use std::collections::BTreeSet;

use super::{Complaint, Reader, Severity};
use crate::declared::container::MountKind;
use crate::declared::{Condition, Declared, Migrations, NetworkMode, Service, Whereabouts};
use crate::identity::ServiceName;
use crate::observed::ObservedDatabase;
use crate::plan::{Action, Order, PlannedMigration, Step, StepId};
use crate::postgres::migration::{LedgerRow, MigrationFile};

impl Reader<'_> {
    pub fn read_migration(&mut self, step: &Step) {
        let Action::Migrate { database, files, is_certain, is_new, .. } = &step.action else { return };
        let asked = match self.order {
            Order::Up { declared, options } if options.back_to.is_none() => Some(declared),
            _ => None,
        };
        let Some(declared) = asked else {
            self.wrong(step, "migrates-unasked", "this order applies no migration");
            return;
        };
        let Some(migrations) = part_of_a_release(declared, database) else {
            self.wrong(step, "migrates-unasked", format!("`{database}` is not declared to be migrated by a release"));
            return;
        };
        if files.is_empty() && *is_certain {
            self.wrong(step, "migration-order", "it applies nothing");
        }
        self.read_files(step, migrations, files);
        if *is_certain {
            self.read_against_the_ledger(step, database, migrations, files);
        }
        let whereabouts = declared.databases.get(database).map(|one| &one.whereabouts);
        let service = match whereabouts {
            Some(Whereabouts::Service { service, .. }) => Some(service),
            _ => None,
        };
        if *is_new && !service.is_some_and(|service| self.was_never_there(declared, service)) {
            self.wrong(step, "not-new", format!("`{database}` may hold something already"));
        }
        self.read_place(step, service);
    }

    fn read_files(&mut self, step: &Step, migrations: &Migrations, files: &[PlannedMigration]) {
        if !files.is_sorted_by(|one, next| one.file.as_bytes() < next.file.as_bytes()) {
            self.wrong(step, "migration-order", "its files are not in the order of their names, each once");
        }
        let there = migrations.files.iter().flatten();
        for planned in files {
            let is_there = there.clone().filter(|file| file.name == planned.file).any(|file| {
                MigrationFile::read(&file.name, &file.bytes()).is_ok_and(|read| read.sha256 == planned.sha256)
            });
            if !is_there {
                self.wrong(step, "no-migration", format!("there is no such file `{}`", planned.file));
            }
        }
    }

    /// What the ledger has is not applied again, and nothing that it lacks is passed over.
    fn read_against_the_ledger(
        &mut self,
        step: &Step,
        database: &str,
        migrations: &Migrations,
        files: &[PlannedMigration],
    ) {
        let Some(ObservedDatabase::Seen(ledger)) = self.world.databases.get(database) else {
            self.wrong(step, "ledger-unread", format!("nobody has seen the ledger of `{database}`"));
            return;
        };
        let has = |name: &str| ledger.rows.iter().any(|row| row.filename == name);
        for planned in files.iter().filter(|planned| has(&planned.file)) {
            self.wrong(step, "migrated-already", format!("`{}` was applied already", planned.file));
        }
        for name in lacking(migrations, &ledger.rows) {
            if files.iter().all(|planned| planned.file != name) {
                self.wrong(step, "migration-left-out", format!("`{name}` is pending too"));
            }
        }
    }

    fn was_never_there(&self, declared: &Declared, service: &ServiceName) -> bool {
        let has_stood = self.world.containers.iter().any(|container| {
            container.stack.as_ref() == Some(&self.plan.stack) && container.service.as_ref() == Some(service)
        });
        let Some(service) = declared.services.get(service) else { return false };
        let keeps = service.container.mounts.iter().any(|mount| match mount.kind {
            MountKind::Volume => {
                mount.source.as_ref().is_some_and(|name| self.world.volumes.iter().any(|volume| volume.name == *name))
            }
            MountKind::Bind => !mount.read_only,
            _ => false,
        });
        !has_stood && !keeps
    }

    /// After what is fetched and after its database is ready; before what starts.
    fn read_place(&mut self, step: &Step, service: Option<&ServiceName>) {
        let before: BTreeSet<StepId> = self.before[&step.id].clone();
        let plan = self.plan;
        for other in plan.steps.iter().filter(|other| !before.contains(&other.id)) {
            if matches!(other.action, Action::PullImage { .. } | Action::BuildImage { .. }) {
                self.wrong(step, "migrates-unfetched", format!("step {} may still fail", other.id.0));
            }
        }
        let starts = plan.steps.iter().filter(|other| matches!(other.action, Action::StartContainer { .. }));
        for start in starts {
            let of = start.action.service();
            if of.is_some() && of == service {
                let target = start.action.target().map(|target| &target.container);
                let is_awaited = plan.steps.iter().any(|other| match &other.action {
                    Action::Await { target: awaited, condition: Condition::Healthy, .. } => {
                        Some(&awaited.container) == target
                            && before.contains(&other.id)
                            && self.before[&other.id].contains(&start.id)
                    }
                    _ => false,
                });
                let is_its_own = match &step.action {
                    Action::Migrate { at: Some(at), .. } => Some(&at.container) == target,
                    _ => false,
                };
                if is_its_own && !is_awaited {
                    self.wrong(step, "database", "its database is not surely ready");
                }
            }
            let may_come_first = of.is_some_and(|of| self.bears_a_database(of));
            if !may_come_first && !self.before[&start.id].contains(&step.id) {
                self.wrong(start, "starts-unmigrated", format!("step {} may not be done by then", step.id.0));
            }
        }
    }

    /// Whether a service is one that a migrated database is in, or that such a one leans on.
    fn bears_a_database(&self, name: &ServiceName) -> bool {
        let Some(declared) = self.declared() else { return false };
        let mut found: BTreeSet<&ServiceName> = BTreeSet::new();
        for (key, database) in &declared.databases {
            if let (Some(_), Whereabouts::Service { service, .. }) =
                (part_of_a_release(declared, key), &database.whereabouts)
            {
                found.insert(service);
            }
        }
        loop {
            let below =
                found.iter().filter_map(|one| declared.services.get(*one)).flat_map(|one| stands_on(declared, one));
            let next: BTreeSet<&ServiceName> = below.chain(found.iter().copied()).collect();
            if next.len() == found.len() {
                return found.contains(name);
            }
            found = next;
        }
    }

    pub fn loses_data(&self, action: &Action) -> bool {
        let Action::Migrate { database, files, is_new: false, .. } = action else { return false };
        let migrations = self.declared().and_then(|declared| part_of_a_release(declared, database));
        let texts = migrations.into_iter().flat_map(|migrations| migrations.files.iter().flatten());
        texts
            .filter(|file| files.iter().any(|planned| planned.file == file.name))
            .filter_map(|file| MigrationFile::read(&file.name, &file.bytes()).ok())
            .any(|file| file.loses_data())
    }

    /// Nothing new starts on a schema that the release was to bring forward.
    pub fn read_what_is_not_migrated(&mut self) {
        let Order::Up { declared, options } = self.order else { return };
        let is_whole = options.services.is_empty() && options.back_to.is_none() && !options.no_start;
        if !is_whole || self.is_refused() || self.plan.steps.is_empty() {
            return;
        }
        for name in declared.databases.keys() {
            let Some(migrations) = part_of_a_release(declared, name) else { continue };
            let rows = match self.world.databases.get(name) {
                Some(ObservedDatabase::Seen(ledger)) => ledger.rows.as_slice(),
                _ => &[],
            };
            let is_this = |action: &Action| matches!(action, Action::Migrate { database, .. } if database == name);
            let is_done = self.plan.steps.iter().any(|step| is_this(&step.action));
            let is_behind = !is_done && !lacking(migrations, rows).is_empty();
            if is_behind {
                let message = format!("`{name}` is behind, and no step migrates it");
                self.complaints.push(Complaint { severity: Severity::Error, step: None, code: "unmigrated", message });
            }
        }
    }
}

/// The files that can be applied and that a ledger lacks.
fn lacking<'d>(migrations: &'d Migrations, rows: &[LedgerRow]) -> Vec<&'d str> {
    let is_one = |name: &str| {
        let name = name.to_lowercase();
        name.ends_with(".sql") && !name.starts_with(['.', '_']) && !name.ends_with(".down.sql")
    };
    let unknown = migrations.files.iter().flatten().filter(|file| rows.iter().all(|row| row.filename != file.name));
    let whole = unknown.filter(|file| is_one(&file.name) && MigrationFile::read(&file.name, &file.bytes()).is_ok());
    whole.map(|file| file.name.as_str()).collect()
}

fn part_of_a_release<'d>(declared: &'d Declared, database: &str) -> Option<&'d Migrations> {
    declared.databases.get(database)?.migrations.as_ref().filter(|migrations| migrations.release)
}

/// Those whom a service needs to stand: dependencies, and owners of what it shares.
fn stands_on<'d>(declared: &'d Declared, service: &'d Service) -> Vec<&'d ServiceName> {
    let shared =
        |text: &Option<String>| text.as_deref().and_then(|text| text.strip_prefix("service:")).map(str::to_owned);
    let named = [shared(&service.container.ipc), shared(&service.container.pid)];
    let is_owner = |name: &ServiceName| {
        let from = service.container.volumes_from.iter().any(|from| match &from.from {
            crate::declared::container::VolumesSource::Service(owner) => owner == name,
            crate::declared::container::VolumesSource::Container(_) => false,
        });
        from || matches!(&service.network_mode, NetworkMode::Service(owner) if owner == name)
            || named.iter().flatten().any(|owner| owner == name.as_str())
    };
    declared.services.keys().filter(|name| service.depends_on.contains_key(*name) || is_owner(name)).collect()
}
