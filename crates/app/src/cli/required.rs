//! Stacks that need other stacks: who comes first, who is brought up as well, who is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mainstay_engine::journal::KnownStack;
use mainstay_engine::sources::{self, Read};
use mainstay_model::identity::StackName;
use mainstay_model::observed::{Container, Health, Observed, Scope, State};

use super::chosen;
use crate::boot::{Boot, engine};
use crate::problem::Problem;

/// A stack to bring up, and whether it was asked for or is needed by one that was.
pub struct Wanted {
    pub read: Read,
    pub needed_by: Option<StackName>,
}

/// Adds the required stacks that are not ready, and puts all in the order in which they can come up.
///
/// # Errors
/// When a required stack is not up and its files are not found, or stacks require each other in a circle.
pub async fn with_required(boot: &Boot, reads: Vec<Read>, known: &[KnownStack]) -> Result<Vec<Wanted>, Problem> {
    let mut wanted: Vec<Wanted> = reads.into_iter().map(|read| Wanted { read, needed_by: None }).collect();
    let mut ready: BTreeSet<StackName> = BTreeSet::new();
    let mut next = 0;
    while let Some(one) = wanted.get(next) {
        let (stack, directory) = (one.read.declared.stack.clone(), PathBuf::from(&one.read.declared.directory));
        for required in one.read.declared.requires.clone() {
            let is_there = ready.contains(&required) || wanted.iter().any(|w| w.read.declared.stack == required);
            if is_there {
                continue;
            }
            let docker = boot.docker().await?;
            if is_ready(&engine::look(&docker, &Scope::of_stack(required.clone())).await?) {
                ready.insert(required);
                continue;
            }
            let read = find_required(boot, &required, &stack, &directory, known)?;
            wanted.push(Wanted { read, needed_by: Some(stack.clone()) });
        }
        next += 1;
    }
    sorted(wanted)
}

/// Only these stacks, in the order in which they can come up.
///
/// # Errors
/// When they require each other in a circle.
pub fn in_order_only(reads: Vec<Read>) -> Result<Vec<Wanted>, Problem> {
    sorted(reads.into_iter().map(|read| Wanted { read, needed_by: None }).collect())
}

fn sorted(mut wanted: Vec<Wanted>) -> Result<Vec<Wanted>, Problem> {
    let requires = wanted.iter().map(|w| (w.read.declared.stack.clone(), w.read.declared.requires.clone())).collect();
    let order = in_order(&requires)?;
    wanted.sort_by_key(|one| order.iter().position(|name| *name == one.read.declared.stack));
    Ok(wanted)
}

/// A stack is ready when every service of it runs and none is starting or unhealthy. A container that has ended
/// well and that nobody restarts has done its work.
pub fn is_ready(observed: &Observed) -> bool {
    let mut own =
        observed.containers.iter().filter(|c| !c.one_off && c.stack.as_ref() == Some(&observed.stack)).peekable();
    own.peek().is_some() && own.all(is_container_ready)
}

fn is_container_ready(container: &Container) -> bool {
    match container.state {
        State::Running => matches!(container.health, Health::Healthy | Health::Unverified),
        State::Exited => container.exit_code == Some(0) && !container.restarts_itself,
        _ => false,
    }
}

fn find_required(
    boot: &Boot,
    required: &StackName,
    by: &StackName,
    directory: &Path,
    known: &[KnownStack],
) -> Result<Read, Problem> {
    let known_place = known.iter().find(|one| one.stack == *required).filter(|one| Path::new(&one.directory).is_dir());
    let sibling = directory.parent().unwrap_or(directory).join(required.as_str());
    let find = match (known_place, sources::sibling(&directory.to_string_lossy(), required)) {
        (Some(place), _) => chosen::find_known(boot, place),
        (None, Some(folder)) => chosen::find_in(boot, Path::new(&folder)),
        (None, None) => {
            let looked = format!("looked among `mainstay stacks` and in `{}`", sibling.display());
            return Err(Problem::files(
                "required-not-found",
                format!("`{by}` requires the stack `{required}`, which is not up and whose files were not found"),
            )
            .hint(looked)
            .hint(format!(
                "name its folder too: `--stack DIR`, or bring it up first, or leave it out: `--no-deps` (`{by}` alone)"
            )));
        }
    };
    let read = chosen::read_one(boot, &find)?;
    if read.declared.stack == *required {
        return Ok(read);
    }
    Err(Problem::files(
        "required-not-found",
        format!(
            "`{by}` requires the stack `{required}`, but the files in `{}` are of `{}`",
            sibling.display(),
            read.declared.stack
        ),
    )
    .hint("name the folder of the required stack too: `--stack DIR`"))
}

