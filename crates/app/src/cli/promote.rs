//! `mainstay promote`

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use mainstay_engine::Pinned;
use mainstay_engine::secrets::Released;
use mainstay_model::declared::{Declared, ImageName, Pin, Promoted, PullPolicy, Service};
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::plan::{Order, UpOptions};

use super::up::{self, Preflight, ServiceArg, Up, services};
use super::walk::Walk;
use super::{chosen, db, edge, serving};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};

/// Bring a tag of an image live: a release with it in the place of the tag in the files.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["tag", "clear"]),
    after_help = "Examples:\n  mainstay promote --tag 1.4.2                         where all tagged images are of one repository\n  mainstay promote --tag 1.4.2 --image ghcr.io/acme/shop\n  mainstay promote --tag 1.4.2 --service web --service worker\n  mainstay promote --tag 1.4.2 --dry-run               only show what would be done\n  mainstay promote --tag 1.4.2 --local                 the image as it is on this host\n  mainstay promote --clear                             the images of the files again\n\nThe registry is asked first what the tag is, and exactly that digest is shown, pulled and run, however\nthe tag moves meanwhile; a tag that it does not have is refused before anything is touched. An image\nthat is of no registry is pinned by its id on this host. What is promoted stays in effect for every\nlater `up`, which says so, until the next `promote`. `mainstay rollback` goes back to what served before, its images\nincluded (docs/RELEASES.md)."
)]
pub struct Promote {
    /// The tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only these services
    #[arg(long, value_name = "SERVICE")]
    service: Vec<ServiceArg>,
    /// Only services with an image of these repositories, such as ghcr.io/acme/shop
    #[arg(long, value_name = "REPOSITORY")]
    image: Vec<String>,
    /// Go back to the images of the files
    #[arg(long, conflicts_with = "image")]
    clear: bool,
    /// Take the image as it is on this host, and ask no registry
    #[arg(long, conflicts_with = "clear")]
    local: bool,
    /// Taken for the sake of scripts from before the registry was asked each time
    #[arg(long, hide = true)]
    pull: bool,
    /// Seconds that a service may take to become ready; 300 when nothing is said
    #[arg(long, value_name = "SECONDS")]
    ready_within: Option<u64>,
    /// Refuse a release after which the one that serves could not be gone back to
    #[arg(long)]
    require_way_back: bool,
    #[command(flatten)]
    preflight: Preflight,
    /// Do not ask the smoke checks that the release has to pass
    #[arg(long)]
    no_smoke: bool,
    /// In production, make no backup before migrations, although the database declares `backup`
    #[arg(long)]
    no_backup: bool,
}

/// Which images are to stand in the place of those of the files.
pub struct Promotion {
    /// `None` ends what is promoted.
    tag: Option<String>,
    services: BTreeSet<ServiceName>,
    repositories: Vec<String>,
    local: bool,
    /// What the tag was found to be, by image.
    pins: BTreeMap<String, Pin>,
}

pub async fn run(boot: &Boot, args: Promote) -> Outcome {
    if let Some(tag) = args.tag.as_ref().filter(|tag| !ImageName::is_tag(tag)) {
        return Err(Problem::usage("bad-tag", format!("`--tag {tag}` cannot be the tag of an image")).hint(
            "a tag has letters, digits, `_`, `.` and `-`, and is what follows the `:` of an image: `--tag 1.4.2`",
        ));
    }
    let promotion = Promotion {
        tag: args.tag,
        services: services(&args.service),
        repositories: args.image,
        local: args.local,
        pins: BTreeMap::new(),
    };
    let up = Up {
        ready_within: args.ready_within,
        no_smoke: args.no_smoke,
        no_backup: args.no_backup,
        require_way_back: args.require_way_back,
        preflight: args.preflight,
        ..Up::default()
    };
    if let Some(stack) = chosen::known_without_files(boot).await? {
        return from_release(boot, &stack, promotion, &up).await;
    }
    up::bring(boot, "promote", up, Some(promotion)).await
}

