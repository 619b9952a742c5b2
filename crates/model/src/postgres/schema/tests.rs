#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use crate::postgres::migration::LedgerName;

/// A world in a few lines: `kind schema[.of].name facet=value …`, `|` for a space in a value.
fn inventory(lines: &str) -> Inventory {
    let mut inventory = Inventory { path: vec!["public".into()], ..Inventory::default() };
    inventory.objects.insert(ObjectKey::new(ObjectKind::Schema, "public", "public"), Facets::new());
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let kind: ObjectKind = serde_json::from_value(words.next().unwrap().into()).unwrap();
        let path: Vec<&str> = words.next().unwrap().split('.').collect();
        let key = match path.as_slice() {
            [name] => ObjectKey::new(kind, name, name),
            [schema, name] => ObjectKey::new(kind, schema, name),
            [schema, of, name] => ObjectKey::part(kind, schema, of, name),
            _ => panic!("{line}"),
        };
        let facets = words.map(|word| {
            let (facet, value) = word.split_once('=').unwrap_or((word, "true"));
            (serde_json::from_value::<Facet>(facet.into()).unwrap(), value.replace('|', " "))
        });
        let facets = facets.collect();
        inventory.objects.insert(key, facets);
    }
    inventory
}

fn judged() -> Judged {
    Judged { schemas: BTreeSet::from(["public".to_owned()]), ignore: Ignore::default() }
}

fn replay(ground: &str, files: &[(&str, &str)]) -> Replay {
    let mut replay = Replay::on(inventory(ground));
    for (file, after) in files {
        replay.ran(file, inventory(after));
    }
    replay
}

/// `severity grade object: detail [file]`, a line each.
fn told(replay: &Replay, live: &str) -> Vec<String> {
    told_of(replay, &inventory(live), &judged())
}

fn told_of(replay: &Replay, live: &Inventory, judged: &Judged) -> Vec<String> {
    let line = |one: &Difference| {
        let file = one.file.as_deref().unwrap_or("-");
        format!("{} {} {}: {} [{file}]", one.severity.word(), one.grade.word(), one.key, one.detail())
    };
    compare(replay, live, judged).iter().map(line).collect()
}

const GUESTS: &str = "relation public.guests sort=table
  column public.guests.id type=bigint not-null";

fn with(base: &str, more: &str) -> String {
    format!("{base}\n{more}")
}

#[test]
fn what_is_missing_names_the_one_file_that_brings_it() {
    let first = GUESTS.to_owned();
    let second = with(&first, "column public.guests.total_bookings type=integer default=0");
    let third = with(
        &second,
        "relation public.logs sort=table\ncolumn public.logs.id type=bigint\nindex public.logs.logs_id definition=x",
    );
    let replay = replay("", &[("1.sql", &first), ("2.sql", &second), ("3.sql", &third)]);
    assert!(told(&replay, &third).is_empty());
    assert_eq!(
        told(&replay, &first),
        [
            "not ready missing relation public.logs: with 2 parts [3.sql]",
            "not ready missing column total_bookings of relation public.guests:  [2.sql]",
        ]
    );
    assert_eq!(
        told(&replay, ""),
        [
            "not ready missing relation public.guests: with 2 parts [1.sql]",
            "not ready missing relation public.logs: with 2 parts [3.sql]",
        ]
    );
}

#[test]
fn the_file_that_last_made_a_fact_so_is_named() {
    let first = "relation public.t sort=table\ncolumn public.t.n type=integer";
    let second = "relation public.t sort=table\ncolumn public.t.n type=bigint";
    let third = "relation public.t sort=table\ncolumn public.t.n type=bigint not-null";
    let replay = replay("", &[("1.sql", first), ("2.sql", second), ("3.sql", third)]);
    assert_eq!(
        told(&replay, first),
        [
            "not ready different column n of relation public.t: type is integer, wanted bigint; NOT NULL is off, wanted on [2.sql]"
        ]
    );
    assert_eq!(
        told(&replay, second),
        ["warning different column n of relation public.t: NOT NULL is off, wanted on [3.sql]"]
    );
}

