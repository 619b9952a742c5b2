//! The planner.

use super::{Order, Plan};
use crate::observed::Observed;

/// Decides the steps from the world as observed to the order fulfilled. Pure: same input, same plan.
pub fn decide(order: &Order, observed: &Observed) -> Plan {
    let _ = observed;
    Plan {
        stack: order.stack().clone(),
        verb: order.verb().into(),
        steps: Vec::new(),
        findings: Vec::new(),
        unchanged: Vec::new(),
    }
}
