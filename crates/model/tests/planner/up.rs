//! `up` on worlds that are not as declared.

use crate::check;
use crate::notation::{service_name, up, up_with};

const NOCODB: &str = "
    stack nocodb
    network default
    network supabase external=supabase_default
    volume data
    service nocodb on=default,supabase volume=data env=NC_DB:pg restart
";

#[test]
fn an_empty_world_gets_everything_once() {
    check("an_empty_world_gets_everything_once", NOCODB, "network supabase_default foreign\nimage none", up);
}

#[test]
fn a_stack_that_stands_needs_nothing() {
    check("a_stack_that_stands_needs_nothing", NOCODB, "network supabase_default foreign\nup", up);
}

#[test]
fn a_missing_external_network_is_refused_with_the_command_that_makes_it() {
    check("a_missing_external_network_is_refused", NOCODB, "", up);
}

#[test]
fn a_network_of_a_required_stack_is_promised() {
    let stack = format!("{NOCODB}\nrequires supabase");
    check("a_network_of_a_required_stack_is_promised", &stack, "network supabase_default foreign\nup", up);
}

#[test]
fn two_networks_of_one_name_are_refused() {
    let world = "network supabase_default foreign\nnetwork supabase_default foreign";
    check("two_networks_of_one_name_are_refused", NOCODB, world, up);
}

#[test]
fn a_lost_attachment_comes_back_while_the_container_runs() {
    let world = "network supabase_default foreign\nup\ndisconnect nocodb-nocodb-1 supabase_default";
    check("a_lost_attachment_comes_back_while_the_container_runs", NOCODB, world, up);
}

#[test]
fn a_network_that_was_made_anew_is_joined_again() {
    let world = "network supabase_default foreign\nup\nrenew supabase_default";
    check("a_network_that_was_made_anew_is_joined_again", NOCODB, world, up);
}

#[test]
fn a_network_of_ours_that_is_gone_is_made_and_joined() {
    let world = "network supabase_default foreign\nup\nstop nocodb-nocodb-1\nlose nocodb_default";
    check("a_network_of_ours_that_is_gone_is_made_and_joined", NOCODB, world, up);
}

#[test]
fn a_lost_alias_is_joined_anew_without_a_restart() {
    let world = "network supabase_default foreign\nup\nunalias nocodb-nocodb-1 nocodb_default";
    check("a_lost_alias_is_joined_anew_without_a_restart", NOCODB, world, up);
}

#[test]
fn a_crash_loop_without_its_network_is_attached_and_started() {
    let world = "
        network supabase_default foreign
        up
        disconnect nocodb-nocodb-1 supabase_default
        crash nocodb-nocodb-1
    ";
    check("a_crash_loop_without_its_network_is_attached_and_started", NOCODB, world, up);
}

#[test]
fn a_foreign_volume_must_be_left_alone() {
    let world = "network supabase_default foreign\nvolume nocodb_data foreign";
    check("a_foreign_volume_must_be_left_alone", NOCODB, world, up);
}

#[test]
fn a_missing_external_volume_is_refused() {
    let stack = "volume data external=precious\nservice db volume=data";
    check("a_missing_external_volume_is_refused", stack, "", up);
}

#[test]
fn a_name_that_a_foreign_container_has_is_refused() {
    let world = "container shop-web-1 foreign";
    check("a_name_that_a_foreign_container_has_is_refused", "service web", world, up);
}

#[test]
fn what_compose_made_is_refused_without_take_over() {
    let world = "up\ncompose shop-web-1\ncompose shop-db-1";
    check("what_compose_made_is_refused_without_take_over", "service db\nservice web after=db", world, up);
}

#[test]
fn what_compose_made_is_replaced_with_take_over() {
    let world = "up\ncompose shop-web-1";
    check("what_compose_made_is_replaced_with_take_over", "service web", world, up_with(|o| o.take_over = true));
}

#[test]
fn dependents_start_when_their_dependencies_are_as_they_want_them() {
    let stack = "
        network default
        service db on=default check restart
        service migrate on=default after=db:healthy
        service web on=default after=db:healthy after=migrate:completed restart
        service mail on=default after=web:started after=metrics:optional
        service metrics on=default
    ";
    check("dependents_start_when_their_dependencies_are_ready", stack, "", up);
}

