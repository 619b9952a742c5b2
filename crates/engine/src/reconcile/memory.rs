//! What the loop has in mind: who is held, and what waits for its turn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use mainstay_model::identity::StackName;
use mainstay_model::observed::Container;
use mainstay_model::plan::HeldService;

use super::fights::Fights;

/// Why something is looked at, in the words of the record.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub words: String,
    pub evidence: serde_json::Value,
    /// When the loop heard of it.
    pub heard: Instant,
}

impl Cause {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Cause { words: words.into(), evidence: serde_json::Value::Null, heard: Instant::now() }
    }
}

#[derive(Default)]
pub(super) struct Memory {
    held: BTreeMap<StackName, Held>,
    /// Stacks that somebody wrote to when they should have been looked at.
    pub waiting: BTreeMap<StackName, Cause>,
    /// Stacks to look at later: a repair failed, or was undone too often.
    pub due: BTreeMap<StackName, (Instant, Cause)>,
    pub fights: Fights,
    /// Problems that were told and are still there.
    pub told: BTreeSet<(StackName, String)>,
    /// Who was told to have been taken off which network. Engines tell of one disconnect twice.
    taken_off: BTreeSet<(String, String)>,
}

struct Held {
    services: Vec<HeldService>,
    /// From the labels of containers: the journal does not know the stack.
    from_labels: bool,
}

impl Memory {
    /// What the journal says of a stack, in place of what was known before; whether that is something else.
    pub(super) fn hold(&mut self, stack: StackName, services: Vec<HeldService>) -> bool {
        let is_same = self.held.get(&stack).is_some_and(|held| held.services == services);
        self.held.insert(stack, Held { services, from_labels: false });
        !is_same
    }

    /// Before everything is looked at anew: a problem that is still there is worth a line then.
    pub(super) fn forget_all(&mut self) {
        self.held.clear();
        self.told.clear();
    }

    /// Stacks of which anything is held.
    pub(super) fn stacks(&self) -> BTreeSet<StackName> {
        self.held.iter().filter(|(_, held)| !held.services.is_empty()).map(|(stack, _)| stack.clone()).collect()
    }

    pub(super) fn services(&self, stack: &StackName) -> Vec<HeldService> {
        self.held.get(stack).map(|held| held.services.clone()).unwrap_or_default()
    }

    /// Whether the journal, or a container's label, has told of this stack.
    pub(super) fn knows(&self, stack: &StackName) -> bool {
        self.held.contains_key(stack)
    }

    /// Whether what is held of a stack is known from the labels of its containers at best.
    pub(super) fn goes_by_labels(&self, stack: &StackName) -> bool {
        self.held.get(stack).is_none_or(|held| held.from_labels)
    }

    /// The stacks that hold a place on a network.
    pub(super) fn holders_of(&self, network: &str) -> Vec<StackName> {
        let holds = |held: &Held| {
            held.services.iter().flat_map(|service| &service.attachments).any(|place| place.network == network)
        };
        self.held.iter().filter(|(_, held)| holds(held)).map(|(stack, _)| stack.clone()).collect()
    }

    /// What is held of a container, whoever made it; remembers what its label says when the journal says nothing.
    /// The label counts when it is of this state folder, or of nobody's.
    pub(super) fn held_of(&mut self, container: &Container, keeper: &str) -> Option<(StackName, HeldService)> {
        let keeps = container.keeper.as_deref().is_none_or(|of| of == keeper);
        if container.one_off {
            return None;
        }
        let (Some(stack), Some(service)) = (&container.stack, &container.service) else {
            return self.by_name(&container.name);
        };
        if keeps
            && self.goes_by_labels(stack)
            && let Some(attachments) = container.declared_attachments.clone().filter(|places| !places.is_empty())
        {
            let held = self.held.entry(stack.clone()).or_insert(Held { services: Vec::new(), from_labels: true });
            match held.services.iter_mut().find(|held| held.service == *service) {
                Some(held) => {
                    held.container_names.insert(container.name.clone());
                    held.attachments = attachments;
                }
                None => held.services.push(HeldService {
                    service: service.clone(),
                    container_names: [container.name.clone()].into(),
                    attachments,
                }),
            }
        }
        let services = &self.held.get(stack)?.services;
        services.iter().find(|held| held.service == *service).map(|held| (stack.clone(), held.clone()))
    }

    /// The stack that claims a container's name.
    pub(super) fn by_name(&self, name: &str) -> Option<(StackName, HeldService)> {
        self.held.iter().find_map(|(stack, held)| {
            let service = held.services.iter().find(|service| service.container_names.contains(name))?;
            Some((stack.clone(), service.clone()))
        })
    }

    /// Looks at a stack then, or sooner when that was the plan already.
    pub(super) fn look_at(&mut self, stack: StackName, when: Instant, cause: Cause) {
        match self.due.get(&stack) {
            Some((sooner, _)) if *sooner <= when => {}
            _ => {
                self.due.insert(stack, (when, cause));
            }
        }
    }

    /// Notes that a container is off a network; `true` when that is new.
    pub(super) fn is_taken_off(&mut self, container: &str, network: &str) -> bool {
        if self.taken_off.len() > 1000 {
            // Containers that went in that state; telling one of them twice does no harm.
            self.taken_off.clear();
        }
        self.taken_off.insert((container.to_owned(), network.to_owned()))
    }

    /// Notes that a container is on a network.
    pub(super) fn is_back_on(&mut self, container: &str, network: &str) {
        self.taken_off.remove(&(container.to_owned(), network.to_owned()));
    }
}
