//! Migrations: the ledger has all of a database's files once they were applied. Backups: the database has to answer.

use crate::declared::{Declared, Whereabouts};
use crate::observed::{Health, Ledger, Observed, ObservedDatabase, State};
use crate::plan::PlannedMigration;
use crate::postgres::migration::{LedgerName, LedgerRow, Target};

use super::SimError;

/// Brings the ledgers to what a look would see: a database whose container runs answers, with nothing in it unless
/// something was seen there before.
pub fn refresh_ledgers(world: &mut Observed, declared: &Declared) {
    for (name, database) in &declared.databases {
        let (Some(migrations), Whereabouts::Service { service, .. }) = (&database.migrations, &database.whereabouts)
        else {
            continue;
        };
        let mut containers = world.of_service(service).into_iter();
        let answers = containers.any(|one| one.state == State::Running && one.health != Health::Starting);
        let is_seen = world.databases.get(name).is_some_and(|seen| seen.ledger().is_some());
        if answers && !is_seen {
            world.databases.insert(name.clone(), nothing(name, &migrations.ledger));
        }
    }
}

fn nothing(database: &str, ledger: &LedgerName) -> ObservedDatabase {
    let target = Target { system_identifier: "sim".into(), database: database.to_owned(), ledger: ledger.clone() };
    ObservedDatabase::Seen(Ledger { target, rows: Vec::new(), attempts: Default::default() })
}

/// Applies what is pending of these; the container that the database is in has to be up.
pub(super) fn migrate(
    world: &mut Observed,
    database: &str,
    at: Option<&str>,
    files: &[PlannedMigration],
    declared: Option<&Declared>,
) -> Result<(), SimError> {
    let not_declared = || SimError::NotDeclared(database.to_owned());
    let migrations = declared.and_then(|declared| declared.databases.get(database)?.migrations.as_ref());
    let migrations = migrations.ok_or_else(not_declared)?;
    must_answer(world, at)?;
    let fresh = nothing(database, &migrations.ledger);
    let seen = world.databases.entry(database.to_owned()).or_insert_with(|| fresh.clone());
    if seen.ledger().is_none() {
        *seen = fresh;
    }
    let ObservedDatabase::Seen(ledger) = seen else { return Ok(()) };
    for planned in files {
        if ledger.rows.iter().all(|row| row.filename != planned.file) {
            ledger.rows.push(LedgerRow {
                filename: planned.file.clone(),
                applied_at: String::new(),
                sha256: Some(planned.sha256.clone()),
                notes: None,
            });
        }
    }
    Ok(())
}

/// Backs one up: nothing in the world that is looked at changes by it. The container that it is in has to be up.
pub(super) fn back_up(
    world: &Observed,
    database: &str,
    at: Option<&str>,
    declared: Option<&Declared>,
) -> Result<(), SimError> {
    let backup = declared.and_then(|declared| declared.databases.get(database)?.backup.as_ref());
    if backup.is_none() {
        return Err(SimError::NotDeclared(format!("the backup of {database}")));
    }
    must_answer(world, at)
}

fn must_answer(world: &Observed, at: Option<&str>) -> Result<(), SimError> {
    let Some(id) = at else { return Ok(()) };
    let container = world.container(id).ok_or_else(|| SimError::NoContainer(id.to_owned()))?;
    if container.state != State::Running || container.health == Health::Starting {
        return Err(SimError::NotReady(container.name.clone()));
    }
    Ok(())
}
