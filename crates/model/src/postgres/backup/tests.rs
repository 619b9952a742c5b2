use std::collections::BTreeMap;

use super::retention::{Candidate, Day, Keep, RetentionPlan, Standing, plan};
use super::standing::{Known, Trouble, troubles, unproven_at};
use super::*;
use crate::declared::Hidden;

fn contents() -> Contents {
    let table = |rows, sums: &str| Table {
        kind: TableKind::Table,
        row_security: true,
        row_security_forced: false,
        extension: None,
        digest: Some(TableDigest { rows, sums: sums.into() }),
    };
    let role = Role {
        attributes: RoleAttributes { login: true, inherit: true, connection_limit: -1, ..RoleAttributes::default() },
        member_of: vec![Membership { role: "app".into(), admin: false, inherit: None, set: None }],
    };
    let setting = Setting { name: "app.jwt_secret".into(), value: Hidden::new("hunter2") };
    Contents {
        server: ServerFacts {
            version: "15.18".into(),
            version_num: 150_018,
            system_id: Some("7".into()),
            lsn: Some("0/1".into()),
            in_recovery: false,
        },
        database: DatabaseFacts {
            name: "crm".into(),
            owner: "postgres".into(),
            encoding: "UTF8".into(),
            collate: "en_US.utf8".into(),
            ctype: "en_US.utf8".into(),
            provider: "libc".into(),
            locale: None,
            acl: Vec::new(),
            bytes: 8_000_000,
        },
        extensions: BTreeMap::from([(
            "pgcrypto".to_owned(),
            Extension { version: "1.3".into(), schema: "extensions".into() },
        )]),
        roles: BTreeMap::from([("web".to_owned(), role)]),
        settings: vec![Settings { role: None, in_database: true, settings: vec![setting] }],
        tables: BTreeMap::from([
            (quoted("public", "guests"), table(50_000, "1-2")),
            (quoted("we ird", "tab\"le"), table(1, "3-4")),
        ]),
        sequences: BTreeMap::from([(
            quoted("public", "guests_id_seq"),
            Sequence { last_value: 50_000, is_called: true, increment: 1 },
        )]),
        large_objects: LargeObjects { count: 2, bytes: 10, sums: "5-6".into() },
        schema: SchemaText { sha256: "ab".into(), bytes: 900 },
        rows_as: RowsAs::Text,
    }
}

fn told(change: impl FnOnce(&mut Contents)) -> Vec<String> {
    let mut copy = contents();
    change(&mut copy);
    compare(&contents(), &copy).iter().map(ToString::to_string).collect()
}

fn guests(contents: &mut Contents) -> &mut Table {
    contents.tables.get_mut("\"public\".\"guests\"").unwrap()
}

#[test]
fn a_copy_that_is_the_same_has_no_difference() {
    let elsewhere = |copy: &mut Contents| {
        copy.server.system_id = Some("8".into());
        copy.server.lsn = None;
        copy.server.version = "15.19".into();
        copy.database.name = "drill".into();
        copy.database.bytes = 1;
        copy.roles.insert("mainstay".into(), Role::default());
    };
    assert_eq!(told(elsewhere), Vec::<String>::new());
}

