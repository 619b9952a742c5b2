//! The way back from a release's migrations: a backup just before, in production.

use mainstay_model::declared::Destination;
use mainstay_model::plan::{Action, Order, Plan, Step, StepId, UpOptions, check as read, consent, decide, round};

use crate::check;
use crate::notation::{tell, up, up_with};

const CRM: &str = "
    stack crm
    network default
    volume data
    service db on=default volume=data check restart
    service web on=default after=db:healthy env=A:b route=crm.localhost:80 check restart
    database crm in=db files=1.sql,2.sql backup=/srv/backups
";

/// A first release stands, and the database was migrated so far.
const STANDS: &str = "edge\nup with service web on=default after=db:healthy route=crm.localhost:80 check restart";

fn in_env(env: &str) -> impl FnOnce(&mut UpOptions) {
    let env = Some(env.to_owned());
    move |options| options.env = env
}

fn backups(plan: &Plan) -> Vec<&Step> {
    plan.steps.iter().filter(|step| matches!(step.action, Action::BackUp { .. })).collect()
}

#[test]
fn a_release_in_production_backs_up_what_it_migrates() {
    check("backed_up_before_its_migration", CRM, &format!("{STANDS}\nledger crm 1.sql"), up);
}

#[test]
fn what_is_fetched_comes_before_the_backup() {
    let world = format!("{STANDS}\nrebuild web:1\nimage none\nledger crm 1.sql");
    let stack = CRM.replace("service web", "service web pull=always");
    check("fetched_before_the_backup", &stack, &world, up);
}

#[test]
fn every_database_is_backed_up_before_the_first_is_migrated() {
    let stack = "
        stack crm
        network default
        service web on=default restart
        database crm files=1.sql,2.sql backup=/srv/backups
        database reports files=a.sql backup=/srv/others
        database plain files=b.sql
    ";
    check("all_backed_up_first", stack, "ledger crm 1.sql\nledger reports\nledger plain", up);
}

#[test]
fn a_database_that_stood_still_is_backed_up_if_something_is_pending() {
    check("backed_up_if_pending", CRM, &format!("{STANDS}\nunseen crm\nstop crm-db-1"), up);
}

#[test]
fn what_needs_no_way_back_has_no_backup() {
    let pending = format!("{STANDS}\nledger crm 1.sql");
    let order_of = |options: &dyn Fn(&mut UpOptions), stack: &str, world: &str| {
        let told = tell(stack, world);
        let order = up_with(|it| options(it))(&told);
        let plan = decide(&order, &told.world);
        assert_eq!(read(&plan, &order, &told.world), []);
        (order, plan)
    };
    let is_backed_up = |options: &dyn Fn(&mut UpOptions), stack: &str, world: &str| {
        !backups(&order_of(options, stack, world).1).is_empty()
    };
    assert!(is_backed_up(&|_| {}, CRM, &pending));
    assert!(is_backed_up(&|it| in_env("prod")(it), CRM, &pending));
    assert!(!is_backed_up(&|it| in_env("staging")(it), CRM, &pending));
    assert!(!is_backed_up(&|it| it.not_production = true, CRM, &pending), "somebody said so");
    assert!(!is_backed_up(&|it| it.no_backup = true, CRM, &pending));
    assert!(!is_backed_up(&|it| it.back_to = Some(1), CRM, &pending), "a rollback migrates nothing");
    assert!(!is_backed_up(&|_| {}, CRM, &format!("{STANDS}\nledger crm 1.sql 2.sql")), "nothing is pending");
    assert!(!is_backed_up(&|_| {}, CRM, "edge"), "it is made by this plan");
    assert!(!is_backed_up(&|_| {}, &CRM.replace(" backup=/srv/backups", ""), &pending), "nobody says where to");
    assert!(!is_backed_up(
        &|_| {},
        &format!("{CRM}\ndatabase crm in=db files=1.sql,2.sql by-hand backup=/b"),
        &pending
    ));

    let (order, plan) = order_of(&|it| it.no_backup = true, CRM, &pending);
    assert!(plan.findings.iter().any(|finding| finding.code == "no-backup"), "{:?}", plan.findings);
    assert!(consent::needed_for_migrations(&order, &plan).is_some(), "it is production all the same");
    let (order, plan) = order_of(&|it| it.not_production = true, CRM, &pending);
    assert_eq!(consent::needed_for_migrations(&order, &plan), None);
}

#[test]
fn a_further_round_may_back_up_again_what_it_was_shown_to_migrate() {
    let told = tell(CRM, &format!("{STANDS}\nledger crm"));
    let order = up(&told);
    let shown = decide(&order, &told.world);
    let later = tell(CRM, &format!("{STANDS}\nledger crm 1.sql"));
    let now = decide(&order, &later.world);
    assert_eq!(backups(&now).len(), 1);
    assert!(round::beyond(&order, &shown, &now).is_none());
}

