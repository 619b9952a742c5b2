//! Values that a stack's files leave to be made up: kept ones, those that containers still carry, and new ones.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_engine::secrets::{Filled, Namespace, Secrets};
use mainstay_engine::sources::{self, Find, Read};
use mainstay_model::compose::Loaded;
use mainstay_model::compose::dialect::{Disagreement, Generated, Kind, Recovered, placeholder, recover};
use mainstay_model::declared::container::MountKind;
use mainstay_model::declared::{Declared, Hidden, Service};
use mainstay_model::observed::{Observed, Scope};

use super::secret;
use crate::boot::{Boot, engine};
use crate::problem::Problem;

/// What stands for a value that is not shown.
const VEILED: &str = "…";

/// The stack with every value settled; what is new is kept from now on, unless nothing is to be changed.
///
/// # Errors
/// When a value was lost that data depends on, or the state folder or the engine cannot be asked.
pub async fn settled(boot: &Boot, read: Read) -> Result<Read, Problem> {
    fill(boot, read, !boot.settings.dry_run).await
}

/// The same for showing: nothing is kept.
///
/// # Errors
/// As [`settled`].
pub async fn shown(boot: &Boot, read: Read) -> Result<Read, Problem> {
    fill(boot, read, false).await
}

async fn fill(boot: &Boot, read: Read, keep: bool) -> Result<Read, Problem> {
    let read = secret::settled(boot, read, keep)?;
    let wanted: Vec<Generated> = read.loaded.spoken.missing().cloned().collect();
    if wanted.is_empty() {
        return Ok(read);
    }
    let stack = &read.declared.stack;
    let secrets = boot.secrets();
    let kept = secrets.kept(stack)?;
    let is_kept = |name: &String| kept.as_ref().is_some_and(|kept| kept.contains_key(name));
    let lost: BTreeSet<String> = wanted.iter().map(|one| one.name.clone()).filter(|name| !is_kept(name)).collect();
    let mut found = Recovered::default();
    if !lost.is_empty() {
        let docker = boot.docker().await?;
        found = recover(&lost, &read.declared, &docker.worn(stack).await?);
        if let Some(one) = found.disagreements.first() {
            return Err(disagreement(one, &read.declared));
        }
        // A stack of which something is kept has lost nothing: its files ask for something new.
        if kept.is_none() {
            let world = engine::look(&docker, &Scope::of(&read.declared)).await?;
            let missing = wanted.iter().filter(|one| lost.contains(&one.name) && !found.values.contains_key(&one.name));
            for one in missing.filter(|one| !matches!(one.kind, Kind::Token { .. })) {
                refuse_to_lock_out(one, &read.declared, &world)?;
            }
        }
    }
    let filled = if keep {
        secrets.fill(stack, &wanted, &found.values)?
    } else {
        secrets.try_fill(stack, &wanted, &found.values)?
    };
    boot.ui.redactions.learn(filled.values.values());
    tell(boot, &read.declared, &secrets, &filled, keep);
    Ok(read.with_values(revealed(filled.values))?)
}

fn revealed(values: BTreeMap<String, Hidden>) -> BTreeMap<String, String> {
    values.into_iter().map(|(name, value)| (name, value.reveal().to_owned())).collect()
}

/// Names only: a value is never told.
fn tell(boot: &Boot, declared: &Declared, secrets: &Secrets, filled: &Filled, keep: bool) {
    let stack = &declared.stack;
    let path = secrets.path(&Namespace::of(stack));
    let taken_up = (!filled.taken_up.is_empty()).then(|| listed(&filled.taken_up));
    let made_up = (!filled.made_up.is_empty()).then(|| listed(&filled.made_up));
    if let Some(names) = taken_up {
        let kept = if keep { format!(", and kept in `{}`", path.display()) } else { String::new() };
        boot.ui.note(&format!("taken up from the containers of `{stack}`: {names}{kept}"));
    }
    if let Some(names) = made_up {
        boot.ui.note(&match keep {
            true => format!("made up for `{stack}`: {names}; kept in `{}`", path.display()),
            false => format!("`up` will make up for `{stack}`: {names}"),
        });
    }
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn set_it(name: &str, declared: &Declared) -> String {
    format!("set it as it was: `{name}=…` in `{}/.env`", declared.directory)
}

fn disagreement(one: &Disagreement, declared: &Declared) -> Problem {
    let message = format!("the value of `{}` is not kept, and containers carry different ones", one.name);
    Problem::files("lost-value", message)
        .hint(format!("they are {}", listed(&one.containers)))
        .hint(format!("say which: `{}=…` in `{}/.env`", one.name, declared.directory))
}

/// A new password would not open what an earlier one has closed.
fn refuse_to_lock_out(lost: &Generated, declared: &Declared, world: &Observed) -> Result<(), Problem> {
    let users = declared.services.values().filter(|service| uses(service, &lost.name));
    let volumes = users.flat_map(|service| {
        let mounts = service.container.mounts.iter().filter(|mount| mount.kind == MountKind::Volume);
        mounts.filter_map(move |mount| Some((&service.name, mount.source.as_deref()?)))
    });
    let Some((service, volume)) = volumes.into_iter().find(|(_, volume)| world.volume_named(volume).is_some()) else {
        return Ok(());
    };
    let message = format!(
        "the value of `{}` is lost, and the volume `{volume}` of `{service}` is there: a new value would not open it",
        lost.name
    );
    Err(Problem::files("lost-value", message)
        .hint(set_it(&lost.name, declared))
        .hint(format!("when nothing in it is needed, remove it by name: `docker volume rm {volume}`")))
}

fn uses(service: &Service, name: &str) -> bool {
    let mark = placeholder(name);
    let spec = &service.container;
    let words = spec.command.iter().chain(&spec.entrypoint).flatten();
    spec.environment.values().any(|value| value.reveal().contains(&mark))
        || words.into_iter().any(|word| word.contains(&mark))
}

/// The files for `config`: made-up values veiled, or as they are kept.
///
/// # Errors
/// When the files are refused, or kept values cannot be read.
pub fn loaded(boot: &Boot, find: &Find, reveal: bool) -> Result<Loaded, Problem> {
    let first = sources::load(find)?;
    boot.ui.redactions.learn(first.kept.values.values());
    let veil = |names: &mut dyn Iterator<Item = &String>| -> BTreeMap<String, String> {
        names.map(|name| (name.clone(), VEILED.to_owned())).collect()
    };
    // What is absent has no value to show; what is kept is shown only to who asks.
    let drawn = match reveal {
        true => veil(&mut first.kept.absent.iter()),
        false => veil(&mut first.kept.absent.iter().chain(&first.kept.delivered)),
    };
    let mut values = veil(&mut first.spoken.missing().map(|one| &one.name));
    if values.is_empty() && drawn.is_empty() {
        return Ok(first);
    }
    if reveal && !values.is_empty() {
        let stack = mainstay_model::identity::StackName::new(first.name.as_str())?;
        let kept = boot.secrets().kept(&stack)?.unwrap_or_default();
        values
            .extend(revealed(kept).into_iter().filter(|(name, _)| first.spoken.missing().any(|one| one.name == *name)));
        if values.values().any(|value| value == VEILED) {
            boot.ui.note(&format!("`{VEILED}` stands for what no `up` has made up yet"));
        }
    }
    match sources::load(&Find { generated: values.clone(), drawn, ..find.clone() }) {
        // A veil where a number belongs: then the values are read, and taken out of what is printed.
        Err(_) if !first.kept.delivered.is_empty() => Ok(sources::load(&Find { generated: values, ..find.clone() })?),
        veiled => Ok(veiled?),
    }
}
