//! Which stack a `secret` command is about: its files as far as they can be read, and what is kept for it.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_engine::secrets::{Namespace, Secrets};
use mainstay_engine::sources::{self, Find, Read, SourcesError};
use mainstay_model::compose::dialect::placeholder;
use mainstay_model::compose::kept::users;
use mainstay_model::compose::schema::suggest;
use mainstay_model::secrets::SecretWish;
use mainstay_model::secrets::wish::is_name;

use crate::boot::Boot;
use crate::cli::chosen;
use crate::problem::Problem;

pub(super) struct About {
    pub(super) secrets: Secrets,
    pub(super) namespace: Namespace,
    /// The stack as its files declare it; nothing where they are not known or are refused.
    pub(super) read: Option<Read>,
    find: Option<Find>,
    /// Why the files were refused.
    pub(super) trouble: Option<Problem>,
}

impl About {
    /// # Errors
    /// When no stack is meant, or what is kept for it cannot be opened.
    pub(super) async fn of(boot: &Boot, command: &str) -> Result<About, Problem> {
        let (stack, find) = chosen::name_and_files(boot, command).await?;
        let env = find.as_ref().map_or(boot.global.env.as_deref(), |find| find.env.as_deref());
        let namespace = Namespace::new(stack, env)?;
        let (read, trouble) = match find.as_ref().map(sources::read) {
            None => (None, None),
            Some(Ok(read)) => (Some(read), None),
            Some(Err(SourcesError::Secrets(error))) => return Err(error.into()),
            Some(Err(error)) => (None, Some(Problem::from(error))),
        };
        if let Some(read) = &read {
            boot.ui.redactions.learn(read.loaded.kept.values.values());
        }
        Ok(About { secrets: boot.secrets(), namespace, read, find, trouble })
    }

    /// What the files ask of a secret.
    pub(super) fn wish(&self, name: &str) -> Option<&SecretWish> {
        self.wishes()?.get(name)
    }

    pub(super) fn wishes(&self) -> Option<&BTreeMap<String, SecretWish>> {
        self.read.as_ref().map(|read| &read.declared.secrets.wishes)
    }

    /// Which services use each of these; nothing where the files do not tell.
    pub(super) fn users(&self, names: &BTreeSet<String>) -> Option<BTreeMap<String, BTreeSet<String>>> {
        self.read.as_ref()?;
        let mut find = self.find.clone()?;
        // A mark in the place of each value, wherever it comes from, and then a look where the marks arrived.
        find.environment.extend(names.iter().map(|name| (name.clone(), placeholder(name))));
        let loaded = sources::load(&find).ok()?;
        Some(users(&loaded, names).into_iter().map(|(name, users)| (name.clone(), users)).collect())
    }

    /// The flags that lead to the same namespace again.
    pub(super) fn flags(&self) -> String {
        flags(&self.namespace)
    }

    /// # Errors
    /// When no secret can have that name, or a value was written behind it.
    pub(super) fn check_name(verb: &str, text: &str, more: &[std::ffi::OsString]) -> Result<(), Problem> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        is_name(name).map_err(|problem| Problem::usage("bad-name", format!("`{name}` {problem}")))?;
        if value.is_some() || !more.is_empty() { Err(super::in_argv(verb, name)) } else { Ok(()) }
    }

    /// Nobody knows these.
    pub(super) fn unknown(&self, missing: &[String], known: &BTreeSet<String>) -> Problem {
        let (list, stack) = (super::listed(missing), &self.namespace);
        let problem = Problem::usage("no-such-secret", format!("nothing is kept under {list} for `{stack}`"));
        match missing.first().and_then(|name| suggest(name, known.iter().map(String::as_str))) {
            Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
            None => problem.hint(format!("`mainstay secret ls{}` lists what is kept", self.flags())),
        }
    }
}

/// ` --env prod`, or nothing.
pub(super) fn flags(namespace: &Namespace) -> String {
    namespace.env().map(|env| format!(" --env {env}")).unwrap_or_default()
}