/// What the second reader says of a good plan that was spoiled.
fn codes(world: &str, spoil: impl FnOnce(&mut Plan, &mut Order)) -> Vec<&'static str> {
    let told = tell(CRM, world);
    let mut order = up(&told);
    let mut plan = decide(&order, &told.world);
    assert_eq!(read(&plan, &order, &told.world), [], "the plan was good");
    spoil(&mut plan, &mut order);
    let mut codes: Vec<&str> = read(&plan, &order, &told.world).iter().map(|complaint| complaint.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn backup(plan: &mut Plan) -> &mut Step {
    plan.steps.iter_mut().find(|step| matches!(step.action, Action::BackUp { .. })).unwrap()
}

fn options(order: &mut Order) -> &mut UpOptions {
    match order {
        Order::Up { options, .. } => options,
        _ => unreachable!("it is an `up`"),
    }
}

/// The plan without a step; what leaned on it leans on what it leaned on.
fn drop_step(plan: &mut Plan, id: StepId) {
    let needs = plan.step(id).unwrap().needs.clone();
    plan.steps.retain(|step| step.id != id);
    for step in &mut plan.steps {
        if step.needs.contains(&id) {
            step.needs.retain(|need| *need != id);
            step.needs.extend(needs.iter().copied());
        }
        step.id = if step.id > id { StepId(step.id.0 - 1) } else { step.id };
        step.needs.iter_mut().filter(|need| **need > id).for_each(|need| need.0 -= 1);
    }
}

#[test]
fn the_second_reader_misses_a_way_back() {
    let world = format!("{STANDS}\nledger crm 1.sql");
    let gone = |plan: &mut Plan, _: &mut Order| {
        let id = backup(plan).id;
        drop_step(plan, id);
    };
    assert_eq!(codes(&world, gone), ["no-way-back"]);
    let beside = |plan: &mut Plan, _: &mut Order| {
        let id = backup(plan).id;
        plan.steps.iter_mut().for_each(|step| step.needs.retain(|need| *need != id));
    };
    let expected = ["backup-for-nothing", "migrates-before-backup", "no-way-back", "unproven"];
    let found = codes(&world, beside);
    assert!(expected.iter().all(|code| found.contains(code)), "{found:?}");
    let of_another = |plan: &mut Plan, _: &mut Order| match &mut backup(plan).action {
        Action::BackUp { database, .. } => *database = "other".into(),
        _ => unreachable!("it was looked for"),
    };
    assert_eq!(codes(&world, of_another), ["backup-unasked", "no-way-back"]);
}

#[test]
fn the_second_reader_objects_to_a_backup_without_reason() {
    let world = format!("{STANDS}\nledger crm 1.sql");
    let unasked = ["backup-unasked"];
    assert_eq!(codes(&world, |_, order| in_env("dev")(options(order))), unasked);
    assert_eq!(codes(&world, |_, order| options(order).no_backup = true), unasked);
    assert_eq!(codes(&world, |_, order| options(order).not_production = true), unasked);
    let undeclared = |_: &mut Plan, order: &mut Order| match order {
        Order::Up { declared, .. } => declared.databases.get_mut("crm").unwrap().backup = None,
        _ => unreachable!("it is an `up`"),
    };
    assert_eq!(codes(&world, undeclared), unasked);
    let elsewhere = |_: &mut Plan, order: &mut Order| match order {
        Order::Up { declared, .. } => {
            let backup = declared.databases.get_mut("crm").unwrap().backup.as_mut().unwrap();
            backup.to = Destination::Folder("/mnt".into());
        }
        _ => unreachable!("it is an `up`"),
    };
    assert_eq!(codes(&world, elsewhere), ["backup-elsewhere"]);
    let in_doubt = |plan: &mut Plan, _: &mut Order| match &mut backup(plan).action {
        Action::BackUp { is_certain, .. } => *is_certain = false,
        _ => unreachable!("it was looked for"),
    };
    assert_eq!(codes(&world, in_doubt), ["backup-for-nothing"]);
}

#[test]
fn the_second_reader_knows_when_a_database_can_be_backed_up() {
    let stood_still = format!("{STANDS}\nunseen crm\nstop crm-db-1");
    let early = codes(&stood_still, |plan, _| backup(plan).needs.clear());
    assert!(early.contains(&"backup-unready"), "{early:?}");
    let told = tell(CRM, &format!("{STANDS}\nledger crm 1.sql"));
    let pull = |options: &mut UpOptions| options.pull = true;
    let order = up_with(pull)(&told);
    let mut plan = decide(&order, &told.world);
    backup(&mut plan).needs.clear();
    let codes: Vec<&str> = read(&plan, &order, &told.world).iter().map(|complaint| complaint.code).collect();
    assert!(codes.contains(&"backs-up-unfetched"), "{codes:?}");
}
