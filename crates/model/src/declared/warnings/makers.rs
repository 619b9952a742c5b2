//! `no-maker`: an external network that is not there and that nothing known will make; `made-by-hand`: one that is
//! there, and that nobody will make again.

use crate::declared::{Declared, Network};
use crate::identity::StackName;
use crate::observed::{Maker, Observed};
use crate::plan::{Finding, Level};

pub(super) fn find(declared: &Declared, observed: &Observed) -> Vec<Finding> {
    let missing = declared
        .networks
        .values()
        .filter(|network| network.external && observed.networks_named(&network.name).next().is_none());
    let missing =
        missing.filter(|network| !is_required(declared, network)).map(|network| no_maker(declared, observed, network));
    missing.chain(by_hand(declared, observed)).collect()
}

/// Networks that every engine has by itself.
const OF_THE_ENGINE: &[&str] = &["bridge", "host", "none"];

/// External networks that are there and that no stack made. Nobody's files say that they are needed: the next machine,
/// or a `docker network prune` while everything is down, will be without them.
fn by_hand(declared: &Declared, observed: &Observed) -> Vec<Finding> {
    let external = declared.networks.values().filter(|network| network.external);
    let is_by_hand = |network: &&Network| {
        // Of several with one name, the plan says that first.
        let mut seen = observed.networks_named(&network.name);
        let only = seen.next().filter(|_| seen.next().is_none());
        !OF_THE_ENGINE.contains(&network.name.as_str()) && only.is_some_and(|one| one.maker == Maker::Foreign)
    };
    external.filter(is_by_hand).map(made_by_hand).collect()
}

fn made_by_hand(network: &Network) -> Finding {
    let name = &network.name;
    let message = format!(
        "the external network `{name}` is made by no stack: it was made by hand, and once it is lost, nothing makes it again"
    );
    let hint = format!(
        "let one stack make it: there, `networks: {{ KEY: {{ name: {name} }} }}` without `external`; then remove this one \
         with `docker network rm {name}` when nothing is on it, and bring that stack up first"
    );
    Finding { level: Level::Warning, code: "made-by-hand".into(), message, hint: Some(hint) }
}

/// Whether the name says that a required stack makes it. Names that a stack chose freely say nothing.
fn is_required(declared: &Declared, network: &Network) -> bool {
    declared.requires.iter().any(|stack| is_named_after(network, stack))
}

/// `supabase_default`, `supabase-net` and `supabase` are named after `supabase`.
fn is_named_after(network: &Network, stack: &StackName) -> bool {
    network.name.strip_prefix(stack.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-']))
}

fn no_maker(declared: &Declared, observed: &Observed, network: &Network) -> Finding {
    let name = &network.name;
    let message = match declared.requires.is_empty() {
        true => format!("the external network `{name}` does not exist, and no stack that is required makes it"),
        false => {
            format!("the external network `{name}` does not exist, and it is not named after a stack that is required")
        }
    };
    let hint = match maker(observed, network) {
        Some(stack) => {
            format!("`mainstay up` of `{stack}` makes it; `x-mainstay: {{ requires: [{stack}] }}` says so in the file")
        }
        None => format!(
            "`docker network create {name}`, or name the stack that makes it under `x-mainstay: {{ requires: [...] }}`"
        ),
    };
    // Without anybody to wait for, nothing can be attached: then it is no warning any more.
    let level = if declared.requires.is_empty() { Level::Refusal } else { Level::Warning };
    Finding { level, code: "no-maker".into(), message, hint: Some(hint) }
}

/// A stack that was seen and whose name the network has; else what Compose's own rule for names says.
fn maker(observed: &Observed, network: &Network) -> Option<StackName> {
    let containers = observed.containers.iter().filter_map(|container| container.stack.as_ref());
    let members =
        observed.networks.iter().flat_map(|network| &network.members).filter_map(|member| member.stack.as_ref());
    let networks = observed.networks.iter().filter_map(|network| network.stack.as_ref());
    let mut stacks: Vec<&StackName> = containers.chain(members).chain(networks).collect();
    stacks.sort_by_key(|stack| std::cmp::Reverse(stack.as_str().len()));
    let seen = stacks.into_iter().find(|stack| **stack != observed.stack && is_named_after(network, stack));
    let by_rule = || network.name.strip_suffix("_default").and_then(|stack| StackName::new(stack).ok());
    seen.cloned().or_else(by_rule)
}
