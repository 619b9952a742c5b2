//! `mainstay rollback`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::journal::{Logged, Release, ReleaseState};
use mainstay_engine::secrets::Released;
use mainstay_model::declared::{Declared, PullPolicy};
use mainstay_model::plan::{Order, UpOptions};

use super::up::Preflight;
use super::way_back::{WayBack, short};
use super::{chosen, edge, walk::Walk};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// So far back is looked.
const LOOKED_AT: u32 = 1000;

/// Go back to an earlier release: what it declared, with the images that ran then.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay rollback                         to the committed release before the one that serves\n  mainstay rollback --to 7                  to release 7 (`mainstay releases` lists them)\n  mainstay rollback --stack shop --dry-run  only show what would be done\n\nIt is a release like any other: proven before it serves, taken back when it fails, and listed. The\nfiles are neither needed nor changed, so the next `mainstay up` goes forward again, and says so. Data\nin volumes stays as it is: which migrations came since is told, and none is undone (docs/RELEASES.md)."
)]
pub struct Rollback {
    /// The number of the release
    #[arg(long, value_name = "NUMBER")]
    to: Option<u32>,
    /// Seconds that a service may take to become ready; as the release had it when nothing is said
    #[arg(long, value_name = "SECONDS")]
    ready_within: Option<u64>,
    #[command(flatten)]
    preflight: Preflight,
    /// Do not ask the smoke checks that the release has to pass
    #[arg(long)]
    no_smoke: bool,
}

pub async fn run(boot: &Boot, args: Rollback) -> Outcome {
    // What is wrong with the files is no reason to stay.
    let (stack, _) = chosen::name_and_files(boot, "rollback").await?;
    let walk = Walk::begin(boot, "rollback").await?;
    let log = walk.client.memory().releases(Some(&stack), LOOKED_AT).await?;
    let target = target(&log, args.to, stack.as_str())?;
    let way_back = WayBack::of(boot, &[target]).await;
    let serves = serving(&log).is_some_and(|release| release.number == target.number && release.down_at.is_none());
    if let Some(why) = way_back.stands_in_the_way(target, serves) {
        return Err(Problem::usage(
            "no-way-back",
            format!("release {} of `{stack}` cannot be gone back to: {why}", target.number),
        )
        .hint("`mainstay releases` tells of each whether it can"));
    }
    // It was there just now.
    let Some(Released { declared, options, .. }) = boot.secrets().released(&stack, &target.operation)? else {
        return Err(Problem::usage(
            "no-way-back",
            format!("what release {} declared is not kept any more", target.number),
        ));
    };
    boot.ui.redactions.learn(declared.secrets.values.values());
    let declared = pinned(boot, declared, target, &way_back);
    let has_routes = declared.services.values().any(|service| !service.routes.is_empty());
    let away = if has_routes && !options.no_edge { edge::order_if_away(boot).await? } else { None };
    let edge_comes = away.is_some() && boot.settings.dry_run;
    if let Some(order) = away {
        boot.ui.note("there are routes, and no edge answers here: it comes first");
        walk.carry_out(vec![order]).await?;
    }
    let is_known = declared.databases.values().any(|database| database.migrations.is_some());
    // Of declared migrations the plan says more.
    if !declared.volumes.is_empty() && !is_known {
        boot.ui.note("data stays as it is: what a migration has changed since is not changed back");
    }
    let options = UpOptions {
        back_to: Some(target.number),
        schema_then: target.schemas.clone(),
        remove_orphans: true,
        edge_comes,
        no_smoke: args.no_smoke,
        ready_within_secs: args.ready_within.or(options.ready_within_secs),
        unchecked: args.preflight.unchecked(),
        ..options
    };
    walk.carry_out(vec![Order::Up { declared: Box::new(declared), options }]).await?;
    Ok(ExitCode::SUCCESS)
}

/// The release that serves.
fn serving(log: &[Logged]) -> Option<&Release> {
    log.iter().map(|one| &one.release).find(|release| release.state == ReleaseState::Committed)
}

fn target<'l>(log: &'l [Logged], number: Option<u32>, stack: &str) -> Result<&'l Release, Problem> {
    let mut all = log.iter().map(|one| &one.release);
    match number {
        Some(number) => all.find(|release| release.number == number).ok_or_else(|| {
            Problem::usage("no-such-release", format!("`{stack}` has no release {number}"))
                .hint("`mainstay releases` lists what there is")
        }),
        None => all.filter(|release| release.state == ReleaseState::Committed).nth(1).ok_or_else(|| {
            Problem::usage("no-such-release", format!("`{stack}` has no committed release before the one that serves"))
                .hint("`mainstay releases` lists what there is")
        }),
    }
}

/// What was declared, with the images that ran then: nothing is built or pulled, and a tag that was moved since does not
/// matter. A tag that was not moved stays, so that a container that is right already is left alone.
fn pinned(boot: &Boot, mut declared: Declared, target: &Release, way_back: &WayBack) -> Declared {
    for (name, service) in &mut declared.services {
        let Some(id) = target.image_ids.get(name.as_str()) else { continue };
        service.build = None;
        service.pull_policy = PullPolicy::Never;
        if !way_back.is_still(&service.image, id) {
            boot.ui.note(&format!(
                "`{}` is another image now; `{name}` gets the one that ran then ({})",
                service.image,
                short(id)
            ));
            service.image.clone_from(id);
            service.compose_hash.clear();
        }
    }
    declared
}
