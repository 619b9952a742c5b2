//! Containers: whose they are, and what may be done to them in which state.

use super::Reader;
use crate::declared::{Condition, Service};
use crate::edge::wanted;
use crate::observed::{Container, Maker, State};
use crate::plan::{Action, Order, Step, Target, TargetContainer, Towards};

fn runs(container: &Container) -> bool {
    matches!(container.state, State::Running | State::Paused | State::Restarting)
}

impl<'a> Reader<'a> {
    /// Law 4: who may be touched by which order.
    pub fn read_permission(&mut self, step: &Step) {
        let Some(target) = step.action.target() else { return };
        match &target.container {
            TargetContainer::MadeBy(made) => {
                let creation = self.earlier(step).find(|other| other.id == *made);
                let fits = creation.is_some_and(|creation| match &creation.action {
                    Action::CreateContainer { service, number, .. } => {
                        target.service.as_ref() == Some(service) && target.number == *number
                    }
                    _ => false,
                });
                if !fits {
                    self.wrong(step, "not-made", format!("`{}` is not surely made before", target.name));
                }
            }
            TargetContainer::Id(id) => match self.world.containers.iter().find(|container| container.id == *id) {
                None if self.is_edge_to_come(target, &step.action) => {}
                None => self.wrong(step, "no-container", format!("`{}` was not observed", target.name)),
                Some(container) if !self.may_touch(container, &step.action) => {
                    let message = format!("`{}` may not be touched by `{}`", container.name, self.order.verb());
                    self.wrong(step, "foreign-container", message);
                }
                Some(_) => {}
            },
        }
    }

    fn may_touch(&self, container: &Container, action: &Action) -> bool {
        let of_stack = container.stack.as_ref() == Some(&self.plan.stack);
        if self.is_edge(&container.name)
            && matches!(self.order, Order::Up { .. } | Order::Down(_) | Order::Settle(_))
            && !of_stack
        {
            // The edge belongs to all stacks that have routes: it joins and leaves, and nothing else befalls it.
            let joins_or_leaves = matches!(action, Action::Attach { .. } | Action::Detach { .. });
            return container.maker == Maker::Mainstay && joins_or_leaves;
        }
        match self.order {
            Order::Up { options, .. } => {
                let by_us = container.maker == Maker::Mainstay;
                of_stack && !container.one_off && (by_us || container.maker == Maker::Compose && options.take_over)
            }
            Order::Down(_) => of_stack && container.maker == Maker::Mainstay,
            Order::Settle(order) => {
                // What stood before goes only after the commit, what came only before it.
                let stood = order.before.iter().any(|was| was.id == container.id);
                let goes = matches!(action, Action::StopContainer { .. } | Action::RemoveContainer { .. });
                let may_go = (order.towards == Towards::Release) == stood;
                let by_us = container.maker == Maker::Mainstay || stood && container.maker == Maker::Compose;
                of_stack && by_us && !container.one_off && (!goes || may_go)
            }
            Order::Start(_) | Order::Stop(_) | Order::Restart(_) => {
                of_stack && !container.one_off && container.maker != Maker::Foreign
            }
            Order::Hold { services, .. } => {
                let is_held = services.iter().any(|held| match &container.service {
                    Some(service) => of_stack && *service == held.service,
                    None => container.stack.is_none() && held.container_names.contains(&container.name),
                });
                let mends =
                    matches!(action, Action::Attach { .. } | Action::Detach { .. } | Action::StartContainer { .. });
                is_held && !container.one_off && mends
            }
        }
    }

    fn is_edge(&self, name: &str) -> bool {
        self.world.edge.as_ref().is_some_and(|edge| edge.container == name)
    }

    /// The edge by its name, in a plan that is shown before the edge is there.
    fn is_edge_to_come(&self, target: &Target, action: &Action) -> bool {
        let is_said = matches!(self.order, Order::Up { options, .. } if options.edge_comes);
        is_said && self.is_edge(&target.name) && matches!(action, Action::Attach { .. })
    }

