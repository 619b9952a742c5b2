//! Drills and restores of a stack's database, as a person does them.

use std::time::Duration;

use mainstay_e2e::{Ran, Scene, docker, docker_ok, eventually, require_engine};

/// A stack with a database that is up, and a key that is kept elsewhere.
fn stack(name: &str, more: &str) -> Scene {
    let scene = Scene::new(name);
    scene.stack(
        "one",
        &format!(
            "services:
  db:
    image: postgres:15
    environment: {{ POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }}
    stop_grace_period: 2s
    healthcheck:
      test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres]
      interval: 500ms
      retries: 60
x-mainstay:
  databases:
    crm: {{ service: db, backup: {{ to: ./backups }}{more} }}
"
        ),
    );
    // There is an environment of this name.
    scene.file("one", ".env.dev", "");
    scene.mainstay(&["secret", "recovery-key", scene.folder().join("recovery.txt").to_str().expect("text")]).ok();
    scene.on("one", &["up", "--yes"]).ok();
    scene
}

fn sql(scene: &Scene, query: &str) -> String {
    of(scene, "crm", query)
}

fn of(scene: &Scene, database: &str, query: &str) -> String {
    let container = scene.container("one", "db");
    let psql = ["exec", &container, "psql", "-U", "postgres", "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1"];
    docker_ok(&[psql.as_slice(), &["-c", query]].concat())
}

fn back_up(scene: &Scene) -> String {
    scene.on("one", &["db", "backup", "--env", "dev"]).ok().stdout.trim().to_owned()
}

fn restore(scene: &Scene, args: &[&str]) -> Ran {
    scene.on("one", &[&["db", "restore", "--env", "dev", "--yes"], args].concat())
}

fn drill(scene: &Scene, args: &[&str]) -> Ran {
    scene.on("one", &[&["db", "drill", "--env", "dev"], args].concat())
}

/// The throw-away servers of this scene.
fn left(scene: &Scene) -> String {
    let about = format!("label=dev.mainstay.about=crm of {} (dev)", scene.name("one"));
    docker_ok(&["ps", "--all", "--quiet", "--filter", &about])
}

const GUESTS: &str = r#"create role web login; create table tenants (id int primary key, name text);
    insert into tenants select n, 'tenant ' || n from generate_series(1, 5) n;
    create table guests (id bigint generated always as identity primary key, tenant int references tenants, name text not null,
      shout text generated always as (upper(name)) stored, touched int default 0);
    insert into guests (tenant, name) select 1 + n % 5, 'guest ' || n from generate_series(1, 100) n;
    create index by_name on guests (name); comment on table guests is 'who stays';
    create table bookings (id serial primary key, guest bigint references guests on delete cascade);
    insert into bookings (guest) select id from guests where id <= 10;
    create function touch() returns trigger language plpgsql as $$begin new.touched = new.touched + 1; return new; end$$;
    create trigger touch before update on guests for each row execute function touch();
    alter table guests enable row level security; create policy own on guests for select to web using (tenant = 1);
    grant select (id, name) on guests to web;"#;

#[test]
fn a_drill_proves_the_newest_backup_and_a_planted_corruption_turns_it_red() {
    if !require_engine() {
        return;
    }
    let scene = stack("drilled", ", probes: [{ sql: select count(*) from guests, expect: \"100\" }]");
    sql(&scene, GUESTS);
    let id = back_up(&scene);
    drill(&scene, &[]).ok().says(&id).says("is proven: restored in");
    scene.on("one", &["db", "backups", "--env", "dev"]).ok().prints(&id);
    let told = drill(&scene, &["--json", &id]).ok().json();
    assert!(told["proven"] == true && told["restore_ms"].as_u64().is_some_and(|took| took > 0), "{told}");
    let recovery = scene.folder().join("recovery.txt");
    let recovery = recovery.to_str().expect("text");
    drill(&scene, &["--identity", recovery]).ok().says("is proven");
    let listed = scene.on("one", &["db", "backups", "--env", "dev", "--json"]).ok().json();
    assert!(listed["backups"][0]["restore_ms"].as_u64().is_some(), "{listed}");

    sql(&scene, "insert into guests (tenant, name) values (1, 'one more')");
    let more = back_up(&scene);
    drill(&scene, &[]).code(1).says(&more).says("answers `101`, and `100` is expected");

    let stored = scene
        .dir("one")
        .join("backups")
        .join(format!("{}@dev", scene.name("one")))
        .join("crm")
        .join(format!("{id}.dump.age"));
    let mut bytes = std::fs::read(&stored).expect("the stored data");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&stored, bytes).expect("it is written");
    drill(&scene, &[&id]).code(1).says("does not hold: it failed at reading what is stored").says("is damaged");
    scene.on("one", &["db", "backups", "--env", "dev"]).ok().prints("failed");
    assert_eq!(left(&scene), "");
}

