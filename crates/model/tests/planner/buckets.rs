//! Buckets that `up` makes.

use mainstay_model::plan::{Action, Plan, check as read, decide};
use mainstay_model::sim;

use crate::check;
use crate::notation::{tell, up};

const SHOP: &str = "
    stack shop
    network default
    volume data
    service s3 on=default volume=data check restart
    service web on=default after=s3:started restart
    service worker on=default restart
    bucket files in=s3
";

#[test]
fn a_first_up_makes_the_bucket_before_whoever_depends_on_its_server_starts() {
    check("a_first_up_makes_the_bucket", SHOP, "image none", up);
}

#[test]
fn a_bucket_that_is_missing_is_made_and_nothing_else_is_done() {
    check("a_missing_bucket_is_made", SHOP, "up\nbucket files missing", up);
}

#[test]
fn a_bucket_that_is_there_needs_nothing() {
    check("a_bucket_that_is_there", SHOP, "up\nbucket files there", up);
}

#[test]
fn a_server_that_does_not_answer_is_told_and_keeps_nobody_from_starting() {
    check("a_bucket_unseen", SHOP, "up\nbucket files unseen\nstop shop-web-1", up);
}

#[test]
fn a_bucket_elsewhere_is_made_by_what_its_server_says() {
    let stack = "stack shop\nnetwork default\nservice web on=default restart\nbucket files";
    check("a_bucket_elsewhere", stack, "up\nbucket files missing", up);
    check("a_bucket_elsewhere_unseen", stack, "up\nbucket files unseen", up);
}

#[test]
fn nothing_is_left_to_do_once_it_is_made() {
    let told = tell(SHOP, "image none");
    let (order, mut world) = (up(&told), told.world.clone());
    let mut made = std::collections::BTreeMap::new();
    for step in &decide(&order, &world).steps {
        sim::step(&mut world, step, told.declared_of(&order), &mut made)
            .unwrap_or_else(|error| panic!("{step:?}: {error}"));
    }
    assert!(decide(&order, &world).is_empty());
}

/// What the second reader says of a first `up` that was spoilt.
fn complaints(spoil: impl FnOnce(&mut Plan)) -> Vec<&'static str> {
    let told = tell(SHOP, "image none");
    let order = up(&told);
    let mut plan = decide(&order, &told.world);
    assert_eq!(read(&plan, &order, &told.world), []);
    spoil(&mut plan);
    let mut codes: Vec<&str> = read(&plan, &order, &told.world).iter().map(|complaint| complaint.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn make(plan: &mut Plan) -> &mut mainstay_model::plan::Step {
    plan.steps.iter_mut().find(|step| matches!(step.action, Action::MakeBucket { .. })).unwrap()
}

#[test]
fn the_second_reader_objects_to_a_bucket_made_too_soon_too_late_or_unasked() {
    // What starts after it leaned on the server by way of it.
    assert_eq!(complaints(|plan| make(plan).needs.clear()), ["bucket-server", "dependency"]);
    let late = complaints(|plan| {
        let (step, ready) = (make(plan).id, make(plan).needs.clone());
        for other in plan.steps.iter_mut().filter(|other| other.needs.contains(&step)) {
            other.needs.retain(|need| *need != step);
            other.needs.extend(ready.iter().copied());
        }
    });
    assert_eq!(late, ["starts-without-bucket"]);
    let sure = complaints(|plan| {
        if let Action::MakeBucket { is_certain, .. } = &mut make(plan).action {
            *is_certain = true;
        }
    });
    assert_eq!(sure, ["bucket-there"]);
    let other = complaints(|plan| {
        if let Action::MakeBucket { bucket, .. } = &mut make(plan).action {
            *bucket = "others".into();
        }
    });
    assert_eq!(other, ["bucket-unasked"]);
}
