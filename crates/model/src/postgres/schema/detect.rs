//! Which files a database holds already that was made by hand, or by another tool: file by file, by what each one does to a
//! schema.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::compare::{Judged, changes};
use super::difference::Change;
use super::inventory::Inventory;
use super::object::{Facet, Facets, ObjectKey, ObjectKind};
use super::replay::{Replay, State};

/// What the live schema shows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trace {
    /// All that it does is there.
    Applied,
    /// None of it is.
    NotApplied,
    /// Some of it is there, and some is not.
    Partly,
    /// Something of it is there, and otherwise than this file or a later one makes it.
    Conflict,
    /// It leaves nothing in the schema that could be looked for: rows only, or what a later file takes away.
    None,
}

/// Whether one effect of a file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectState {
    There,
    NotThere,
    Otherwise,
}

/// One thing that a file does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effect {
    #[serde(flatten)]
    pub key: ObjectKey,
    pub effect: EffectState,
    /// Whether the object is there at all.
    pub is_there: bool,
    /// Of what is there otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// One file and what is there of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TracedFile {
    pub file: String,
    pub trace: Trace,
    pub effects: Vec<Effect>,
}

/// Looks for the traces of every file of the replay, in their order.
pub fn detect(replay: &Replay, live: &Inventory, judged: &Judged) -> Vec<TracedFile> {
    let mut effects: BTreeMap<usize, Vec<Effect>> = BTreeMap::new();
    let known: BTreeSet<&ObjectKey> = replay.states().map(|(key, _)| key).collect();
    for (key, states) in replay.states().filter(|(key, _)| !judged.ignore.meets(key)) {
        let found = found(key, &states, live, &known);
        for at in 0..states.len() {
            if let (number @ 1.., Some(effect)) = (states[at].0, effect(key, &states, at, found)) {
                effects.entry(number).or_default().push(effect);
            }
        }
    }
    let traced = |(index, file): (usize, &String)| {
        let effects = effects.remove(&(index + 1)).unwrap_or_default();
        TracedFile { file: file.clone(), trace: trace(&effects), effects }
    };
    replay.files().iter().enumerate().map(traced).collect()
}

/// The files that can be taken for applied: those whose work is there, and between them those that leave no trace.
pub fn adoptable(traced: &[TracedFile]) -> Vec<&str> {
    let last = traced.iter().rposition(|one| one.trace == Trace::Applied);
    let upto = last.map_or(0, |last| last + 1);
    let can = |one: &&TracedFile| matches!(one.trace, Trace::Applied | Trace::None);
    traced[..upto].iter().filter(can).map(|one| one.file.as_str()).collect()
}

fn trace(effects: &[Effect]) -> Trace {
    let has = |state| effects.iter().any(|effect| effect.effect == state);
    match (has(EffectState::There), has(EffectState::NotThere), has(EffectState::Otherwise)) {
        (_, _, true) => Trace::Conflict,
        (true, true, false) => Trace::Partly,
        (true, false, false) => Trace::Applied,
        (false, true, false) => Trace::NotApplied,
        (false, false, false) => Trace::None,
    }
}

/// The live object, also where it has another name that no file knows and that does not matter.
fn found<'l>(
    key: &ObjectKey,
    states: &[State<'_>],
    live: &'l Inventory,
    known: &BTreeSet<&ObjectKey>,
) -> Option<&'l Facets> {
    if let Some(found) = live.get(key) {
        return Some(found);
    }
    let (ObjectKind::Constraint | ObjectKind::Index, Some(of)) = (key.kind, &key.of) else { return None };
    let does_the_same = |facets: &Facets| states.iter().any(|(_, state)| state.is_some_and(|one| one == facets));
    let mut others = live.parts(&key.schema, of, key.kind);
    others.find(|(other, facets)| !known.contains(other) && does_the_same(facets)).map(|(_, facets)| facets)
}

/// What the state `at` of an object brings, and whether it is there. Nothing, where the live schema would look the same
/// with and without it.
fn effect(key: &ObjectKey, states: &[State<'_>], at: usize, live: Option<&Facets>) -> Option<Effect> {
    let before = at.checked_sub(1).and_then(|before| states[before].1);
    let (after, later) = (states[at].1, &states[at..]);
    let is_gone_later = later.iter().any(|(_, state)| state.is_none());
    let told = |effect, changes| Some(Effect { key: key.clone(), effect, is_there: live.is_some(), changes });
    match (before, after) {
        // Privileges come and go with roles; only that they are there is asked.
        (None, Some(after)) => match live {
            None if is_gone_later => None,
            None => told(EffectState::NotThere, Vec::new()),
            Some(live) => {
                let fits = |facet: &Facet| {
                    later.iter().any(|(_, state)| state.is_some_and(|one| one.get(facet) == live.get(facet)))
                };
                let otherwise: Vec<Change> =
                    of_shape(changes(after, live)).filter(|change| !fits(&change.facet)).collect();
                let effect = if otherwise.is_empty() { EffectState::There } else { EffectState::Otherwise };
                told(effect, otherwise)
            }
        },
        (Some(_), None) => {
            let comes_again = later.iter().any(|(_, state)| state.is_some());
            // Gone is also what never was, so that it proves nothing.
            if live.is_some() && !comes_again { told(EffectState::NotThere, Vec::new()) } else { None }
        }
        (Some(before), Some(after)) => {
            let changed: Vec<Change> = of_shape(changes(after, before)).collect();
            let Some(live) = live else {
                return if is_gone_later || changed.is_empty() {
                    None
                } else {
                    told(EffectState::NotThere, Vec::new())
                };
            };
            let mut state = None;
            let mut otherwise = Vec::new();
            for Change { facet, wanted, live: was } in changed {
                let now = live.get(&facet);
                let is_later = later.iter().any(|(_, state)| state.is_some_and(|one| one.get(&facet) == now));
                let is_before = now == was.as_ref();
                let one = match (is_later, is_before) {
                    // Changed, and changed back.
                    (true, true) => continue,
                    (true, false) => EffectState::There,
                    (false, true) => EffectState::NotThere,
                    (false, false) => {
                        otherwise.push(Change { facet, wanted, live: now.cloned() });
                        EffectState::Otherwise
                    }
                };
                state = state.max(Some(one));
            }
            told(state?, otherwise)
        }
        (None, None) => None,
    }
}

fn of_shape(changes: Vec<Change>) -> impl Iterator<Item = Change> {
    changes.into_iter().filter(|change| !change.facet.is_about_people())
}

impl Trace {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Trace::Applied => "applied",
            Trace::NotApplied => "not applied",
            Trace::Partly => "partly applied",
            Trace::Conflict => "conflict",
            Trace::None => "leaves no trace",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.effect {
            EffectState::There => write!(f, "{} is there", self.key),
            EffectState::NotThere if !self.is_there => write!(f, "{} is missing", self.key),
            EffectState::NotThere => write!(f, "{} is as it was before the file", self.key),
            EffectState::Otherwise => {
                let changes: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
                write!(f, "{}: {}", self.key, changes.join("; "))
            }
        }
    }
}
