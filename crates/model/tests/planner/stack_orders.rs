//! `start`, `stop` and `restart` from labels alone.

use mainstay_model::plan::{Order, StackOrder};

use crate::check;
use crate::notation::{held, service_name, stack_order};

const STACK: &str = "
    service db check restart
    service migrate after=db:healthy
    service web after=db:healthy:restart after=migrate:completed restart
    service mail
";

#[test]
fn stop_stops_dependents_first() {
    check("stop_stops_dependents_first", STACK, "up", |told| Order::Stop(stack_order(told)));
}

#[test]
fn start_starts_dependencies_first_and_leaves_what_is_done() {
    let world = "up\nstop shop-db-1\nstop shop-web-1\nstop shop-mail-1";
    check("start_starts_dependencies_first", STACK, world, |told| Order::Start(stack_order(told)));
}

#[test]
fn restart_drags_along_who_said_so() {
    check("restart_drags_along_who_said_so", STACK, "up", |told| {
        let mut order = stack_order(told);
        order.services = [service_name("db")].into();
        order.timeout_secs = Some(3);
        Order::Restart(order)
    });
}

#[test]
fn what_compose_made_is_stopped_by_an_explicit_order() {
    let world = "up\ncompose shop-mail-1\ncontainer shop-mail-9 foreign";
    check("stop_stops_what_compose_made", "service mail", world, |told| Order::Stop(stack_order(told)));
}

#[test]
fn of_two_for_one_place_the_later_one_starts() {
    let world = "up with service web\nsteps 3\nstop shop-web-1.next";
    check("of_two_for_one_place_the_later_one_starts", "service web env=A:b", world, |told| {
        Order::Start(stack_order(told))
    });
}

const JOINED: &str = "
    network default
    network supabase external=supabase_default
    service db restart
    service nocodb on=default,supabase after=db:started restart
";

fn joined(name: &str, world: &str, order: fn(StackOrder) -> Order) {
    check(name, JOINED, &format!("network supabase_default foreign\nup\n{world}"), |told| {
        order(StackOrder { held: held(&told.declared), ..stack_order(told) })
    });
}

#[test]
fn start_puts_a_container_back_on_its_networks_first() {
    let world = "stop shop-nocodb-1\ndisconnect shop-nocodb-1 supabase_default";
    joined("start_attaches_first", world, Order::Start);
}

#[test]
fn start_leaves_a_network_that_was_made_anew_for_the_new_one() {
    joined("start_attaches_to_a_network_made_anew", "stop shop-nocodb-1\nrenew supabase_default", Order::Start);
}

#[test]
fn start_without_its_network_says_what_to_do_first() {
    joined("start_without_its_network", "stop shop-nocodb-1\nlose supabase_default", Order::Start);
    joined("start_without_its_own_network", "stop shop-nocodb-1\nstop shop-db-1\nlose shop_default", Order::Start);
}

#[test]
fn what_runs_is_not_stopped_for_a_start_that_cannot_be() {
    joined("restart_without_its_network", "lose supabase_default", Order::Restart);
}

#[test]
fn start_leaves_what_runs_alone() {
    joined("start_leaves_what_runs", "disconnect shop-nocodb-1 supabase_default", Order::Start);
}

#[test]
fn restart_attaches_between_the_stop_and_the_start() {
    joined("restart_attaches_in_between", "disconnect shop-nocodb-1 supabase_default", Order::Restart);
}
