//! `develop.watch`: hears what changes in folders, and says what that asks for. What is asked for is done by others: files
//! are brought by [`Docker::sync`](crate::docker::Docker::sync), containers are restarted and made by orders.

mod listen;
mod rules;
mod work;

pub use listen::{Changes, Listener};
pub use rules::{Rule, rules_of};
pub use work::{Move, Work, initial, work_of};