/// A stack whose files are not on this host any more: what the release that serves declared is kept, and stands in their
/// place.
async fn from_release(boot: &Boot, stack: &StackName, mut promotion: Promotion, up: &Up) -> Outcome {
    let gone = |why: &str| {
        Problem::files("no-declaration", format!("the files of `{stack}` are not on this host any more, and {why}"))
            .hint("bring it up from its files: `mainstay up`")
    };
    if promotion.tag.is_none() {
        return Err(gone("`--clear` goes back to the images that they name"));
    }
    let walk = Walk::begin(boot, "promote").await?;
    let serving = walk.client.memory().release_that_serves(stack).await?.ok_or_else(|| gone("no release serves"))?;
    let released = boot.secrets().released(stack, &serving.operation)?;
    let Some(Released { mut declared, options, .. }) = released else {
        return Err(gone("what the release that serves declared is not kept"));
    };
    boot.ui.redactions.learn(declared.secrets.values.values());
    let number = serving.number;
    boot.ui.note(&format!("the files of `{stack}` are not here any more: it stays as release {number} declared it"));
    as_in_files(&mut declared, &serving.promoted);
    promotion.pin(&walk, &declared).await?;
    let promotes = Some(promotion.services(&declared)?);
    let promoted = promotion.images(&declared, &serving.promoted)?;
    serving::put_in_place(&mut declared, &promoted);
    let has_routes = declared.services.values().any(|service| !service.routes.is_empty());
    let away = if has_routes && !options.no_edge { edge::order_if_away(boot).await? } else { None };
    let edge_comes = away.is_some() && boot.settings.dry_run;
    if let Some(order) = away {
        boot.ui.note("there are routes, and no edge answers here: it comes first");
        walk.carry_out(vec![order]).await?;
    }
    let options = UpOptions {
        promoted,
        promotes,
        edge_comes,
        ready_within_secs: up.ready_within.or(options.ready_within_secs),
        no_smoke: up.no_smoke,
        not_production: db::is_no_production(boot),
        no_backup: up.no_backup,
        unchecked: up.preflight.unchecked(),
        way_back_required: up.require_way_back,
        back_to: None,
        ..options
    };
    walk.carry_out(vec![Order::Up { declared: Box::new(declared), options }]).await?;
    Ok(ExitCode::SUCCESS)
}

impl Promotion {
    /// By service, the images that are promoted from now on. `declared` is what the files say.
    ///
    /// # Errors
    /// When it is not clear which services are meant, or one that is named has no tag to be replaced.
    pub fn images(
        &self,
        declared: &Declared,
        before: &BTreeMap<ServiceName, Promoted>,
    ) -> Result<BTreeMap<ServiceName, Promoted>, Problem> {
        let meant = self.meant(declared)?;
        let mut promoted = before.clone();
        if self.tag.is_none() {
            promoted.retain(|name, _| !self.services.is_empty() && !self.services.contains(name));
        }
        promoted.extend(meant.into_iter().map(|(name, image)| {
            let pin = self.pins.get(&image).cloned();
            (name, Promoted { image, pin })
        }));
        Ok(promoted)
    }

    /// The services whose images are promoted; none when that is ended.
    ///
    /// # Errors
    /// See [`Promotion::images`].
    pub fn services(&self, declared: &Declared) -> Result<BTreeSet<ServiceName>, Problem> {
        Ok(self.meant(declared)?.into_keys().collect())
    }

    /// Finds out what the tag is now, of every image that is meant, before anything is touched.
    ///
    /// # Errors
    /// When there is no such tag for one of them, or a registry does not tell.
    pub async fn pin(&mut self, walk: &Walk<'_>, declared: &Declared) -> Result<(), Problem> {
        let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (service, image) in self.meant(declared)? {
            services.entry(image).or_default().push(format!("`{service}`"));
        }
        let (mut missing, mut silent) = (Vec::new(), None);
        for (image, services) in services {
            match walk.client.pin(&image, self.local).await {
                Ok(Pinned::Digest(digest)) => {
                    self.pins.insert(image, Pin::Digest(digest));
                }
                Ok(Pinned::Local { id, why }) => {
                    if let Some(why) = why {
                        walk.boot.ui.note(&format!("no registry told what `{image}` is ({why}); it is on this host"));
                    }
                    self.pins.insert(image, Pin::Local(id));
                }
                Ok(Pinned::Missing { why }) => missing.push(format!("{why}, for {}", services.join(", "))),
                Err(problem) => silent = silent.or(Some(problem)),
            }
        }
        match (missing.is_empty(), silent) {
            (true, None) => Ok(()),
            (true, Some(problem)) => Err(problem.hint("nothing was touched")),
            (false, _) => Err(no_such_tag(self.tag.as_deref().unwrap_or_default(), missing)),
        }
    }

