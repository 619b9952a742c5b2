//! `unresolvable-host` and `generated-name`: hosts that a service's variables and command name.

use std::collections::{BTreeMap, BTreeSet};

use super::elsewhere;
use super::mention::{Mention, Surety, in_variable, in_word};
use super::names::{Answers, Reach, at_home, random_end, reach};
use crate::declared::{Declared, NetworkMode, Service};
use crate::identity::{ServiceName, container_name};
use crate::observed::{Neighbour, Observed};
use crate::plan::{Finding, Level};

const ONE_CONTAINER: &str = "the name of one container, and the next one may have another";

pub(super) fn find(declared: &Declared, observed: &Observed) -> Vec<Finding> {
    let answers = Answers::of(declared, observed);
    let mut found = Vec::new();
    for service in declared.services.values() {
        let rule = Rule { declared, observed, answers: &answers, service, reach: reach(declared, observed, service) };
        let home = at_home(declared, service);
        for (place, mention) in mentions(service) {
            let generated = rule.generated(&place, &mention);
            let is_home = home.contains(&mention.host);
            let unresolvable = if is_home { None } else { rule.unresolvable(&place, &mention) };
            found.extend(match (unresolvable, generated) {
                (Some(unresolvable), Some(generated)) => Some(rule.both(&mention, unresolvable, generated)),
                (unresolvable, generated) => unresolvable.or(generated),
            });
        }
    }
    found
}

pub(super) fn sought(declared: &Declared) -> BTreeSet<String> {
    let nothing = Observed::empty(declared.stack.clone());
    let answers = Answers::of(declared, &nothing);
    let mut found = BTreeSet::new();
    for service in declared.services.values() {
        let home = at_home(declared, service);
        for (_, Mention { host, surety }) in mentions(service) {
            let is_asked = surety > Surety::Possible || elsewhere::looks_generated(&host);
            // Of a name with a dot, the rest of the world may know more.
            if !is_asked || host.contains('.') || home.contains(&host) || is_elsewhere(&host) {
                continue;
            }
            if answers.networks_with(&host).is_empty() {
                // A container that is gone may have been of a service that is there.
                found.extend(random_end(&host).map(str::to_owned));
                found.insert(host);
            }
        }
    }
    found
}

/// Every host that the service names, and where: `` `NC_DB` `` or `its command`.
fn mentions(service: &Service) -> BTreeSet<(String, Mention)> {
    let spec = &service.container;
    let mut found = BTreeSet::new();
    for (name, value) in &spec.environment {
        found.extend(in_variable(name, value.reveal()).into_iter().map(|mention| (format!("`{name}`"), mention)));
    }
    for (place, words) in [("its command", &spec.command), ("its entrypoint", &spec.entrypoint)] {
        for word in words.iter().flatten() {
            found.extend(in_word(word).into_iter().map(|mention| (place.to_owned(), mention)));
        }
    }
    // A host can be found twice in one place: the surest counts.
    let mut surest: BTreeMap<(String, String), Surety> = BTreeMap::new();
    for (place, Mention { host, surety }) in found {
        let known = surest.entry((place, host)).or_insert(surety);
        *known = surety.max(*known);
    }
    surest.into_iter().map(|((place, host), surety)| (place, Mention { host, surety })).collect()
}

/// Names that the engine or the host answers for, or that stand for the host itself.
fn is_elsewhere(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.ends_with(".internal") || host == "host-gateway"
}

/// Both rules for one service.
struct Rule<'a> {
    declared: &'a Declared,
    observed: &'a Observed,
    answers: &'a Answers,
    service: &'a Service,
    reach: Reach<'a>,
}

