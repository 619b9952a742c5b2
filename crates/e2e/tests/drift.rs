//! What a schema is beside what its migrations make, on real servers: found whoever changed it, and whatever the ledger says.

use std::process::{Command, Stdio};
use std::time::Duration;

use mainstay_e2e::{Ran, Scene, docker_ok, eventually, require_engine};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

const GUESTS: &str = "create type mood as enum ('sad', 'ok');
create table guests (id bigint generated always as identity primary key, name text not null, mood mood, spent numeric(12,2) default 0);
create index guests_name on guests (name);
alter table guests enable row level security;
create policy own on guests using (name = current_user);";
const LOGS: &str = "alter table guests add total_bookings int default 0;
create table logs (id bigint primary key, guest bigint references guests, details jsonb, check (id > 0));
create view busy as select * from guests where total_bookings > 0;
create function greet(who text) returns text language sql stable as $$ select 'hello ' || who $$;";

/// A stack with a database of this image that is up, and two migrations in `sql`; none is applied.
fn stack(name: &str, image: &str, more: &str) -> Scene {
    let scene = Scene::new(name);
    scene.stack(
        "one",
        &format!(
            "services:
  db:
    image: {image}
    environment: {{ POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }}
    command: [postgres, -c, fsync=off]
    stop_grace_period: 2s
    healthcheck:
      test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres]
      interval: 500ms
      retries: 60
x-mainstay:
  databases:
    crm: {{ service: db, migrations: {{ dir: ./sql }}{more} }}
"
        ),
    );
    scene.file("one", "sql/1_guests.sql", GUESTS);
    scene.file("one", "sql/2_logs.sql", LOGS);
    scene.file("one", ".env.dev", "");
    scene.on("one", &["up", "--yes"]).ok();
    scene
}

fn applied(scene: &Scene) {
    scene.on("one", &["db", "migrate", "apply", "--env", "dev"]).ok();
}

