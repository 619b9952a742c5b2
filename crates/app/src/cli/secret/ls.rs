//! `mainstay secret ls`

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use mainstay_engine::secrets::{Listed, Origin};
use mainstay_engine::sources::Read;
use mainstay_model::compose::Shadow;
use mainstay_model::secrets::{Fault, judge};
use serde::Serialize;

use super::about::About;
use crate::boot::Boot;
use crate::problem::Outcome;
use crate::ui::since::ago;
use crate::ui::{Cell, Table, Tone};

/// List what is kept for a stack and what its files ask for; never a value.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay secret ls\n  mainstay secret ls --env prod\n  mainstay secret ls --json | jq -r '.secrets[] | select(.state | index(\"missing\")).name'"
)]
pub(super) struct Ls {}

/// One secret, for programs and for the table.
#[derive(Serialize)]
struct Row {
    name: String,
    /// In characters; nothing where there is no kept value.
    length: Option<usize>,
    /// `set`, `generated` or `container`.
    from: Option<Origin>,
    at: Option<String>,
    by: Option<String>,
    is_made_up: bool,
    is_declared: bool,
    min_length: Option<usize>,
    description: Option<String>,
    /// Nothing where the files could not be read.
    used_by: Option<BTreeSet<String>>,
    state: Vec<State>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Missing,
    TooShort,
    WillBeGenerated,
    /// The environment sets it, and wins.
    ShadowedByEnvironment,
    /// An env file sets it, and wins.
    ShadowedByEnvFile,
    /// The environment or an env file sets it, and nothing is kept.
    SetElsewhere,
    /// Optional, and not there.
    Absent,
    Unused,
}

#[derive(Serialize)]
struct Listing<'a> {
    stack: &'a str,
    env: Option<&'a str>,
    secrets: &'a [Row],
}

