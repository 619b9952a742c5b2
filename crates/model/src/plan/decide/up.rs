//! `up`: make the world as declared.

use std::collections::{BTreeMap, BTreeSet};

use super::anonymous::tell_about_left_volumes;
use super::dependencies::{in_order, leans_on};
use super::draft::Draft;
use super::images::Images;
use super::instances::Instance;
use super::names::Names;
use super::networks::Place;
use super::ports::Ports;
use super::routes::Edge;
use super::{listed, plural};
use crate::declared::{Condition, Declared, Pin, Promoted, Service};
use crate::identity::ServiceName;
use crate::observed::Observed;
use crate::plan::{Level, StepId, UpOptions};

/// Everything that the deciding of one `up` has at hand, and what it has decided so far.
pub(super) struct Up<'a> {
    pub declared: &'a Declared,
    pub options: &'a UpOptions,
    pub world: &'a Observed,
    pub draft: Draft,
    /// The services that the order is about, dependencies included.
    pub scope: BTreeSet<ServiceName>,
    pub images: Images,
    /// By the engine's name of the network.
    pub places: BTreeMap<String, Place>,
    /// The step that makes a volume, by the engine's name; absent for one that is there.
    pub volumes_made: BTreeMap<String, StepId>,
    pub names: Names,
    pub ports: Ports,
    pub edge: Edge,
    /// Steps that clear away what a release takes over from.
    pub after_commit: Vec<StepId>,
    /// What stands for each service at the end of this plan, by number.
    pub instances: BTreeMap<ServiceName, Vec<Instance<'a>>>,
    /// Containers that `docker compose` made and that nobody allowed to be replaced.
    pub made_by_compose: Vec<String>,
    /// Services that a refusal keeps from being decided.
    pub refused: BTreeSet<ServiceName>,
}

pub(super) fn up(declared: &Declared, options: &UpOptions, world: &Observed) -> Draft {
    let leaning = declared.services.iter().map(|(name, service)| (name.clone(), leans_on(declared, service))).collect();
    let order = in_order(&leaning);
    let mut up = Up {
        declared,
        options,
        world,
        draft: Draft::default(),
        scope: scope(declared, options),
        images: Images::default(),
        places: BTreeMap::new(),
        volumes_made: BTreeMap::new(),
        names: Names::of(world),
        ports: Ports::default(),
        edge: Edge::default(),
        after_commit: Vec::new(),
        instances: BTreeMap::new(),
        made_by_compose: Vec::new(),
        refused: BTreeSet::new(),
    };
    if !order.cut.is_empty() {
        let message = format!("the dependencies of {} close a circle", listed(&order.cut));
        up.draft.tell(Level::Refusal, "dependency-circle", message, Some("take one `depends_on` of the circle away"));
    }
    up.tell_about_selection();
    up.tell_about_promotion();
    up.networks();
    up.edge();
    up.volumes();
    up.orphans();
    let in_scope = order.services.iter().filter(|name| up.scope.contains(*name));
    let services: Vec<&Service> = in_scope.filter_map(|name| declared.services.get(name)).collect();
    // Who builds what is settled first: a service can run the image that a later one builds.
    services.iter().for_each(|service| up.images_of(service));
    services.iter().for_each(|service| up.service(service));
    up.buckets();
    up.migrations();
    up.give_names();
    up.hand_over_ports();
    up.leave_networks();
    up.commit();
    up.images_first();
    up.tell_about_compose();
    up.tell_about_files();
    let level = if options.renew_anon_volumes { Level::Note } else { Level::Warning };
    tell_about_left_volumes(&mut up.draft, world, level);
    up.tell_unchanged();
    up.draft
}

/// The services of the order: those named, with all that they lean on, or all.
fn scope(declared: &Declared, options: &UpOptions) -> BTreeSet<ServiceName> {
    if options.services.is_empty() {
        return declared.services.keys().cloned().collect();
    }
    let mut scope = BTreeSet::new();
    let mut open: Vec<ServiceName> = options.services.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let Some(service) = declared.services.get(&name) else { continue };
        if scope.insert(name) && !options.no_deps {
            open.extend(leans_on(declared, service));
        }
    }
    scope
}

impl<'a> Up<'a> {
    /// Whether the order means this service itself, and not just because somebody leans on it. Force, build and pull
    /// are for those alone: `up --build web` must not replace the database.
    pub fn is_meant(&self, service: &ServiceName) -> bool {
        self.options.services.is_empty() || self.options.services.contains(service)
    }

