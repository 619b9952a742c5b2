//! Releases: what is served by the edge is proven from the edge, committed at one point, and cleared away after it.

use crate::check;
use std::collections::BTreeMap;

use crate::notation::{Told, service_name, stack_order, tell, up, up_with};
use mainstay_model::observed::Observed;
use mainstay_model::plan::{Action, CANNOT_LEAD_BACK, Order, SettleOrder, check as read, decide, render};
use mainstay_model::sim;

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

const CHECKED: &str = "
    network default
    service web on=default env=RELEASE:2 restart check route=shop.localhost:3000 route=www.shop.localhost>https://shop.localhost
    smoke https://shop.localhost/login edge
    smoke https://www.shop.localhost edge
    smoke http://web:3000/health inside
    smoke https://shop.example.com outside
";

#[test]
fn checks_are_asked_before_the_commit_where_they_can_be_and_after_it_else() {
    check("checks_around_the_commit", CHECKED, &format!("edge\n{OLD}"), up);
}

#[test]
fn of_a_first_release_checks_are_asked_as_well() {
    check("checks_of_a_first_release", CHECKED, "edge", up);
}

#[test]
fn a_commit_that_leads_nobody_elsewhere_has_all_checks_before_it() {
    let stack = "
        network default
        volume data
        service db on=default volume=data env=R:2 check
        service web on=default route=shop.localhost:80
        smoke https://shop.localhost edge
        smoke http://db:80 inside
        smoke https://elsewhere.example outside";
    let old = "up with service db on=default volume=data env=R:1 check";
    check("checks_before_a_commit_that_leads_nobody", stack, &format!("edge\n{old}"), up);
}

#[test]
fn without_a_commit_checks_come_at_the_end() {
    let stack = "network default\nservice web on=default port=8080\nsmoke http://localhost:8080 outside";
    check("checks_at_the_end", stack, "", up);
}

#[test]
fn checks_are_not_asked_where_somebody_said_so_and_where_nothing_is_done() {
    let world = format!("edge\n{OLD}");
    check("no_smoke_checks", CHECKED, &world, up_with(|options| options.no_smoke = true));
    check("checks_of_nothing", CHECKED, "edge\nup", up);
}

/// The release of what was told, as far as its commit.
fn committed(told: &Told) -> (Observed, Order) {
    let order = up(told);
    let plan = decide(&order, &told.world);
    let commit = plan.steps.iter().position(|step| matches!(step.action, Action::Commit { .. })).unwrap();
    let (mut world, mut made) = (told.world.clone(), BTreeMap::new());
    for step in &plan.steps[..=commit] {
        sim::step(&mut world, step, Some(&told.declared), &mut made).unwrap();
    }
    (world, Order::Settle(SettleOrder { committed: true, ..SettleOrder::before(&told.world) }))
}

#[test]
fn what_does_not_hold_after_its_commit_is_led_back() {
    let told = tell(CHECKED, &format!("edge\n{OLD}"));
    let (world, order) = committed(&told);
    let plan = decide(&order, &world);
    assert_eq!(read(&plan, &order, &world), []);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("what_does_not_hold_is_led_back", render(&plan));
    });
}

#[test]
fn a_release_stays_when_what_ran_before_it_is_gone() {
    let told = tell(CHECKED, &format!("edge\n{OLD}"));
    let (mut world, order) = committed(&told);
    world.containers.retain(|container| container.name != "shop-web-1");
    let plan = decide(&order, &world);
    let codes: Vec<&str> = plan.refusals().map(|refusal| refusal.code.as_str()).collect();
    assert_eq!(codes, [CANNOT_LEAD_BACK]);
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
fn what_changes_and_loses_its_routes_serves_until_the_commit() {
    let stack = "network default\nservice web on=default env=RELEASE:2 restart check";
    check("changed_and_without_routes", stack, &format!("edge\n{OLD}"), up);
}

#[test]
fn the_edge_stays_on_a_network_over_which_another_stack_is_served() {
    let stack = "network default\nservice web on=default env=RELEASE:1 restart check";
    let joined = "member shop_default their-web-1\ntaken their.localhost their-web-1";
    check("the_edge_stays_for_another_stack", stack, &format!("edge\n{OLD}\n{joined}"), up);
}

#[test]
fn down_takes_the_routes_off_first_and_the_edge_off_the_network() {
    check("down_takes_the_routes_off_first", STACK, "edge\nup", |told| Order::Down(stack_order(told)));
}

#[test]
fn the_edge_joins_again_what_it_lost() {
    check("the_edge_joins_again_what_it_lost", STACK, "edge\nup\ndisconnect edge-caddy-1 shop_default", up);
}

#[test]
fn what_a_promoted_tag_is_stands_in_the_plan() {
    use mainstay_model::declared::{Pin, Promoted};
    let of = |image: &str, pin: Pin| Promoted { image: image.into(), pin: Some(pin) };
    let order = up_with(|options| {
        let digest = Pin::Digest("sha256:9d09".into());
        options.promoted = [("web", of("acme/web:2", digest.clone())), ("worker", of("acme/web:2", digest))]
            .into_iter()
            .chain([
                ("db", of("mine:2", Pin::Local("sha256:77aa".into()))),
                ("old", of("old:1", Pin::Local("x".into()))),
            ])
            .map(|(name, promoted)| (service_name(name), promoted))
            .collect();
        options.promotes = Some(["web", "worker", "db"].map(service_name).into());
    });
    check(
        "what_a_promoted_tag_is_stands_in_the_plan",
        "stack shop\nservice web\nservice worker\nservice db",
        "",
        order,
    );
}

/// What no route leads to is asked from the engine's host, where something was declared to ask.
#[test]
fn a_probe_without_a_route_is_asked_from_the_host() {
    let stack =
        "network default\nservice db on=default image=db:1 probe=tcp:5432\nservice worker on=default probe=9000/health";
    check("a_probe_without_a_route_is_asked_from_the_host", stack, "", up);
}
