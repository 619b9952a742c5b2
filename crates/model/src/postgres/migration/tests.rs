use std::collections::{BTreeMap, BTreeSet};

use crate::declared::SqlFile;

use super::*;

fn read(text: &str) -> MigrationFile {
    MigrationFile::read("1_a.sql", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn faults(text: &str) -> Vec<String> {
    match MigrationFile::read("1_a.sql", text.as_bytes()) {
        Ok(file) => panic!("it can be applied: {:?}", file.statements),
        Err(faults) => faults.iter().map(Fault::to_string).collect(),
    }
}

fn texts(file: &MigrationFile) -> Vec<&str> {
    file.statements.iter().map(|statement| statement.text(&file.text)).collect()
}

#[test]
fn a_file_is_cut_at_the_semicolons_of_its_top_level() {
    let file = read(
        "-- first\ncreate table a (b text default ';'); ; \n\
         create function f() returns int language sql begin atomic select 1; select 2; end;\n\
         do $x$ begin perform 1; end $x$; /* ; */ comment on table a is $$it's; so$$",
    );
    let starts: Vec<&str> = texts(&file).iter().map(|text| text.split(' ').next().unwrap()).collect();
    assert_eq!(starts, ["create", "create", "do", "comment"]);
    assert_eq!(file.statements[1].place, Place { line: 3, column: 1 });
    assert!(texts(&file)[1].ends_with("select 2; end;"));
}

#[test]
fn line_ends_and_a_byte_order_mark_do_not_change_a_hash_and_are_not_executed() {
    let plain = read("create table a (b int);\nselect 1;\n");
    for other in ["\u{feff}create table a (b int);\r\nselect 1;\r\n", "create table a (b int);\rselect 1;\r"] {
        let other = read(other);
        assert_eq!((&other.sha256, &other.text), (&plain.sha256, &plain.text));
        assert_ne!(other.raw_sha256, plain.raw_sha256);
    }
}

#[test]
fn an_edit_is_cosmetic_only_when_the_words_stay() {
    let first = read("create table a (b int); -- why\n");
    assert_eq!(read("CREATE TABLE a (\n  b INT\n);").tokens_sha256, first.tokens_sha256);
    for other in [
        "create table a (b bigint);",
        "create table \"A\" (b int);",
        // A line end that moves lets the comment swallow what follows.
        "create table a (b int) -- why ;\n;select 1",
    ] {
        assert_ne!(read(other).tokens_sha256, first.tokens_sha256, "{other}");
    }
    assert_ne!(read("select 'a'").tokens_sha256, read("select 'A'").tokens_sha256);
}

#[test]
fn what_would_end_the_transaction_is_found_with_its_place() {
    assert_eq!(
        faults("begin;\ncreate table é (b int);\n commit;"),
        [
            "1_a.sql:1:1: `BEGIN` would end the migration's own transaction",
            "1_a.sql:3:2: `COMMIT` would end the migration's own transaction"
        ]
    );
    assert_eq!(faults("START TRANSACTION; select 1").len(), 1);
    // In a body it is the procedure's own affair, and savepoints are the file's.
    read("create procedure p() language plpgsql as $$ begin commit; end $$;");
    read("savepoint a; select 1; rollback to savepoint a; release savepoint a;");
}

#[test]
fn what_cannot_run_in_a_transaction_needs_the_word() {
    let text = "create table a (b int);\ncreate unique index concurrently i\n  on a (b);";
    assert_eq!(
        faults(text),
        [
            "1_a.sql:2:1: `create unique index concurrently i on a (b);` works on an index CONCURRENTLY, which cannot run \
             in a transaction"
        ]
    );
    let file = read(&format!("-- a reason\n\n-- mainstay: no-transaction\n{text}"));
    assert_eq!((file.mode, file.statements.len()), (Mode::NoTransaction, 2));
    // Too late: it is no leading comment any more.
    assert_eq!(faults(&format!("{text}\n-- mainstay: no-transaction")).len(), 1);
    for alone in
        ["vacuum full a", "alter system set work_mem = '1GB'", "reindex table concurrently a", "drop database x"]
    {
        assert_eq!(faults(alone).len(), 1, "{alone}");
    }
    read("refresh materialized view concurrently m; select 'CONCURRENTLY' as index;");
}

#[test]
fn what_only_psql_understands_is_refused() {
    assert_eq!(
        faults("select 1;\n  \\i other.sql\nselect 2;"),
        ["1_a.sql:2:3: `\\i other.sql` is a command of psql, not SQL"]
    );
    assert_eq!(faults("copy a from stdin;\n1\t2\n\\.\n").len(), 1);
    read("select E'\\\\i', '\n\\d' ;");
}

#[test]
fn files_of_other_tools_are_refused_where_they_would_do_harm() {
    assert!(
        faults("-- migrate:up\ncreate table a (b int);\n-- migrate:down\ndrop table a;")[0].starts_with("1_a.sql:3:1")
    );
    assert_eq!(faults("-- +goose Up\nselect 1;\n-- +goose Down\nselect 2;").len(), 1);
    assert_eq!(
        faults("create table {{ index .Options \"Namespace\" }}.users (id int);"),
        ["1_a.sql:1:14: has `{{` in it: a template that was not filled in"]
    );
}

#[test]
fn what_is_no_text_is_refused() {
    let bytes = |bytes: &[u8]| MigrationFile::read("a.sql", bytes).unwrap_err()[0].to_string();
    assert_eq!(bytes(b"select 1;\n-- \xff"), "a.sql:2:4: is not UTF-8");
    assert_eq!(bytes(b"select 1;\0"), "a.sql:1:10: has a NUL in it");
    assert_eq!(bytes(b"-- nothing\n;"), "a.sql: has no statement in it");
}

#[test]
fn a_statement_that_is_not_understood_runs_in_a_transaction_but_is_never_cut() {
    assert_eq!(read("frobnicate all the things;\nselect 1;").statements.len(), 2);
    read("-- mainstay: no-transaction\nfrobnicate all the things;");
    assert_eq!(faults("-- mainstay: no-transaction\nselect 1;\nfrobnicate all the things;").len(), 1);
}

#[test]
fn a_server_s_position_leads_to_the_statement_and_its_line() {
    let file = read("select 'é😀';\n\n  select oops;");
    let position = u32::try_from(file.text.chars().position(|one| one == 'o').unwrap() + 1).unwrap();
    let statement = file.statement_at(position).unwrap();
    assert_eq!(statement.text(&file.text), "select oops;");
    assert_eq!(Place::of_character(&file.text, position), Place { line: 3, column: 10 });
}

fn set(files: &[(&str, &str)]) -> MigrationSet {
    MigrationSet::read(files.iter().map(|(name, text)| (*name, text.as_bytes())))
}

fn row(name: &str, file: Option<&MigrationFile>) -> LedgerRow {
    LedgerRow {
        filename: name.into(),
        applied_at: "2026-01-01T00:00:00Z".into(),
        sha256: file.map(|file| file.sha256.clone()),
        notes: file.map(|file| {
            let note =
                Note { tokens_sha256: Some(file.tokens_sha256.clone()), took_ms: Some(3), by: Some("a b".into()) };
            note.to_string()
        }),
    }
}

#[test]
fn names_are_ordered_by_their_bytes_and_only_migrations_count() {
    let files: Vec<(&str, &str)> = ["b.sql", "B.sql", "10.sql", "9.sql", "é.sql", "a.down.sql", ".a.sql", "readme.md"]
        .map(|name| (name, "select 1"))
        .to_vec();
    let set = set(&files);
    assert_eq!(set.names(), ["10.sql", "9.sql", "B.sql", "b.sql", "é.sql"]);
    assert_eq!(set.passed_over, [".a.sql", "a.down.sql", "readme.md"]);
    assert_eq!(set.faulty["b.sql"][0].to_string(), "b.sql: has the name of `B.sql` but for its case");
}

#[test]
fn every_file_and_every_row_has_a_standing() {
    let set = set(&[
        ("1.sql", "select 1"),
        ("2.sql", "select 2"),
        ("3.sql", "select 3"),
        ("4.sql", "begin"),
        ("6.sql", "select 6"),
    ]);
    let changed = read("select  2 -- other words stand here");
    let ledger = [row("2.sql", Some(&changed)), row("3.sql", None), row("4.sql", None), row("5.sql", None)];
    let status = Status::of(&set, &ledger);
    let at = "2026-01-01T00:00:00Z".to_owned();
    assert_eq!(status.files["1.sql"], Standing::OutOfOrder { after: "4.sql".into() });
    assert_eq!(status.files["2.sql"], Standing::Changed { at: at.clone(), drift: Drift::Cosmetic });
    assert_eq!(status.files["3.sql"], Standing::Adopted { at: at.clone() });
    assert_eq!(status.files["4.sql"], Standing::Adopted { at: at.clone() });
    assert_eq!(status.files["5.sql"], Standing::Unknown { at });
    assert_eq!(status.files["6.sql"], Standing::Pending);
    assert_eq!((status.pending(), status.applied()), (vec!["1.sql", "6.sql"], 4));
}

#[test]
fn a_hash_of_the_bytes_as_other_tools_write_it_counts_as_well() {
    let set = set(&[("1.sql", "select 1;\r\n")]);
    let mut applied = row("1.sql", set.files.get("1.sql"));
    applied.sha256 = Some(set.files["1.sql"].raw_sha256.to_uppercase());
    assert!(matches!(Status::of(&set, &[applied]).files["1.sql"], Standing::Applied { .. }));
}

fn target() -> Target {
    Target { system_identifier: "7".into(), database: "crm".into(), ledger: LedgerName::default() }
}

fn plan(set: &MigrationSet, ledger: &[LedgerRow], attempts: &[(&str, Vec<String>)], allowed: &[&str]) -> MigrationPlan {
    let attempts =
        attempts.iter().map(|(name, hashes)| ((*name).to_owned(), hashes.clone())).collect::<BTreeMap<_, _>>();
    let allowed = allowed.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    MigrationPlan::decide(target(), set, ledger, &attempts, &allowed)
}

fn refusals(plan: &MigrationPlan) -> Vec<String> {
    plan.refusals.iter().map(Refusal::to_string).collect()
}

#[test]
fn a_plan_has_what_is_pending_and_refuses_what_must_not_be_done_silently() {
    let set = set(&[("1.sql", "select 1"), ("2.sql", "select 2"), ("3.sql", "commit")]);
    let plan_of = plan(&set, &[row("2.sql", Some(&read("select 22")))], &[], &["0.sql"]);
    assert_eq!(
        refusals(&plan_of),
        [
            "0.sql: there is no such file",
            "1.sql: comes before `2.sql`, which was applied already",
            "2.sql: was changed after it was applied, in its statements",
            "3.sql:1:1: `COMMIT` would end the migration's own transaction"
        ]
    );
    let plan_of = plan(&set, &[row("2.sql", set.files.get("2.sql")), row("3.sql", None)], &[], &["1.sql"]);
    assert_eq!((refusals(&plan_of), plan_of.steps.len()), (vec![], 1));
}

#[test]
fn consent_is_to_one_plan_on_one_database() {
    let one = plan(&set(&[("1.sql", "select 1")]), &[], &[], &[]);
    assert_eq!(one.digest, plan(&set(&[("1.sql", "select 1\r\n".trim_end())]), &[], &[], &[]).digest);
    assert_ne!(one.digest, plan(&set(&[("1.sql", "select 2")]), &[], &[], &[]).digest);
    assert_ne!(one.digest, plan(&set(&[("2.sql", "select 1")]), &[], &[], &[]).digest);
    let elsewhere = Target { system_identifier: "8".into(), ..target() };
    let other =
        MigrationPlan::decide(elsewhere, &set(&[("1.sql", "select 1")]), &[], &BTreeMap::new(), &BTreeSet::new());
    assert_ne!(one.digest, other.digest);
    assert!(one.is_confirmed_by(one.short_digest()) && one.is_confirmed_by(&one.digest.to_uppercase()));
    assert!(!one.is_confirmed_by("") && !one.is_confirmed_by(&one.digest[..11]) && !other.is_confirmed_by(&one.digest));
}

#[test]
fn a_file_without_a_transaction_goes_on_where_it_stopped() {
    let text =
        "-- mainstay: no-transaction\ncreate index concurrently a on t (a);\ncreate index concurrently b on t (b);";
    let set = set(&[("1.sql", text)]);
    let file = &set.files["1.sql"];
    let first = file.hash_of(&file.statements[0]);
    let resumed = plan(&set, &[], &[("1.sql", vec![first.clone()])], &[]);
    assert_eq!((resumed.steps[0].done, resumed.steps[0].statements), (1, 2));
    let other = plan(&set, &[], &[("1.sql", vec!["0".repeat(64)])], &[]);
    assert_eq!(
        refusals(&other),
        ["1.sql: 1 statements ran in an earlier attempt, and are not the first ones of the file any more"]
    );
    assert_ne!(resumed.digest, plan(&set, &[], &[], &[]).digest);
}

#[test]
fn ledgers_have_names_as_postgres_reads_them() {
    let parsed = |text| LedgerName::parse(text).map(|name| name.quoted());
    assert_eq!(parsed("public.pms_schema_migrations").as_deref(), Ok("\"public\".\"pms_schema_migrations\""));
    assert_eq!(parsed("Ledger").as_deref(), Ok("\"public\".\"ledger\""));
    assert_eq!(parsed("\"My App\".\"Ledger\"").as_deref(), Ok("\"My App\".\"Ledger\""));
    for wrong in ["", "a.b.c", "a.", "a\"b", &"x".repeat(64)] {
        assert!(parsed(wrong).is_err(), "{wrong}");
    }
    assert!(LedgerName::parse(&"x".repeat(63)).unwrap().attempts().table.len() <= 63);
}

#[test]
fn a_note_is_found_again_among_other_words() {
    let file = read("select 1");
    let note = Note { tokens_sha256: Some(file.tokens_sha256.clone()), took_ms: None, by: None };
    assert_eq!(Note::tokens_in(&format!("by hand; {note}")), Some(file.tokens_sha256.as_str()));
    assert_eq!(Note::tokens_in("tokens=short"), None);
}

#[test]
fn beside_a_ledger_only_what_is_not_settled_is_read() {
    let texts = ["select 1;\r\n", "select 2;", "select 3;", "commit;"];
    let files: Vec<SqlFile> =
        (1..).zip(texts).map(|(number, text)| SqlFile::new(format!("{number}.sql"), text.into())).collect();
    let whole = MigrationSet::of(&files);
    let mut rows = vec![row("1.sql", whole.files.get("1.sql")), row("2.sql", Some(&read("select 22")))];
    rows.push(row("3.sql", None));
    let set = MigrationSet::beside(&files, &rows);
    assert_eq!(set.settled, BTreeSet::from(["1.sql".to_owned()]));
    assert_eq!(Status::of(&set, &rows), Status::of(&whole, &rows));
    assert_eq!(plan(&set, &rows, &[], &[]).refusals, plan(&whole, &rows, &[], &[]).refusals);
    assert_eq!(plan(&set, &rows, &[], &[]).digest, plan(&whole, &rows, &[], &[]).digest);
    // Two names that differ in their case only are told all the same.
    let twins = [SqlFile::new("a.sql", b"select 1;".to_vec()), SqlFile::new("A.sql", b"select 1;".to_vec())];
    let applied = [row("a.sql", MigrationSet::of(&twins[..1]).files.get("a.sql"))];
    let (set, whole) = (MigrationSet::beside(&twins, &applied), MigrationSet::of(&twins));
    assert_eq!(Status::of(&set, &applied), Status::of(&whole, &applied));
}

#[test]
fn what_takes_data_away_is_known_by_its_words() {
    for text in [
        "drop table a",
        "drop schema s cascade",
        "truncate a",
        "delete from a where b",
        "alter table a drop column b",
        "alter table a add c int, drop b",
        "select 1; alter table only a drop if exists b;",
    ] {
        assert!(read(text).loses_data(), "{text}");
    }
    for text in [
        "create table a (b int)",
        "alter table a drop constraint c",
        "alter table a alter b drop not null, alter c drop default",
        "drop index i",
        "-- drop table a\nselect 'drop table a'",
    ] {
        assert!(!read(text).loses_data(), "{text}");
    }
}

#[test]
fn findings_have_a_place_a_reason_and_a_severity() {
    let found =
        findings(&read("select 1;\ndrop table é;\nalter table a add constraint c foreign key (b) references d (e);"));
    let told: Vec<(String, &str, Severity)> =
        found.iter().map(|one| (one.place.to_string(), one.rule.as_str(), one.severity)).collect();
    assert!(told.contains(&("2:1".into(), "ban-drop-table", Severity::Danger)), "{told:?}");
    assert!(
        told.iter()
            .any(|(_, rule, severity)| *rule == "adding-foreign-key-constraint" && *severity == Severity::Warning)
    );
    assert!(found.iter().all(|one| !one.message.is_empty()));
    let ignored = findings(&read("-- squawk-ignore ban-drop-table\ndrop table a;"));
    assert_eq!(ignored, []);
}