    /// Whether somebody declared waits for this service to end well: then ending is what it is for.
    pub fn is_one_shot(&self, service: &ServiceName) -> bool {
        self.declared
            .services
            .values()
            .filter_map(|dependent| dependent.depends_on.get(service))
            .any(|dependency| dependency.condition == Condition::Completed)
    }

    /// How many containers a service has; a fixed name can be had by one only.
    pub fn replicas(service: &Service) -> u32 {
        if service.container_name.is_some() { service.replicas.min(1) } else { service.replicas }
    }

    fn tell_about_selection(&mut self) {
        for name in self.options.services.iter().filter(|name| !self.declared.services.contains_key(*name)) {
            let message = format!("there is no service `{name}` in stack `{}`", self.declared.stack);
            let known: Vec<&ServiceName> = self.declared.services.keys().collect();
            let hint = format!("{} declared: {}", plural(known.len(), "this service is", "these are"), listed(&known));
            self.draft.tell(Level::Refusal, "unknown-service", message, Some(&hint));
        }
        for service in self.declared.services.values().filter(|service| self.scope.contains(&service.name)) {
            for (on, dependency) in &service.depends_on {
                if self.declared.services.contains_key(on) {
                    continue;
                }
                let message = format!("`{}` depends on `{on}`, which is not in the stack", service.name);
                let hint = "declare it, or switch its profile on";
                match dependency.required {
                    true => self.draft.tell(Level::Refusal, "missing-dependency", message, Some(hint)),
                    false => self.draft.tell(Level::Note, "missing-dependency", message, None),
                }
            }
        }
    }

    /// What each promoted tag was found to be, before anybody agrees to it.
    fn tell_about_promotion(&mut self) {
        let mut by_image: BTreeMap<(&str, &Pin), Vec<&ServiceName>> = BTreeMap::new();
        for name in self.options.promotes.iter().flatten() {
            let Some(Promoted { image, pin: Some(pin) }) = self.options.promoted.get(name) else { continue };
            by_image.entry((image, pin)).or_default().push(name);
        }
        for ((image, pin), services) in by_image {
            let (get, them) = (plural(services.len(), "gets", "get"), listed(&services));
            let message = match pin {
                Pin::Digest(digest) => format!("`{image}` is {digest} in its registry; {them} {get} exactly that"),
                Pin::Local(id) => {
                    format!("`{image}` is {id} of this host, not of a registry; {them} {get} exactly that")
                }
            };
            self.draft.tell(Level::Note, "promoted-image", message, None);
        }
    }

    /// One refusal that names them all, instead of one for each.
    fn tell_about_compose(&mut self) {
        if self.made_by_compose.is_empty() {
            return;
        }
        self.made_by_compose.sort();
        self.made_by_compose.dedup();
        let were = plural(self.made_by_compose.len(), "was", "were");
        let message = format!("{} {were} made by `docker compose`", listed(&self.made_by_compose));
        let hint = "`--take-over` replaces what `docker compose` made; volumes and networks are used as they are";
        self.draft.tell(Level::Refusal, "made-by-compose", message, Some(hint));
    }

    /// A container that is made brings the files of its mounts along.
    fn tell_about_files(&mut self) {
        let makers = self.draft.steps().iter().filter(|step| step.action.makes_container());
        let made: BTreeSet<&ServiceName> = makers.filter_map(|step| step.action.service()).collect();
        let services = self.declared.services.values().filter(|service| made.contains(&service.name));
        let paths: BTreeSet<&str> =
            services.flat_map(|service| &service.files).map(|file| file.path.as_str()).collect();
        let paths: Vec<&str> = paths.into_iter().collect();
        if !paths.is_empty() {
            let message = format!("{} {} made where missing", listed(&paths), plural(paths.len(), "is", "are"));
            self.draft.tell(Level::Note, "host-files", message, None);
        }
    }

    /// A service that no step is about is as declared.
    fn tell_unchanged(&mut self) {
        let touched: BTreeSet<ServiceName> = self
            .draft
            .steps()
            .iter()
            .filter(|step| step.action.target().is_some() || step.action.makes_container())
            .filter_map(|step| step.action.service().cloned())
            .collect();
        let unchanged = self.scope.iter().filter(|name| !touched.contains(*name) && !self.refused.contains(*name));
        self.draft.unchanged = unchanged.cloned().collect();
    }
}
