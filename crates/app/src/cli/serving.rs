//! What the release that serves says to the next `up` from files: which images are promoted, and that it is a rollback.

use std::collections::BTreeMap;

use mainstay_model::declared::{Declared, Pin, Promoted, PullPolicy};
use mainstay_model::identity::ServiceName;
use mainstay_model::plan::Order;

use super::promote::Promotion;
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::Problem;

/// The order with the promoted images in the place of those of the files: with those that are promoted already, and
/// those of `promotion`.
///
/// # Errors
/// When the journal cannot be read, or the promotion does not fit the files.
pub async fn laid_over(
    boot: &Boot,
    memory: &Memory,
    order: Order,
    promotion: Option<&Promotion>,
) -> Result<Order, Problem> {
    let Order::Up { mut declared, mut options } = order else { return Ok(order) };
    let serving = memory.release_that_serves(&declared.stack).await?;
    if let Some((release, to)) = serving.as_ref().and_then(|release| Some((release, release.back_to?))) {
        boot.ui.note(&format!(
            "the files may differ from what serves: release {} of `{}` is a rollback to {to}, and this goes forward again",
            release.number, declared.stack
        ));
    }
    let (before, schemas) = serving.map(|release| (release.promoted, release.schemas)).unwrap_or_default();
    options.schema_then = schemas;
    options.promoted = match promotion {
        Some(promotion) => promotion.images(&declared, &before)?,
        None => before,
    };
    options.promotes = promotion.map(|promotion| promotion.services(&declared)).transpose()?;
    // A service that the files no longer have has no image to be replaced.
    options.promoted.retain(|service, _| declared.services.contains_key(service));
    let differing = put_in_place(&mut declared, &options.promoted);
    if promotion.is_none() && !differing.is_empty() {
        let differing = differing.join(", ");
        boot.ui.note(&format!(
            "promoted in the place of the image of the files: {differing} (`mainstay promote --clear` ends that)"
        ));
    }
    Ok(Order::Up { declared, options })
}

/// Gives those that differ from the files, in words.
pub(super) fn put_in_place(declared: &mut Declared, promoted: &BTreeMap<ServiceName, Promoted>) -> Vec<String> {
    let mut differing = Vec::new();
    for (name, promoted) in promoted {
        let reference = promoted.reference();
        let Some(service) = declared.services.get_mut(name).filter(|one| one.image != reference) else { continue };
        differing.push(format!("`{}` for `{name}`", promoted.image));
        service.image = reference;
        // Built from what lies here it would be something else under the promoted name.
        service.build = None;
        service.pull_policy = match (service.pull_policy, &promoted.pin) {
            // No registry has it.
            (_, Some(Pin::Local(_))) | (PullPolicy::Never, _) => PullPolicy::Never,
            (PullPolicy::Always, None) => PullPolicy::Always,
            // What is pinned never turns out newer.
            _ => PullPolicy::Missing,
        };
        // It is no longer what `docker compose up` would make of the files.
        service.compose_hash.clear();
    }
    differing
}
