//! Smoke checks in a plan: what can be asked while visitors still get what was there before is asked then, the rest after
//! the commit and before anything is cleared away.

use super::plural;
use super::up::Up;
use crate::declared::route::Target as Leads;
use crate::declared::{Route, Service};
use crate::plan::{Action, Impact, Level, PlannedCheck, PlannedRoute, Stage, StepId, Target};
use crate::smoke::{Check, Scheme, Whence};

/// The checks of one release, by when they are asked.
pub(super) struct Sorted {
    pub before: Vec<PlannedCheck>,
    pub after: Vec<PlannedCheck>,
}

impl<'a> Up<'a> {
    /// Whether this plan asks checks, told when there are some and it does not.
    fn asks_checks(&mut self, commits: bool) -> bool {
        let count = self.declared.smoke.len();
        // What is only fetched changes nothing that could answer otherwise.
        let fetches = |action: &Action| matches!(action, Action::PullImage { .. } | Action::BuildImage { .. });
        let changes = commits || !self.draft.steps().iter().all(|step| fetches(&step.action));
        if count == 0 || !changes {
            return false;
        }
        let checks = format!("{count} smoke {} not asked", plural(count, "check is", "checks are"));
        let why = match self.options {
            options if options.no_smoke => format!("`--no-smoke`: {checks}"),
            options if options.no_start => format!("`--no-start`: {checks}"),
            options if options.no_wait => format!("`--no-wait`: {checks}"),
            options if !options.services.is_empty() => format!("{checks}, because only a part is brought up"),
            _ => return true,
        };
        self.draft.tell(Level::Note, "smoke-skipped", why, Some("`mainstay smoke` asks them"));
        false
    }

    /// The checks in a plan with a commit.
    ///
    /// Where the commit tells the edge nothing, visitors get the same before and after it, so all can be asked before.
    /// Else it is those whose answer can come from the release's own containers while nobody is led to them.
    pub fn sorted_checks(&mut self, tells_edge: bool) -> Option<Sorted> {
        if !self.asks_checks(true) {
            return None;
        }
        let declared = self.declared;
        let mut sorted = Sorted { before: Vec::new(), after: Vec::new() };
        for (index, check) in declared.smoke.iter().enumerate() {
            let planned = PlannedCheck { is_previewed: self.is_previewed(check), ..self.planned(index, check) };
            let is_asked_inside = check.from == Whence::Inside && !planned.answered_by.is_empty();
            if planned.is_previewed || is_asked_inside || !tells_edge {
                sorted.before.push(planned);
            } else {
                sorted.after.push(planned);
            }
        }
        Some(sorted)
    }

    /// All checks as the last step of a plan without a commit.
    pub fn ask_at_the_end(&mut self) {
        if !self.asks_checks(false) {
            return;
        }
        let declared = self.declared;
        let checks = declared.smoke.iter().enumerate().map(|(index, check)| self.planned(index, check)).collect();
        let all: Vec<StepId> = self.draft.steps().iter().map(|step| step.id).collect();
        let action = Action::Smoke { stage: Stage::AtEnd, checks, preview: Vec::new(), kept: Vec::new() };
        self.draft.add(action, Impact::Live, "it is done when each of them holds", all);
    }

    pub fn ask_before(&mut self, sorted: &mut Sorted, proofs: &[StepId]) -> Option<StepId> {
        let checks = std::mem::take(&mut sorted.before);
        if checks.is_empty() {
            return None;
        }
        let (preview, kept) = match checks.iter().any(|check| check.is_previewed) {
            true => (self.planned_routes(), self.with_kept_routes()),
            false => (Vec::new(), Vec::new()),
        };
        let action = Action::Smoke { stage: Stage::BeforeCommit, checks, preview, kept };
        let why = "nothing is committed until each of them holds";
        Some(self.draft.add(action, Impact::Live, why, proofs.iter().copied()))
    }

    pub fn ask_after(&mut self, sorted: &mut Sorted, commit: StepId) -> Option<StepId> {
        let checks = std::mem::take(&mut sorted.after);
        if checks.is_empty() {
            return None;
        }
        let action = Action::Smoke { stage: Stage::AfterCommit, checks, preview: Vec::new(), kept: Vec::new() };
        let why = "what ran before is kept until each of them holds";
        Some(self.draft.add(action, Impact::Live, why, [commit]))
    }

    fn planned(&self, index: usize, check: &Check) -> PlannedCheck {
        let shown = check.shown();
        let shown = shown.strip_prefix("GET ").unwrap_or(&shown);
        PlannedCheck {
            index,
            shown: check.name.clone().unwrap_or_else(|| shown.to_owned()),
            from: check.from,
            is_previewed: false,
            answered_by: self.answered_by(check),
        }
    }

    fn answered_by(&self, check: &Check) -> Vec<Target> {
        let service = match check.from {
            Whence::Inside => self.declared.services.values().find(|service| service.name.as_str() == check.url.host),
            Whence::Edge | Whence::Outside => {
                let found = self.route_of(check).filter(|(_, route)| matches!(route.to, Leads::Port { .. }));
                found.map(|(service, _)| service)
            }
        };
        let serving = service.into_iter().flat_map(|service| self.serving(service));
        serving.map(|instance| instance.target.clone()).collect()
    }

    /// Whether the edge answers it, under its own TLS, by a route that this order is about.
    fn is_previewed(&self, check: &Check) -> bool {
        let is_at_the_edge = check.from == Whence::Edge && check.url.scheme == Scheme::Https;
        is_at_the_edge && self.uses_edge() && self.route_of(check).is_some()
    }

    /// The route that answers: the more exact one, as the edge takes it.
    fn route_of(&self, check: &Check) -> Option<(&'a Service, &'a Route)> {
        let (host, path) = (check.url.host.as_str(), check.url.path());
        let all = self.routed().flat_map(|service| service.routes.iter().map(move |route| (service, route)));
        let fitting = all.filter(|(_, route)| route.covers_host(host) && route.covers_path(path));
        fitting.max_by_key(|(_, route)| (!route.host.starts_with("*."), route.path.len()))
    }

    /// All routes of the services in scope, as they are at the end of this plan.
    pub fn planned_routes(&self) -> Vec<PlannedRoute> {
        let mut planned = Vec::new();
        for service in self.routed() {
            let serving = self.serving(service);
            for route in &service.routes {
                let leads = matches!(route.to, Leads::Port { .. });
                let to = if leads { serving.iter().map(|i| i.target.clone()).collect() } else { Vec::new() };
                let (host, path) = (route.host.clone(), route.path.clone());
                planned.push(PlannedRoute { service: service.name.clone(), host, path, to });
            }
        }
        planned
    }
}
