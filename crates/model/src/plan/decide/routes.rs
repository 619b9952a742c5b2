//! The edge in a plan: it joins the networks of what it leads to, asks new containers whether they serve, and is told
//! at the commit where to lead.

use std::collections::{BTreeMap, BTreeSet};

use super::attachments::repair;
use super::down::edge_leaves;
use super::instances::Instance;
use super::listed;
use super::networks::Place;
use super::up::Up;
use crate::declared::route::Ask;
use crate::declared::{Attachment, NetworkMode, Route, Service};
use crate::edge::{Answer, Site, wanted};
use crate::observed::{Container, Maker, ObservedNetwork, State};
use crate::plan::{Action, Asker, Impact, Level, PlannedRoute, Question, StepId, Target, TargetContainer};

/// How long a container may take to answer the edge, when nobody said.
pub(in crate::plan) const ANSWERS_WITHIN_SECS: u64 = 60;

/// What the deciding of routes has at hand.
#[derive(Default)]
pub(super) struct Edge {
    /// Whether the steps for it belong into this plan.
    is_used: bool,
    /// The step that joins a network, by the engine's name.
    joins: BTreeMap<String, StepId>,
}

impl<'a> Up<'a> {
    /// Whether there is an edge for the routes of this order, told when there is none.
    pub fn edge(&mut self) {
        let routed: Vec<&'a Service> = self.routed().collect();
        let serves_already = self
            .world
            .edge
            .as_ref()
            .is_some_and(|edge| edge.sites.iter().any(|site| site.stack == self.declared.stack));
        if self.options.no_edge {
            self.tell_about_left_routes();
        }
        // Routes that somebody else's proxy has from now on are taken off as well.
        if (routed.is_empty() && !serves_already) || self.options.no_start {
            return;
        }
        let addresses: Vec<String> = routed.iter().flat_map(|service| &service.routes).map(Route::address).collect();
        let is_there = self.world.edge.as_ref().is_some_and(|edge| edge.answers) || self.options.edge_comes;
        if !is_there && self.options.no_edge {
            return;
        }
        if !is_there {
            let message = match addresses.as_slice() {
                [] => {
                    "the edge does not answer, so it cannot be told that this stack has no routes any more".to_owned()
                }
                some => format!("no edge answers on this host, and {} need one", listed(some)),
            };
            let hint = "`mainstay edge up` brings it up; `--no-edge` leaves routes to a proxy of your own";
            self.draft.tell(Level::Refusal, "no-edge", message, Some(hint));
            return;
        }
        self.edge.is_used = true;
        self.tell_about_taken_addresses();
        for service in routed.into_iter().filter(|service| wanted::routed_port(service).is_some()) {
            self.bring_edge_to(service);
        }
    }

    /// Whether steps for the edge belong into this plan.
    pub fn uses_edge(&self) -> bool {
        self.edge.is_used
    }

    fn tell_about_left_routes(&mut self) {
        let routes = self.scoped().flat_map(|service| &service.routes);
        let addresses: Vec<String> = routes.map(Route::address).collect();
        if !addresses.is_empty() {
            let message = format!("`--no-edge`: {} will not answer", listed(&addresses));
            self.draft.tell(Level::Warning, "routes-not-served", message, None);
        }
    }

    /// The services in scope with something for the edge to serve.
    pub fn routed(&self) -> impl Iterator<Item = &'a Service> + use<'a> {
        let is_left = self.options.no_edge;
        self.scoped().filter(move |service| !is_left && !service.routes.is_empty())
    }

    fn scoped(&self) -> impl Iterator<Item = &'a Service> + use<'a> {
        let scope = self.scope.clone();
        self.declared.services.values().filter(move |service| scope.contains(&service.name))
    }

    /// A host and path of another stack are not taken from it.
    fn tell_about_taken_addresses(&mut self) {
        let Some(edge) = &self.world.edge else { return };
        let others: Vec<&Site> = edge.sites.iter().filter(|site| site.stack != self.declared.stack).collect();
        for service in self.routed() {
            for route in &service.routes {
                let holder = others.iter().find(|site| (&site.host, &site.path) == (&route.host, &route.path));
                let Some(holder) = holder else { continue };
                let message = format!(
                    "`{}` leads to `{}` of the stack `{}` already",
                    route.address(),
                    holder.service,
                    holder.stack
                );
                let hint = format!(
                    "give one of them another `host` or `path`; `mainstay down --stack {}` frees it",
                    holder.stack
                );
                self.draft.tell(Level::Refusal, "address-taken", message, Some(&hint));
            }
        }
    }

