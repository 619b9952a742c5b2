//! The second reader objects to plans that break a law: each test breaks a good plan in one place.

use mainstay_model::observed::{AnonymousVolume, Observed};
use mainstay_model::plan::{Action, Impact, Order, Plan, Stage, StepId, TargetContainer, check, decide};

use crate::notation::{Told, hold, hold_after_return, stack_order, tell, up, up_with};

const STACK: &str = "
    network default
    volume data
    service db on=default volume=data check restart
    service web on=default after=db:healthy env=A:b restart
";
const OLD: &str = "up with service web on=default after=db:healthy restart";

fn codes(
    stack: &str,
    world: &str,
    order: impl FnOnce(&Told) -> Order,
    spoil: impl FnOnce(&mut Plan),
) -> Vec<&'static str> {
    let told = tell(stack, world);
    let order = order(&told);
    let mut plan = decide(&order, &told.world);
    assert_eq!(check(&plan, &order, &told.world), [], "the plan was good");
    spoil(&mut plan);
    let mut codes: Vec<&str> = check(&plan, &order, &told.world).iter().map(|complaint| complaint.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The first step that does such a thing.
fn step(plan: &mut Plan, is: impl Fn(&Action) -> bool) -> &mut mainstay_model::plan::Step {
    plan.steps.iter_mut().find(|step| is(&step.action)).unwrap()
}

fn is_stop(action: &Action) -> bool {
    matches!(action, Action::StopContainer { .. })
}

#[test]
fn a_need_that_points_ahead() {
    let codes = codes(STACK, "", up, |plan| plan.steps[0].needs.push(StepId(3)));
    assert_eq!(codes, ["need-ahead"]);
}

#[test]
fn a_container_made_before_its_network_and_volume() {
    let codes = codes(STACK, "", up, |plan| {
        step(plan, |action| matches!(action, Action::CreateContainer { .. })).needs.clear();
    });
    assert_eq!(codes, ["no-network", "no-volume"]);
}

#[test]
fn a_container_made_before_its_image() {
    let codes = codes("service web", "image none", up, |plan| {
        step(plan, |action| matches!(action, Action::CreateContainer { .. })).needs.clear();
    });
    assert_eq!(codes, ["no-image"]);
}

#[test]
fn a_start_before_its_dependency_is_ready() {
    let codes = codes(STACK, "", up, |plan| {
        let is_web = |action: &Action| match action {
            Action::StartContainer { target } => target.name == "shop-web-1",
            _ => false,
        };
        let creation = plan
            .steps
            .iter()
            .find(|step| step.action.makes_container() && step.action.service().unwrap().as_str() == "web");
        let creation = creation.unwrap().id;
        step(plan, is_web).needs = vec![creation];
    });
    assert_eq!(codes, ["dependency"]);
}

#[test]
fn an_impact_that_is_told_as_less() {
    let codes = codes(STACK, OLD, up, |plan| step(plan, is_stop).impact = Impact::Live);
    assert_eq!(codes, ["impact"]);
    let codes = codes_of_create(Impact::Live);
    assert_eq!(codes, ["impact"]);
}

fn codes_of_create(impact: Impact) -> Vec<&'static str> {
    codes(STACK, OLD, up, |plan| step(plan, |action| action.makes_container()).impact = impact)
}

#[test]
fn a_removal_of_what_still_runs() {
    let codes = codes(STACK, OLD, up, |plan| {
        let creation = step(plan, |action| action.makes_container()).id;
        step(plan, |action| matches!(action, Action::RemoveContainer { .. })).needs = vec![creation];
    });
    assert!(codes.contains(&"removes-running"), "{codes:?}");
}

#[test]
fn a_name_that_is_not_free_yet() {
    let codes = codes(STACK, OLD, up, |plan| {
        let start = step(plan, |action| matches!(action, Action::StartContainer { .. })).id;
        step(plan, |action| matches!(action, Action::RenameContainer { .. })).needs = vec![start];
    });
    assert_eq!(codes, ["name-taken"]);
}