#[test]
fn narrower_is_worse_than_wider() {
    for (live, wanted) in [
        ("integer", "bigint"),
        ("smallint", "numeric(12,2)"),
        ("character varying(20)", "text"),
        ("character varying(20)", "character varying(40)"),
        ("numeric(10,2)", "numeric(12,2)"),
        ("timestamp(3) with time zone", "timestamp with time zone"),
    ] {
        assert!(is_narrower(live, wanted), "{live} {wanted}");
        assert!(!is_narrower(wanted, live), "{wanted} {live}");
    }
    for (one, other) in [
        ("uuid", "text"),
        ("bigint", "numeric(12,2)"),
        ("numeric(12,2)", "numeric(12,4)"),
        ("time without time zone", "timestamp with time zone"),
        ("integer", "integer"),
        ("public.email", "text"),
    ] {
        assert!(!is_narrower(one, other), "{one} {other}");
    }
}

#[test]
fn what_opens_rows_is_critical() {
    let wanted = "relation public.t sort=table row-security\npolicy public.t.own using=(tenant|=|me()) permissive=true";
    let replay = replay("", &[("1.sql", wanted)]);
    let live = "relation public.t sort=table\npolicy public.t.own using=true permissive=true\npolicy public.t.all using=true permissive=true\nfunction public.door() security-definer";
    let told = told(&replay, live);
    assert!(told.iter().all(|line| line.starts_with("critical")) && told.len() == 4, "{told:#?}");
    assert!(told[0].contains("row security is off, wanted on"), "{told:#?}");
}

#[test]
fn an_extra_column_matters_when_inserts_do_not_know_it() {
    let replay = replay("", &[("1.sql", GUESTS)]);
    let live = with(
        GUESTS,
        "column public.guests.a type=text\ncolumn public.guests.b type=text not-null\ncolumn public.guests.c type=text not-null default=''::text",
    );
    let told = told(&replay, &live);
    assert_eq!(told[0], "not ready extra column b of relation public.guests:  [-]");
    assert_eq!(told[1..].iter().filter(|line| line.starts_with("note extra")).count(), 2);
}

#[test]
fn a_renamed_column_and_another_case_are_guessed() {
    let wanted = "relation public.t sort=table\ncolumn public.t.total type=integer\ncolumn public.t.note type=text";
    let replay = replay("", &[("1.sql", wanted)]);
    let told =
        told(&replay, "relation public.t sort=table\ncolumn public.t.sum type=integer\ncolumn public.t.Note type=text");
    assert!(told.iter().any(|line| line.contains("no file makes `sum`, which has its type: renamed?")), "{told:#?}");
    assert!(told.iter().any(|line| line.contains("there is `Note`: names differ in case")), "{told:#?}");
}

#[test]
fn the_same_under_another_name_is_a_note() {
    let wanted = with(GUESTS, "constraint public.guests.guests_pkey definition=PRIMARY|KEY|(id)");
    let replay = replay("", &[("1.sql", &wanted)]);
    let live = with(GUESTS, "constraint public.guests.pk definition=PRIMARY|KEY|(id)");
    assert_eq!(
        told(&replay, &live),
        ["note different constraint guests_pkey of relation public.guests: there under the name `pk` [1.sql]"]
    );
    let invalid = with(GUESTS, "constraint public.guests.guests_pkey definition=PRIMARY|KEY|(id) valid=false");
    assert!(told(&replay, &invalid)[0].starts_with("warning different"), "never validated");
}

#[test]
fn a_twin_earlier_in_the_path_hides_what_is_as_wanted() {
    let replay = replay("", &[("1.sql", GUESTS)]);
    let mut live = inventory(&with(GUESTS, "schema old\nrelation old.guests sort=table"));
    assert!(told_of(&replay, &live, &judged()).is_empty());
    live.path = vec!["old".into(), "public".into()];
    let told = told_of(&replay, &live, &judged());
    assert!(told.len() == 1 && told[0].contains("hidden by relation old.guests"), "{told:?}");
    live.objects.remove(&ObjectKey::new(ObjectKind::Relation, "public", "guests"));
    live.objects.retain(|key, _| key.of.is_none());
    let told = told_of(&replay, &live, &judged());
    assert!(told[0].contains("missing") && told[0].contains("there is one in schema old"), "{told:?}");
}

