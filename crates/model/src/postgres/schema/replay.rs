//! What each file did to a database when they ran one after the other.

use std::collections::{BTreeMap, BTreeSet};

use super::inventory::Inventory;
use super::object::{Facet, Facets, ObjectKey, ObjectKind};

/// The ground, and after each file what is otherwise than before it.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// The names of the files, in the order in which they ran.
    files: Vec<String>,
    /// Of each object every state that it had: since which file (0 is the ground, 1 the first file), and what was then; nothing when
    /// it was taken away.
    states: BTreeMap<ObjectKey, Vec<(usize, Option<Facets>)>>,
    path: Vec<String>,
}

/// One state of one object.
pub(super) type State<'r> = (usize, Option<&'r Facets>);

impl Replay {
    /// Begins with what is there before the first file.
    pub fn on(ground: Inventory) -> Replay {
        let states = ground.objects.into_iter().map(|(key, facets)| (key, vec![(0, Some(facets))])).collect();
        Replay { files: Vec::new(), states, path: ground.path }
    }

    /// What is there after one more file.
    pub fn ran(&mut self, file: &str, after: Inventory) {
        self.files.push(file.to_owned());
        let number = self.files.len();
        for (key, states) in &mut self.states {
            let is_there = states.last().is_some_and(|(_, last)| last.is_some());
            if is_there && !after.has(key) {
                states.push((number, None));
            }
        }
        for (key, facets) in after.objects {
            let states = self.states.entry(key).or_default();
            if states.last().and_then(|(_, last)| last.as_ref()) != Some(&facets) {
                states.push((number, Some(facets)));
            }
        }
    }

    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// What is there in the end.
    pub fn wanted(&self) -> Inventory {
        let last = |states: &Vec<(usize, Option<Facets>)>| states.last().and_then(|(_, last)| last.clone());
        let objects = self.states.iter().filter_map(|(key, states)| Some((key.clone(), last(states)?))).collect();
        Inventory { objects, path: self.path.clone() }
    }

    /// The schemas in which a file made, changed or took away anything; `public` when none did.
    pub fn schemas(&self) -> BTreeSet<String> {
        let is_touched = |states: &Vec<(usize, Option<Facets>)>| states.iter().any(|(number, _)| *number > 0);
        let touched =
            self.states.iter().filter(|(key, states)| key.kind != ObjectKind::Extension && is_touched(states));
        let found: BTreeSet<String> = touched.map(|(key, _)| key.schema.clone()).collect();
        if found.is_empty() { BTreeSet::from(["public".to_owned()]) } else { found }
    }

    /// The file that made an object which is there in the end; none when it was there before the first.
    pub fn brings(&self, key: &ObjectKey) -> Option<String> {
        let states = self.states.get(key)?;
        let before = states.iter().rposition(|(_, state)| state.is_none()).map_or(0, |gone| gone + 1);
        self.named(states.get(before)?.0)
    }

    /// The file that gave a fact about an object the value that it has in the end.
    pub fn sets(&self, key: &ObjectKey, facet: Facet) -> Option<String> {
        let states = self.states.get(key)?;
        let value = |index: usize| states[index].1.as_ref().and_then(|facets| facets.get(&facet));
        let last = states.len().checked_sub(1)?;
        let since = (0..=last).rev().take_while(|index| value(*index) == value(last)).last()?;
        self.named(states[since].0)
    }

    /// The file that took an object away for good.
    pub fn takes_away(&self, key: &ObjectKey) -> Option<String> {
        match self.states.get(key)?.last()? {
            (number, None) => self.named(*number),
            _ => None,
        }
    }

    /// Every object with its states, from the first on.
    pub(super) fn states(&self) -> impl Iterator<Item = (&ObjectKey, Vec<State<'_>>)> {
        self.states
            .iter()
            .map(|(key, states)| (key, states.iter().map(|(number, state)| (*number, state.as_ref())).collect()))
    }

    fn named(&self, number: usize) -> Option<String> {
        self.files.get(number.checked_sub(1)?).cloned()
    }
}
