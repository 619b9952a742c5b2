//! The same migrations on other servers than a Postgres 15 with a superuser: a newer one, one whose `postgres` is no
//! superuser, and behind a pooler.

use mainstay_e2e::{Scene, docker_ok, require_engine};

/// One database to migrate, declared as `crm`.
struct Place<'p> {
    name: &'p str,
    /// The keys of the service `db`, and other services.
    services: &'p str,
    /// Who is the superuser.
    admin: &'p str,
    /// Beside `migrations`.
    declared: &'p str,
    /// Beside `dir`.
    migrations: &'p str,
}

const CHECK: &str =
    "healthcheck: { test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres], interval: 500ms, retries: 60 }";

impl Place<'_> {
    fn up(&self) -> Scene {
        let scene = Scene::new(self.name);
        let Place { services, declared, migrations, .. } = self;
        scene.stack(
            "one",
            &format!(
                "services:
  db:
    command: [-c, fsync=off]
    stop_grace_period: 2s
    {CHECK}
    {services}
x-mainstay:
  databases:
    crm: {{ {declared}, migrations: {{ dir: ./sql{migrations} }} }}
"
            ),
        );
        scene.file("one", ".env.dev", "");
        scene.file("one", "sql/1.sql", "create table a (id int, other int);\ninsert into a values (1, 1), (1, 2);\n");
        scene.file(
            "one",
            "roles.sql",
            "create role postgres login createdb createrole bypassrls password 'no superuser';
alter database crm owner to postgres;
",
        );
        scene
    }

    fn sql(&self, scene: &Scene, query: &str) -> String {
        let container = scene.container("one", "db");
        let psql =
            ["exec", &container, "psql", "-U", self.admin, "-d", "crm", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
        docker_ok(&[&psql[..], &["-c", query]].concat())
    }

    /// Everything that a run can meet: what is applied, what fails with its place and is gone on with, what is refused.
    fn walks(&self, scene: &Scene) {
        let migrate = |args: &[&str]| scene.on("one", &[&["db", "migrate"], args].concat());
        let apply = |args: &[&str]| migrate(&[&["apply", "--env", "dev"], args].concat());
        apply(&[]).ok().says("applied 1 migration");
        scene.file("one", "sql/2.sql", "create table b (id int);\nselect oops from b;\n");
        apply(&[]).code(1).says("2.sql:2:8: column \"oops\" does not exist").says("SQLSTATE 42703");
        assert_eq!(self.sql(scene, "select to_regclass('public.b')"), "", "nothing of it is kept");
        scene.file(
            "one",
            "sql/2.sql",
            "-- mainstay: no-transaction
create index concurrently first on a (other);
create unique index concurrently second on a (id);
",
        );
        apply(&[]).code(1).says("2.sql:3:1: could not create unique index").says("1 statements before it ran and stay");
        self.sql(scene, "update public.a set id = other");
        apply(&["--rebuild-invalid"]).ok().says("dropped the invalid index public.second");
        let valid = "select count(*) from pg_index where indrelid = 'public.a'::regclass and indisvalid";
        assert_eq!(self.sql(scene, valid), "2");
        // A file that leaves an empty path behind does not harm the one after it.
        scene.file("one", "sql/3.sql", "select pg_catalog.set_config('search_path', '', false);");
        scene.file("one", "sql/4.sql", "create table c (id int);");
        apply(&[]).ok().says("applied 2 migrations");
        scene.file("one", "sql/4.sql", "create table c (id bigint);");
        scene.file("one", "sql/5.sql", "begin;\nselect 1;\ncommit;");
        apply(&[]).code(3).says("in its statements").says("5.sql:1:1");
        migrate(&["status", "--check"]).code(6);
        migrate(&["accept", "4.sql", "--reason", "made by hand"]).ok();
        scene.file("one", "sql/5.sql", "select 5;");
        migrate(&["adopt", "5.sql"]).ok().says("adopted");
        migrate(&["status", "--check"]).ok();
        assert_eq!(self.sql(scene, "select count(*) from public.schema_migrations where sha256 is not null"), "5");
    }
}

const SUPERUSER: &str = "environment: { POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }";
/// As Supabase has it.
const NO_SUPERUSER: &str =
    "environment: { POSTGRES_USER: supabase_admin, POSTGRES_PASSWORD: it is a secret, POSTGRES_DB: crm }
    volumes: ['./roles.sql:/docker-entrypoint-initdb.d/roles.sql:ro']";