pub(super) async fn run(boot: &Boot, _args: Ls) -> Outcome {
    let about = About::of(boot, "secret ls").await?;
    let rows = rows(&about)?;
    if boot.ui.json {
        let (stack, env) = (about.namespace.stack.as_str(), about.namespace.env());
        boot.ui.json_document(&Listing { stack, env, secrets: &rows })?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(trouble) = &about.trouble {
        boot.ui.warn(&format!("{}, so nobody knows which secrets they use (`mainstay config`)", trouble.message));
    }
    if rows.is_empty() {
        boot.ui.talk(&format!("`{}` has no secrets", about.namespace));
        return Ok(ExitCode::SUCCESS);
    }
    boot.ui.data(&table(&rows).render(boot.ui.out, boot.ui.width))?;
    if rows.iter().any(|row| row.state.contains(&State::Missing)) {
        boot.ui.note(&format!("`mainstay secret set NAME{}` sets what is missing", about.flags()));
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(about: &About) -> Result<Vec<Row>, crate::problem::Problem> {
    let mut listed = about.secrets.list(&about.namespace)?;
    if about.namespace.env().is_some() {
        // What a dialect made up belongs to the stack, whatever its environment.
        let plain = mainstay_engine::secrets::Namespace::of(&about.namespace.stack);
        listed.extend(about.secrets.list(&plain)?.into_iter().filter(|one| one.is_made_up));
    }
    let declared = about.wishes().into_iter().flat_map(|wishes| wishes.keys());
    let absent: Vec<String> = declared.filter(|name| !listed.iter().any(|one| one.name == **name)).cloned().collect();
    let names: BTreeSet<String> = listed.iter().map(|one| one.name.clone()).chain(absent.iter().cloned()).collect();
    let users = about.users(&names);
    let used_by = |name: &str| users.as_ref().and_then(|users| users.get(name)).cloned();
    let mut rows: Vec<Row> = listed.into_iter().map(|one| row(about, &one.name.clone(), Some(one), &used_by)).collect();
    rows.extend(absent.into_iter().map(|name| row(about, &name, None, &used_by)));
    rows.sort_by(|one, other| (one.is_made_up, &one.name).cmp(&(other.is_made_up, &other.name)));
    Ok(rows)
}

fn row(about: &About, name: &str, kept: Option<Listed>, used_by: &dyn Fn(&str) -> Option<BTreeSet<String>>) -> Row {
    let wish = about.wish(name);
    let is_made_up = kept.as_ref().is_some_and(|kept| kept.is_made_up);
    let used_by = used_by(name).filter(|_| !is_made_up);
    let state = if is_made_up { Vec::new() } else { states(about, name, kept.is_some(), used_by.as_ref()) };
    Row {
        name: name.to_owned(),
        length: kept.as_ref().map(|kept| kept.length),
        from: kept.as_ref().map(|kept| kept.from),
        at: kept.as_ref().map(|kept| kept.at.clone()),
        by: kept.and_then(|kept| kept.by),
        is_made_up,
        is_declared: wish.is_some(),
        min_length: wish.map(|wish| wish.min_length).filter(|length| *length > 0),
        description: wish.and_then(|wish| wish.description.clone()),
        used_by,
        state,
    }
}

fn states(about: &About, name: &str, is_kept: bool, used_by: Option<&BTreeSet<String>>) -> Vec<State> {
    let mut state = Vec::new();
    let Some(read) = &about.read else { return state };
    let value = read.loaded.kept.values.get(name).map(|value| value.reveal());
    if let Some(wish) = about.wish(name) {
        let wishes = std::collections::BTreeMap::from([(name.to_owned(), wish.clone())]);
        match judge(&wishes, &|_| value).remove(name) {
            Some(Fault::Missing) => state.push(State::Missing),
            Some(Fault::TooShort { .. }) => state.push(State::TooShort),
            None if value.is_none_or(str::is_empty) => {
                state.push(if wish.generate.is_some() { State::WillBeGenerated } else { State::Absent });
            }
            None if !is_kept => state.push(State::SetElsewhere),
            None => {}
        }
    }
    match read.loaded.kept.shadowed.get(name) {
        Some(Shadow::Caller) => state.push(State::ShadowedByEnvironment),
        Some(Shadow::EnvFile) => state.push(State::ShadowedByEnvFile),
        None => {}
    }
    if used_by.is_some_and(BTreeSet::is_empty) {
        state.push(State::Unused);
    }
    state
}

/// What sets a secret as well, and wins, in words.
pub(super) fn shadow(read: &Read, name: &str) -> Option<&'static str> {
    let loaded = &read.loaded;
    // Before the first value is kept nothing is shadowed yet.
    let is_set = loaded.environment.get(name).is_some_and(|value| !value.is_empty());
    match loaded.kept.shadowed.get(name) {
        Some(Shadow::Caller) => Some("the environment"),
        Some(Shadow::EnvFile) => Some("an env file"),
        None if is_set => Some("the environment or an env file"),
        None => None,
    }
}

fn table(rows: &[Row]) -> Table {
    let now = Timestamp::now();
    let mut table = Table::new(&["NAME", "LENGTH", "FROM", "AGE", "USED BY", "STATE"]);
    table.yields(&["AGE"], &["USED BY"]);
    for row in rows {
        let from = match (row.from, row.is_made_up, &row.by) {
            (Some(Origin::Set), _, Some(by)) => format!("set by {by}"),
            (Some(Origin::Set), _, None) => "set".to_owned(),
            (Some(Origin::Generated), true, _) => "made up".to_owned(),
            (Some(Origin::Generated), false, Some(by)) => format!("generated by {by}"),
            (Some(Origin::Generated), false, None) => "generated".to_owned(),
            (Some(Origin::Container), ..) => "a container".to_owned(),
            (None, ..) => "–".to_owned(),
        };
        let age = row.at.as_ref().map(|at| ago(at, now)).unwrap_or_else(|| "–".to_owned());
        let users = match &row.used_by {
            Some(users) if !users.is_empty() => users.iter().cloned().collect::<Vec<_>>().join(", "),
            _ => "–".to_owned(),
        };
        let length = row.length.map_or_else(|| "–".to_owned(), |length| length.to_string());
        table.row(vec![row.name.clone().into(), length.into(), from.into(), age.into(), users.into(), cell(row)]);
    }
    table
}

fn cell(row: &Row) -> Cell {
    let words: Vec<String> = row.state.iter().map(|state| state.words(row)).collect();
    let is_bad = row.state.iter().any(|state| matches!(state, State::Missing | State::TooShort));
    match (words.is_empty(), is_bad) {
        (true, _) => Cell::new(Tone::Good, "ok"),
        (false, true) => Cell::new(Tone::Bad, words.join(", ")),
        (false, false) => Cell::new(Tone::Warn, words.join(", ")),
    }
}

impl State {
    fn words(self, row: &Row) -> String {
        match self {
            State::Missing => "missing".to_owned(),
            State::TooShort => format!("too short (needs {})", row.min_length.unwrap_or_default()),
            State::WillBeGenerated => "will be generated".to_owned(),
            State::ShadowedByEnvironment => "the environment wins".to_owned(),
            State::ShadowedByEnvFile => "an env file wins".to_owned(),
            State::SetElsewhere => "set elsewhere".to_owned(),
            State::Absent => "not set, optional".to_owned(),
            State::Unused => "not used".to_owned(),
        }
    }
}
