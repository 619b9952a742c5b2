//! What is remembered of a stack when an order on it has succeeded: where its files are, and what the loop holds.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_model::declared::{Declared, NetworkMode, Service};
use mainstay_model::identity::{ServiceName, container_name};
use mainstay_model::observed::Observed;
use mainstay_model::plan::{HeldService, Order, Plan, UpOptions};

use crate::journal::{KnownChange, KnownStack, now_text};

pub(super) fn change_after(order: &Order, plan: &Plan, before: Option<KnownStack>) -> Option<KnownChange> {
    match order {
        Order::Up { .. } => committed(order, plan, before).map(|known| KnownChange::Remember(Box::new(known))),
        Order::Down(order) => Some(KnownChange::Release(order.stack.clone(), order.services.iter().cloned().collect())),
        Order::Start(_) | Order::Stop(_) | Order::Restart(_) | Order::Hold { .. } | Order::Settle(_) => None,
    }
}

/// What is remembered of a release that was committed, whatever came of the clearing away after it.
pub(super) fn committed(order: &Order, plan: &Plan, before: Option<KnownStack>) -> Option<KnownStack> {
    match order {
        Order::Up { declared, options } => Some(known_stack(declared, options, plan, before)),
        _ => None,
    }
}

fn known_stack(declared: &Declared, options: &UpOptions, plan: &Plan, before: Option<KnownStack>) -> KnownStack {
    let mut held: Vec<HeldService> = declared.services.values().filter_map(|service| hold(declared, service)).collect();
    if !options.services.is_empty() {
        // Only a part came up. The containers of the others are still those of an earlier declaration, and so is
        // what is held of them: a new network must not reach them by the back door.
        let touched = touched(options, plan);
        held.retain(|held| touched.contains(&held.service));
        let earlier = before.into_iter().flat_map(|known| known.held);
        held.extend(earlier.filter(|held| !touched.contains(&held.service)));
        held.sort_by(|a, b| a.service.cmp(&b.service));
    }
    KnownStack {
        stack: declared.stack.clone(),
        directory: declared.directory.clone(),
        files: declared.files.clone(),
        env: options.env.clone(),
        profiles: options.profiles.clone(),
        requires: declared.requires.clone(),
        held,
        up_at: Some(now_text()),
    }
}

/// What the containers of a stack say of themselves.
pub(super) fn held_by_labels(observed: &Observed) -> Vec<HeldService> {
    let mut held: BTreeMap<ServiceName, HeldService> = BTreeMap::new();
    for container in observed.containers.iter().filter(|container| !container.one_off) {
        let (Some(service), Some(attachments)) = (&container.service, &container.declared_attachments) else {
            continue;
        };
        let empty = || HeldService {
            service: service.clone(),
            container_names: BTreeSet::new(),
            attachments: attachments.clone(),
        };
        held.entry(service.clone()).or_insert_with(empty).container_names.insert(container.name.clone());
    }
    held.into_values().collect()
}

fn hold(declared: &Declared, service: &Service) -> Option<HeldService> {
    if service.network_mode != NetworkMode::Attached || service.attachments.is_empty() {
        return None;
    }
    let container_names = match &service.container_name {
        Some(name) => BTreeSet::from([name.clone()]),
        None => (1..=service.replicas).map(|n| container_name(&declared.stack, &service.name, n)).collect(),
    };
    Some(HeldService { service: service.name.clone(), container_names, attachments: service.attachments.clone() })
}

/// The services that an `up` of a part brought up or found as declared.
pub(super) fn touched(options: &UpOptions, plan: &Plan) -> BTreeSet<ServiceName> {
    let mut touched = options.services.clone();
    touched.extend(plan.unchanged.iter().cloned());
    touched.extend(plan.steps.iter().filter_map(|step| step.action.service().cloned()));
    touched
}
