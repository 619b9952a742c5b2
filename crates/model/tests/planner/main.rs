//! The planner's obligations: examples as text, and laws over generated stacks and worlds.

#![allow(clippy::unwrap_used)]

mod backups;
mod buckets;
mod down;
mod hold;
mod laws;
mod migrate;
mod notation;
mod preflight;
mod reader;
mod release;
mod replace;
mod stack_orders;
mod up;
mod walk;
mod wild;

use std::collections::BTreeMap;

use mainstay_model::plan::{Order, check as read, consent, decide, render};

/// The one way through which an example is checked: a stack and a world as text, an order, and the plan as a snapshot.
/// The second reader must have nothing to say about any of them.
pub fn check(name: &str, stack: &str, world: &str, order: impl FnOnce(&notation::Told) -> Order) {
    let told = notation::tell(stack, world);
    let order = order(&told);
    let plan = decide(&order, &told.world);
    let complaints = read(&plan, &order, &told.world);
    let consent = match consent::needed(&order, &plan) {
        Some(reason) => format!("needs consent: {reason}\n"),
        None => String::new(),
    };
    let migrations = match consent::needed_for_migrations(&order, &plan) {
        Some(reason) => format!("needs consent: {reason}\n"),
        None => String::new(),
    };
    let shown = format!("{}\n{}---\n{}{consent}{migrations}", trimmed(stack), trimmed(world), render(&plan));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, shown);
    });
    assert_eq!(complaints, [], "the second reader objects to the plan of {name}");
    if plan.refusals().next().is_none() {
        let mut world = told.world.clone();
        let mut made = BTreeMap::new();
        for step in &plan.steps {
            if let Err(error) = mainstay_model::sim::step(&mut world, step, told.declared_of(&order), &mut made) {
                panic!("step {} of {name} cannot be done: {error}", step.id.0);
            }
        }
    }
}

fn trimmed(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}