    fn bring_edge_to(&mut self, service: &'a Service) {
        if service.network_mode != NetworkMode::Attached {
            let message = format!("the edge cannot reach `{}`: its network mode has no network to share", service.name);
            self.draft.tell(Level::Refusal, "unroutable", message, Some("give it `networks`, or leave its routes out"));
            return;
        }
        let Some(at) = wanted::meeting_place(service, &self.declared.networks) else { return };
        if self.edge.joins.contains_key(&at.network) {
            return;
        }
        let attachment = Attachment { key: at.key.clone(), network: at.network.clone(), ..Attachment::default() };
        let place = self.places.get(&at.network).unwrap_or(&Place::Nowhere);
        let step = match self.edge_container() {
            Some(container) => repair(&mut self.draft, container, &attachment, place),
            None => {
                let target = self.edge_target();
                let why = "the edge has to reach it".to_owned();
                Some(self.draft.add(Action::Attach { target, attachment }, Impact::Live, why, place.made()))
            }
        };
        if let Some(step) = step {
            self.edge.joins.insert(at.network.clone(), step);
        }
    }

    fn edge_container(&self) -> Option<&'a Container> {
        let edge = self.world.edge.as_ref()?;
        self.world.container_named(&edge.container).filter(|container| container.maker == Maker::Mainstay)
    }

    /// The edge by its name: it may not be there yet when this plan is shown.
    fn edge_target(&self) -> Target {
        let name = self.world.edge.as_ref().map_or_else(String::new, |edge| edge.container.clone());
        Target { container: TargetContainer::Id(name.clone()), name, service: None, number: 1 }
    }

    /// The question that a container which begins to serve has to answer.
    pub fn probe(&mut self, service: &Service, index: usize, after: impl Iterator<Item = StepId>) -> Option<StepId> {
        if self.options.no_start {
            return None;
        }
        let question = self.question(service)?;
        let instance = &self.instances[&service.name][index];
        let begins = match (instance.started, instance.kept) {
            (Some(_), _) => true,
            // It runs already: left by an order that was cut off, or there before it was given a route.
            (None, Some(kept)) => {
                let port = wanted::routed_port(service).filter(|_| question.asker == Asker::Edge);
                port.is_some_and(|port| kept.state == State::Running && !self.is_served(&kept.id, port))
            }
            (None, None) => false,
        };
        if !begins {
            return None;
        }
        let started = instance.started;
        let within_secs = service.probe.as_ref().map_or(ANSWERS_WITHIN_SECS, |probe| probe.within_secs);
        let joins = service.attachments.iter().filter_map(|at| self.edge.joins.get(&at.network)).copied();
        let needs: Vec<StepId> = joins.chain(after).chain(started).collect();
        let target = instance.target.clone();
        let why = if question.asker == Asker::Edge { "it is to be served" } else { "its probe was declared" };
        let action = Action::Probe { target, question, within_secs, stable_ms: service.rollout.stable_ms() };
        Some(self.draft.add(action, Impact::Live, why, needs))
    }

    /// What is asked, and from where; `None` when nothing is declared and nothing leads to the service.
    fn question(&self, service: &Service) -> Option<Question> {
        let routed = wanted::routed_port(service).filter(|_| self.edge.is_used && !self.options.no_edge);
        let probe = service.probe.as_ref();
        let asker = if routed.is_some() { Asker::Edge } else { Asker::Host };
        if asker == Asker::Host && (self.options.no_wait || service.unwaited) {
            return None;
        }
        let port = probe.and_then(|probe| probe.port).or(routed);
        let port = port.or_else(|| wanted::routed_port(service).filter(|_| probe.is_some()))?;
        let (path, status) = match probe.map(|probe| &probe.ask) {
            Some(Ask::Http { path, status }) => (path.clone(), Some(*status)),
            Some(Ask::Tcp) | None => ("/".to_owned(), None),
        };
        // The probe speaks HTTP/1.1; of a service that speaks something else a connection tells the most.
        let speaks_else = service.routes.iter().any(Route::speaks_else);
        let tcp = speaks_else || probe.is_some_and(|probe| probe.ask == Ask::Tcp);
        let status = status.filter(|_| !tcp);
        let host = service.routes.first().map(|route| route.host.clone());
        Some(Question { port, path, status, host, tcp, asker })
    }

    fn is_served(&self, container_id: &str, port: u16) -> bool {
        let wanted = wanted::upstream(container_id, port);
        let edge = self.world.edge.as_ref().filter(|edge| edge.is_as_told);
        edge.is_some_and(|edge| {
            edge.sites.iter().any(|site| match &site.answer {
                Answer::Proxy(proxy) => proxy.upstreams.contains(&wanted),
                Answer::Redirect { .. } | Answer::Maintenance { .. } => false,
            })
        })
    }

    /// The routes of the services in scope, when the edge has to be told of them.
    pub fn routes_to_tell(&self) -> Option<Vec<PlannedRoute>> {
        if !self.edge.is_used {
            return None;
        }
        let edge = self.world.edge.as_ref();
        let mut sites = Vec::new();
        let mut is_new = false;
        for service in self.routed() {
            let serving = self.serving(service);
            is_new |= serving.iter().any(|instance| instance.kept.is_none());
            let ids: Vec<String> = serving.iter().filter_map(|i| Some(i.kept?.id.clone())).collect();
            let routes = service.routes.iter();
            sites.extend(routes.map(|route| wanted::site(&self.declared.stack, service, route, &ids)));
        }
        let is_told = edge.is_some_and(|edge| edge.is_as_told && self.are_served(&edge.sites, &sites));
        (is_new || !is_told).then(|| self.planned_routes())
    }

    /// Whether requests go to a container now.
    pub fn leads_to(&self, container: &Container) -> bool {
        self.world.edge.as_ref().is_some_and(|edge| edge.leads_to(&container.id))
    }

    /// The addresses that the edge serves for this stack now, and not with these routes.
    pub fn lost(&self, routes: &[PlannedRoute]) -> Vec<String> {
        let sites = self.world.edge.iter().flat_map(|edge| &edge.sites);
        let of_stack = sites.filter(|site| site.stack == self.declared.stack && !self.keeps_routes(site));
        let stays = |site: &&Site| routes.iter().any(|route| (&route.host, &route.path) == (&site.host, &site.path));
        let mut lost: Vec<String> = of_stack.filter(|site| !stays(site)).map(Site::address).collect();
        lost.sort();
        lost
    }

    /// The edge leaves the stack's networks on which it meets nothing any more; it was there for a route that goes.
    pub fn leave_networks(&mut self) {
        let Some(edge) = self.edge_container().filter(|_| self.edge.is_used) else { return };
        if !self.with_kept_routes().is_empty() {
            return;
        }
        let routed = self.declared.services.values().filter(|service| !service.routes.is_empty());
        let meets = routed.filter_map(|service| wanted::meeting_place(service, &self.declared.networks));
        let meets: BTreeSet<&str> = meets.map(|at| at.network.as_str()).collect();
        let world = self.world;
        // One that was lost and is made anew has the name only: the edge is not on it.
        let is_on = |network: &ObservedNetwork| {
            edge.endpoint(&network.name).is_some_and(|at| at.network_id.is_empty() || at.network_id == network.id)
        };
        let is_left = |network: &&ObservedNetwork| {
            let is_ours = network.stack.as_ref() == Some(&self.declared.stack);
            is_ours && !meets.contains(network.name.as_str()) && is_on(network) && !self.serves_others_on(network)
        };
        for network in world.networks.iter().filter(is_left).collect::<Vec<_>>() {
            // After whoever finishes what came over it.
            let after = self.after_commit.clone();
            let left = edge_leaves(&mut self.draft, world, network, &after);
            self.after_commit.extend(left);
        }
    }

    /// Whether the edge leads to another stack's containers on a network: one that this stack owns and they joined.
    fn serves_others_on(&self, network: &ObservedNetwork) -> bool {
        let sites = self.world.edge.iter().flat_map(|edge| &edge.sites);
        let mut dials = sites.filter(|site| site.stack != self.declared.stack).flat_map(Site::upstreams);
        dials.any(|dial| network.members.iter().any(|member| wanted::leads_to(dial, &member.container_id)))
    }

    fn are_served(&self, served: &[Site], wanted: &[Site]) -> bool {
        let is_meant = |site: &&Site| site.stack == self.declared.stack && !self.keeps_routes(site);
        let key = |site: &&Site| (site.host.clone(), site.path.clone());
        let mut served: Vec<&Site> = served.iter().filter(is_meant).collect();
        let mut wanted: Vec<&Site> = wanted.iter().collect();
        served.sort_by_key(key);
        wanted.sort_by_key(key);
        served == wanted
    }

    /// Whether a site belongs to a service that the order is not about.
    fn keeps_routes(&self, site: &Site) -> bool {
        let is_scoped = self.scope.contains(&site.service);
        !is_scoped
            && (self.declared.services.contains_key(&site.service) || self.declared.disabled.contains(&site.service))
    }

    /// The services whose routes an order that is not about them leaves as they are.
    pub fn with_kept_routes(&self) -> Vec<crate::identity::ServiceName> {
        let sites = self.world.edge.iter().flat_map(|edge| &edge.sites);
        let kept = sites.filter(|site| site.stack == self.declared.stack && self.keeps_routes(site));
        let mut names: Vec<_> = kept.map(|site| site.service.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The containers of a service that run at the end of this plan.
    pub fn serving(&self, service: &Service) -> Vec<&Instance<'a>> {
        let runs = |instance: &&Instance| {
            instance.started.is_some()
                || instance.kept.is_some_and(|c| matches!(c.state, State::Running | State::Paused))
        };
        self.instances.get(&service.name).into_iter().flatten().filter(runs).collect()
    }
}