fn psql(scene: &Scene, user: &str, query: &str) -> String {
    let container = scene.container("one", "db");
    let base = ["exec", &container, "psql", "-U", user, "-d", "crm", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", query];
    docker_ok(&base)
}

fn sql(scene: &Scene, query: &str) -> String {
    psql(scene, "postgres", query)
}

/// The differences, each as `severity grade object [file ledger]`.
fn differences(scene: &Scene, args: &[&str]) -> Vec<String> {
    let told = scene.on("one", &[&["db", "drift", "--json"], args].concat()).ok().json();
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or("-").to_owned();
    let line = |one: &Value| {
        format!(
            "{} {} {} [{} {}]",
            text(one, "severity"),
            text(one, "grade"),
            text(one, "object"),
            text(one, "file"),
            text(one, "ledger")
        )
    };
    told["differences"].as_array().expect("differences").iter().map(line).collect()
}

/// Nothing that was made to compare with is left.
fn nothing_is_left(scene: &Scene) {
    let about = scene.container("one", "db");
    let address = address(scene);
    let mine = format!("label=dev.mainstay.about={address}/crm");
    eventually("the scratch container is gone", PATIENCE, || {
        docker_ok(&["ps", "--all", "--quiet", "--filter", &mine]).is_empty().then_some(())
    });
    let databases = [
        "exec",
        &about,
        "psql",
        "-U",
        "postgres",
        "-Atc",
        "select count(*) from pg_database where datname like 'mainstay%'",
    ];
    assert_eq!(docker_ok(&databases), "0");
}

fn address(scene: &Scene) -> String {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    docker_ok(&["inspect", "--format", format, &scene.container("one", "db")])
}

#[test]
fn the_ledger_is_full_and_the_schema_is_not() {
    if !require_engine() {
        return;
    }
    let scene = stack("drift", "postgres:15", "");
    assert_eq!(
        differences(&scene, &[])[..2],
        [
            "not-ready missing relation public.busy [2_logs.sql pending]",
            "not-ready missing relation public.guests [1_guests.sql pending]"
        ]
    );
    applied(&scene);
    scene.on("one", &["db", "drift", "--check"]).ok().says("the schema is as 2 files make it");
    sql(&scene, "alter table guests drop column total_bookings cascade");
    sql(&scene, "alter table guests rename spent to paid");
    sql(&scene, "alter table guests disable row level security; drop index guests_name");
    sql(&scene, "alter table logs drop constraint logs_id_check; alter table logs alter details type json");
    sql(&scene, "create table stray (id int); create policy open on guests using (true)");
    assert_eq!(
        differences(&scene, &[]),
        [
            "critical different relation public.guests [1_guests.sql applied]",
            "critical extra policy open of relation public.guests [- -]",
            "not-ready missing relation public.busy [2_logs.sql applied]",
            "not-ready missing column spent of relation public.guests [1_guests.sql applied]",
            "not-ready missing column total_bookings of relation public.guests [2_logs.sql applied]",
            "not-ready different column details of relation public.logs [2_logs.sql applied]",
            "warning missing index guests_name of relation public.guests [1_guests.sql applied]",
            "warning missing constraint logs_id_check of relation public.logs [2_logs.sql applied]",
            "note extra relation public.stray [- -]",
            "note extra column paid of relation public.guests [- -]",
        ]
    );
    let told = scene.on("one", &["db", "drift", "--check", "--level", "not-ready"]).code(6);
    told.prints("no file makes `paid`, which has its type: renamed?").says("write a new migration that brings them");
    scene.on("one", &["db", "drift", "--ignore", "public.stray"]).ok().says("9 differences");
    nothing_is_left(&scene);
}

#[test]
fn order_of_columns_and_names_of_constraints_do_not_matter() {
    if !require_engine() {
        return;
    }
    let scene = stack("order", "postgres:17", ", drift: { ignore: [\"public.own_*\"] }");
    let long = "a".repeat(70);
    scene.file(
        "one",
        "sql/3_long.sql",
        &format!("create table \"{long}\" (\"{long}\" int); create table parts (at date) partition by range (at);"),
    );
    // Made by hand, in another order, before any file ran; the ledger says nothing.
    sql(&scene, "create type mood as enum ('sad', 'ok')");
    sql(
        &scene,
        "create table guests (total_bookings int default 0, spent numeric(12,2) default 0, dropped int, mood mood, name text not null, id bigint generated always as identity, constraint pk primary key (id))",
    );
    sql(
        &scene,
        "alter table guests drop column dropped; create index by_name on guests (name); alter table guests enable row level security; create policy own on guests using (name = current_user)",
    );
    sql(
        &scene,
        "create table own_things (id int not null); create table parts (at date) partition by range (at); create table parts_2026 partition of parts for values from ('2026-01-01') to ('2027-01-01')",
    );
    sql(&scene, &format!("create table \"{long}\" (\"{long}\" int)"));
    sql(&scene, &LOGS[LOGS.find("create table").expect("it is there")..]);
    assert_eq!(
        differences(&scene, &[]),
        [
            // A view is frozen with the columns that were there, in their order.
            "warning different relation public.busy [2_logs.sql pending]",
            "note extra relation public.parts_2026 [- -]",
            "note different constraint guests_pkey of relation public.guests [1_guests.sql pending]",
            "note different index guests_name of relation public.guests [1_guests.sql pending]",
        ]
    );
    nothing_is_left(&scene);
}

#[test]
fn what_a_migration_locks_is_looked_at_without_waiting() {
    if !require_engine() {
        return;
    }
    let scene = stack("locked", "postgres:15", "");
    applied(&scene);
    sql(&scene, "alter table logs add by_hand int");
    let container = scene.container("one", "db");
    let alter = "begin; alter table guests add more int; select pg_sleep(600)";
    let mut holder = Command::new("docker");
    holder.args(["exec", &container, "psql", "-U", "postgres", "-d", "crm", "-c", alter]);
    let mut holder = holder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("docker runs");
    let held = "select count(*) from pg_locks where relation = 'guests'::regclass and granted and mode = 'AccessExclusiveLock'";
    eventually("it is held", PATIENCE, || (sql(&scene, held) == "1").then_some(()));
    assert_eq!(differences(&scene, &[]), ["note extra column by_hand of relation public.logs [- -]"]);
    let _ = holder.kill();
    let _ = holder.wait();
}

#[test]
fn a_role_that_is_no_superuser_is_judged_by_what_it_may() {
    if !require_engine() {
        return;
    }
    let scene = stack("roles", "postgres:15", ", user: app_owner, password: other secret");
    // As Supabase has it: who migrates is no superuser, and others get theirs by default.
    sql(
        &scene,
        "create role anon; create role app_owner login createdb password 'other secret'; alter database crm owner to app_owner; alter schema public owner to app_owner",
    );
    sql(
        &scene,
        "create schema auth; create table auth.users (id int); alter default privileges for role app_owner in schema public grant select on tables to anon",
    );
    scene.file(
        "one",
        "sql/1_guests.sql",
        &format!(
            "{GUESTS}\ncreate policy seen on guests for select to anon using (true);\ngrant insert on guests to anon;"
        ),
    );
    applied(&scene);
    scene.on("one", &["db", "drift", "--check"]).ok();
    // In a database of its own on the server as well.
    scene.on("one", &["db", "drift", "--check", "--scratch", "server"]).ok().says("on the server");
    sql(
        &scene,
        "revoke insert on guests from anon; alter table logs owner to postgres; grant delete on guests to public",
    );
    assert_eq!(
        differences(&scene, &[]),
        [
            "not-ready different relation public.logs [2_logs.sql applied]",
            "not-ready unprivileged privileges of anon on public.guests [1_guests.sql applied]",
            "warning extra privileges of PUBLIC on public.guests [- -]",
        ]
    );
    sql(
        &scene,
        "create schema old authorization app_owner; create table old.guests (id int); alter role app_owner set search_path = old, public",
    );
    let told = scene.on("one", &["db", "drift", "--schema", "public"]).ok();
    told.prints("hidden by relation old.guests, whose schema comes first in the search_path");
    nothing_is_left(&scene);
}

#[test]
fn what_the_image_makes_at_its_first_start_is_there_before_the_files() {
    if !require_engine() {
        return;
    }
    let scene = Scene::new("ground");
    scene.stack(
        "one",
        "services:
  db:
    image: postgres:17
    environment: { POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm, TENANT: a name with 'quotes' }
    volumes: ['./init:/docker-entrypoint-initdb.d:ro']
    stop_grace_period: 2s
    healthcheck:
      test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres]
      interval: 500ms
      retries: 60
x-mainstay:
  databases:
    crm: { service: db, migrations: { dir: ./sql } }
",
    );
    scene.file("one", ".env.dev", "");
    scene.file(
        "one",
        "init/1_auth.sql",
        "create role anon; create schema auth; create extension pgcrypto; \
         create function auth.uid() returns text language sql stable as $$ select current_user::text $$;",
    );
    let tenant = "psql -v ON_ERROR_STOP=1 -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\" -v tenant=\"$TENANT\" \
                  <<<\"create table tenants as select :'tenant'::text as name\"\n";
    scene.file("one", "init/2_tenant.sh", tenant);
    scene.file(
        "one",
        "sql/1.sql",
        "alter table tenants alter name set not null; alter table tenants add made timestamptz default now(); \
        alter table tenants enable row level security; create policy own on tenants to anon using (name = auth.uid());",
    );
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(sql(&scene, "select name from tenants"), "a name with 'quotes'");
    applied(&scene);
    scene.on("one", &["db", "drift", "--check"]).ok().says("schema public");
    sql(&scene, "alter policy own on tenants using (true); drop function if exists auth.nothing()");
    assert_eq!(differences(&scene, &[]), ["critical different policy own of relation public.tenants [1.sql applied]"]);
    // What extensions bring is nobody's, and `auth` is not the files'.
    assert_eq!(differences(&scene, &["--schema", "public", "--schema", "auth"]).len(), 1);
    nothing_is_left(&scene);
}