#[test]
fn on_postgres_17() {
    if !require_engine() {
        return;
    }
    let services = format!("image: postgres:17\n    {SUPERUSER}");
    let place =
        Place { name: "onseventeen", services: &services, admin: "postgres", declared: "service: db", migrations: "" };
    let scene = place.up();
    scene.on("one", &["up", "--yes"]).ok();
    place.walks(&scene);
}

#[test]
fn as_a_postgres_that_is_no_superuser() {
    if !require_engine() {
        return;
    }
    let services = format!("image: postgres:15\n    {NO_SUPERUSER}");
    let place = Place {
        name: "nosuperuser",
        services: &services,
        admin: "supabase_admin",
        declared: "service: db, database: crm, user: postgres, password: no superuser",
        migrations: "",
    };
    let scene = place.up();
    scene.on("one", &["up", "--yes"]).ok();
    assert_eq!(place.sql(&scene, "select rolsuper from pg_roles where rolname = 'postgres'"), "f");
    place.walks(&scene);
}

#[test]
fn by_a_release_on_postgres_17_without_a_superuser() {
    if !require_engine() {
        return;
    }
    let services = format!(
        "image: postgres:17\n    {NO_SUPERUSER}\n  web: {{ image: 'mainstay-test/tiny:1', stop_grace_period: 1s }}"
    );
    let place = Place {
        name: "releasedseventeen",
        services: &services,
        admin: "supabase_admin",
        declared: "service: db, database: crm, user: postgres, password: no superuser",
        migrations: ", release: true",
    };
    let scene = place.up();
    let up = scene.on("one", &["up", "--yes"]).ok().says("applied `1.sql`");
    assert!(!up.stderr.contains("no superuser"), "{}", up.stderr);
    scene.file("one", "sql/2.sql", "-- mainstay: no-transaction\ncreate index concurrently first on a (other);");
    scene.on("one", &["up", "--yes"]).ok().says("applied `2.sql`");
    let owner = "select tableowner from pg_tables where tablename = 'a'";
    assert_eq!(place.sql(&scene, owner), "postgres");
    scene.on("one", &["releases", "2"]).ok().prints("crm: 2.sql (2 applied)");
}

/// A database behind PgBouncer.
fn behind_a_pooler(name: &str, mode: &str, test: impl FnOnce(&Place<'_>, &Scene)) {
    if !require_engine() {
        return;
    }
    let services = format!(
        "image: postgres:15
    {SUPERUSER}
  pooler:
    image: mainstay-test/pgbouncer:1
    stop_grace_period: 1s
    environment: {{ DB_HOST: db, DB_USER: postgres, DB_PASSWORD: it is a secret, POOL_MODE: {mode} }}
    depends_on: {{ db: {{ condition: service_healthy }} }}"
    );
    let declared = "service: pooler, port: 6432, database: crm, user: postgres, password: it is a secret";
    let place = Place { name, services: &services, admin: "postgres", declared, migrations: "" };
    let scene = place.up();
    scene.on("one", &["up", "--yes"]).ok();
    test(&place, &scene);
}

#[test]
fn behind_a_pooler_that_gives_sessions() {
    behind_a_pooler("poolersessions", "session", |place, scene| place.walks(scene));
}

#[test]
fn behind_a_pooler_that_gives_transactions_nothing_is_applied() {
    behind_a_pooler("poolertransactions", "transaction", |place, scene| {
        let apply = scene.on("one", &["db", "migrate", "apply", "--env", "dev"]).code(4);
        apply.says("a pooler in transaction mode").says("the session port");
        assert_eq!(place.sql(scene, "select to_regclass('a')"), "");
        // A release that is to apply them is taken back, or fails where there is nothing to go back to.
        let text = std::fs::read_to_string(scene.dir("one").join("compose.yaml")).expect("the Compose file");
        let text = text.replace("dir: ./sql", "dir: ./sql, release: true");
        std::fs::write(scene.dir("one").join("compose.yaml"), text).expect("the Compose file");
        scene.on("one", &["up", "--yes"]).code(1).says("a pooler in transaction mode");
        assert_eq!(place.sql(scene, "select to_regclass('a')"), "");
    });
}