#[test]
fn every_planted_difference_is_told_with_its_place() {
    type Change = fn(&mut Contents);
    let cases: &[(Change, &str)] = &[
        (|copy| copy.server.version_num = 170_011, "server: major version 15 in the backup, 17 in the copy"),
        (|copy| copy.database.encoding = "LATIN1".into(), "database: encoding \"UTF8\""),
        (|copy| copy.database.acl.push("web=c/postgres".into()), "database: privileges"),
        (|copy| copy.extensions.clear(), "extension pgcrypto: is missing"),
        (|copy| copy.extensions.get_mut("pgcrypto").unwrap().version = "1.4".into(), "extension pgcrypto: version"),
        (|copy| copy.roles.clear(), "role web: is missing"),
        (|copy| copy.roles.get_mut("web").unwrap().attributes.bypass_rls = true, "role web: bypass row security"),
        (|copy| copy.roles.get_mut("web").unwrap().member_of.clear(), "role web: is no longer a member of app"),
        (|copy| copy.settings.clear(), "settings of the database: app.jwt_secret is not set"),
        (
            |copy| copy.settings[0].settings[0].value = Hidden::new("other"),
            "settings of the database: app.jwt_secret has another value",
        ),
        (
            |copy| guests(copy).digest = Some(TableDigest { rows: 49_999, sums: "1-2".into() }),
            "table \"public\".\"guests\": 50,000 rows in the backup, 49,999 rows in the copy",
        ),
        (
            |copy| guests(copy).digest.as_mut().unwrap().sums = "1-3".into(),
            "table \"public\".\"guests\": 50,000 rows in both, and their contents differ",
        ),
        (|copy| guests(copy).row_security = false, "row security was on and is off in the copy"),
        (|copy| drop(copy.tables.remove("\"we ird\".\"tab\"\"le\"")), "table \"we ird\".\"tab\"\"le\": is missing"),
        (
            |copy| copy.sequences.values_mut().next().unwrap().is_called = false,
            "would give 50000 next in the copy, and 50001 in the backup",
        ),
        (|copy| copy.large_objects.count = 1, "large objects: 2 in the backup, 1 in the copy"),
        (|copy| copy.large_objects.sums = "5-7".into(), "large objects: 2 in both, and their contents differ"),
        (|copy| copy.schema.sha256 = "cd".into(), "schema: its text is another"),
    ];
    for (change, words) in cases {
        let told = told(change);
        assert!(told.len() == 1 && told[0].contains(words), "{words}: {told:?}");
        assert!(!told[0].contains("hunter2"));
    }
}

#[test]
fn a_sequence_may_be_ahead_and_a_view_made_anew() {
    assert!(told(|copy| copy.sequences.values_mut().next().unwrap().last_value += 9).is_empty());
    let (mut was, mut is) = (contents(), contents());
    for (side, rows) in [(&mut was, 1), (&mut is, 2)] {
        guests(side).kind = TableKind::MaterializedView;
        guests(side).digest.as_mut().unwrap().rows = rows;
    }
    assert_eq!(compare(&was, &is), []);
}

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        id: "20261126-030000-x7k2ma".parse().unwrap(),
        stack: Some("pms".into()),
        env: None,
        database: "crm".into(),
        reason: Reason::Before("migration".into()),
        began_at: "2026-11-26T03:00:00Z".into(),
        snapshot_at: "2026-11-26T03:00:01Z".into(),
        ended_at: "2026-11-26T03:00:09Z".into(),
        made_by: "0.1.0".into(),
        image: None,
        dumper: "pg_dump (PostgreSQL) 15.18".into(),
        contents: contents(),
        stored: Stored {
            key: "20261126-030000-x7k2ma.dump.age".into(),
            bytes: 2,
            sha256: "aa".into(),
            plain_bytes: 1,
            plain_sha256: "bb".into(),
            compression: Compression::Zstd(3),
            recipients: vec!["age1one".into(), "age1two".into()],
        },
        durations: Durations::default(),
    }
}

#[test]
fn a_manifest_is_read_as_it_was_written_and_a_newer_one_is_refused() {
    assert_eq!(Manifest::read(manifest().text().as_bytes()).unwrap(), manifest());
    let newer = manifest().text().replacen("\"format\": 2", "\"format\": 3", 1);
    assert_eq!(Manifest::read(newer.as_bytes()), Err(Unreadable::Newer { found: 3, known: 2 }));
    for text in ["", "{}", "[1]", "{\"format\": 1}"] {
        assert!(matches!(Manifest::read(text.as_bytes()), Err(Unreadable::Damaged(_))), "{text}");
    }
    assert!(!format!("{:?}", manifest()).contains("hunter2"));
}

