//! Replacing a container, and the worlds that a cut-off replacement leaves.

use crate::check;
use crate::notation::{service_name, up, up_with};

const STACK: &str = "
    network default
    service web on=default env=LOG_LEVEL:debug restart check
";
const OLD: &str = "up with service web on=default env=LOG_LEVEL:info restart check";

/// The same replacement, cut off after so many of its steps.
fn cut_off(name: &str, steps: usize) {
    check(name, STACK, &format!("{OLD}\nsteps {steps}"), up);
}

#[test]
fn the_old_container_serves_until_the_new_one_is_made() {
    check("the_old_container_serves_until_the_new_one_is_made", STACK, OLD, up);
}

#[test]
fn after_create() {
    cut_off("cut_off_after_create", 1);
}

#[test]
fn after_stop() {
    cut_off("cut_off_after_stop", 2);
}

#[test]
fn after_start() {
    cut_off("cut_off_after_start", 3);
}

#[test]
fn after_await() {
    cut_off("cut_off_after_await", 4);
}

#[test]
fn after_remove() {
    cut_off("cut_off_after_remove", 5);
}

#[test]
fn the_old_container_is_kept_while_the_new_one_is_unhealthy() {
    let world = format!("{OLD}\nsteps 3\nsick shop-web-1.next");
    check("the_old_container_is_kept_while_the_new_one_is_unhealthy", STACK, &world, up);
}

#[test]
fn a_half_made_replacement_of_yet_another_declaration_goes_too() {
    let stack = "network default\nservice web on=default env=LOG_LEVEL:trace restart check";
    let world = format!(
        "{OLD}\nup with service web on=default env=LOG_LEVEL:debug restart check\nrename shop-web-1 shop-web-1.next"
    );
    check("a_half_made_replacement_of_another_declaration_goes_too", stack, &world, up);
}

#[test]
fn going_back_to_the_old_declaration_uses_the_old_container() {
    let stack = "network default\nservice web on=default env=LOG_LEVEL:debug restart";
    let world = "up\ncontainer shop-web-1.next compose service=web number=1\nexit shop-web-1 143";
    check("going_back_uses_the_old_container", stack, world, up_with(|o| o.take_over = true));
}

#[test]
fn every_differing_field_is_named() {
    let world = "up with service web image=web:1 env=A:1 port=8080 replicas=1";
    check("every_differing_field_is_named", "service web image=web:2 env=A:2 env=B:1 port=8081", world, up);
}

#[test]
fn another_build_of_the_image_replaces() {
    check("another_build_of_the_image_replaces", "service web", "up\nrebuild web:1", up);
}

#[test]
fn a_build_that_was_asked_for_replaces_that_service_alone() {
    let stack = "service db build\nservice web build after=db";
    let order = up_with(|o| {
        o.build = true;
        o.services = [service_name("web")].into();
    });
    check("a_build_that_was_asked_for_replaces_that_service_alone", stack, "up", order);
}

#[test]
fn a_lost_fingerprint_replaces() {
    check("a_lost_fingerprint_replaces", "service web", "up\nblur shop-web-1", up);
}

#[test]
fn force_replaces_what_does_not_differ() {
    let order = up_with(|o| o.force_recreate = true);
    check("force_replaces_what_does_not_differ", "service web volume=:/cache", "up", order);
}

#[test]
fn what_the_image_asks_for_goes_over_too() {
    let world = "image web:1 volume /keep\nup with service web volume=:/cache";
    check("what_the_image_asks_for_goes_over_too", "service web volume=:/cache env=A:b", world, up);
}

#[test]
fn cut_off_a_replacement_goes_on_with_the_volume_that_it_had() {
    let world = "up with service web volume=:/cache\nsteps 2";
    check("cut_off_with_an_anonymous_volume", "service web volume=:/cache env=A:b", world, up);
    let another = "service web volume=:/cache env=A:c";
    let world = "up with service web volume=:/cache\nup with service web volume=:/cache env=A:b\nstop shop-web-1";
    check("declared_anew_with_an_anonymous_volume", another, world, up);
}