/// Each is a table, `kind_…`, of one column: its type, what is in it, and what is equal to that and another value.
const FORGIVEN: &[(&str, &str, &str, &str)] = &[
    ("numeric", "numeric", "1.0", "1.00"),
    ("float", "float8", "'0'", "'-0'"),
    ("interval", "interval", "'1 mon'", "'30 days'"),
    ("json", "json", "'{\"a\": 1}'", "'{\"a\":  1}'"),
    ("jsonb", "jsonb", "'{\"a\": 1.0}'", "'{\"a\": 1.00}'"),
    ("text", "text collate forgiving", "'Ada'", "'ADA'"),
    ("domain", "forgiven", "1.0", "1.00"),
    ("array", "numeric[]", "'{1.0,null}'", "'{1.00,null}'"),
    ("nothing", "text", "null", "''"),
];

#[test]
fn a_value_that_is_only_equal_to_what_it_was_is_a_change() {
    if !require_engine() {
        return;
    }
    let scene = stack("equal", "");
    sql(
        &scene,
        "create collation forgiving (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         create domain forgiven as numeric; create type mood as enum ('well', 'unwell');
         create table various (a int2, b \"char\", c char(5), d date, e timestamptz, f uuid, g bytea, h mood, i int4range, j xml,
           k inet, l bool, m name, n point, o varchar(9), \"P q\" oid);
         insert into various select; insert into various values (1, 'x', 'ab', 'infinity', now(), gen_random_uuid(), '\\x00', 'well',
           '[1,5)', '<a/>', '10.0.0.1/8', true, 'n', '(1,2)', 'v', 5)",
    );
    for (kind, of, was, _) in FORGIVEN {
        sql(&scene, &format!("create table kind_{kind} (v {of}); insert into kind_{kind} values ({was}), ({was})"));
    }
    back_up(&scene);
    drill(&scene, &[]).ok().says("is proven");
    let same = restore(&scene, &["--dry-run"]).ok().stderr;
    assert!(!same.contains("kind_") && !same.contains("various"), "{same}");
    for (kind, .., is) in FORGIVEN {
        let one = format!("(select min(ctid) from kind_{kind})");
        sql(&scene, &format!("update kind_{kind} set v = {is} where ctid = {one}"));
    }
    let mut told = restore(&scene, &["--dry-run"]).ok();
    assert!(!told.stderr.contains("various"), "{}", told.stderr);
    for (kind, ..) in FORGIVEN {
        told = told.says(&format!("\"public\".\"kind_{kind}\": 2 rows in both, and others"));
    }
}

#[test]
fn a_whole_database_is_restored_beside_it_swapped_in_and_swapped_back() {
    if !require_engine() {
        return;
    }
    let scene = stack("whole", "");
    sql(&scene, GUESTS);
    sql(&scene, "alter database crm set work_mem = '9MB'; grant create on database crm to web");
    let id = back_up(&scene);
    sql(
        &scene,
        "delete from bookings; update guests set name = 'nobody' where id = 1; insert into guests (tenant, name) values (1, 'late')",
    );
    let planned = restore(&scene, &["--dry-run"]).ok();
    planned
        .says("\"public\".\"guests\": 100 rows in the backup, 101 now")
        .says("\"public\".\"bookings\": 10 rows in the backup, 0 now");
    assert_eq!(sql(&scene, "select count(*) from guests"), "101");
    // Of another environment are other backups.
    let production = ["db", "restore", "--yes"];
    scene.on("one", &production).code(2).says("there is no backup");
    scene.on("one", &["db", "backup"]).ok();
    scene.on("one", &production).code(5).says("counts as production").says("--confirm ");
    restore(&scene, &["--in-place"]).code(2).says("said twice");

    // Somebody is connected, and in a transaction.
    let container = scene.container("one", "db");
    let busy = "begin; select pg_sleep(2); commit; select pg_sleep(120)";
    docker_ok(&["exec", "--detach", &container, "psql", "-U", "postgres", "-d", "crm", "-c", busy]);
    let done = restore(&scene, &[&id]).ok().says("is kept as `crm_before_restore_");
    assert!(!done.stderr.contains("it is a secret"));
    assert_eq!(sql(&scene, "select count(*), min(name) from guests"), "100|guest 1");
    assert_eq!(sql(&scene, "show work_mem"), "9MB");
    assert_eq!(sql(&scene, "select has_database_privilege('web', 'crm', 'create')"), "t");
    let databases = "select string_agg(datname, ' ' order by datname) from pg_database where datname like 'crm%'";
    let names = of(&scene, "postgres", databases);
    assert!(names.starts_with("crm crm_before_restore_") && names.split(' ').count() == 2, "{names}");
    let listed = scene.on("one", &["db", "backups", "--env", "dev"]).ok();
    listed.prints("before restore");
    let told =
        scene.history_of("operation").iter().any(|entry| entry["summary"].as_str().is_some_and(|s| s.contains(&id)));
    assert!(told, "the restore is in the history");

    restore(&scene, &["--back"]).ok().says("is `crm` again");
    assert_eq!(sql(&scene, "select count(*) from guests"), "101");
    restore(&scene, &[&id, "--into", "crm_look"]).ok();
    assert_eq!(of(&scene, "crm_look", "select count(*) from guests"), "100");
    restore(&scene, &[&id, "--into", "crm_look"]).code(1).says("is there already");
    restore(&scene, &[&id, "--into", "crm_look", "--dry-run"]).code(1).says("is there already");
    restore(&scene, &[&id, "--in-place", "--in-place"]).ok();
    assert_eq!(sql(&scene, "select count(*), (select count(*) from bookings) from guests"), "100|10");
    of(&scene, "postgres", "drop database crm with (force)");
    restore(&scene, &[&id]).code(4).says("mainstay db restore --into crm`");
    restore(&scene, &[&id, "--into", "crm"]).ok();
    assert_eq!(sql(&scene, "select count(*) from guests"), "100");
}

#[test]
fn the_rows_of_one_table_come_back_with_what_was_written_since_shown_first() {
    if !require_engine() {
        return;
    }
    let scene = stack("rows", "");
    sql(&scene, GUESTS);
    back_up(&scene);
    sql(
        &scene,
        "delete from guests where id in (3, 4); update guests set name = 'wrong' where id between 20 and 29; \
         insert into guests (tenant, name) values (2, 'new'), (2, 'newer')",
    );
    let planned = restore(&scene, &["--table", "public.guests", "--dry-run"]).ok();
    planned
        .says("100 rows now, 100 in the backup; written since: 2 that are not in the backup, 10 changed; 2 are gone");
    assert_eq!(sql(&scene, "select count(*) from guests where name = 'wrong'"), "10", "looking changes nothing");

    restore(&scene, &["--table", "guests"]).ok().says("restored from backup");
    assert_eq!(sql(&scene, "select count(*), sum(id), sum(touched), max(shout) from guests"), "100|5050|0|GUEST 99");
    // It does not give what it has given.
    assert_eq!(sql(&scene, "insert into guests (tenant, name) values (1, 'next') returning id"), "103");
    assert_eq!(sql(&scene, "select tgenabled from pg_trigger where tgname = 'touch'"), "O");
    restore(&scene, &["--table", "public.tenants"]).ok().says("nothing to do");
    let nowhere = restore(&scene, &["--table", "public.nowhere"]).code(2);
    nowhere.says(" has no table `public.nowhere`");
    restore(&scene, &["--table", "nowhere"]).code(2).says(" has no table `nowhere`");

    // Somebody writes to it, and does not end.
    let container = scene.container("one", "db");
    let busy = "begin; update guests set name = 'busy' where id = 7; select pg_sleep(40)";
    docker_ok(&["exec", "--detach", &container, "psql", "-U", "postgres", "-d", "crm", "-c", busy]);
    let waited = restore(&scene, &["--table", "public.guests", "--no-backup"]).code(1);
    waited.says("somebody is writing to them").says("psql").says("pg_sleep(40)").says("pg_terminate_backend");
    sql(
        &scene,
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(40)' and pid <> pg_backend_pid()",
    );

    // Rows that would go with those that go.
    sql(&scene, "insert into bookings (guest) select max(id) from guests");
    restore(&scene, &["--table", "public.guests"]).code(1).says("public.bookings").says("nothing was changed");
    restore(&scene, &["--table", "public.guests", "--table", "public.bookings"]).ok();
    assert_eq!(sql(&scene, "select count(*), (select count(*) from bookings) from guests"), "100|10");
    assert_eq!(left(&scene), "");
}

#[test]
fn of_a_table_that_others_inherit_from_only_its_own_rows_are_restored_and_of_a_partitioned_one_all() {
    if !require_engine() {
        return;
    }
    let scene = stack("inherited", "");
    sql(
        &scene,
        "create table base (i int primary key, t text); create table child (extra int) inherits (base);
         insert into base values (1, 'of base'); insert into child values (2, 'of child', 2);
         create table log (t text); create table log_more (extra int) inherits (log);
         insert into log values ('of log'); insert into log_more values ('of log_more', 2);
         create table parts (i int primary key, t text) partition by range (i);
         create table low partition of parts for values from (0) to (10);
         create table high partition of parts for values from (10) to (20);
         insert into parts values (1, 'low'), (11, 'high')",
    );
    back_up(&scene);
    sql(
        &scene,
        "insert into child values (7, 'new', 9); update child set t = 'changed' where i = 2; insert into base values (3, 'late');
         update only base set t = 'wrong' where i = 1; insert into log_more values ('new', 9); delete from only log;
         delete from parts where i = 11; update parts set t = 'wrong' where i = 1; insert into parts values (12, 'late')",
    );
    restore(&scene, &["--table", "base", "--table", "log", "--dry-run"])
        .ok()
        .says("2 rows now, 1 in the backup; written since: 1 that are not in the backup, 1 changed; 0 are gone")
        .says("0 rows now, 1 in the backup; written since: 0 that are not in the backup, 0 changed; 1 are gone");
    restore(&scene, &["--table", "base", "--table", "log"]).ok();
    let rows = |of: &str, by: &str| sql(&scene, &format!("select string_agg(r::text, ' ' order by {by}) from {of} r"));
    assert_eq!(rows("only base", "i"), "(1,\"of base\")");
    assert_eq!(rows("child", "i"), "(2,changed,2) (7,new,9)", "a table that was not named is left alone");
    assert_eq!(rows("only log", "t"), "(\"of log\")");
    assert_eq!(rows("log_more", "t"), "(new,9) (\"of log_more\",2)");
    restore(&scene, &["--table", "parts"]).ok();
    assert_eq!(rows("parts", "i"), "(1,low) (11,high)");
    // With those that inherit from it, it comes back when it was dropped.
    sql(&scene, "drop table base cascade");
    restore(&scene, &["--table", "base", "--table", "child"]).ok();
    assert_eq!(rows("only base", "i") + &rows("child", "i"), "(1,\"of base\")(2,\"of child\",2)");
}

#[test]
fn a_table_that_was_dropped_comes_back_with_all_that_is_its_own() {
    if !require_engine() {
        return;
    }
    let scene = stack("dropped", "");
    sql(&scene, GUESTS);
    sql(
        &scene,
        r#"create schema "we ird"; create table "we ird"."tab""le" (id int primary key, at date) partition by range (id)"#,
    );
    sql(
        &scene,
        r#"create table "we ird"."pa rt" partition of "we ird"."tab""le" default; insert into "we ird"."tab""le" values (1), (2)"#,
    );
    let shape = |scene: &Scene| {
        docker_ok(&[
            "exec",
            &scene.container("one", "db"),
            "sh",
            "-c",
            "pg_dump -U postgres -d crm --schema-only | grep -v restrict",
        ])
    };
    let before = shape(&scene);
    back_up(&scene);
    sql(&scene, r#"drop table guests cascade; delete from "we ird"."tab""le""#);
    restore(&scene, &["--table", "public.guests", "--table", r#""we ird"."tab""le""#]).ok();
    assert_eq!(
        shape(&scene),
        before,
        "keys, indexes, triggers, policies, row security, grants, comments, foreign keys"
    );
    assert_eq!(sql(&scene, "select count(*), max(shout) from guests"), "100|GUEST 99");
    assert_eq!(sql(&scene, r#"select count(*) from "we ird"."tab""le""#), "2");
    assert_eq!(sql(&scene, "insert into guests (tenant, name) values (1, 'next') returning id"), "101");

    // Where all is published, no row can be taken out of a table that has no key yet.
    sql(&scene, "create publication everything for all tables; drop table guests cascade");
    restore(&scene, &["--table", "public.guests"]).ok();
    assert_eq!(sql(&scene, "select count(*), max(shout) from guests"), "100|GUEST 99");
}

#[test]
fn a_table_whose_row_security_would_differ_is_refused() {
    if !require_engine() {
        return;
    }
    let scene = stack("secured", "");
    sql(&scene, GUESTS);
    back_up(&scene);
    sql(&scene, "alter table guests disable row level security; delete from bookings; delete from guests");
    let refused = restore(&scene, &["--table", "public.guests"]).code(1);
    refused.says("its row security would differ").says("ENABLE ROW LEVEL SECURITY").says("nothing was changed");
    assert_eq!(sql(&scene, "select count(*) from guests"), "0");
    sql(&scene, "alter table guests enable row level security; alter table guests add late int");
    restore(&scene, &["--table", "public.guests"]).code(1).says("it is made otherwise now").says("late integer");
    assert_eq!(sql(&scene, "select count(*) from guests"), "0");
}

#[test]
fn a_restore_that_is_killed_leaves_the_database_untouched_and_no_server_behind() {
    if !require_engine() {
        return;
    }
    let scene = stack("killedrestore", "");
    sql(&scene, GUESTS);
    sql(&scene, "create table many as select n, repeat(md5(n::text), 8) t from generate_series(1, 300000) n");
    back_up(&scene);
    sql(&scene, "delete from guests where id > 50");
    for args in [
        vec!["db", "restore", "--env", "dev", "--yes", "--no-backup", "--table", "public.guests"],
        vec!["db", "drill", "--env", "dev"],
    ] {
        let running = scene.start("one", &args);
        eventually("a throw-away server runs", Duration::from_secs(60), || (!left(&scene).is_empty()).then_some(()));
        running.kill();
        // The very next command, whichever it is.
        scene.on("one", &["ps"]).ok();
        eventually("it is gone", Duration::from_secs(20), || left(&scene).is_empty().then_some(()));
        assert_eq!(sql(&scene, "select count(*) from guests"), "50");
    }
    let interrupted = scene.start("one", &["db", "drill", "--env", "dev"]);
    eventually("a throw-away server runs", Duration::from_secs(60), || (!left(&scene).is_empty()).then_some(()));
    interrupted.interrupt();
    let ran = interrupted.ends(Duration::from_secs(30));
    assert_eq!(ran.code, Some(130), "{ran:?}");
    eventually("it is gone", Duration::from_secs(20), || left(&scene).is_empty().then_some(()));

    // A whole restore that is killed has made a database at most, and not the one that lives.
    let running = scene.start("one", &["db", "restore", "--env", "dev", "--yes", "--no-backup"]);
    let made = "select count(*) from pg_database where datname like 'crm_restored%'";
    eventually("the new one is there", Duration::from_secs(60), || (of(&scene, "postgres", made) == "1").then_some(()));
    running.kill();
    assert_eq!(sql(&scene, "select count(*) from guests"), "50");
    assert!(docker(&["inspect", &scene.container("one", "db")]).status.success());
    restore(&scene, &["--no-backup"]).ok();
    assert_eq!(sql(&scene, "select count(*) from guests"), "100");
    assert_eq!(of(&scene, "postgres", made), "0", "what was left over is gone");
}

#[test]
fn a_migration_and_a_second_restore_wait_for_a_restore_and_say_so() {
    if !require_engine() {
        return;
    }
    let scene = stack("waiting", ", migrations: { dir: ./sql }");
    sql(&scene, "create table many as select n, repeat(md5(n::text), 8) t from generate_series(1, 300000) n");
    scene.file("one", "sql/0001.sql", "create table first (i int);");
    let migrate = ["db", "migrate", "apply", "--env", "dev"];
    scene.on("one", &migrate).ok();
    let id = back_up(&scene);
    sql(&scene, "delete from many where n > 10");
    scene.file("one", "sql/0002.sql", "create table late as select count(*) n from many;");
    let whole = ["db", "restore", "--env", "dev", "--yes", "--no-backup", &id];
    let made = "select count(*) from pg_database where datname like 'crm_restored%'";
    let half = |scene: &Scene| {
        let there = || (of(scene, "postgres", made) == "1").then_some(());
        eventually("the new one is there", Duration::from_secs(60), there);
    };

    let first = scene.start("one", &whole);
    half(&scene);
    let second = scene.start("one", &whole);
    let migration = scene.start("one", &migrate);
    let migrated = migration.ends(Duration::from_secs(120)).ok();
    migrated.says("waiting for another run: pid").says("mainstay db restore").says("applied 1 migration");
    first.ends(Duration::from_secs(60)).ok().says("is kept as");
    let second = second.ends(Duration::from_secs(120)).ok();
    second.says("waiting for pid").says("mainstay db restore").says("is kept as");
    let kept = "select count(*) from pg_database where datname like 'crm_before_restore%'";
    assert_eq!((of(&scene, "postgres", kept), of(&scene, "postgres", made)), ("2".into(), "0".into()));
    // The second restore came after the migration, or before it.
    scene.on("one", &migrate).ok();
    assert_eq!(sql(&scene, "select n from late"), "300000", "it is in the database that was restored");

    // What was applied when the run was planned, and is not in what it is restored to.
    let with_late = scene.start("one", &whole);
    half(&scene);
    scene.file("one", "sql/0003.sql", "create table latest (i int);");
    scene.on("one", &migrate).code(5).says("0002.sql is pending there as well").says("nothing was applied");
    with_late.ends(Duration::from_secs(60)).ok();
    scene.on("one", &migrate).ok().says("applied 2 migrations");
    // A backup waits, too, and is of what was restored.
    sql(&scene, "delete from many");
    let restoring = scene.start("one", &whole);
    half(&scene);
    scene.on("one", &["db", "backup", "--env", "dev", "--wait", "2m"]).ok().says("waiting for pid").says("300001 rows");
    restoring.ends(Duration::from_secs(60)).ok();
}

/// What is typed after `--confirm`.
fn digest(ran: &Ran) -> String {
    ran.stderr.split("digest ").nth(1).expect("a digest").split_whitespace().next().expect("a word").to_owned()
}

#[test]
fn consent_is_to_what_was_shown_and_to_nothing_that_was_written_since() {
    if !require_engine() {
        return;
    }
    let scene = stack("consent", "");
    sql(
        &scene,
        "create table notes (id int primary key, t text); insert into notes select n, 'n' from generate_series(1, 20) n",
    );
    sql(&scene, "create table many as select n, repeat(md5(n::text), 8) t from generate_series(1, 300000) n");
    let id = back_up(&scene);
    sql(&scene, "update notes set t = 'one' where id = 1");
    for way in [&["--table", "notes"][..], &["--in-place", "--in-place"], &[]] {
        let plan = |scene: &Scene| digest(&restore(scene, &[&[id.as_str(), "--dry-run"], way].concat()).ok());
        let shown = plan(&scene);
        assert_eq!(shown, plan(&scene), "looked at twice it is the same");
        // As many rows as before, and as many that differ.
        sql(&scene, "update notes set t = t || '!' where id = 1");
        let confirm = [&[id.as_str(), "--confirm", &shown], way].concat();
        restore(&scene, &confirm).code(5).says("the plan now has the digest");
        assert!(sql(&scene, "select t from notes where id = 1").starts_with("one"), "nothing was changed");
    }
    let shown = digest(&restore(&scene, &[&id, "--dry-run"]).ok());
    let running = scene.start("one", &["db", "restore", "--env", "dev", &id, "--no-backup", "--confirm", &shown]);
    // Without the backup it is another plan.
    running.ends(Duration::from_secs(60)).code(5);
    let shown = digest(&restore(&scene, &[&id, "--no-backup", "--dry-run"]).ok());
    let running = scene.start("one", &["db", "restore", "--env", "dev", &id, "--no-backup", "--confirm", &shown]);
    let made = "select count(*) from pg_database where datname like 'crm_restored%'";
    eventually("the new one is there", Duration::from_secs(60), || (of(&scene, "postgres", made) == "1").then_some(()));
    sql(&scene, "insert into notes values (21, 'late')");
    let done = running.ends(Duration::from_secs(60)).ok();
    done.says("written since that was shown").says("\"public\".\"notes\": 20 rows in the backup, 21 now");
    assert_eq!(sql(&scene, "select count(*) from notes where t = 'n'"), "20");
}

#[test]
fn where_postgres_is_no_superuser_its_own_database_is_drilled_restored_and_swapped() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("supalike");
    scene.stack(
        "one",
        "services:
  db:
    image: postgres:17
    environment: { POSTGRES_USER: supabase_admin, POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: first }
    stop_grace_period: 2s
    healthcheck:
      test: [CMD, pg_isready, -h, 127.0.0.1, -U, supabase_admin]
      interval: 500ms
      retries: 60
x-mainstay:
  databases:
    crm: { service: db, database: crm, user: postgres, password: another secret, backup: { to: ./backups } }
",
    );
    scene.file("one", ".env.dev", "");
    scene.mainstay(&["secret", "recovery-key", scene.folder().join("recovery.txt").to_str().expect("text")]).ok();
    scene.on("one", &["up", "--yes"]).ok();
    let admin = |database: &str, query: &str| {
        let container = scene.container("one", "db");
        docker_ok(&["exec", &container, "psql", "-U", "supabase_admin", "-d", database, "-XAtq", "-c", query])
    };
    // The cluster has a role of this name already, or not: here the first role is another one.
    admin("first", "create role postgres login createdb createrole bypassrls password 'another secret'");
    admin("first", "create role anon; create role authenticated; grant anon, authenticated to postgres");
    admin("first", "create database crm owner postgres");
    admin(
        "crm",
        "set role postgres; create extension pgcrypto; create table notes (id int primary key, owner text); \
         insert into notes select n, 'n' from generate_series(1, 20) n; alter table notes enable row level security; \
         alter table notes force row level security; create policy own on notes to authenticated using (owner = 'n'); \
         grant select on notes to anon, authenticated",
    );
    back_up(&scene);
    drill(&scene, &[]).ok().says("is proven");
    admin("crm", "delete from notes where id > 5");
    restore(&scene, &["--table", "notes"]).ok();
    assert_eq!(admin("crm", "select count(*) from notes"), "20");
    admin("crm", "drop table notes");
    restore(&scene, &[]).ok().says("is kept as");
    assert_eq!(admin("crm", "select count(*), (select count(*) from pg_policy) from notes"), "20|1");
    restore(&scene, &["--back"]).ok();
    assert_eq!(admin("crm", "select to_regclass('notes')"), "");
}