/// Every stack after those that it requires; names sorted where nothing else decides.
///
/// # Errors
/// When stacks require each other in a circle.
pub fn in_order(requires: &BTreeMap<StackName, Vec<StackName>>) -> Result<Vec<StackName>, Problem> {
    let mut order: Vec<StackName> = Vec::new();
    while order.len() < requires.len() {
        let next = requires.iter().find(|(name, needs)| {
            !order.contains(name) && needs.iter().all(|need| order.contains(need) || !requires.contains_key(need))
        });
        let Some((name, _)) = next else {
            let circle: Vec<String> =
                requires.keys().filter(|name| !order.contains(name)).map(|name| format!("`{name}`")).collect();
            return Err(Problem::files(
                "requires-circle",
                format!("the stacks {} require each other in a circle", circle.join(", ")),
            )
            .hint("take one of the names out of `x-mainstay.requires`"));
        };
        order.push(name.clone());
    }
    Ok(order)
}

/// The stacks that require one of these, directly or not, without these themselves.
pub fn dependents(of: &[StackName], known: &[KnownStack]) -> Vec<StackName> {
    let mut found: Vec<StackName> = Vec::new();
    loop {
        let more = known.iter().find(|one| {
            let is_new = !of.contains(&one.stack) && !found.contains(&one.stack);
            is_new && !one.held.is_empty() && one.requires.iter().any(|need| of.contains(need) || found.contains(need))
        });
        match more {
            Some(one) => found.push(one.stack.clone()),
            None => return found,
        }
    }
}

/// The chosen names, each after those that it requires, by the journal and by the labels of what runs.
///
/// # Errors
/// When the engine cannot be asked, or stacks require each other in a circle.
pub async fn names_in_order(
    boot: &Boot,
    names: Vec<StackName>,
    known: &[KnownStack],
) -> Result<Vec<StackName>, Problem> {
    in_order(&needs(boot, names, known).await?)
}

/// The chosen names in groups that have nothing to do with each other; in a group each after those that it requires.
///
/// # Errors
/// As [`names_in_order`].
pub async fn groups_in_order(
    boot: &Boot,
    names: Vec<StackName>,
    known: &[KnownStack],
) -> Result<Vec<Vec<StackName>>, Problem> {
    let needs = needs(boot, names, known).await?;
    Ok(groups(in_order(&needs)?, &needs))
}

