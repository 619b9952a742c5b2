//! `alias-clash`: two that answer to one name on one network. The engine gives out both addresses, in turns.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{container_names, is_redeclared, own_names};
use crate::declared::Declared;
use crate::observed::Observed;
use crate::plan::{Finding, Level};

/// Who answers: a service of this stack, or a container of another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answerer {
    Service(String),
    Container { name: String, stack: Option<String> },
}

impl Answerer {
    fn words(&self) -> String {
        match self {
            Answerer::Service(name) => format!("the service `{name}`"),
            Answerer::Container { name, stack: Some(stack) } => {
                format!("the container `{name}` of the stack `{stack}`")
            }
            Answerer::Container { name, stack: None } => format!("the container `{name}`"),
        }
    }
}

pub(super) fn find(declared: &Declared, observed: &Observed) -> Vec<Finding> {
    let mut found = Vec::new();
    for (network, names) in gather(declared, observed) {
        for (alias, answerers) in names {
            let ours = answerers.iter().any(|answerer| matches!(answerer, Answerer::Service(_)));
            if ours && answerers.len() > 1 {
                found.push(clash(&network, &alias, &answerers));
            }
        }
    }
    found
}

/// The same with somebody who is not declared, on networks that are looked at only when something is about to be done:
/// most stacks are alone on theirs.
pub(super) fn with_strangers(declared: &Declared, observed: &Observed) -> Vec<Finding> {
    let is_stranger = |answerer: &Answerer| matches!(answerer, Answerer::Container { .. });
    let all = gather(declared, observed).into_iter();
    let names =
        all.flat_map(|(network, names)| names.into_iter().map(move |(alias, who)| (network.clone(), alias, who)));
    let clashes = names.filter(|(_, _, who)| who.iter().any(is_stranger) && !who.iter().all(is_stranger));
    clashes.map(|(network, alias, who)| clash(&network, &alias, &who)).collect()
}

fn clash(network: &str, alias: &str, answerers: &BTreeSet<Answerer>) -> Finding {
    let who: Vec<String> = answerers.iter().map(Answerer::words).collect();
    let message =
        format!("`{alias}` is answered on `{network}` by {}: who asks gets one or the other", who.join(" and by "));
    let hint = "give each an alias of its own under `networks`, and let others use that";
    Finding { level: Level::Warning, code: "alias-clash".into(), message, hint: Some(hint.into()) }
}

/// Network to name to those who answer.
fn gather(declared: &Declared, observed: &Observed) -> BTreeMap<String, BTreeMap<String, BTreeSet<Answerer>>> {
    let mut all: BTreeMap<String, BTreeMap<String, BTreeSet<Answerer>>> = BTreeMap::new();
    for service in declared.services.values() {
        let who = Answerer::Service(service.name.to_string());
        for attachment in &service.attachments {
            let names = all.entry(attachment.network.clone()).or_default();
            let aliases = attachment.aliases.iter().map(|alias| alias.to_ascii_lowercase());
            for name in aliases.chain(own_names(declared, service)) {
                names.entry(name).or_default().insert(who.clone());
            }
        }
    }
    // Of one that has a name which a container of this stack is to have, the plan says so; it will not be beside that one.
    let wanted: BTreeSet<String> =
        declared.services.values().flat_map(|service| container_names(declared, service)).collect();
    for network in &observed.networks {
        let Some(names) = all.get_mut(&network.name) else { continue };
        let others = network.members.iter().filter(|member| !is_redeclared(declared, member));
        let others = others.filter(|member| !wanted.contains(&member.container_name.to_ascii_lowercase()));
        for member in others {
            let who = Answerer::Container {
                name: member.container_name.clone(),
                stack: member.stack.as_ref().map(ToString::to_string),
            };
            for name in member.aliases.iter().chain([&member.container_name]) {
                names.entry(name.to_ascii_lowercase()).or_default().insert(who.clone());
            }
        }
    }
    all
}
