//! `mainstay up`

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use mainstay_engine::journal::KnownStack;
use mainstay_engine::sources::Read;
use mainstay_model::identity::ServiceName;
use mainstay_model::plan::preflight::Part;
use mainstay_model::plan::{Order, UpOptions};

use super::promote::Promotion;
use super::required::{self, Wanted};
use super::{chosen, db, edge, generated, migrations, secret, serving, walk::Walk, watch};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// The planner's word for an image that is there and is pulled again.
const PULLED_IMAGE: &str = "pulled-image";

/// Make the world as the files declare it.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  mainstay up                              the stack of this folder\n  mainstay up web --build                  only `web` and what it depends on, built anew\n  mainstay up --stack ./supabase --stack ./nocodb --yes\n  mainstay up --dry-run                    only show what would be done\n\nMigrations that are declared with `release: true` are applied before anything else starts; in production that\nneeds a yes: `--yes`, or CONFIRM_PROD=1, and a database that declares `backup` is backed up just before\n(docs/MIGRATIONS.md)."
)]
pub struct Up {
    /// Only these services and what they depend on
    #[arg(value_name = "SERVICE")]
    pub services: Vec<ServiceArg>,
    /// Leave out dependencies, and the stacks that this one requires
    #[arg(long)]
    pub no_deps: bool,
    /// Build images even when they are there
    #[arg(long)]
    pub build: bool,
    /// Pull images even when they are there
    #[arg(long)]
    pub pull: bool,
    /// Replace containers that do not differ
    #[arg(long)]
    pub force_recreate: bool,
    /// Give replaced containers new anonymous volumes instead of those that they had
    #[arg(long, short = 'V')]
    pub renew_anon_volumes: bool,
    /// Remove containers of services that the files no longer have
    #[arg(long)]
    pub remove_orphans: bool,
    /// Make containers, but do not start them
    #[arg(long)]
    pub no_start: bool,
    /// Do not wait until services are ready
    #[arg(long)]
    pub no_wait: bool,
    /// Replace containers of this stack that `docker compose` made
    #[arg(long)]
    pub take_over: bool,
    /// Seconds that a service may take to become ready; 300 when nothing is said
    #[arg(long, value_name = "SECONDS")]
    pub ready_within: Option<u64>,
    /// Leave routes to a proxy of your own
    #[arg(long)]
    pub no_edge: bool,
    /// Then follow `develop.watch` of the services, as `mainstay watch` does
    #[arg(long, short = 'w', conflicts_with = "no_start")]
    pub watch: bool,
    /// Refuse a release after which the one that serves could not be gone back to
    #[arg(long)]
    pub require_way_back: bool,
    #[command(flatten)]
    pub preflight: Preflight,
    /// Do not ask the smoke checks that the release has to pass
    #[arg(long)]
    pub no_smoke: bool,
    /// In production, make no backup before migrations, although the database declares `backup`
    #[arg(long)]
    pub no_backup: bool,
    /// Taken for Compose's sake; `up` always returns when the services are ready
    #[arg(long, short, hide = true)]
    pub detach: bool,
}

/// What is not looked at before the first step.
#[derive(Clone, Debug, Default, Args)]
pub struct Preflight {
    /// Do not look whether ports are taken, disks full, or the way back gone before the first step
    #[arg(long, value_name = "PART", value_enum, value_delimiter = ',')]
    skip_preflight: Vec<PreflightPart>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PreflightPart {
    Ports,
    Disk,
    WayBack,
}

impl Preflight {
    pub fn unchecked(&self) -> BTreeSet<Part> {
        let part = |part: &PreflightPart| match part {
            PreflightPart::Ports => Part::Ports,
            PreflightPart::Disk => Part::Disk,
            PreflightPart::WayBack => Part::WayBack,
        };
        self.skip_preflight.iter().map(part).collect()
    }
}

/// A service's name, checked while flags are read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceArg(pub ServiceName);

impl std::str::FromStr for ServiceArg {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        ServiceName::new(text).map(ServiceArg).map_err(|error| error.rule.to_owned())
    }
}

/// The names as the model takes them.
pub fn services(args: &[ServiceArg]) -> BTreeSet<ServiceName> {
    args.iter().map(|arg| arg.0.clone()).collect()
}

impl Up {
    fn options(&self, boot: &Boot, read: &Read) -> UpOptions {
        UpOptions {
            services: services(&self.services),
            no_deps: self.no_deps,
            build: self.build,
            pull: self.pull,
            force_recreate: self.force_recreate,
            renew_anon_volumes: self.renew_anon_volumes,
            remove_orphans: self.remove_orphans,
            no_start: self.no_start,
            no_wait: self.no_wait,
            take_over: self.take_over,
            ready_within_secs: self.ready_within,
            no_edge: self.no_edge,
            no_smoke: self.no_smoke,
            edge_comes: false,
            images_are_fresh: false,
            made: std::collections::BTreeSet::new(),
            env: read.env().map(str::to_owned),
            not_production: db::is_no_production(boot),
            no_backup: self.no_backup,
            profiles: boot.global.profile.clone(),
            back_to: None,
            schema_then: BTreeMap::new(),
            promoted: BTreeMap::new(),
            promotes: None,
            unchecked: self.preflight.unchecked(),
            way_back_required: self.require_way_back,
        }
    }

