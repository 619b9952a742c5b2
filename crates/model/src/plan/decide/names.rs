//! The names that containers carry, while two of them stand for one place.

use std::collections::{BTreeMap, BTreeSet};

use super::up::Up;
use crate::declared::Service;
use crate::observed::{Container, Maker, Observed};
use crate::plan::{Action, Impact, Level, StepId, Target, TargetContainer};

/// The names that are had, and who waits for one.
pub(super) struct Names {
    had: BTreeSet<String>,
    /// The step after which a name is free.
    freed: BTreeMap<String, StepId>,
    wishes: Vec<Wish>,
}

/// A container that is to get its final name.
struct Wish {
    target: Target,
    to: String,
    needs: Vec<StepId>,
}

impl Names {
    pub fn of(world: &Observed) -> Self {
        Names {
            had: world.containers.iter().map(|container| container.name.clone()).collect(),
            freed: BTreeMap::new(),
            wishes: Vec::new(),
        }
    }

    /// The name itself where nobody has it; else `<name>.next`, and so on. It is had from now on.
    pub fn free(&mut self, name: &str) -> String {
        let next = (1..).map(|n| if n == 1 { format!("{name}.next") } else { format!("{name}.next.{n}") });
        let mut candidates = std::iter::once(name.to_owned()).chain(next);
        let free = candidates.find(|candidate| !self.had.contains(candidate)).unwrap_or_else(|| name.to_owned());
        self.had.insert(free.clone());
        free
    }

    pub fn freed_by(&mut self, name: &str, step: StepId) {
        self.freed.insert(name.to_owned(), step);
    }

    /// A container that should carry another name once these steps are done.
    pub fn wants(&mut self, target: Target, to: String, needs: Vec<StepId>) {
        self.wishes.push(Wish { target, to, needs });
    }
}

impl<'a> Up<'a> {
    /// Refuses a place whose name somebody has who is not ours to move.
    pub fn name_is_taken(&mut self, service: &Service, name: &str, there: &[&Container]) -> bool {
        let Some(holder) = self.world.container_named(name).filter(|h| there.iter().all(|c| c.id != h.id)) else {
            return false;
        };
        let of_this_stack = holder.stack.as_ref() == Some(&self.declared.stack) && !holder.one_off;
        match holder.maker {
            Maker::Mainstay if of_this_stack => return false,
            Maker::Compose if of_this_stack && self.options.take_over => return false,
            Maker::Compose if of_this_stack => self.made_by_compose.push(holder.name.clone()),
            _ => self.refuse_name(name, service.name.as_str()),
        }
        self.refused.insert(service.name.clone());
        true
    }

    fn refuse_name(&mut self, name: &str, service: &str) {
        let message = format!("`{service}` needs the container name `{name}`, which another container has");
        let hint = format!("look with `docker inspect {name}`; rename or remove that one, or declare another name");
        self.draft.tell(Level::Refusal, "name-taken", message, Some(&hint));
    }

    /// The renames come last, because a name can be left by a container of any other service.
    pub fn give_names(&mut self) {
        let wishes = std::mem::take(&mut self.names.wishes);
        let detours = circles(&wishes);
        let mut renames: Vec<(StepId, String, String)> = Vec::new();
        for (index, wish) in wishes.into_iter().enumerate() {
            let Wish { mut target, to, mut needs } = wish;
            let had = matches!(target.container, TargetContainer::Id(_)).then(|| target.name.clone());
            let service = target.service.as_ref().map(ToString::to_string).unwrap_or_default();
            let mut left = None;
            if detours.contains(&index) {
                let between = self.names.free(&to);
                let action = Action::RenameContainer { target: target.clone(), to: between.clone() };
                let step = self.draft.add(action, Impact::Live, format!("`{to}` is yet to be left"), needs);
                target.name = between;
                needs = vec![step];
                left = Some(step);
            }
            let action = Action::RenameContainer { target, to: to.clone() };
            let step = self.draft.add(action, Impact::Live, "it takes over the name", needs);
            if let Some(had) = had {
                self.names.freed_by(&had, left.unwrap_or(step));
            }
            renames.push((step, to, service));
        }
        for (step, to, service) in renames {
            let holder = self.world.container_named(&to);
            match (holder, self.names.freed.get(&to)) {
                (None, _) => {}
                (Some(_), Some(freed)) => self.draft.need(step, *freed),
                (Some(_), None) => self.refuse_name(&to, &service),
            }
        }
    }
}

/// One wish of each circle in which everybody waits for the name of the next.
fn circles(wishes: &[Wish]) -> BTreeSet<usize> {
    let holder_of = |to: &str| wishes.iter().position(|wish| wish.target.name == to);
    let mut detours = BTreeSet::new();
    for first in 0..wishes.len() {
        let mut at = holder_of(&wishes[first].to);
        let mut steps = 0;
        while let Some(index) = at.filter(|index| *index > first && steps <= wishes.len()) {
            at = holder_of(&wishes[index].to);
            steps += 1;
        }
        if at == Some(first) {
            detours.insert(first);
        }
    }
    detours
}