    pub fn read_container_life(&mut self, step: &Step) {
        let Some(target) = step.action.target() else {
            if let Action::CreateContainer { name, .. } = &step.action {
                self.read_name(step, name, None);
            }
            return;
        };
        match &step.action {
            Action::StopContainer { .. } => {
                if matches!(self.order, Order::Hold { .. }) {
                    self.wrong(step, "hold-stops", format!("a hold must not stop `{}`", target.name));
                }
            }
            Action::RemoveContainer { .. } => {
                let still_runs = self.observed_target(target).is_some_and(runs);
                if still_runs && !self.is_done_before(step, target, |a| matches!(a, Action::StopContainer { .. })) {
                    self.wrong(step, "removes-running", format!("`{}` is not surely stopped", target.name));
                }
            }
            Action::RenameContainer { to, .. } => self.read_name(step, to, Some(target)),
            Action::Attach { attachment, .. } => self.read_attach(step, target, &attachment.network),
            Action::Detach { network, .. } => self.read_detach(step, target, network),
            Action::StartContainer { .. } => self.read_start(step, target),
            _ => {}
        }
        let is_gone = self.is_done_before(step, target, |a| matches!(a, Action::RemoveContainer { .. }));
        if is_gone {
            self.wrong(step, "after-removal", format!("`{}` is gone by then", target.name));
        }
    }

    fn is_done_before(&self, step: &Step, target: &Target, what: impl Fn(&Action) -> bool) -> bool {
        self.earlier(step).any(|other| {
            what(&other.action) && other.action.target().is_some_and(|other| other.container == target.container)
        })
    }

    pub fn is_removed_before(&self, step: &Step, id: &str) -> bool {
        self.earlier(step).any(|other| match &other.action {
            Action::RemoveContainer { target, .. } => target.container == TargetContainer::Id(id.to_owned()),
            _ => false,
        })
    }

    pub fn has_left_before(&self, step: &Step, container: &str, network: &str) -> bool {
        self.earlier(step).any(|other| match &other.action {
            Action::Detach { target, network_id, .. } => {
                target.container == TargetContainer::Id(container.to_owned()) && network_id == network
            }
            _ => false,
        })
    }

    /// A name is taken only when nobody has it by then: neither one who had it, nor one who got it from this plan.
    fn read_name(&mut self, step: &Step, name: &str, of: Option<&Target>) {
        let is_same = |target: &Target| of.is_some_and(|of| of.container == target.container);
        let observed = self.world.containers.iter().find(|container| container.name == name);
        let had = observed.map(|container| TargetContainer::Id(container.id.clone()));
        let given = self.plan.steps.iter().filter(|other| other.id < step.id).filter_map(|other| match &other.action {
            Action::CreateContainer { name: given, .. } if given == name => Some(TargetContainer::MadeBy(other.id)),
            Action::RenameContainer { target, to } if to == name && !is_same(target) => Some(target.container.clone()),
            _ => None,
        });
        for holder in had.into_iter().chain(given).collect::<Vec<_>>() {
            let leaves = self.earlier(step).any(|other| match &other.action {
                Action::RemoveContainer { target, .. } => target.container == holder,
                Action::RenameContainer { target, to } => target.container == holder && to != name,
                _ => false,
            });
            if !leaves && !self.is_refused() {
                self.wrong(step, "name-taken", format!("`{name}` is not surely free"));
            }
        }
    }

    fn read_attach(&mut self, step: &Step, target: &Target, network: &str) {
        let Some(container) = self.observed_target(target) else {
            if self.is_edge_to_come(target, &step.action) {
                return;
            }
            self.wrong(step, "attach-made", format!("`{}` is made with its networks", target.name));
            return;
        };
        for endpoint in container.endpoints.iter().filter(|endpoint| endpoint.network == network) {
            let leaves = self.is_done_before(step, target, |action| match action {
                Action::Detach { network: left, network_id, .. } => {
                    *left == endpoint.network && *network_id == endpoint.network_id
                }
                _ => false,
            });
            if !leaves {
                self.wrong(step, "attached-already", format!("`{}` is on `{network}`", container.name));
            }
        }
    }

