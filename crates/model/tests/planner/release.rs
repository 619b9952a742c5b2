//! Releases: what is served by the edge is proven from the edge, committed at one point, and cleared away after it.

use crate::check;
use crate::notation::{stack_order, tell, up, up_with};
use mainstay_model::plan::{Order, check as read, decide, render};

const STACK: &str = "
    network default
    service web on=default env=RELEASE:2 restart check route=shop.localhost:3000 probe=/health
";
const OLD: &str = "up with service web on=default env=RELEASE:1 restart check route=shop.localhost:3000 probe=/health";

#[test]
fn the_first_release_is_probed_before_it_is_served() {
    check("the_first_release_is_probed_before_it_is_served", STACK, "edge", up);
}

#[test]
fn what_is_served_and_as_declared_is_left_alone() {
    check("what_is_served_and_as_declared_is_left_alone", STACK, "edge\nup", up);
}

#[test]
fn a_new_release_runs_beside_the_old_one_until_the_commit() {
    check("a_new_release_runs_beside_the_old_one_until_the_commit", STACK, &format!("edge\n{OLD}"), up);
}

#[test]
fn cut_off_before_the_commit_it_is_proven_and_committed() {
    check("cut_off_before_the_commit", STACK, &format!("edge\n{OLD}\nsteps 3"), up);
}

#[test]
fn cut_off_after_the_commit_it_only_clears_away() {
    check("cut_off_after_the_commit", STACK, &format!("edge\n{OLD}\nsteps 5"), up);
}

#[test]
fn replicas_come_one_after_the_other_and_serve_together() {
    let stack = "network default\nservice web on=default env=R:2 replicas=2 route=shop.localhost:80 drain=0";
    let old = "up with service web on=default env=R:1 replicas=2 route=shop.localhost:80 drain=0";
    check("replicas_come_one_after_the_other_and_serve_together", stack, &format!("edge\n{old}"), up);
}

#[test]
fn what_writes_data_stops_first_and_is_kept_until_the_commit() {
    let stack = "
        network default
        volume data
        service db on=default volume=data env=R:2 check
        service web on=default env=R:2 after=db:healthy route=shop.localhost:80";
    let old = "up with service db on=default volume=data env=R:1 check;\
               service web on=default env=R:1 after=db:healthy route=shop.localhost:80";
    check("what_writes_data_stops_first_and_is_kept_until_the_commit", stack, &format!("edge\n{old}"), up);
}

#[test]
fn a_declared_strategy_decides() {
    let stack = "network default\nservice web on=default env=R:2 route=shop.localhost:80 rollout=stop-first";
    let old = "up with service web on=default env=R:1 route=shop.localhost:80 rollout=stop-first";
    check("a_declared_strategy_decides", stack, &format!("edge\n{old}"), up);
}

#[test]
fn a_redirect_needs_no_container_of_its_own() {
    let stack = "network default\nservice web on=default route=shop.localhost:80 route=www.shop.localhost>https://shop.localhost";
    check("a_redirect_is_committed_with_the_rest", stack, "edge", up);
}

#[test]
fn an_edge_that_shows_something_else_is_told_again() {
    check("an_edge_that_shows_something_else_is_told_again", STACK, "edge\nup\nconfused", up);
}

#[test]
fn without_an_edge_routes_are_refused() {
    check("without_an_edge_routes_are_refused", STACK, "edge away", up);
}

#[test]
fn without_an_edge_that_is_wanted_routes_are_warned_about() {
    check("without_an_edge_that_is_wanted", STACK, "edge away", up_with(|options| options.no_edge = true));
}

#[test]
fn an_edge_that_comes_is_counted_on() {
    // It is not there to be walked: the plan is shown before the edge is up.
    let told = tell(STACK, "edge away");
    let order = up_with(|options| options.edge_comes = true)(&told);
    let plan = decide(&order, &told.world);
    assert_eq!(read(&plan, &order, &told.world), []);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("an_edge_that_comes_is_counted_on", render(&plan));
    });
}

#[test]
fn routes_left_to_another_proxy_are_taken_off_the_edge() {
    let world = format!("edge\n{OLD}");
    check("routes_left_to_another_proxy", STACK, &world, up_with(|options| options.no_edge = true));
}

#[test]
fn an_address_of_another_stack_is_not_taken() {
    check("an_address_of_another_stack_is_not_taken", STACK, "edge\ntaken shop.localhost", up);
}

#[test]
fn routes_that_are_gone_from_the_file_are_taken_off_the_edge() {
    let stack = "network default\nservice web on=default env=RELEASE:1 restart check";
    check("routes_that_are_gone_are_taken_off", stack, &format!("edge\n{OLD}"), up);
}

#[test]
fn down_takes_the_routes_off_first_and_the_edge_off_the_network() {
    check("down_takes_the_routes_off_first", STACK, "edge\nup", |told| Order::Down(stack_order(told)));
}

#[test]
fn the_edge_joins_again_what_it_lost() {
    check("the_edge_joins_again_what_it_lost", STACK, "edge\nup\ndisconnect edge-caddy-1 shop_default", up);
}