#[test]
fn a_replica_in_recovery_is_compared_as_any_other() {
    if !require_engine() {
        return;
    }
    let scene = stack("replica", "postgres:15", "");
    applied(&scene);
    let container = scene.container("one", "db");
    let admit = "echo 'host replication all all scram-sha-256' >> \"$PGDATA/pg_hba.conf\"";
    docker_ok(&["exec", &container, "bash", "-c", admit]);
    sql(&scene, "select pg_reload_conf()");
    let follow =
        "until pg_basebackup -h db -U postgres -D /tmp/standby -R; do sleep 0.2; done; exec postgres -D /tmp/standby";
    let files = std::fs::read_to_string(scene.dir("one").join("compose.yaml")).expect("it was written");
    let standby = format!(
        "  standby:
    image: postgres:15
    user: postgres
    environment: {{ PGPASSWORD: it is a secret }}
    entrypoint: [bash, -c, \"{follow}\"]
    stop_grace_period: 2s
    healthcheck: {{ test: [CMD, pg_isready, -h, 127.0.0.1], interval: 500ms, retries: 60 }}
x-mainstay:
  databases:
    standby: {{ service: standby, user: postgres, database: crm, password: it is a secret, migrations: {{ dir: ./sql }} }}"
    );
    scene.file("one", "compose.yaml", &files.replace("x-mainstay:\n  databases:", &standby));
    scene.on("one", &["up", "--yes"]).ok();
    let drift = ["db", "drift", "-d", "standby", "--check"];
    scene.on("one", &drift).ok();
    sql(&scene, "alter table logs drop details");
    let there = || scene.on("one", &drift).code.filter(|code| *code == 6);
    eventually("the replica has it", PATIENCE, there);
    scene.on("one", &drift).code(6).prints("column details of relation public.logs");
    nothing_is_left(&scene);
}

#[test]
fn files_that_do_not_stand_alone_say_what_they_lack() {
    if !require_engine() {
        return;
    }
    let scene = stack("before", "postgres:15", "");
    scene.file("one", "sql/0_first.sql", "alter table bookings\n  add cancelled_by uuid;");
    let failed = scene.on("one", &["db", "drift"]).code(3);
    failed
        .says("the files do not run on an empty database: 0_first.sql:1:1: relation \"bookings\" does not exist")
        .says("--before FILE");
    nothing_is_left(&scene);
    scene.file("one", "before.sql", "\\restrict x\nselect set_config('search_path', '', false);\ncreate table public.bookings (id int);\n\\unrestrict x\n");
    let before = scene.dir("one").join("before.sql");
    let before = before.to_str().expect("text");
    let told = differences(&scene, &["--before", before]);
    assert!(told.contains(&"not-ready missing relation public.bookings [- -]".to_owned()), "{told:#?}");
}

#[test]
fn ctrl_c_and_kill_leave_nothing_behind() {
    if !require_engine() {
        return;
    }
    let scene = stack("stopped", "postgres:17", "");
    scene.file("one", "sql/3_slow.sql", "select pg_sleep(600);");
    let mine = format!("label=dev.mainstay.about={}/crm", address(&scene));
    for kill in [false, true] {
        let running = scene.start("one", &["db", "drift"]);
        eventually("it is under way", PATIENCE, || {
            (!docker_ok(&["ps", "--quiet", "--filter", &mine]).is_empty()).then_some(())
        });
        if kill {
            running.kill();
        } else {
            running.interrupt();
            let ran = running.ends(PATIENCE);
            assert_eq!(ran.code, Some(130), "{ran:?}");
        }
        nothing_is_left(&scene);
    }
}

#[test]
fn a_server_elsewhere_is_compared_in_a_container_of_its_version() {
    if !require_engine() {
        return;
    }
    let scene = stack("elsewhere", "postgres:17", "");
    let with = |args: &[&str]| {
        let dir = scene.dir("one").join("sql");
        let mut command = scene.command(&[&["db", "drift", "--dir", dir.to_str().expect("text")], args].concat());
        command.env("DATABASE_URL", format!("postgres://postgres:it%20is%20a%20secret@{}/crm", address(&scene)));
        Ran::of(command)
    };
    let told = with(&["--check"]).code(6).says("in a container of postgres:17, without a network");
    assert!(!told.stderr.contains("it is a secret") && !told.stdout.contains("it is a secret"));
    applied(&scene);
    with(&["--check"]).ok();
    // What a service takes along, and the same questions as it asks.
    let file = scene.dir("one").join("schema.json");
    let file = file.to_str().expect("text");
    with(&["--write-expectation", file]).ok().says("3 relations of 2 files");
    with(&["--expectation", file, "--check"]).ok();
    sql(&scene, "alter table guests drop column total_bookings cascade");
    let told = with(&["--expectation", file, "--check"]).code(6);
    told.prints("column \"total_bookings\" of relation \"guests\" does not exist").prints("2_logs.sql");
    nothing_is_left(&scene);
}

#[test]
fn a_database_that_was_made_by_hand_is_adopted_file_by_file() {
    if !require_engine() {
        return;
    }
    let scene = stack("detect", "postgres:15", "");
    scene.file("one", "sql/1b_rows.sql", "insert into guests (name) values ('Ada');");
    scene.file(
        "one",
        "sql/3_half.sql",
        "create table one (id int); create table two (id int); create index two_id on two (id);",
    );
    scene.file("one", "sql/4_not.sql", "create table four (id int);");
    sql(&scene, GUESTS);
    sql(&scene, LOGS);
    sql(&scene, "create table one (id int)");
    let adopt = ["db", "migrate", "adopt", "--detect"];
    let seen = scene.on("one", &[&adopt[..], &["--json", "--dry-run"]].concat()).ok().json();
    let states: Vec<String> = seen["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|one| {
            format!("{} {}", one["file"].as_str().unwrap_or_default(), one["trace"].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        states,
        [
            "1_guests.sql applied",
            "1b_rows.sql none",
            "2_logs.sql applied",
            "3_half.sql partly",
            "4_not.sql not-applied"
        ]
    );
    scene
        .on("one", &adopt)
        .code(5)
        .says("3 files would be adopted")
        .says("--yes")
        .prints("relation public.two is missing");
    assert_eq!(sql(&scene, "select to_regclass('schema_migrations')"), "", "looking changes nothing");
    scene
        .on("one", &[&adopt[..], &["--yes"]].concat())
        .ok()
        .says("adopted 3 files")
        .says("3_half.sql: some of its work is there");
    assert_eq!(
        sql(&scene, "select string_agg(filename, ',' order by filename collate \"C\") from schema_migrations"),
        "1_guests.sql,1b_rows.sql,2_logs.sql"
    );
    sql(&scene, "drop table one");
    applied(&scene);
    scene.on("one", &["db", "drift", "--check"]).ok();
    // Something else under the name that a file makes.
    scene.file("one", "sql/5_other.sql", "create table five (id uuid);");
    sql(&scene, "create table five (id text)");
    scene.on("one", &adopt).ok().prints("type is text, wanted uuid").says("change the one or the other");
    nothing_is_left(&scene);
}

#[test]
fn ledgers_of_other_tools_are_taken_over() {
    if !require_engine() {
        return;
    }
    let scene = stack("ledgers", "postgres:17", "");
    sql(&scene, GUESTS);
    for (tool, table) in [
        // The shapes that these tools make.
        (
            "sqlx",
            format!(
                "create table _sqlx_migrations (version bigint primary key, description text not null, installed_on timestamptz not null default now(), \
                 success boolean not null, checksum bytea not null, execution_time bigint not null); \
                 insert into _sqlx_migrations values (1, 'guests', '2026-01-03 12:00+00', true, sha384($${GUESTS}$$::bytea), 1)"
            ),
        ),
        (
            "goose",
            "create table goose_db_version (id integer primary key generated by default as identity, version_id bigint not null, \
             is_applied boolean not null, tstamp timestamp not null default now()); \
             insert into goose_db_version (version_id, is_applied) values (0, true), (1, true), (2, true), (2, false)"
                .to_owned(),
        ),
        (
            "dbmate",
            "create table schema_migrations (version varchar(128) primary key); insert into schema_migrations values ('1')".to_owned(),
        ),
        (
            "flyway",
            "create table flyway_schema_history (installed_rank integer not null primary key, version varchar(50), description varchar(200) not null, \
             type varchar(20) not null, script varchar(1000) not null, checksum integer, installed_by varchar(100) not null, \
             installed_on timestamp not null default now(), execution_time integer not null, success boolean not null); \
             insert into flyway_schema_history values (1, '1', 'guests', 'SQL', '1_guests.sql', null, 'me', '2026-01-03', 5, true)"
                .to_owned(),
        ),
        (
            "supabase",
            format!(
                "create schema supabase_migrations; create table supabase_migrations.schema_migrations (version text not null primary key, \
                 statements text[], name text); insert into supabase_migrations.schema_migrations values ('1', array[$${GUESTS}$$], 'guests')"
            ),
        ),
    ] {
        sql(&scene, &table);
        let ledger = format!("public.from_{tool}");
        let args = ["db", "migrate", "adopt", "--from", tool, "--ledger", &ledger, "--yes"];
        scene.on("one", &args).ok().says("adopted 1 file");
        let row = sql(&scene, &format!("select filename, length(sha256), notes like 'adopted: %{tool}%' from {ledger}"));
        assert_eq!(row, "1_guests.sql|64|t", "{tool}");
        scene.on("one", &args).ok();
    }
    assert_eq!(sql(&scene, "select applied_at at time zone 'UTC' from from_sqlx"), "2026-01-03 12:00:00");
    // A file that is not what ran, one that was broken off, and a table that is none.
    sql(
        &scene,
        "update _sqlx_migrations set checksum = '\\x00'; insert into _sqlx_migrations values (2, 'logs', now(), false, '\\x00', 1), (9, 'gone', now(), true, '\\x00', 1)",
    );
    let args = ["db", "migrate", "adopt", "--from", "sqlx", "--ledger", "public.again"];
    let told = scene.on("one", &args).ok().says("nothing to adopt").says("sqlx applied another text");
    told.says("2_logs.sql: sqlx began it and did not end it").says("sqlx has `9` as applied");
    let args = ["db", "migrate", "adopt", "--from", "sqlx", "--from-table", "public.goose_db_version"];
    scene.on("one", &args).code(4).says("which sqlx has");
    scene.on("one", &["db", "migrate", "adopt", "--from", "dbmate"]).code(2).says("--ledger public.");
}