fn groups(order: Vec<StackName>, needs: &BTreeMap<StackName, Vec<StackName>>) -> Vec<Vec<StackName>> {
    let mut groups: Vec<Vec<StackName>> = Vec::new();
    for name in order {
        let needed = |group: &Vec<StackName>| group.iter().any(|one| needs[&name].contains(one));
        let (joined, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(needed);
        let mut joined = joined.concat();
        joined.push(name);
        apart.push(joined);
        groups = apart;
    }
    groups
}

/// What each of these stacks requires, directly or by way of others, of those that are known.
async fn needs(
    boot: &Boot,
    names: Vec<StackName>,
    known: &[KnownStack],
) -> Result<BTreeMap<StackName, Vec<StackName>>, Problem> {
    if let [only] = names.as_slice() {
        return Ok([(only.clone(), Vec::new())].into());
    }
    let docker = boot.docker().await?;
    let mut requires = BTreeMap::new();
    for name in names {
        let observed = engine::look(&docker, &Scope::of_stack(name.clone())).await?;
        let labelled = observed.containers.iter().flat_map(|container| container.requires.clone());
        let needs = beyond(labelled.chain(required_by(&name, known)).collect(), known);
        requires.insert(name, needs);
    }
    Ok(requires)
}

/// These stacks and those that they require in turn.
fn beyond(mut needs: Vec<StackName>, known: &[KnownStack]) -> Vec<StackName> {
    let mut next = 0;
    while let Some(need) = needs.get(next).cloned() {
        for further in required_by(&need, known) {
            if !needs.contains(&further) {
                needs.push(further);
            }
        }
        next += 1;
    }
    needs
}

fn required_by(name: &StackName, known: &[KnownStack]) -> Vec<StackName> {
    known.iter().filter(|one| one.stack == *name).flat_map(|one| one.requires.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> StackName {
        StackName::new(text).expect("a name")
    }

    fn requires(pairs: &[(&str, &[&str])]) -> BTreeMap<StackName, Vec<StackName>> {
        pairs.iter().map(|(stack, needs)| (name(stack), needs.iter().map(|need| name(need)).collect())).collect()
    }

    #[test]
    fn a_stack_must_come_after_what_it_requires() {
        let order = in_order(&requires(&[("app", &["zoo", "mail"]), ("zoo", &["mail"]), ("mail", &["elsewhere"])]));
        let order: Vec<String> = order.expect("an order").iter().map(ToString::to_string).collect();
        assert_eq!(order, ["mail", "zoo", "app"]);
    }

    #[test]
    fn a_circle_must_be_refused_with_its_names() {
        let problem = in_order(&requires(&[("a", &["b"]), ("b", &["a"]), ("c", &[])])).expect_err("a circle");
        assert_eq!(problem.message, "the stacks `a`, `b` require each other in a circle");
    }

    #[test]
    fn dependents_must_be_found_through_each_other_and_only_where_they_are_up() {
        let known = |stack: &str, needs: &[&str], is_up: bool| KnownStack {
            requires: needs.iter().map(|need| name(need)).collect(),
            held: if is_up { vec![held()] } else { Vec::new() },
            ..known_stack(stack)
        };
        let all = [known("app", &["api"], true), known("api", &["db"], true), known("old", &["db"], false)];
        assert_eq!(dependents(&[name("db")], &all), [name("api"), name("app")]);
    }

    #[test]
    fn a_stack_must_be_required_also_by_way_of_one_that_was_not_chosen() {
        let known = |stack: &str, needs: &[&str]| KnownStack {
            requires: needs.iter().map(|need| name(need)).collect(),
            ..known_stack(stack)
        };
        let all = [known("app", &["api"]), known("api", &["zoo"])];
        assert_eq!(beyond(required_by(&name("app"), &all), &all), [name("api"), name("zoo")]);
        let circle = [known("a", &["b"]), known("b", &["a"])];
        assert_eq!(beyond(required_by(&name("a"), &circle), &circle), [name("b"), name("a")]);
    }

    #[test]
    fn groups_must_have_nothing_to_do_with_each_other() {
        let needs = requires(&[("app", &["db"]), ("db", &[]), ("edge", &["app", "mail"]), ("mail", &[]), ("zoo", &[])]);
        let groups = groups(in_order(&needs).expect("an order"), &needs);
        let groups: Vec<Vec<&str>> = groups.iter().map(|group| group.iter().map(StackName::as_str).collect()).collect();
        assert_eq!(groups, [vec!["db", "app", "mail", "edge"], vec!["zoo"]]);
    }

    fn known_stack(stack: &str) -> KnownStack {
        KnownStack {
            stack: name(stack),
            directory: String::new(),
            files: Vec::new(),
            env: None,
            profiles: Vec::new(),
            requires: Vec::new(),
            held: Vec::new(),
            up_at: None,
        }
    }

    fn held() -> mainstay_model::plan::HeldService {
        mainstay_model::plan::HeldService {
            service: mainstay_model::identity::ServiceName::new("web").expect("a name"),
            container_names: BTreeSet::new(),
            attachments: Vec::new(),
        }
    }
}
