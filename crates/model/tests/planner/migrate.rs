//! Migrations that are part of a release, and what is told of those that are not.

use std::collections::BTreeMap;

use mainstay_model::plan::{Action, Impact, StepId, check as read, consent, decide, round};
use mainstay_model::postgres::migration::SchemaLevel;

use crate::check;
use crate::notation::{service_name, tell, up, up_with};

const CRM: &str = "
    stack crm
    network default
    volume data
    service db on=default volume=data check restart
    service web on=default after=db:healthy env=A:b route=crm.localhost:80 check restart
    service worker on=default restart
    database crm in=db files=1.sql,2.sql,3.sql
";

/// A first release stands, and the database was migrated so far.
const STANDS: &str = "edge\nup with service web on=default after=db:healthy route=crm.localhost:80 check restart";

#[test]
fn a_first_release_makes_the_database_and_migrates_it_before_anything_else_starts() {
    check("a_first_release_migrates", CRM, "edge\nimage none", up);
}

#[test]
fn a_release_migrates_what_is_pending_before_the_new_containers_start() {
    check("a_release_migrates", CRM, &format!("{STANDS}\nledger crm 1.sql"), up);
}

#[test]
fn a_pending_file_alone_is_a_release() {
    check("a_pending_file_alone", CRM, "edge\nup\nledger crm 1.sql 2.sql", up);
}

#[test]
fn a_schema_that_is_as_the_files_say_needs_nothing() {
    check("a_schema_that_stands", CRM, "edge\nup\nledger crm 1.sql 2.sql 3.sql", up);
}

#[test]
fn a_database_that_stood_still_says_what_is_pending_once_it_runs() {
    check("a_database_that_stood_still", CRM, &format!("{STANDS}\nunseen crm\nstop crm-db-1"), up);
}

#[test]
fn what_the_last_release_left_applied_is_not_expected_to_be_pending() {
    let level = |applied, last: &str| {
        let level = SchemaLevel { applied, last: Some(last.into()) };
        move |options: &mut mainstay_model::plan::UpOptions| {
            options.schema_then = BTreeMap::from([("crm".to_owned(), level)]);
        }
    };
    let world = "edge\nup\nunseen crm\nremove crm-db-1\nremove crm-web-1\nremove crm-worker-1";
    check("nothing_expected_to_be_pending", CRM, world, up_with(level(3, "3.sql")));
    check("something_expected_to_be_pending", CRM, world, up_with(level(2, "2.sql")));
}

#[test]
fn a_database_elsewhere_is_migrated_first() {
    let stack = "
        stack crm
        network default
        service web on=default restart
        database crm files=1.sql,2.sql
        database reports files=a.sql
    ";
    check("a_database_elsewhere", stack, "ledger crm 1.sql\nledger reports", up);
}

#[test]
fn a_database_that_does_not_answer_is_refused() {
    let stack = "stack crm\nnetwork default\nservice web on=default restart\ndatabase crm files=1.sql";
    check("a_database_that_does_not_answer", stack, "unseen crm", up);
}

#[test]
fn what_takes_data_away_is_told_and_agreed_to() {
    let stack = format!("{CRM}\ndatabase crm in=db files=1.sql,2.sql drops=2.sql");
    check("what_takes_data_away", &stack, "edge\nup\nledger crm 1.sql", up);
}

#[test]
fn what_is_wrong_with_files_is_refused_before_the_first_step() {
    let stack = format!("{CRM}\ndatabase crm in=db files=1.sql,2.sql,3.sql faulty=3.sql");
    check("what_is_wrong_with_files", &stack, &format!("{STANDS}\nledger crm 2.sql"), up);
    check("what_is_wrong_with_files_at_first", &stack, "edge", up);
}

#[test]
fn a_database_that_no_release_migrates_is_told_to_be_behind() {
    let stack = format!("{CRM}\ndatabase crm in=db files=1.sql,2.sql by-hand");
    check("told_to_be_behind", &stack, "edge\nup\nledger crm 1.sql", up);
}

#[test]
fn an_order_about_another_part_migrates_nothing_and_says_so() {
    let only = |options: &mut mainstay_model::plan::UpOptions| {
        options.services.insert(service_name("worker"));
    };
    check("an_order_about_another_part", CRM, "edge\nup\nrebuild worker:1\nledger crm 1.sql", up_with(only));
}

#[test]
fn a_rollback_says_what_came_since_and_undoes_nothing() {
    let to_three = |options: &mut mainstay_model::plan::UpOptions| {
        options.back_to = Some(3);
        options.schema_then =
            BTreeMap::from([("crm".to_owned(), SchemaLevel { applied: 1, last: Some("1.sql".into()) })]);
    };
    check(
        "a_rollback_says_what_came_since",
        CRM,
        &format!("{STANDS}\nledger crm 1.sql 2.sql 3.sql"),
        up_with(to_three),
    );
}

