//! `down`: everything of ours, nothing of anybody else's, and no volume that was not named.

use mainstay_model::plan::Order;

use crate::check;
use crate::notation::{Told, stack_order};

const STACK: &str = "
    network default
    volume data
    service db on=default volume=data check
    service web on=default after=db:healthy
";

fn down(told: &Told) -> Order {
    Order::Down(stack_order(told))
}

fn down_with_volume(name: &'static str) -> impl FnOnce(&Told) -> Order {
    move |told| {
        let mut order = stack_order(told);
        order.volumes.insert(name.into());
        Order::Down(order)
    }
}

#[test]
fn dependents_stop_first_and_volumes_stay() {
    check("down_stops_dependents_first_and_volumes_stay", STACK, "up", down);
}

#[test]
fn a_named_volume_goes() {
    check("down_with_a_named_volume", STACK, "up", down_with_volume("shop_data"));
}

#[test]
fn a_foreign_volume_is_refused() {
    check("down_refuses_a_foreign_volume", STACK, "up\nvolume precious foreign", down_with_volume("precious"));
}

#[test]
fn a_volume_that_is_not_there_is_told() {
    check("down_tells_of_an_absent_volume", STACK, "", down_with_volume("shop_data"));
}

#[test]
fn a_network_with_members_of_other_stacks_stays() {
    check("down_leaves_a_network_in_use", STACK, "up\nmember shop_default other-app-1", down);
}

#[test]
fn what_compose_made_stays() {
    check("down_leaves_what_compose_made", STACK, "up\ncompose shop-web-1", down);
}