    /// The order for a stack that was asked for; one that is only needed comes up whole and as it is.
    pub fn order(&self, boot: &Boot, wanted: &Wanted, edge_comes: bool) -> Order {
        let options = if wanted.needed_by.is_none() {
            UpOptions { edge_comes, ..self.options(boot, &wanted.read) }
        } else {
            UpOptions {
                ready_within_secs: self.ready_within,
                take_over: self.take_over,
                no_edge: self.no_edge,
                no_smoke: self.no_smoke,
                env: wanted.read.env().map(str::to_owned),
                not_production: db::is_no_production(boot),
                no_backup: self.no_backup,
                edge_comes,
                unchecked: self.preflight.unchecked(),
                ..UpOptions::default()
            }
        };
        Order::Up { declared: Box::new(wanted.read.declared.clone()), options }
    }

    /// Whether the edge has to be there for these stacks.
    pub fn needs_edge(&self, wanted: &[Wanted]) -> bool {
        !self.no_edge && !self.no_start && edge::is_needed(wanted)
    }

    /// # Errors
    /// When a service is asked for that the stack does not have, or services are asked for in several stacks.
    pub fn check(&self, reads: &[Read]) -> Result<(), Problem> {
        if self.services.is_empty() {
            return Ok(());
        }
        let [read] = reads else {
            return Err(Problem::usage("one-stack", "services are named inside one stack").hint("give `--stack` once"));
        };
        match self.services.iter().find(|service| !read.declared.services.contains_key(&service.0)) {
            Some(missing) => {
                let stack = std::iter::once(&read.declared.stack);
                Err(chosen::no_such_service(stack, &missing.0, read.declared.services.keys()))
            }
            None => Ok(()),
        }
    }

    /// The stacks to bring up, each after those that it requires.
    ///
    /// # Errors
    /// When a required stack is not found, or a service does not exist.
    pub async fn wanted(&self, boot: &Boot, reads: Vec<Read>, known: &[KnownStack]) -> Result<Vec<Wanted>, Problem> {
        self.check(&reads)?;
        if self.no_deps { required::in_order_only(reads) } else { required::with_required(boot, reads, known).await }
    }
}

/// One `up`. After a pull that was asked for, a second plan replaces the containers whose image turned out newer:
/// that could not be known before, and it is shown before it is done, as any plan is.
pub(super) async fn bring_up(walk: &Walk<'_>, order: Order) -> Result<(), Problem> {
    let plans = walk.carry_out(vec![order.clone()]).await?;
    let may_be_newer = plans.iter().flat_map(|plan| &plan.findings).any(|finding| finding.code == PULLED_IMAGE);
    if let (Order::Up { declared, options }, true) = (order, may_be_newer) {
        let options = UpOptions { images_are_fresh: true, ..options };
        walk.carry_out(vec![Order::Up { declared, options }]).await?;
    }
    Ok(())
}

pub async fn run(boot: &Boot, args: Up) -> Outcome {
    if args.watch && !boot.settings.dry_run {
        return watch::follow(boot, services(&args.services), Some(args)).await;
    }
    bring(boot, "up", args, None).await
}

/// What `up` and `promote` do.
///
/// # Errors
/// The one problem to report.
pub async fn bring(boot: &Boot, command: &str, args: Up, mut promotion: Option<Promotion>) -> Outcome {
    let services = services(&args.services);
    let early = chosen::read_early(boot, &services)?;
    let walk = Walk::begin(boot, command).await?;
    let reads = match early {
        Some(reads) => reads,
        None => chosen::read(boot, &walk.known, &services)?,
    };
    if promotion.is_some() && reads.len() > 1 {
        return Err(Problem::usage("one-stack", format!("`{command}` is about one stack")).hint("give `--stack` once"));
    }
    let wanted = args.wanted(boot, reads, &walk.known).await?;
    // Before the edge, or another stack, is touched for one that cannot be done.
    for one in wanted.iter().filter(|one| one.needed_by.is_none()) {
        if let Some(promotion) = &mut promotion {
            promotion.pin(&walk, &one.read.declared).await?;
        }
    }
    // Of all stacks, before the first is touched.
    wanted.iter().try_for_each(|one| secret::check(boot, &one.read))?;
    let away = if args.needs_edge(&wanted) { edge::order_if_away(boot).await? } else { None };
    let edge_comes = away.is_some() && boot.settings.dry_run;
    if let Some(order) = away {
        boot.ui.note("there are routes, and no edge answers here: it comes first");
        walk.carry_out(vec![order]).await?;
    }
    for one in wanted {
        if let Some(by) = &one.needed_by {
            boot.ui.note(&format!("`{by}` requires `{}`, which is not ready: it comes first", one.read.declared.stack));
        }
        let read = migrations::carried(boot, generated::settled(boot, one.read).await?)?;
        let promotion = promotion.as_ref().filter(|_| one.needed_by.is_none());
        let order = args.order(boot, &Wanted { read, ..one }, edge_comes);
        let order = serving::laid_over(boot, &walk.client.memory(), order, promotion).await?;
        bring_up(&walk, order).await?;
    }
    if walk.client.is_hosted() && !boot.settings.dry_run {
        boot.ui.note("no server runs here, so nothing holds the attachments from now on (`mainstay serve` does)");
    }
    Ok(ExitCode::SUCCESS)
}