#[test]
fn a_manifest_that_says_nothing_of_its_digests_has_rows_as_text() {
    let (mut before, mut now) = (manifest(), manifest());
    before.format = 1;
    now.contents.rows_as = RowsAs::best_of(14);
    assert!(now.text().contains("\"rows_as\": \"values\""));
    let said = before.text().replacen("\"rows_as\": \"text\"", "\"older\": true", 1);
    assert!(!said.contains("rows_as"));
    assert_eq!(Manifest::read(said.as_bytes()).unwrap(), before);
    assert_eq!(RowsAs::best_of(13), RowsAs::Text);
}

#[test]
fn compression_is_said_in_the_words_that_the_version_knows() {
    assert_eq!(Compression::Gzip(1).flag(), "--compress=1");
    assert_eq!(Compression::Zstd(3).flag(), "--compress=zstd:3");
}

/// A backup on each of so many days up to the 26th of November 2026.
fn days(count: u8, standing: impl Fn(u8) -> Standing) -> Vec<Candidate> {
    (0..count).map(|ago| candidate(ago, 1000, Reason::Scheduled, standing(ago))).collect()
}

fn candidate(days_ago: u8, bytes: u64, reason: Reason, standing: Standing) -> Candidate {
    let ago = i64::from(days_ago);
    let day = (2..=11).rev().flat_map(|month: u8| {
        let length = if [4, 6, 9, 11].contains(&month) {
            30
        } else if month == 2 {
            28
        } else {
            31
        };
        (1..=length).rev().map(move |day| Day { year: 2026, month, day })
    });
    let last = Day { year: 2026, month: 11, day: 26 };
    let day = day.into_iter().find(|day| day.number() == last.number() - ago).unwrap();
    let id = format!("{:04}{:02}{:02}-030000-aaaaaa", day.year, day.month, day.day).parse().unwrap();
    Candidate { id, day, bytes, reason, standing }
}

fn kept(plan: &RetentionPlan) -> Vec<String> {
    plan.fates.iter().filter(|fate| fate.kept).map(|fate| fate.id.as_str()[4..8].to_owned()).collect()
}

#[test]
fn slots_of_days_and_weeks_are_filled_from_the_newest_backwards() {
    let keep = Keep { daily: 3, weekly: 3, ..Keep::default() };
    let plan = plan(&days(40, |_| Standing::Proven), &keep, false);
    // The 26th is a Thursday: weeks begin on the 23rd, the 16th, the 9th.
    assert_eq!(kept(&plan), ["1126", "1125", "1124", "1122", "1115"]);
    assert!(plan.refusals.is_empty() && plan.going().len() == 35);
}

#[test]
fn without_a_proof_nothing_goes_and_what_is_newer_than_the_last_proof_stays() {
    let keep = Keep { daily: 1, ..Keep::default() };
    assert_eq!(plan(&days(9, |_| Standing::Unproven), &keep, false).going().len(), 0);
    let fourth = |ago| if ago == 3 { Standing::Proven } else { Standing::Unproven };
    assert_eq!(kept(&plan(&days(9, fourth), &keep, false)), ["1126", "1125", "1124", "1123"]);
}

#[test]
fn a_proven_backup_goes_before_one_of_the_same_week_that_is_not() {
    let keep = Keep { weekly: 2, ..Keep::default() };
    let proven = |ago| if ago == 0 || ago == 6 { Standing::Proven } else { Standing::Unproven };
    assert_eq!(kept(&plan(&days(12, proven), &keep, false)), ["1126", "1120"]);
}

#[test]
fn one_that_failed_its_drill_fills_no_slot() {
    let keep = Keep { daily: 2, ..Keep::default() };
    let standing = |ago| if ago == 1 { Standing::Failed } else { Standing::Proven };
    assert_eq!(kept(&plan(&days(5, standing), &keep, false)), ["1126", "1124"]);
    // The newest is no backup: the newest good one stays, and the newest proven one.
    let standing = |ago| if ago == 0 { Standing::Failed } else { Standing::Proven };
    let plan = plan(&days(2, standing), &Keep { none: true, ..Keep::default() }, false);
    assert_eq!(kept(&plan), ["1126", "1125"]);
}