#[test]
fn a_step_on_a_container_that_is_not_ours() {
    let world = format!("{OLD}\ncontainer odd foreign");
    let codes = codes(STACK, &world, up, |plan| {
        if let Action::StopContainer { target, .. } = &mut step(plan, is_stop).action {
            target.container = TargetContainer::Id("id-of-odd".into());
        }
    });
    assert!(codes.contains(&"foreign-container"), "{codes:?}");
}

#[test]
fn what_compose_made_without_leave() {
    let told = tell("service web", "up\ncompose shop-web-1");
    let allowed = up_with(|options| options.take_over = true)(&told);
    let plan = decide(&allowed, &told.world);
    let complaints = check(&plan, &up(&told), &told.world);
    assert!(complaints.iter().any(|complaint| complaint.code == "foreign-container"), "{complaints:?}");
}

#[test]
fn a_hold_that_stops_something() {
    let world = "up\ndisconnect shop-web-1 shop_default";
    let codes = codes(STACK, world, hold, |plan| {
        let attach = &mut plan.steps[0];
        if let Action::Attach { target, .. } = attach.action.clone() {
            attach.action = Action::StopContainer { target, grace_secs: None };
        }
    });
    assert_eq!(codes, ["foreign-container", "hold-stops", "impact"]);
}

#[test]
fn a_hold_that_starts_something_for_nothing() {
    let told = tell(STACK, "up\ncrash shop-web-1");
    let plan = decide(&hold_after_return(&told), &told.world);
    assert_eq!(plan.steps.len(), 1, "{plan:#?}");
    let codes =
        |order| check(&plan, &order, &told.world).into_iter().map(|complaint| complaint.code).collect::<Vec<_>>();
    assert_eq!(codes(hold_after_return(&told)), Vec::<&str>::new());
    assert_eq!(codes(hold(&told)), ["hold-starts"]);
}

#[test]
fn a_detach_for_good_and_an_attach_of_what_is_attached() {
    let world = "up\nrenew shop_default";
    let detached = codes(STACK, world, up, |plan| {
        plan.steps.truncate(1);
    });
    assert_eq!(detached, ["detach-alone"]);
    let attached = codes(STACK, world, up, |plan| {
        plan.steps.iter_mut().filter(|step| matches!(step.action, Action::Attach { .. })).for_each(|s| s.needs.clear());
    });
    assert_eq!(attached, ["attached-already", "detach-alone"]);
}

#[test]
fn a_carried_volume_under_two_that_run_one_left_behind_and_one_of_others() {
    let stack = "service web volume=:/cache env=A:b\nservice db volume=:/cache";
    let world = "up with service web volume=:/cache";
    let is_create = |action: &Action| action.makes_container();
    let started_early = codes(stack, world, up, |plan| {
        let creation = step(plan, is_create).id;
        step(plan, |action| matches!(action, Action::StartContainer { .. })).needs = vec![creation];
    });
    assert_eq!(started_early, ["removes-running", "shared-while-running"]);
    let carry = |with: fn(&mut Vec<AnonymousVolume>)| {
        codes(stack, world, up, |plan| {
            if let Action::CreateContainer { carried, .. } = &mut step(plan, is_create).action {
                with(carried);
            }
        })
    };
    assert_eq!(carry(|carried| carried.clear()), ["not-carried"]);
    assert_eq!(carry(|carried| carried[0].name += "-of-others"), ["foreign-volume"]);
    assert_eq!(
        carry(|carried| carried[0].target = "/etc".into()),
        ["carried-unasked", "foreign-volume", "not-carried"]
    );
    assert_eq!(carry(|carried| carried.push(carried[0].clone())), ["carried-twice"]);
    let removed = codes(stack, world, up, |plan| {
        let removal = step(plan, |action| matches!(action, Action::RemoveContainer { .. }));
        removal.impact = Impact::Destroy;
        if let Action::RemoveContainer { volumes, .. } = &mut removal.action {
            *volumes = true;
        }
    });
    assert_eq!(removed, ["removes-carried"]);
}

