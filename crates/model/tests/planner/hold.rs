//! The loop's own order: live, or not at all.

use crate::check;
use crate::notation::{hold, hold_after_return};

const STACK: &str = "
    network default
    network supabase external=supabase_default
    service nocodb on=default,supabase restart
";

fn held(name: &str, world: &str) {
    check(name, STACK, &format!("network supabase_default foreign\nup\n{world}"), hold);
}

#[test]
fn what_stands_is_left() {
    held("hold_leaves_what_stands", "");
}

#[test]
fn a_healthy_container_is_attached_while_it_runs() {
    held("hold_attaches_while_it_runs", "disconnect shop-nocodb-1 supabase_default");
}

#[test]
fn a_dead_endpoint_is_left_and_the_network_joined() {
    held("hold_leaves_a_dead_endpoint", "renew supabase_default");
}

#[test]
fn a_crash_loop_is_attached_and_started() {
    held("hold_starts_a_crash_loop", "disconnect shop-nocodb-1 supabase_default\ncrash shop-nocodb-1");
}

#[test]
fn a_container_that_the_engine_gave_up_is_started() {
    held("hold_starts_what_the_engine_gave_up", "disconnect shop-nocodb-1 supabase_default\nexit shop-nocodb-1 1");
}

#[test]
fn a_container_that_a_person_stopped_is_attached_and_left() {
    held("hold_leaves_what_a_person_stopped", "disconnect shop-nocodb-1 supabase_default\nstop shop-nocodb-1");
}

#[test]
fn a_crash_with_all_its_networks_is_not_the_holds_business() {
    held("hold_leaves_other_crashes", "crash shop-nocodb-1");
}

fn held_after_return(name: &str, world: &str) {
    check(name, STACK, &format!("network supabase_default foreign\nup\n{world}"), hold_after_return);
}

#[test]
fn a_crash_loop_is_started_when_the_stack_that_it_leans_on_is_back() {
    held_after_return("hold_starts_after_a_return", "crash shop-nocodb-1");
    held_after_return("hold_starts_what_was_given_up_after_a_return", "exit shop-nocodb-1 1");
}

#[test]
fn what_runs_or_was_stopped_is_left_when_the_other_stack_is_back() {
    held_after_return("hold_leaves_what_runs_after_a_return", "");
    held_after_return("hold_leaves_what_was_stopped_after_a_return", "stop shop-nocodb-1");
}

#[test]
fn a_network_that_is_gone_is_told() {
    held("hold_tells_of_a_missing_network", "lose supabase_default");
}

#[test]
fn a_container_without_labels_is_held_by_its_name() {
    held("hold_by_name", "remove shop-nocodb-1\ncontainer shop-nocodb-1 foreign");
}

#[test]
fn what_compose_made_is_held_too() {
    held("hold_what_compose_made", "compose shop-nocodb-1\ndisconnect shop-nocodb-1 shop_default");
}