impl Rule<'_> {
    fn unresolvable(&self, place: &str, mention: &Mention) -> Option<Finding> {
        let host = mention.host.as_str();
        if is_elsewhere(host) {
            return None;
        }
        let stable = self.stable(mention);
        let somewhere = match mention.surety {
            // The name of a service is a common word: only what a machine made counts where it stands alone.
            Surety::Bare => Vec::new(),
            _ => self.answers.networks_with(stable),
        };
        let neighbours = self.neighbours(mention);
        let is_known = !somewhere.is_empty() || !neighbours.is_empty();
        let is_suspicious = is_known || (mention.surety == Surety::Certain && !host.contains('.'));
        match &self.reach {
            Reach::Networks(networks) if is_suspicious => {
                let is_answered = networks.iter().any(|network| self.answers.answers(network, stable));
                // Of a network that nobody looked at, nothing can be said about names that are new here.
                let is_blind = networks.iter().any(|network| !self.answers.is_known(network));
                (!is_answered && (is_known || !is_blind)).then(|| match somewhere.as_slice() {
                    [] => self.of_others(place, mention, &neighbours),
                    _ => self.not_answered(place, mention, &somewhere),
                })
            }
            Reach::Host if is_known => Some(self.asked_of_the_host(place, host)),
            Reach::Networks(_) | Reach::Host | Reach::Unknown => None,
        }
    }

    /// The name to look for: that of a container which is gone stands for its service's, where that is known.
    fn stable<'h>(&self, mention: &'h Mention) -> &'h str {
        let host = mention.host.as_str();
        let meant = |name: &str| elsewhere::meant(self.declared, self.observed, name, mention.surety);
        let is_there = |name: &str| !self.answers.networks_with(name).is_empty() || !meant(name).is_empty();
        random_end(host).filter(|base| !is_there(host) && is_there(base)).unwrap_or(host)
    }

    fn neighbours(&self, mention: &Mention) -> Vec<&Neighbour> {
        elsewhere::meant(self.declared, self.observed, self.stable(mention), mention.surety)
    }

    /// Whose `networks` decide: in the namespace of another service, that one's.
    fn joiner(&self) -> &ServiceName {
        match &self.service.network_mode {
            NetworkMode::Service(other) => other,
            _ => &self.service.name,
        }
    }

    /// A name that somebody outside of the stack has, or nobody.
    fn of_others(&self, place: &str, mention: &Mention, neighbours: &[&Neighbour]) -> Finding {
        let host = mention.host.as_str();
        let Reach::Networks(networks) = &self.reach else { return self.unheard_of(place, host, neighbours) };
        let is_joined = |neighbour: &Neighbour| networks.iter().any(|network| neighbour.places.contains_key(*network));
        let joiner = self.declared.services.get(self.joiner()).unwrap_or(self.service);
        // On a network that is joined it would be answered, if only it ran.
        let told = match neighbours.iter().any(|neighbour| is_joined(neighbour)) {
            true => None,
            false => elsewhere::told(self.declared, self.service, joiner, (host, self.stable(mention)), neighbours),
        };
        let Some(told) = told else { return self.unheard_of(place, host, neighbours) };
        let name = &self.service.name;
        let message = format!("`{name}` names the host `{host}` in {place} and will not resolve it: {}", told.words);
        Finding { level: Level::Warning, code: "unresolvable-host".into(), message, hint: Some(told.fix) }
    }

    fn not_answered(&self, place: &str, mention: &Mention, somewhere: &[&str]) -> Finding {
        let host = mention.host.as_str();
        let first = somewhere.first().copied().unwrap_or_default();
        let networks = &self.declared.networks;
        let declared = |network: &&str| networks.iter().find(|(_, declared)| declared.name == **network);
        let (network, action) = match somewhere.iter().find_map(|network| Some((*network, declared(network)?.0))) {
            Some((network, key)) if key == network => (network, "add it to".to_owned()),
            Some((network, key)) => (network, format!("add `{key}` to")),
            None => {
                (first, format!("declare it under `networks` with `external: true` and `name: {first}`, and add it to"))
            }
        };
        let name = &self.service.name;
        let message =
            format!("`{name}` names the host `{host}` in {place}, and none of its networks resolves that name");
        let hint = format!(
            "`{}` answers on `{network}`; {action} `services.{}.networks`",
            self.stable(mention),
            self.joiner()
        );
        Finding { level: Level::Warning, code: "unresolvable-host".into(), message, hint: Some(hint) }
    }

    /// A name that nothing known has. On a network of others, what answers to it may just not run now.
    fn unheard_of(&self, place: &str, host: &str, neighbours: &[&Neighbour]) -> Finding {
        let name = &self.service.name;
        let shared: Vec<&str> = self
            .declared
            .networks
            .values()
            .filter(|network| network.external && self.service.attachments.iter().any(|a| a.network == network.name))
            .map(|network| network.name.as_str())
            .collect();
        if let Some(network) = shared.first() {
            let message = format!(
                "`{name}` names the host `{host}` in {place}, and nothing that runs on `{network}` answers to it now"
            );
            let hint = match elsewhere::stack_of(neighbours) {
                Some(stack) => format!("start the stack `{stack}`, which has `{host}`"),
                None => format!("start the stack that has `{host}`, or check the name"),
            };
            return Finding { level: Level::Note, code: "unresolvable-host".into(), message, hint: Some(hint) };
        }
        let message =
            format!("`{name}` names the host `{host}` in {place}, and nothing that is known here answers to that name");
        let joiner = self.joiner();
        let hint = format!(
            "if `{host}` runs in another stack, add that stack's network to `services.{joiner}.networks`, declared with `external: true`"
        );
        Finding { level: Level::Warning, code: "unresolvable-host".into(), message, hint: Some(hint) }
    }

    fn asked_of_the_host(&self, place: &str, host: &str) -> Finding {
        let name = &self.service.name;
        let message = format!(
            "`{name}` names the host `{host}` in {place}, and without a network of the stack it cannot resolve names of containers"
        );
        let hint = "use `localhost` and a published port, or put it on a network instead of `network_mode`".to_owned();
        Finding { level: Level::Warning, code: "unresolvable-host".into(), message, hint: Some(hint) }
    }

    fn generated(&self, place: &str, mention: &Mention) -> Option<Finding> {
        let host = mention.host.as_str();
        let (level, stable) = self.generated_name(mention)?;
        let name = &self.service.name;
        let message = format!("`{name}` names the host `{host}` in {place}: that is {ONE_CONTAINER}");
        let hint = match stable {
            Some(stable) => format!("use the alias `{stable}`, which every container of that service answers to"),
            None => {
                "use the service's name or an alias of it, which every container of that service answers to".to_owned()
            }
        };
        Some(Finding { level, code: "generated-name".into(), message, hint: Some(hint) })
    }

    /// How sure it is that a name was generated, and the name to use instead.
    fn generated_name(&self, mention: &Mention) -> Option<(Level, Option<String>)> {
        let host = mention.host.as_str();
        // A name alone may mean anything, unless a container of others has it and a machine made it.
        if mention.surety == Surety::Bare {
            return self.of_a_neighbour(host).filter(|_| !self.neighbours(mention).is_empty());
        }
        let by_others = || self.of_another(host).or_else(|| self.of_a_neighbour(host));
        self.of_this_stack(host).or_else(by_others).or_else(|| self.with_random_end(host))
    }

    /// One host with both faults is told of once: what fails now has the word. Where the name to use instead is within
    /// reach, that is all there is to do.
    fn both(&self, mention: &Mention, now: Finding, later: Finding) -> Finding {
        let stable = self.generated_name(mention).and_then(|(_, stable)| stable);
        let is_reached = match (&self.reach, &stable) {
            (Reach::Networks(networks), Some(stable)) => {
                networks.iter().any(|network| self.answers.answers(network, stable))
            }
            _ => false,
        };
        let hint = match (now.hint, later.hint) {
            (Some(now), Some(later)) if !is_reached => Some(format!("{now}; then {later}")),
            (now, later) => later.or(now),
        };
        let message = format!("{}; and `{}` is {ONE_CONTAINER}", now.message, mention.host);
        // The graver one comes first in the order.
        Finding { level: now.level.min(later.level), code: now.code, message, hint }
    }

    /// `<stack>-<service>-1`, or Compose's old `<stack>_<service>_1`.
    fn of_this_stack(&self, host: &str) -> Option<(Level, Option<String>)> {
        let is_its = |service: &&Service| {
            service.container_name.is_none()
                && (1..=service.replicas.max(1)).any(|number| {
                    let generated = container_name(&self.declared.stack, &service.name, number).to_ascii_lowercase();
                    let old = format!("{}_{}_{number}", self.declared.stack, service.name).to_ascii_lowercase();
                    host == generated || host == old
                })
        };
        let service = self.declared.services.values().find(is_its)?;
        (!self.is_alias_here(host)).then(|| (Level::Warning, Some(service.name.to_string())))
    }

    /// The name of an observed container that it does not have as an alias too. One that was not made by Compose's
    /// rule was chosen by a person, and stays: that is only noted.
    fn of_another(&self, host: &str) -> Option<(Level, Option<String>)> {
        let members = self.observed.networks.iter().flat_map(|network| &network.members);
        let member = members.into_iter().find(|member| {
            member.stack.as_ref() != Some(&self.declared.stack) && member.container_name.eq_ignore_ascii_case(host)
        })?;
        let is_an_alias = member.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(host));
        let stable = member.service.clone().filter(|service| member.aliases.contains(service));
        let stable = stable.or_else(|| member.aliases.iter().find(|alias| *alias != &member.container_name).cloned());
        if is_an_alias || stable.is_none() || self.is_alias_here(host) {
            return None;
        }
        let is_by_rule = match (&member.stack, &member.service) {
            (Some(stack), Some(service)) => host
                .strip_prefix(&format!("{stack}-{service}-").to_ascii_lowercase())
                .is_some_and(|number| number.parse::<u32>().is_ok()),
            _ => false,
        };
        let level = if is_by_rule || random_end(host).is_some() { Level::Warning } else { Level::Note };
        Some((level, stable))
    }

    /// The same of a container on a network that is not joined. A name that a person chose is left in peace there.
    fn of_a_neighbour(&self, host: &str) -> Option<(Level, Option<String>)> {
        let is_it = |one: &&Neighbour| elsewhere::is_called(one, host) && elsewhere::is_generated(one);
        let neighbour = self.observed.neighbours.iter().find(is_it)?;
        let is_an_alias = neighbour.places.values().flatten().any(|alias| alias.eq_ignore_ascii_case(host));
        (!is_an_alias && !self.is_alias_here(host)).then(|| (Level::Warning, neighbour.service.clone()))
    }

    /// `supabase-db-xo4k0c8ow4skg8s0`, where nobody has declared that as a name.
    fn with_random_end(&self, host: &str) -> Option<(Level, Option<String>)> {
        let base = random_end(host)?;
        if self.is_alias_here(host) {
            return None;
        }
        let meant = || elsewhere::meant(self.declared, self.observed, base, Surety::Likely);
        let is_a_name = !self.answers.networks_with(base).is_empty() || !meant().is_empty();
        Some((Level::Warning, is_a_name.then(|| base.to_owned())))
    }

    /// Whether somebody wrote that name down in this declaration.
    fn is_alias_here(&self, host: &str) -> bool {
        self.declared.services.values().any(|service| {
            let is_written = |text: &String| text.eq_ignore_ascii_case(host);
            service.attachments.iter().flat_map(|attachment| &attachment.aliases).any(is_written)
                || service.container_name.as_ref().is_some_and(is_written)
                || service.container.hostname.as_ref().is_some_and(is_written)
                || service.container.extra_hosts.iter().any(|line| line.starts_with(&format!("{host}:")))
        })
    }
}