#[test]
fn a_volume_that_nobody_named_and_one_that_goes_too_early() {
    let named = |told: &Told| {
        let mut order = stack_order(told);
        order.volumes.insert("shop_data".into());
        Order::Down(order)
    };
    let is_removal = |action: &Action| matches!(action, Action::RemoveVolume { .. });
    assert_eq!(codes(STACK, "up", named, |plan| step(plan, is_removal).needs.clear()), ["volume-too-early"]);
    let told = tell(STACK, "up");
    let plan = decide(&named(&told), &told.world);
    let complaints = check(&plan, &Order::Down(stack_order(&told)), &told.world);
    assert_eq!(complaints.iter().map(|complaint| complaint.code).collect::<Vec<_>>(), ["volume-not-named"]);
}

#[test]
fn a_network_removed_under_a_member() {
    let down = |told: &Told| Order::Down(stack_order(told));
    let codes = codes(STACK, "up", down, |plan| {
        step(plan, |action| matches!(action, Action::RemoveNetwork { .. })).needs.clear();
    });
    assert_eq!(codes, ["network-in-use"]);
}

#[test]
fn the_same_thing_twice() {
    let codes = codes(STACK, OLD, up, |plan| {
        let mut again = plan.steps[1].clone();
        again.id = StepId(plan.steps.len() as u32 + 1);
        plan.steps.push(again);
    });
    assert!(codes.contains(&"twice"), "{codes:?}");
}

#[test]
fn fifty_services_without_dependencies_stand_in_fifty_chains() {
    let stack: String = (0..50).map(|n| format!("service s{n:02}\n")).collect();
    let told = tell(&stack, "");
    let plan = decide(&up(&told), &Observed { images: told.world.images.clone(), ..told.world.clone() });
    assert_eq!(plan.steps.len(), 150);
    for chain in plan.steps.chunks(3) {
        assert!(chain[0].needs.is_empty());
        assert_eq!(chain[1].needs, [chain[0].id]);
        assert_eq!(chain[2].needs, [chain[1].id]);
    }
}

const CHECKED: &str = "
    network default
    service web on=default env=RELEASE:2 restart check route=shop.localhost:3000
    smoke https://shop.localhost edge
    smoke https://shop.example.com outside
";
const BEFORE: &str = "edge\nup with service web on=default env=RELEASE:1 restart check route=shop.localhost:3000";

fn is_smoke(wanted: Stage) -> impl Fn(&Action) -> bool {
    move |action| matches!(action, Action::Smoke { stage, .. } if *stage == wanted)
}

#[test]
fn checks_of_what_is_not_proven() {
    let codes = codes(CHECKED, BEFORE, up, |plan| {
        let creation = plan.steps.iter().find(|step| step.action.makes_container()).unwrap().id;
        step(plan, is_smoke(Stage::BeforeCommit)).needs = vec![creation];
    });
    assert_eq!(codes, ["asked-unproven", "impact", "unproven"]);
}

#[test]
fn a_commit_before_its_checks() {
    let codes = codes(CHECKED, BEFORE, up, |plan| {
        let smoke = step(plan, is_smoke(Stage::BeforeCommit)).id;
        let proofs = step(plan, is_smoke(Stage::BeforeCommit)).needs.clone();
        let commit = step(plan, |action| matches!(action, Action::Commit { .. }));
        commit.needs.retain(|need| *need != smoke);
        commit.needs.extend(proofs);
    });
    assert_eq!(codes, ["asked-elsewhen", "unproven"]);
}

#[test]
fn an_old_container_that_goes_before_the_checks_after_the_commit() {
    let codes = codes(CHECKED, BEFORE, up, |plan| {
        let commit = step(plan, |action| matches!(action, Action::Commit { .. })).id;
        step(plan, |action| matches!(action, Action::Drain { .. })).needs = vec![commit];
    });
    assert_eq!(codes, ["cleared-unasked"]);
}
