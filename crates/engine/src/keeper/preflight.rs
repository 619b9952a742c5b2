//! What could make a release fail is looked at when its plan is made, and once more before its first step.

use mainstay_model::observed::Observed;
use mainstay_model::plan::preflight::{self, Last};
use mainstay_model::plan::{Order, Plan};

use super::{Keeper, KeeperError};
use crate::journal::Release;
use crate::secrets::Secrets;
use crate::world::{World, WorldError};

/// Adds to a plan what could make it fail.
///
/// # Errors
/// When the engine cannot be asked.
pub async fn add_preflight<W: World>(
    world: &W,
    order: &Order,
    observed: &Observed,
    last: Option<&Last>,
    plan: &mut Plan,
) -> Result<(), WorldError> {
    let Some(questions) = preflight::questions(order, plan, observed, last) else { return Ok(()) };
    let seen = world.survey(&questions).await?;
    plan.findings.extend(preflight::find(order, plan, observed, last, &seen));
    plan.findings.sort();
    Ok(())
}

/// What the preflight has to know of the release that serves.
pub fn last_of(release: Release, secrets: &Secrets) -> Last {
    let is_kept = secrets.is_kept(&release.stack, &release.operation);
    Last { number: release.number, is_kept, image_ids: release.image_ids }
}

impl<W: World + Clone> Keeper<W> {
    pub(super) async fn preflight(
        &self,
        order: &Order,
        observed: &Observed,
        plan: &mut Plan,
    ) -> Result<(), KeeperError> {
        if !matches!(order, Order::Up { .. }) || plan.is_empty() {
            return Ok(());
        }
        let serving = self.journal.release_that_serves(order.stack());
        let serving = serving.map_err(|source| KeeperError::Journal { doing: "read", source })?;
        let last = serving.zip(self.secrets.as_ref()).map(|(release, secrets)| last_of(release, secrets));
        add_preflight(&self.docker, order, observed, last.as_ref(), plan).await?;
        Ok(())
    }
}