#[test]
fn outside_of_production_nobody_is_asked() {
    let told = tell(CRM, "edge\nup\nledger crm 1.sql");
    let order = up_with(|options| options.env = Some("dev".into()))(&told);
    let plan = decide(&order, &told.world);
    assert_eq!(consent::needed_for_migrations(&order, &plan), None);
    let order = up_with(|options| options.env = Some("prod".into()))(&told);
    assert!(consent::needed_for_migrations(&order, &plan).is_some());
}

#[test]
fn a_further_round_applies_no_file_that_was_not_shown() {
    let told = tell(CRM, &format!("{STANDS}\nledger crm 1.sql 2.sql"));
    let order = up(&told);
    let shown = decide(&order, &told.world);
    // Somebody took a row away meanwhile.
    let fewer = tell(CRM, &format!("{STANDS}\nledger crm 1.sql"));
    let now = decide(&order, &fewer.world);
    assert!(matches!(round::beyond(&order, &shown, &now), Some(step) if matches!(step.action, Action::Migrate { .. })));
    assert!(round::beyond(&order, &now, &shown).is_none(), "fewer are what was shown");
}

/// What the second reader says of a good plan that was spoiled.
fn codes(world: &str, spoil: impl FnOnce(&mut mainstay_model::plan::Plan)) -> Vec<&'static str> {
    let told = tell(CRM, world);
    let order = up(&told);
    let mut plan = decide(&order, &told.world);
    assert_eq!(read(&plan, &order, &told.world), [], "the plan was good");
    spoil(&mut plan);
    let mut codes: Vec<&str> = read(&plan, &order, &told.world).iter().map(|complaint| complaint.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn migration(plan: &mut mainstay_model::plan::Plan) -> &mut mainstay_model::plan::Step {
    plan.steps.iter_mut().find(|step| matches!(step.action, Action::Migrate { .. })).unwrap()
}

fn files(plan: &mut mainstay_model::plan::Plan) -> &mut Vec<mainstay_model::plan::PlannedMigration> {
    match &mut migration(plan).action {
        Action::Migrate { files, .. } => files,
        _ => unreachable!("it was looked for"),
    }
}

#[test]
fn the_second_reader_knows_what_a_migration_may_be() {
    let world = format!("{STANDS}\nledger crm 1.sql");
    assert_eq!(codes(&world, |plan| files(plan).reverse()), ["migration-order"]);
    assert_eq!(codes(&world, |plan| drop(files(plan).pop())), ["migration-left-out"]);
    assert_eq!(codes(&world, |plan| files(plan)[0].sha256.push('0')), ["no-migration"]);
    let already = codes(&world, |plan| files(plan)[0].file = "1.sql".into());
    assert_eq!(already, ["migrated-already", "migration-left-out", "no-migration"]);
    let other = |plan: &mut mainstay_model::plan::Plan| match &mut migration(plan).action {
        Action::Migrate { database, .. } => *database = "other".into(),
        _ => unreachable!("it was looked for"),
    };
    assert_eq!(codes(&world, other), ["migrates-unasked", "unmigrated"]);
    let new = |plan: &mut mainstay_model::plan::Plan| match &mut migration(plan).action {
        Action::Migrate { is_new, .. } => *is_new = true,
        _ => unreachable!("it was looked for"),
    };
    assert_eq!(codes(&world, new), ["not-new"]);
}

#[test]
fn the_second_reader_knows_where_a_migration_stands() {
    let world = format!("{STANDS}\nledger crm 1.sql");
    let without_need = |plan: &mut mainstay_model::plan::Plan| {
        let id = migration(plan).id;
        plan.steps.iter_mut().for_each(|step| step.needs.retain(|need| *need != id));
    };
    assert_eq!(codes(&world, without_need), ["not-made", "starts-unmigrated", "unproven"]);
    let early = codes("edge\nimage none", |plan| migration(plan).needs.clear());
    assert_eq!(early, ["database", "dependency", "migrates-unfetched", "not-made", "unproven"]);
    let gone = |plan: &mut mainstay_model::plan::Plan| {
        let id = migration(plan).id;
        let needs = migration(plan).needs.clone();
        plan.steps.retain(|step| step.id != id);
        for step in &mut plan.steps {
            if step.needs.contains(&id) {
                step.needs.retain(|need| *need != id);
                step.needs.extend(needs.iter().copied());
            }
            step.id = if step.id > id { StepId(step.id.0 - 1) } else { step.id };
            step.needs.iter_mut().filter(|need| **need > id).for_each(|need| need.0 -= 1);
        }
    };
    assert!(codes(&world, gone).contains(&"unmigrated"));
}

#[test]
fn the_second_reader_knows_when_data_goes() {
    let stack = format!("{CRM}\ndatabase crm in=db files=1.sql,2.sql drops=2.sql");
    let told = tell(&stack, "edge\nup\nledger crm 1.sql");
    let order = up(&told);
    let mut plan = decide(&order, &told.world);
    migration(&mut plan).impact = Impact::Live;
    let codes: Vec<&str> = read(&plan, &order, &told.world).iter().map(|complaint| complaint.code).collect();
    assert_eq!(codes, ["impact"]);
}
