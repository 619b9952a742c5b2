//! The edge, met by orders on other stacks: they bring it to their networks, and it is held there like anyone.

use std::collections::BTreeSet;

use mainstay_model::declared::Attachment;
use mainstay_model::edge::wanted;
use mainstay_model::identity::StackName;
use mainstay_model::observed::Observed;
use mainstay_model::plan::{Action, Order, Plan};

use crate::journal::KnownChange;

/// The edge as an order saw it.
pub(super) struct MetEdge {
    stack: StackName,
    /// The name of its container.
    container: String,
}

impl MetEdge {
    pub(super) fn in_sight(observed: &Observed) -> Option<MetEdge> {
        let container = &observed.edge.as_ref()?.container;
        let stack = observed.container_named(container)?.stack.clone()?;
        Some(MetEdge { stack, container: container.clone() })
    }

    /// What an order that succeeded changes in where the edge is held.
    pub(super) fn change_after(&self, order: &Order, walked: &Plan) -> Option<KnownChange> {
        let joins = match order {
            Order::Up { declared, options }
                if !options.no_edge && !options.no_start && declared.stack != self.stack =>
            {
                let routed = declared.services.values().filter_map(|s| wanted::meeting_place(s, &declared.networks));
                let scoped = |network: &String| options.services.is_empty() || self.is_joined(walked, network);
                let bare = |at: &Attachment| Attachment {
                    key: at.key.clone(),
                    network: at.network.clone(),
                    ..Attachment::default()
                };
                routed.filter(|at| scoped(&at.network)).map(bare).collect()
            }
            Order::Down(_) => Vec::new(),
            _ => return None,
        };
        let leaves = walked.steps.iter().filter_map(|step| match &step.action {
            Action::Detach { target, network, .. } if target.name == self.container => Some(network.clone()),
            _ => None,
        });
        // What it left in order to join it again at once is among those that it joins.
        let leaves: BTreeSet<String> =
            leaves.filter(|left| joins.iter().all(|at: &Attachment| at.network != *left)).collect();
        (!joins.is_empty() || !leaves.is_empty()).then(|| KnownChange::Meet {
            stack: self.stack.clone(),
            joins,
            leaves,
        })
    }

    /// An `up` of some services brings the edge to the networks of those alone.
    fn is_joined(&self, walked: &Plan, network: &str) -> bool {
        walked.steps.iter().any(|step| match &step.action {
            Action::Attach { target, attachment } => target.name == self.container && attachment.network == network,
            _ => false,
        })
    }
}
