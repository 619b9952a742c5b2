//! What the loop has in mind: who is held, and what waits for its turn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::Container;
use mainstay_model::plan::HeldService;

use super::fights::Fights;
use super::returned::Returned;

/// So long after a return a container may still crash from what it found before it.
const LAST_CRASH: Duration = Duration::from_secs(60);

/// Why something is looked at, in the words of the record.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub words: String,
    pub evidence: serde_json::Value,
    /// When the loop heard of it.
    pub heard: Instant,
    /// Other stacks that are back, for those who crashed without them.
    pub returned: Returned,
}

impl Cause {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Cause {
            words: words.into(),
            evidence: serde_json::Value::Null,
            heard: Instant::now(),
            returned: Returned::new(),
        }
    }

    /// Takes over what another cause for the same look says to be back.
    fn take_returned_of(&mut self, other: &Cause) {
        for (stack, networks) in &other.returned {
            self.returned.entry(stack.clone()).or_default().extend(networks.iter().cloned());
        }
    }
}

#[derive(Default)]
pub(super) struct Memory {
    held: BTreeMap<StackName, Held>,
    /// Stacks that somebody wrote to when they should have been looked at.
    waiting: BTreeMap<StackName, Cause>,
    /// Stacks to look at later: a repair failed, or was undone too often.
    pub due: BTreeMap<StackName, (Instant, Cause)>,
    pub fights: Fights,
    /// Problems that were told and are still there.
    pub told: BTreeSet<(StackName, String)>,
    /// Who was told to have been taken off which network. Engines tell of one disconnect twice.
    taken_off: BTreeSet<(String, String)>,
    /// Containers, by id, that ran after crashes when a stack that they lean on came back; and until when that counts.
    may_crash_yet: BTreeMap<String, (Instant, Returned)>,
    /// Services that ran after crashes when they were given a network back; and until when that counts.
    reattached: BTreeMap<(StackName, ServiceName), Instant>,
}

struct Held {
    services: Vec<HeldService>,
    requires: BTreeSet<StackName>,
    /// From the labels of containers: the journal does not know the stack.
    from_labels: bool,
}

impl Memory {
    /// What the journal says of a stack, in place of what was known before; whether something else is held.
    pub(super) fn hold(&mut self, stack: StackName, services: Vec<HeldService>, requires: Vec<StackName>) -> bool {
        let requires = requires.into_iter().collect();
        let is_same = self.held.get(&stack).is_some_and(|held| held.services == services);
        self.held.insert(stack, Held { services, requires, from_labels: false });
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

    /// Whether one stack requires another, as far as its journal or its labels tell.
    pub(super) fn requires(&self, stack: &StackName, other: &StackName) -> bool {
        self.held.get(stack).is_some_and(|held| held.requires.contains(other))
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
            let nothing = Held { services: Vec::new(), requires: BTreeSet::new(), from_labels: true };
            let held = self.held.entry(stack.clone()).or_insert(nothing);
            held.requires.extend(container.requires.iter().cloned());
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
    pub(super) fn look_at(&mut self, stack: StackName, when: Instant, mut cause: Cause) {
        match self.due.get_mut(&stack) {
            Some((sooner, known)) if *sooner <= when => known.take_returned_of(&cause),
            known => {
                if let Some((_, known)) = known {
                    cause.take_returned_of(known);
                }
                self.due.insert(stack, (when, cause));
            }
        }
    }

    /// Looks at a stack when whoever writes to it is done.
    pub(super) fn wait_for(&mut self, stack: StackName, mut cause: Cause) {
        if let Some(known) = self.waiting.get(&stack) {
            cause.take_returned_of(known);
        }
        self.waiting.insert(stack, cause);
    }

    /// Those whose writers are done, and why they are to be looked at.
    pub(super) fn no_more_waiting(&mut self, is_free: impl Fn(&StackName) -> bool) -> Vec<(StackName, Cause)> {
        let free: Vec<StackName> = self.waiting.keys().filter(|stack| is_free(stack)).cloned().collect();
        free.iter().filter_map(|stack| self.waiting.remove_entry(stack)).collect()
    }

    /// Notes that one more crash of a container may come of what it found before a return.
    pub(super) fn may_crash_yet(&mut self, container: &str, returned: Returned) {
        let now = Instant::now();
        self.may_crash_yet.retain(|_, (until, _)| *until > now);
        self.may_crash_yet.insert(container.to_owned(), (now + LAST_CRASH, returned));
    }

    /// What was back before a container crashed; counts for one crash.
    pub(super) fn back_before_crash(&mut self, container: &str) -> Returned {
        let known = self.may_crash_yet.remove(container);
        known.filter(|(until, _)| *until > Instant::now()).map(|(_, returned)| returned).unwrap_or_default()
    }

    /// Notes that one more crash of a service may come of what it found before it was given a network back.
    pub(super) fn is_reattached(&mut self, stack: &StackName, service: &ServiceName) {
        self.reattached.insert((stack.clone(), service.clone()), Instant::now() + LAST_CRASH);
    }

    /// Those of a stack whose last crash may still come of the network that they lacked.
    pub(super) fn reattached(&mut self, stack: &StackName) -> BTreeSet<ServiceName> {
        let now = Instant::now();
        self.reattached.retain(|_, until| *until > now);
        self.reattached.keys().filter(|(of, _)| of == stack).map(|(_, service)| service.clone()).collect()
    }

    /// It was started after that crash, and the next one is its own.
    pub(super) fn was_started(&mut self, stack: &StackName, service: &ServiceName) {
        self.reattached.remove(&(stack.clone(), service.clone()));
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