#[test]
fn privileges_are_graded_by_themselves() {
    let wanted = "relation public.t sort=table may=SELECT,|INSERT\ngrant public.t.anon privileges=SELECT";
    let replay = replay("", &[("1.sql", wanted)]);
    let told = |live| told(&replay, live);
    assert_eq!(
        told("relation public.t sort=table may=SELECT\ngrant public.t.anon privileges=SELECT"),
        ["not ready unprivileged relation public.t: privileges of the role is SELECT, wanted SELECT, INSERT [1.sql]"]
    );
    assert_eq!(
        told("relation public.t sort=table may=SELECT,|INSERT,|DELETE"),
        ["not ready unprivileged privileges of anon on public.t: privileges is none, wanted SELECT [1.sql]"]
    );
    let more = told("relation public.t sort=table may=SELECT,|INSERT\ngrant public.t.anon privileges=SELECT,|DELETE");
    assert!(more[0].starts_with("warning extra privileges of anon"), "{more:?}");
}

#[test]
fn partitions_that_no_file_makes_are_notes() {
    let wanted =
        "relation public.logs sort=partitioned|table\nrelation public.logs_2025 sort=table partition-of=public.logs";
    let replay = replay("", &[("1.sql", wanted)]);
    let told = told(
        &replay,
        "relation public.logs sort=partitioned|table\nrelation public.logs_2026 sort=table partition-of=public.logs",
    );
    assert_eq!(
        told,
        [
            "warning missing relation public.logs_2025:  [1.sql]",
            "note extra relation public.logs_2026: a partition [-]",
        ]
    );
}

#[test]
fn what_is_ignored_and_what_is_not_ours_is_passed_over() {
    let replay = replay(
        "schema auth\nrelation auth.users sort=table",
        &[("1.sql", &with(GUESTS, "schema auth\nrelation auth.users sort=table"))],
    );
    assert_eq!(replay.schemas(), BTreeSet::from(["public".to_owned()]));
    let ledger = LedgerName::parse("public.done").unwrap();
    let long = "x".repeat(70);
    let ignore = Ignore::new(["public.old_*", "public.guests.legacy_*", &format!("public.{long}")]).and_ledger(&ledger);
    let judged = Judged { ignore, ..judged() };
    let short = &long[..63];
    let live = with(
        GUESTS,
        &format!(
            "relation public.old_a sort=table\ncolumn public.old_a.id type=text not-null\nrelation public.done sort=table\n\
             relation public.done_attempts sort=table\ncolumn public.guests.legacy_x type=text not-null\nrelation public.{short} sort=table"
        ),
    );
    assert_eq!(told_of(&replay, &inventory(&live), &judged), Vec::<String>::new());
    assert!(!Ignore::new(["public.guest"]).meets(&ObjectKey::new(ObjectKind::Relation, "public", "guests")));
    assert!(Ignore::new(["*.gu*ts"]).meets(&ObjectKey::new(ObjectKind::Relation, "public", "guests")));
}

#[test]
fn a_fingerprint_is_of_the_shape_alone() {
    let one = inventory(&with(GUESTS, "grant public.guests.anon privileges=SELECT"));
    let mut other = inventory(GUESTS);
    other
        .objects
        .get_mut(&ObjectKey::new(ObjectKind::Relation, "public", "guests"))
        .unwrap()
        .insert(Facet::Owner, "me".into());
    assert_eq!(one.fingerprint(&judged()), other.fingerprint(&judged()));
    let changed = inventory(&GUESTS.replace("bigint", "integer"));
    assert_ne!(one.fingerprint(&judged()), changed.fingerprint(&judged()));
}

#[test]
fn a_locked_table_is_not_taken_for_another_one() {
    let replay = replay("", &[("1.sql", "relation public.t sort=view definition=SELECT|1")]);
    assert!(told(&replay, "relation public.t sort=view unread").is_empty());
}

