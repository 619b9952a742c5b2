//! Hosts that somebody outside of the stack has: whose they are, on which network they are answered, and how to join it.

use std::collections::BTreeSet;

use super::mention::Surety;
use super::names::random_end;
use crate::declared::{Declared, Service};
use crate::identity::StackName;
use crate::observed::{Neighbour, Observed};

/// The neighbours that a mention means: by any of their names where it is an address, and else only by a name that was
/// generated, since `postgres` alone may mean anything. Those of a stack that is required come before all others.
pub(super) fn meant<'o>(declared: &Declared, observed: &'o Observed, host: &str, surety: Surety) -> Vec<&'o Neighbour> {
    let is_meant = |neighbour: &&Neighbour| match surety {
        Surety::Certain | Surety::Likely => has(neighbour, host),
        Surety::Possible | Surety::Bare => is_called(neighbour, host) && is_generated(neighbour),
    };
    let all: Vec<&Neighbour> = observed.neighbours.iter().filter(is_meant).collect();
    let is_required = |neighbour: &&Neighbour| neighbour.stack.as_ref().is_some_and(|s| declared.requires.contains(s));
    let required: Vec<&Neighbour> = all.iter().copied().filter(is_required).collect();
    if required.is_empty() { all } else { required }
}

fn has(neighbour: &Neighbour, host: &str) -> bool {
    let is_its = |alias: &String| alias.eq_ignore_ascii_case(host);
    is_called(neighbour, host) || neighbour.places.values().flatten().any(is_its)
}

pub(super) fn is_called(neighbour: &Neighbour, host: &str) -> bool {
    neighbour.container_name.eq_ignore_ascii_case(host)
}

/// Whether a machine gave the container its name: by Compose's rule, or with a random end.
pub(super) fn is_generated(neighbour: &Neighbour) -> bool {
    let name = neighbour.container_name.as_str();
    let by_rule = match (&neighbour.stack, &neighbour.service) {
        (Some(stack), Some(service)) => ['-', '_'].iter().any(|sign| {
            let number = name.strip_prefix(&format!("{stack}{sign}{service}{sign}"));
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        }),
        _ => false,
    };
    by_rule || random_end(name).is_some()
}

/// Whether a name looks like one that a machine gave: only those are asked for where nothing says that they are hosts.
pub(super) fn looks_generated(host: &str) -> bool {
    let is_numbered = host.rsplit_once(['-', '_']).is_some_and(|(base, end)| {
        base.contains(['-', '_']) && end.len() <= 4 && end.bytes().all(|byte| byte.is_ascii_digit())
    });
    is_numbered || random_end(host).is_some()
}

/// Where the neighbours that were meant are, as told to a person.
pub(super) struct Elsewhere {
    /// "that is a service of the stack `supabase`, and `nocodb` is not on its network `supabase_default`"
    pub(super) words: String,
    /// What to write into the file.
    pub(super) fix: String,
}

/// Of a host as it is named, and of the name that was found for it. `None` where the neighbours are on no network that
/// resolves names.
pub(super) fn told(
    declared: &Declared,
    service: &Service,
    joiner: &Service,
    (named, host): (&str, &str),
    neighbours: &[&Neighbour],
) -> Option<Elsewhere> {
    let reachable: Vec<(&Neighbour, &str)> =
        neighbours.iter().filter_map(|neighbour| Some((*neighbour, network_of(neighbour, host)?))).collect();
    let (first, network) = *reachable.first()?;
    let name = &service.name;
    let that = if named == host { "that".to_owned() } else { format!("`{host}`") };
    let stacks: BTreeSet<&StackName> = reachable.iter().filter_map(|(neighbour, _)| neighbour.stack.as_ref()).collect();
    let join = join(declared, joiner, first.stack.as_ref(), network);
    if stacks.len() > 1 {
        let listed: Vec<String> = stacks.iter().map(|stack| format!("`{stack}`")).collect();
        let words = format!("{that} is a name in the stacks {}, and `{name}` is on no network of theirs", and(&listed));
        return Some(Elsewhere {
            words,
            fix: format!("join the network of the one that is meant; for `{}`, {join}", first.stack.as_ref()?),
        });
    }
    let who = who(first, host);
    let words = format!("{that} is {who}, and `{name}` is not on its network `{network}`");
    Some(Elsewhere { words, fix: join })
}

/// The stack of neighbours that all belong to one.
pub(super) fn stack_of<'n>(neighbours: &[&'n Neighbour]) -> Option<&'n StackName> {
    let first = neighbours.first()?.stack.as_ref()?;
    neighbours.iter().all(|neighbour| neighbour.stack.as_ref() == Some(first)).then_some(first)
}

fn who(neighbour: &Neighbour, host: &str) -> String {
    let container = &neighbour.container_name;
    match (&neighbour.stack, &neighbour.service) {
        (Some(stack), _) if is_called(neighbour, host) => format!("a container of the stack `{stack}`"),
        (Some(stack), Some(service)) if service.eq_ignore_ascii_case(host) => {
            format!("a service of the stack `{stack}`")
        }
        (Some(stack), Some(service)) => format!("the service `{service}` of the stack `{stack}`"),
        (Some(stack), None) => format!("the container `{container}` of the stack `{stack}`"),
        (None, _) if is_called(neighbour, host) => "a container of no stack".to_owned(),
        (None, _) => format!("the container `{container}` of no stack"),
    }
}

/// Where it answers to the host: the stack's default network before others, which are more often kept for some.
fn network_of<'n>(neighbour: &'n Neighbour, host: &str) -> Option<&'n str> {
    let answers = |aliases: &BTreeSet<String>| aliases.iter().any(|alias| alias.eq_ignore_ascii_case(host));
    let all = || {
        let places = neighbour.places.iter().filter(|(_, aliases)| is_called(neighbour, host) || answers(aliases));
        places.map(|(network, _)| network.as_str())
    };
    let default = neighbour.stack.as_ref().map(|stack| format!("{stack}_default"));
    all().find(|network| Some(*network) == default.as_deref()).or_else(|| all().next())
}

/// The two places in the file, ready to be copied. A list of networks replaces the default one, so it is named as well.
fn join(declared: &Declared, joiner: &Service, stack: Option<&StackName>, network: &str) -> String {
    let name = &joiner.name;
    let known = declared.networks.iter().find(|(_, declared)| declared.name == network).map(|(key, _)| key.clone());
    let is_free = |key: &&str| !declared.networks.contains_key(*key);
    let key = stack.map(StackName::as_str).filter(is_free).unwrap_or(network);
    let (key, declare) = match known {
        Some(key) => (key, String::new()),
        None if key == network => {
            (key.to_owned(), format!("declare `networks: {{ {key}: {{ external: true }} }}` and "))
        }
        None => {
            (key.to_owned(), format!("declare `networks: {{ {key}: {{ external: true, name: {network} }} }}` and "))
        }
    };
    let keys: Vec<&str> = joiner.attachments.iter().map(|attachment| attachment.key.as_str()).collect();
    match keys.as_slice() {
        ["default"] => format!("{declare}give `{name}` `networks: [default, {key}]`"),
        _ => format!("{declare}add `{key}` to `services.{name}.networks`"),
    }
}

fn and(words: &[String]) -> String {
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => words.concat(),
    }
}