    /// By service, what is promoted now, as `REPOSITORY:TAG`.
    fn meant(&self, declared: &Declared) -> Result<BTreeMap<ServiceName, String>, Problem> {
        if let Some(missing) = self.services.iter().find(|name| !declared.services.contains_key(*name)) {
            let stack = std::iter::once(&declared.stack);
            return Err(chosen::no_such_service(stack, missing, declared.services.keys()));
        }
        let Some(tag) = &self.tag else { return Ok(BTreeMap::new()) };
        let all: Vec<&Service> = declared.services.values().collect();
        let named = all.iter().filter(|service| self.services.contains(&service.name));
        if let Some(without) = named.clone().find(|service| repository(service).is_none()) {
            return Err(has_no_tag(without));
        }
        let tagged: Vec<(&Service, &str)> =
            all.iter().filter_map(|service| Some((*service, repository(service)?))).collect();
        for repository in &self.repositories {
            if !tagged.iter().any(|(_, one)| one == repository) {
                let problem = Problem::usage(
                    "no-such-image",
                    format!("no service of `{}` has an image of `{repository}` with a tag", declared.stack),
                );
                return Err(problem.hint(format!("these have: {}", listed(&tagged))));
            }
        }
        let meant: Vec<(&Service, &str)> = tagged
            .iter()
            .filter(|(service, _)| self.services.is_empty() || self.services.contains(&service.name))
            .filter(|(_, one)| self.repositories.is_empty() || self.repositories.iter().any(|named| named == one))
            .copied()
            .collect();
        self.must_be_clear(declared, &meant)?;
        Ok(meant.iter().map(|(service, one)| (service.name.clone(), format!("{one}:{tag}"))).collect())
    }

    /// A tag of the shop's image is none of the database's: of several repositories the meant ones are to be named.
    fn must_be_clear(&self, declared: &Declared, meant: &[(&Service, &str)]) -> Result<(), Problem> {
        if meant.is_empty() {
            return Err(Problem::usage(
                "nothing-to-promote",
                format!("no service of `{}` that is meant has an image with a tag", declared.stack),
            )
            .hint("images that are built here under no tag, or pinned by a digest, are released with `mainstay up`"));
        }
        let repositories: BTreeSet<&str> = meant.iter().map(|(_, one)| *one).collect();
        if repositories.len() < 2 || !self.services.is_empty() || !self.repositories.is_empty() {
            return Ok(());
        }
        let first = repositories.first().copied().unwrap_or_default();
        let message = format!(
            "the images of `{}` are of {} repositories, and one tag is seldom of all",
            declared.stack,
            repositories.len()
        );
        Err(Problem::usage("which-image", message).hint(format!("they are {}", listed(meant))).hint(format!(
            "say which: `mainstay promote --tag {} --image {first}`; `--image` can be given several times",
            self.tag.as_deref().unwrap_or_default()
        )))
    }
}

/// What is promoted is pinned, and stands in the place of an image that the files give a tag.
fn as_in_files(declared: &mut Declared, promoted: &BTreeMap<ServiceName, Promoted>) {
    for (name, one) in promoted {
        if let Some(service) = declared.services.get_mut(name).filter(|service| service.image == one.reference()) {
            service.image.clone_from(&one.image);
            service.pull_policy = PullPolicy::Missing;
        }
    }
}

fn no_such_tag(tag: &str, missing: Vec<String>) -> Problem {
    let mut problem = Problem::usage("no-such-tag", format!("`{tag}` cannot be promoted: nothing was touched"));
    problem.causes = missing;
    problem.hint("push the image first, or name another tag: what was pushed stands in the log of the CI")
}

/// The repository of an image whose tag can be replaced. One that the files can also build has a tag when they name it.
fn repository(service: &Service) -> Option<&str> {
    let name = ImageName::of(&service.image);
    (name.digest.is_none() && name.tag.is_some()).then_some(name.repository)
}

fn has_no_tag(service: &Service) -> Problem {
    let (name, image) = (&service.name, &service.image);
    let why = match (&service.build, ImageName::of(image).digest) {
        (_, Some(_)) => format!("is pinned by its digest: `{image}`"),
        (Some(_), None) => "is built here, and has no tag in the files".to_owned(),
        (None, None) => format!("has no tag in the files: `{image}`"),
    };
    Problem::usage("no-tag", format!("the image of `{name}` {why}"))
        .hint("give it a tag in the Compose file, such as `image: REPOSITORY:${TAG}`, or release it with `mainstay up`")
}

fn listed(services: &[(&Service, &str)]) -> String {
    let each = services.iter().map(|(service, _)| format!("`{}` (`{}`)", service.image, service.name));
    each.collect::<Vec<_>>().join(", ")
}