#[test]
fn what_an_operation_took_before_itself_stays_unless_a_number_says_how_many_are_enough() {
    let mut backups = days(4, |_| Standing::Proven);
    for ago in [1, 2, 3] {
        backups[ago].reason = Reason::Before("migration".into());
    }
    let keep = Keep { daily: 1, ..Keep::default() };
    assert_eq!(kept(&plan(&backups, &keep, false)).len(), 4);
    let keep = Keep { before: Some(1), ..keep };
    assert_eq!(kept(&plan(&backups, &keep, false)), ["1126", "1125"]);
}

#[test]
fn a_newest_backup_that_is_far_too_small_stops_everything() {
    let mut backups = days(9, |_| Standing::Proven);
    backups[0].bytes = 499;
    let keep = Keep { daily: 2, ..Keep::default() };
    let stopped = plan(&backups, &keep, false);
    assert!(stopped.refusals.len() == 1 && stopped.going().is_empty(), "{stopped:?}");
    assert_eq!(plan(&backups, &keep, true).going().len(), 7);
    backups[0].bytes = 500;
    assert_eq!(plan(&backups, &keep, false).going().len(), 7);
}

#[test]
fn zero_means_none_only_when_it_is_said_twice_and_never_the_last() {
    let backups = days(5, |_| Standing::Proven);
    assert_eq!(plan(&backups, &Keep::default(), false).refusals.len(), 1);
    let none = plan(&backups, &Keep { none: true, ..Keep::default() }, false);
    assert_eq!((none.refusals.len(), kept(&none)), (0, vec!["1126".to_owned()]));
}

#[test]
fn a_backup_that_is_due_is_late_only_after_the_grace() {
    let known = Known {
        now: 100_000,
        last_backup: Some(10_000),
        last_proof: Some(10_000),
        backup_due: Some(98_000),
        ..Known::default()
    };
    assert_eq!(troubles(&known), []);
    let later = Known { now: 98_000 + 3601, ..known.clone() };
    assert_eq!(troubles(&later), [Trouble::Late { due: 98_000 }]);
    assert_eq!(troubles(&Known { last_backup: Some(98_000), ..later }), []);
    assert_eq!(troubles(&Known { last_backup: None, ..known }), [Trouble::NoBackup]);
}

#[test]
fn a_proof_that_is_missing_late_or_failed_is_a_trouble() {
    let known = Known { now: 100_000, last_backup: Some(99_000), drill_due: Some(50_000), ..Known::default() };
    assert_eq!(troubles(&known), [Trouble::NeverProven]);
    assert_eq!(troubles(&Known { last_proof: Some(40_000), ..known.clone() }), [Trouble::ProofLate { due: 50_000 }]);
    let failed = Known { last_proof: Some(60_000), failed_proof: Some("rows".into()), ..known };
    assert_eq!(troubles(&failed), [Trouble::ProofFailed { words: "rows".into() }]);
    // What a drill found outweighs that the next one could not be made.
    assert_eq!(troubles(&Known { failed_drill: Some("no room".into()), ..failed.clone() }), troubles(&failed));
    let not_made = Known { failed_proof: None, failed_drill: Some("no room".into()), ..failed };
    assert_eq!(troubles(&not_made), [Trouble::DrillFailed { words: "no room".into() }]);
}

#[test]
fn without_a_schedule_for_drills_too_long_without_a_proof_is_a_trouble() {
    let day = 24 * 3600;
    let known = Known { now: 20 * day, last_backup: Some(20 * day), first_backup: Some(12 * day), ..Known::default() };
    assert_eq!(troubles(&known), []);
    let later = Known { now: 20 * day + 1, ..known };
    assert_eq!(troubles(&later), [Trouble::Unproven { since: 12 * day }]);
    let proven = Known { last_proof: Some(13 * day), ..later.clone() };
    assert_eq!((troubles(&proven), unproven_at(&proven)), (vec![], Some(21 * day)));
    // Who declares when, is late by that alone.
    assert_eq!(troubles(&Known { is_drilled: true, ..later.clone() }), []);
    // Where there is nothing, nothing can be proven.
    let none = Known { last_backup: None, first_backup: None, ..later };
    assert_eq!(troubles(&none), [Trouble::NoBackup]);
}
