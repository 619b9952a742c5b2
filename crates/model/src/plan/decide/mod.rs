//! The planner: from the world as observed to an order fulfilled.
//!
//! It is a pure function of its two arguments. The observed lists are sorted first, so that the order of an
//! engine's answer cannot show in a plan. Each noun has a file: [`images`], [`networks`], [`volumes`], the
//! [`containers`] of a service and how each is judged, the [`instances`] that take a place, their
//! [`attachments`] and [`anonymous`] volumes, the [`waits`] between them, the [`names`] they carry; and one file for each of the other
//! orders: [`down`], [`start_stop`], [`hold`]. All of them write into one [`draft`].

mod anonymous;
mod attachments;
mod backups;
mod buckets;
mod commit;
mod containers;
mod dependencies;
mod down;
mod draft;
mod hold;
mod images;
mod instances;
mod migrations;
mod names;
mod networks;
mod orphans;
mod ports;
mod routes;
mod settle;
mod smoke;
mod start_stop;
mod up;
mod volumes;
mod waits;

pub(super) use routes::ANSWERS_WITHIN_SECS;
pub use settle::CANNOT_LEAD_BACK;
pub(super) use waits::READY_WITHIN_SECS;

use super::{Level, Order, Plan};
use crate::declared::warnings;
use crate::observed::Observed;

/// Decides the steps from the world as observed to the order fulfilled. Pure: same input, same plan.
pub fn decide(order: &Order, observed: &Observed) -> Plan {
    let mut world = observed.clone();
    world.settle();
    let mut draft = match order {
        Order::Up { declared, options } => up::up(declared, options, &world),
        Order::Down(order) => down::down(order, &world),
        Order::Start(order) => start_stop::start(order, &world),
        Order::Stop(order) => start_stop::stop(order, &world),
        Order::Restart(order) => start_stop::restart(order, &world),
        Order::Hold { stack, services, returned, reattached } => {
            hold::hold(stack, services, &hold::Back { returned, reattached }, &world)
        }
        Order::Settle(order) => settle::settle(order, &world),
    };
    if let Order::Up { declared, .. } = order {
        draft.findings.extend(warnings::find(declared, &world));
    }
    for what in &world.unreadable {
        let hint = "what cannot be read is taken as absent here; look again before applying";
        draft.tell(Level::Warning, "unreadable", what.clone(), Some(hint));
    }
    draft.finish(order.stack().clone(), order.verb())
}

/// "`a`", "`a` and `b`", "`a`, `b` and `c`".
fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// The word for one or for several.
fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}
