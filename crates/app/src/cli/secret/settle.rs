//! Secrets on the way to a plan: what the files ask of them is checked before anything is touched, and what they say
//! how to make is made, once.

use std::collections::BTreeMap;

use mainstay_engine::secrets::Secrets;
use mainstay_engine::sources::{Read, SourcesError, with_warnings};
use mainstay_model::compose::{Diagnostic, Severity, Shadow, Span};
use mainstay_model::declared::Hidden;
use mainstay_model::secrets::{Fault, Recipe, judge};

use super::about::flags;
use super::listed;
use crate::boot::Boot;
use crate::problem::Problem;

/// Whether every secret of a stack is there, or can be made, and is as long as it has to be.
///
/// # Errors
/// Every fault at once, each with its place in the files and the next command.
pub fn check(boot: &Boot, read: &Read) -> Result<(), Problem> {
    let secrets = &read.declared.secrets;
    boot.ui.redactions.learn(secrets.values.values());
    let faults = judge(&secrets.wishes, &|name| secrets.values.get(name).map(Hidden::reveal));
    if faults.is_empty() {
        return Ok(());
    }
    let flags = flags(&read.namespace()?);
    let complaints = faults.iter().map(|(name, fault)| complaint(read, name, *fault, &flags)).collect();
    let mut all = with_warnings(&read.loaded, complaints);
    all.list.retain(|one| one.severity == Severity::Error);
    let mut problem = Problem::from(SourcesError::Refused(all));
    let (number, stack) = (faults.len(), &read.declared.stack);
    problem.code = "secrets-missing".into();
    problem.message = match number {
        1 => format!("a secret of `{stack}` is not as its files ask; nothing was touched"),
        _ => format!("{number} secrets of `{stack}` are not as its files ask; nothing was touched"),
    };
    Err(problem.hint(format!("`mainstay secret ls{flags}` shows all of them")))
}

fn complaint(read: &Read, name: &str, fault: Fault, flags: &str) -> Diagnostic {
    let kept = &read.loaded.kept;
    let wish = read.declared.secrets.wishes.get(name);
    let span = kept.declared.get(name).copied().unwrap_or(Span::NOWHERE);
    let set = format!("mainstay secret set {name}{flags}");
    match fault {
        Fault::Missing => {
            let what = wish.and_then(|wish| wish.description.as_ref()).map(|text| format!(" ({text})"));
            let message = format!("the secret `{name}` is required and has no value{}", what.unwrap_or_default());
            Diagnostic::error("secret-missing", span, message).hint(format!("set it: `{set}`"))
        }
        Fault::TooShort { length, min_length } => {
            let message = format!("the secret `{name}` has {length} characters, and needs {min_length}");
            let elsewhere = match kept.shadowed.get(name) {
                Some(Shadow::Caller) => Some("the environment"),
                Some(Shadow::EnvFile) => Some("an env file"),
                None if !kept.delivered.contains(name) => Some("the environment or an env file"),
                None => None,
            };
            Diagnostic::error("secret-too-short", span, message).hint(match (elsewhere, wish) {
                (Some(place), _) => format!("it comes from {place}: take it out there, and set it: `{set}`"),
                (None, Some(wish)) if wish.generate.is_some() => {
                    format!("make a new one: `mainstay secret generate {name} --rotate{flags}`")
                }
                (None, _) => format!("set a longer one: `{set}`"),
            })
        }
    }
}

/// The stack with every secret that its files say how to make; a new one is kept from now on, unless nothing is to be
/// changed.
///
/// # Errors
/// As [`check`], and when values cannot be opened or kept.
pub fn settled(boot: &Boot, read: Read, keep: bool) -> Result<Read, Problem> {
    check(boot, &read)?;
    let namespace = read.namespace()?;
    tell_shadowed(boot, &read);
    let absent = &read.loaded.kept.absent;
    let wishes = read.declared.secrets.wishes.iter().filter(|(name, _)| absent.contains(*name));
    let recipes: BTreeMap<String, Recipe> =
        wishes.filter_map(|(name, wish)| Some((name.clone(), wish.generate?))).collect();
    if recipes.is_empty() {
        return Ok(read);
    }
    let names = listed(recipes.keys());
    if !keep {
        boot.ui.note(&format!("`up` will generate for `{namespace}`: {names}"));
        let drawn = Secrets::draw(&recipes)?;
        boot.ui.redactions.learn(drawn.values());
        let drawn = drawn.into_iter().map(|(name, value)| (name, value.reveal().to_owned())).collect();
        return Ok(read.with_secrets(drawn)?);
    }
    let secrets = boot.secrets();
    secrets.generate(&namespace, &recipes, false, &boot.environment.user())?;
    boot.ui.note(&format!("generated for `{namespace}`: {names}; kept in `{}`", secrets.path(&namespace).display()));
    let read = read.with_secrets(BTreeMap::new())?;
    boot.ui.redactions.learn(read.loaded.kept.values.values());
    Ok(read)
}

fn tell_shadowed(boot: &Boot, read: &Read) {
    for (by, place) in [(Shadow::Caller, "the environment"), (Shadow::EnvFile, "an env file")] {
        let shadowed = read.loaded.kept.shadowed.iter().filter(|(_, one)| **one == by).map(|(name, _)| name);
        let names = listed(shadowed);
        if !names.is_empty() {
            boot.ui.note(&format!("{place} sets {names}, and wins over the kept secret of that name"));
        }
    }
}
