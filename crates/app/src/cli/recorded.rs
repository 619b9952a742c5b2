//! Whether the journal has ever heard of what `history` is asked about: a name mistyped must not look like a quiet day.

use std::collections::BTreeSet;

use mainstay_engine::journal::{HistoryFilter, KnownStack};
use mainstay_engine::sources;
use mainstay_model::compose::schema::suggest;
use mainstay_model::identity::{OperationId, ServiceName, StackName};

use super::chosen;
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::Problem;

/// So many of the newest entries are searched for what was meant.
const SEARCHED: u32 = 2_000;

/// Called where a filter lets nothing through.
///
/// # Errors
/// When that is because of a name that nobody has.
pub async fn must_be_known(boot: &Boot, memory: &Memory, filter: &HistoryFilter) -> Result<(), Problem> {
    let known = memory.stacks().await?;
    if let Some(operation) = &filter.operation {
        must_have_run(memory, operation).await?;
    }
    if let Some(stack) = &filter.stack {
        must_be_a_stack(boot, memory, &known, stack).await?;
    }
    match &filter.service {
        Some(service) => must_be_a_service(boot, memory, &known, filter.stack.as_ref(), service).await,
        None => Ok(()),
    }
}

async fn must_have_run(memory: &Memory, operation: &OperationId) -> Result<(), Problem> {
    let asked = HistoryFilter { operation: Some(operation.clone()), ..HistoryFilter::default() };
    if has_entries(memory, asked).await? {
        return Ok(());
    }
    let newest = HistoryFilter { limit: Some(SEARCHED), ..HistoryFilter::default() };
    let entries = memory.history(&newest).await?;
    let ids: BTreeSet<String> = entries.into_iter().filter_map(|entry| entry.operation).map(|id| id.0).collect();
    let text = operation.as_str();
    let begun = ids.iter().rev().find(|id| !text.is_empty() && id.starts_with(text)).cloned();
    let problem = Problem::usage("no-such-operation", format!("no operation `{text}` is recorded here"));
    Err(match begun.or_else(|| suggest(text, ids.iter().map(String::as_str))) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => problem.hint("`mainstay history` shows the id of each operation in brackets"),
    })
}

/// A stack that was chosen by its files is no name mistyped, even when nothing is recorded of it yet.
async fn must_be_a_stack(boot: &Boot, memory: &Memory, known: &[KnownStack], stack: &StackName) -> Result<(), Problem> {
    let asked = HistoryFilter { stack: Some(stack.clone()), ..HistoryFilter::default() };
    let is_known = known.iter().any(|one| one.stack == *stack) || has_entries(memory, asked).await?;
    let has_files = || chosen::stacks(boot).is_ok_and(|stacks| stacks.iter().any(|one| one.services.is_some()));
    if is_known || has_files() { Ok(()) } else { Err(chosen::unknown_name(stack, known)) }
}

/// One that is held, stands in the files, or was written about.
async fn must_be_a_service(
    boot: &Boot,
    memory: &Memory,
    known: &[KnownStack],
    stack: Option<&StackName>,
    service: &str,
) -> Result<(), Problem> {
    let asked = HistoryFilter { stack: stack.cloned(), service: Some(service.to_owned()), ..HistoryFilter::default() };
    if has_entries(memory, asked).await? {
        return Ok(());
    }
    let mut services = BTreeSet::new();
    let mut stacks: BTreeSet<&StackName> = stack.into_iter().collect();
    for one in known.iter().filter(|one| stack.is_none_or(|stack| one.stack == *stack)) {
        stacks.insert(&one.stack);
        services.extend(one.held.iter().map(|held| held.service.clone()));
        services.extend(declared_by(boot, one));
    }
    if stack.is_some() {
        services.extend(chosen::stacks(boot)?.into_iter().filter_map(|one| one.services).flatten());
    }
    let missing = ServiceName::new(service)?;
    if services.contains(&missing) {
        return Ok(());
    }
    if stacks.is_empty() {
        return Err(Problem::usage("no-such-service", format!("nothing is recorded of a service `{service}`"))
            .hint("no stack was brought up here yet"));
    }
    Err(chosen::no_such_service(stacks.into_iter(), &missing, services.iter()))
}

/// The services of a stack's files, as far as they can be read now.
fn declared_by(boot: &Boot, known: &KnownStack) -> BTreeSet<ServiceName> {
    match sources::load(&chosen::find_known(boot, known)) {
        Ok(loaded) => chosen::services_of(&loaded),
        Err(_) => BTreeSet::new(),
    }
}

async fn has_entries(memory: &Memory, filter: HistoryFilter) -> Result<bool, Problem> {
    let one = HistoryFilter { limit: Some(1), steps: true, ..filter };
    Ok(!memory.history(&one).await?.is_empty())
}