#[test]
fn an_anonymous_volume_that_nobody_asks_for_any_more_stays_and_is_named() {
    let world = "up with service web volume=:/cache";
    check("an_anonymous_volume_that_nobody_asks_for", "volume data\nservice web", world, up);
    check(
        "an_anonymous_volume_renewed",
        "service web volume=:/cache env=A:b",
        world,
        up_with(|o| o.renew_anon_volumes = true),
    );
}

#[test]
fn what_is_had_from_another_container_is_not_carried_over() {
    let stack = "service db volume=:/cache\nservice web volumes-from=db env=A:b";
    check("what_is_had_from_another_is_not_carried", stack, "up with service web volumes-from=db", up);
}

#[test]
fn of_an_image_to_come_everything_goes_over() {
    let world = "image web:1 volume /keep\nup with service web build";
    check("of_an_image_to_come_everything_goes_over", "service web build", world, up_with(|o| o.build = true));
}

#[test]
fn several_containers_are_replaced_one_after_the_other() {
    let world = "up with service web replicas=3 check restart";
    check("several_are_replaced_one_after_the_other", "service web replicas=3 check restart env=A:b", world, up);
}

#[test]
fn the_old_container_serves_while_a_dependency_becomes_ready() {
    let stack = "service db check\nservice web after=db:healthy env=A:b";
    let world = "up with service web after=db:healthy\nstop shop-db-1";
    check("the_old_container_serves_while_a_dependency_becomes_ready", stack, world, up);
}

#[test]
fn a_dependent_restarts_when_it_said_so() {
    let stack = "service db check env=A:b\nservice web after=db:healthy:restart restart\nservice mail after=db:healthy";
    let world = "up with service db check";
    check("a_dependent_restarts_when_it_said_so", stack, world, up);
}

#[test]
fn a_dependent_that_was_not_restarted_in_time_is_restarted_later() {
    let stack = "service db check env=A:b\nservice web after=db:healthy:restart restart";
    let world = "up with service db check\nsteps 5";
    check("a_dependent_that_was_not_restarted_in_time", stack, world, up);
}

#[test]
fn who_shares_a_network_is_replaced_with_its_owner() {
    let stack = "service vpn env=A:b\nservice client share=vpn";
    check("who_shares_a_network_is_replaced_with_its_owner", stack, "up with service vpn", up);
}

#[test]
fn who_shares_a_network_starts_again_with_its_owner() {
    let stack = "service vpn\nservice client share=vpn";
    check("who_shares_a_network_starts_again_with_its_owner", stack, "up\nexit shop-vpn-1 1", up);
}

#[test]
fn a_new_name_is_given_while_the_container_runs() {
    check("a_new_name_is_given_while_the_container_runs", "service web name=front", "up with service web", up);
}

#[test]
fn two_names_are_swapped() {
    let world = "up with service a name=x ; service b name=y";
    check("two_names_are_swapped", "service a name=y\nservice b name=x", world, up);
}

#[test]
fn made_and_not_started_the_old_one_serves_on() {
    let world = "up with service web";
    check("made_and_not_started_the_old_one_serves_on", "service web env=A:b", world, up_with(|o| o.no_start = true));
}

#[test]
fn a_volume_that_is_gone_replaces_who_mounts_it() {
    let world = "up\ndrop shop_data";
    check("a_volume_that_is_gone_replaces_who_mounts_it", "volume data\nservice db volume=data", world, up);
}

/// Of an owner whose next container was made and not started, both would run while the sharers are made: which of them a
/// sharer gets is the engine's to guess. One that this plan makes is known.
#[test]
fn the_half_made_owner_of_a_shared_network_is_made_again_beside_the_one_that_serves() {
    let stack = "network default\nservice b on=default env=A:2 rollout=rolling restart\nservice c share=b replicas=2";
    let world = "up with service b on=default env=A:1 rollout=rolling restart\nsteps 1";
    check("the_half_made_owner_of_a_shared_network_is_made_again", stack, world, up);
}