    /// A container leaves a network only to join the one of that name again.
    fn read_detach(&mut self, step: &Step, target: &Target, network: &str) {
        let joins = |other: &&Step| match &other.action {
            Action::Attach { target: joining, attachment } => {
                joining.container == target.container && attachment.network == network
            }
            _ => false,
        };
        let joins_after = self.plan.steps.iter().filter(joins).any(|other| self.before[&other.id].contains(&step.id));
        let joined_right = self.observed_target(target).is_some_and(|container| {
            container.endpoints.iter().filter(|endpoint| endpoint.network == network).count() > 1
        });
        // Or for good: a network that the service no longer declares, before it starts anyway.
        let declared = target.service.as_ref().and_then(|name| self.declared()?.services.get(name));
        let is_undeclared = declared.is_some_and(|service| service.attachments.iter().all(|a| a.network != network));
        let starts = self.plan.steps.iter().any(|other| {
            let same = other.action.target().is_some_and(|other| other.container == target.container);
            same && matches!(other.action, Action::StartContainer { .. }) && self.before[&other.id].contains(&step.id)
        });
        let is_edge_of_what_goes =
            matches!(self.order, Order::Down(_) | Order::Settle(_)) && self.is_edge(&target.name);
        let is_for_good =
            is_undeclared && starts || is_edge_of_what_goes || self.is_edge_without_routes(step, target, network);
        if !(joins_after || joined_right || is_for_good) {
            self.wrong(step, "detach-alone", format!("`{}` does not join `{network}` again", target.name));
        }
    }

    /// The edge may leave a network on which no declared route needs it, once it leads there no more.
    fn is_edge_without_routes(&self, step: &Step, target: &Target, network: &str) -> bool {
        let commits = |other: &Step| matches!(other.action, Action::Commit { .. });
        let leads_no_more = self.earlier(step).any(commits) || !self.plan.steps.iter().any(commits);
        let Some(declared) = self.declared().filter(|_| leads_no_more && self.is_edge(&target.name)) else {
            return false;
        };
        let routed = declared.services.values().filter(|service| !service.routes.is_empty());
        let mut meets = routed.filter_map(|service| wanted::meeting_place(service, &declared.networks));
        meets.all(|at| at.network != network)
    }

    fn read_start(&mut self, step: &Step, target: &Target) {
        let before = self.before.get(&step.id).cloned().unwrap_or_default();
        let joins_late = self.plan.steps.iter().any(|other| {
            let same = other.action.target().is_some_and(|other| other.container == target.container);
            same && matches!(other.action, Action::Attach { .. }) && !before.contains(&other.id)
        });
        if joins_late {
            self.wrong(step, "start-before-attach", format!("`{}` starts before it is attached", target.name));
        }
        if let Order::Hold { returned, reattached, .. } = self.order {
            let is_mended = self.is_done_before(step, target, |action| matches!(action, Action::Attach { .. }));
            let is_back = |service| returned.contains_key(service) || reattached.contains(service);
            if !is_mended && !target.service.as_ref().is_some_and(is_back) {
                self.wrong(step, "hold-starts", format!("a hold must not start `{}` for nothing", target.name));
            }
        }
        if let Some(container) = self.observed_target(target) {
            let stops = self.is_done_before(step, target, |action| matches!(action, Action::StopContainer { .. }));
            if container.state == State::Running && !stops {
                self.wrong(step, "starts-running", format!("`{}` runs already", target.name));
            }
        }
        let service = target.service.as_ref().and_then(|name| self.declared()?.services.get(name));
        if let Some(service) = service {
            self.read_dependencies(step, service);
        }
    }

    /// What a service depends on, as far as this plan starts it, is surely as wanted before the service starts.
    fn read_dependencies(&mut self, step: &Step, service: &Service) {
        let before = self.before.get(&step.id).cloned().unwrap_or_default();
        for (on, dependency) in service.depends_on.iter().filter(|(_, dependency)| dependency.required) {
            let starts = self.plan.steps.iter().filter_map(|other| match &other.action {
                Action::StartContainer { target } if target.service.as_ref() == Some(on) => Some((other.id, target)),
                _ => None,
            });
            for (start, dependency_target) in starts.collect::<Vec<_>>() {
                let is_met = match dependency.condition {
                    Condition::Started => before.contains(&start),
                    wanted => self.earlier(step).any(|other| match &other.action {
                        Action::Await { target, condition, .. } => {
                            target.container == dependency_target.container
                                && *condition == wanted
                                && self.before[&other.id].contains(&start)
                        }
                        _ => false,
                    }),
                };
                if !is_met {
                    let message = format!("`{}` is not surely ready for `{}`", dependency_target.name, service.name);
                    self.wrong(step, "dependency", message);
                }
            }
        }
    }
}