fn traces(replay: &Replay, live: &str) -> Vec<String> {
    let traced = detect(replay, &inventory(live), &judged());
    traced.iter().map(|one| format!("{} {}", one.file, one.trace.words())).collect()
}

#[test]
fn files_are_found_by_what_they_leave() {
    let first = GUESTS.to_owned();
    let second = with(&first, "column public.guests.a type=integer\ncolumn public.guests.b type=text");
    let third = second.replace("a type=integer", "a type=bigint");
    let files = [("1.sql", first.as_str()), ("2.sql", &second), ("3_rows.sql", &second), ("4.sql", &third)];
    let replay = replay("", &files);
    assert_eq!(
        traces(&replay, ""),
        ["1.sql not applied", "2.sql not applied", "3_rows.sql leaves no trace", "4.sql not applied"]
    );
    assert_eq!(
        traces(&replay, &third),
        ["1.sql applied", "2.sql applied", "3_rows.sql leaves no trace", "4.sql applied"]
    );
    assert_eq!(traces(&replay, &second)[3], "4.sql not applied");
    let half = with(&first, "column public.guests.a type=integer");
    assert_eq!(traces(&replay, &half)[..2], ["1.sql applied", "2.sql partly applied"]);
    let other = second.replace("b type=text", "b type=uuid");
    assert_eq!(traces(&replay, &other)[1], "2.sql conflict");
    let traced = detect(&replay, &inventory(&third), &judged());
    assert_eq!(adoptable(&traced), ["1.sql", "2.sql", "3_rows.sql", "4.sql"]);
    let traced = detect(&replay, &inventory(&second), &judged());
    assert_eq!(adoptable(&traced), ["1.sql", "2.sql"], "nothing says that the rows were written");
}

#[test]
fn what_a_later_file_takes_away_proves_nothing() {
    let replay = replay("", &[("1.sql", &with(GUESTS, "relation public.tmp sort=table")), ("2.sql", GUESTS)]);
    assert_eq!(traces(&replay, ""), ["1.sql not applied", "2.sql leaves no trace"]);
    assert_eq!(traces(&replay, GUESTS), ["1.sql applied", "2.sql leaves no trace"]);
    assert_eq!(
        traces(&replay, &with(GUESTS, "relation public.tmp sort=table")),
        ["1.sql applied", "2.sql not applied"]
    );
}

#[test]
fn an_expectation_says_which_file_brings_what() {
    let first = with(GUESTS, "type public.mood sort=enum labels='a',|'b'\nrelation public.guests_id_seq sort=sequence");
    let second = with(
        &first.replace("labels='a',|'b'", "labels='a',|'x',|'b'").replace("type=bigint", "type=numeric"),
        "column public.guests.n type=integer\nindex public.guests.by_n definition=x",
    );
    let replay = replay("", &[("1.sql", &first), ("2.sql", &second)]);
    let expectation = Expectation::of(&replay, &judged(), "public.done", "mainstay db migrate apply");
    assert_eq!(expectation.relations.len(), 1);
    let guests = &expectation.relations[0];
    assert_eq!(guests.file.as_deref(), Some("1.sql"));
    let file = |name: &str| {
        let column = guests.columns.iter().find(|column| column.name == name).unwrap();
        (column.file.as_deref(), column.type_file.as_deref())
    };
    assert_eq!((file("id"), file("n")), ((Some("1.sql"), Some("2.sql")), (Some("2.sql"), None)));
    assert_eq!(guests.indexes[0].file.as_deref(), Some("2.sql"));
    let labels: Vec<_> =
        expectation.enums[0].labels.iter().map(|one| (one.name.as_str(), one.file.as_deref())).collect();
    assert_eq!(labels, [("a", Some("1.sql")), ("x", Some("2.sql")), ("b", Some("1.sql"))]);
    let text = serde_json::to_string(&expectation).unwrap();
    assert_eq!(serde_json::from_str::<Expectation>(&text).unwrap(), expectation);
}