#[test]
fn independent_services_stand_side_by_side() {
    let stack = "network default\nservice a on=default\nservice b on=default\nservice c on=default";
    check("independent_services_stand_side_by_side", stack, "", up);
}

#[test]
fn a_job_that_ended_well_is_not_run_again() {
    let stack = "service migrate\nservice web after=migrate:completed";
    check("a_job_that_ended_well_is_not_run_again", stack, "up\nstop shop-web-1", up);
}

#[test]
fn a_stopped_container_that_does_not_differ_is_started() {
    check("a_stopped_container_is_started", "service web", "up\nexit shop-web-1 0", up);
}

#[test]
fn a_paused_container_is_left_to_the_person_who_paused_it() {
    check("a_paused_container_is_left", "service web", "up\npause shop-web-1", up);
}

#[test]
fn an_unhealthy_container_is_told_and_not_restarted() {
    check("an_unhealthy_container_is_told", "service web check", "up\nsick shop-web-1", up);
}

#[test]
fn fewer_replicas_take_the_last_numbers_away() {
    let world = "up with service web replicas=3";
    check("fewer_replicas_take_the_last_numbers_away", "service web replicas=1", world, up);
}

#[test]
fn orphans_are_told_and_left() {
    check("orphans_are_told_and_left", "service web", "up with service old", up);
}

#[test]
fn orphans_go_when_that_was_asked_for_and_their_ports_are_handed_over() {
    let world = "up with service old port=8080 ; service web";
    let stack = "service web env=A:b port=8080";
    check("orphans_go_and_their_ports_are_handed_over", stack, world, up_with(|o| o.remove_orphans = true));
}

#[test]
fn an_order_for_one_service_brings_its_dependencies_and_no_others() {
    let stack = "service db check\nservice web after=db:healthy\nservice mail";
    let order = up_with(|o| o.services = [service_name("web")].into());
    check("an_order_for_one_service_brings_its_dependencies", stack, "", order);
}

#[test]
fn an_order_without_dependencies_leaves_them() {
    let stack = "service db check\nservice web after=db:healthy";
    let order = up_with(|o| {
        o.services = [service_name("web")].into();
        o.no_deps = true;
    });
    check("an_order_without_dependencies_leaves_them", stack, "", order);
}

#[test]
fn an_order_for_an_unknown_service_is_refused() {
    let order = up_with(|o| o.services = [service_name("wbe")].into());
    check("an_order_for_an_unknown_service_is_refused", "service web", "", order);
}

#[test]
fn images_are_fetched_once_and_only_for_containers_to_be_made() {
    let stack = "
        service api image=shop-api build
        service worker image=shop-api after=api
        service cache image=redis:7
        service second image=redis:7
        service old
    ";
    let world = "image old:1\nup with service old\nremove shop-api-1\nremove shop-worker-1\nremove shop-cache-1\nremove shop-second-1\nimage none";
    check("images_are_fetched_once_and_only_when_needed", stack, world, up);
}

#[test]
fn a_pull_leaves_containers_and_says_so() {
    check("a_pull_leaves_containers_and_says_so", "service web pull=always", "up", up);
}

#[test]
fn fresh_images_are_compared_and_not_fetched() {
    let order = up_with(|o| o.images_are_fresh = true);
    check("fresh_images_are_compared_and_not_fetched", "service web pull=always", "up\nrebuild web:1", order);
}

#[test]
fn an_image_that_may_not_be_pulled_is_refused() {
    check("an_image_that_may_not_be_pulled_is_refused", "service web pull=never", "image none", up);
}

#[test]
fn nothing_starts_when_that_was_said() {
    let stack = "service db check\nservice web after=db:healthy";
    check("nothing_starts_when_that_was_said", stack, "", up_with(|o| o.no_start = true));
}

#[test]
fn nobody_waits_when_that_was_said_but_dependents_do() {
    let stack = "service db check restart\nservice web after=db:healthy restart";
    check("nobody_waits_but_dependents_do", stack, "", up_with(|o| o.no_wait = true));
}
