//! A Postgres server of a test's own, with a vault in memory or in a folder.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mainstay_engine::blobs::Store;
use mainstay_engine::docker::Docker;
use mainstay_engine::pg::backup::{Alone, Order, Source, Tools, Vault, back_up};
use mainstay_engine::pg::{Inside, Server};
use mainstay_engine::secrets::{Seals, Secrets};
use mainstay_engine::standing_pool::Settings;
use mainstay_model::declared::{Destination, Hidden};
use mainstay_model::postgres::backup::layout::Shelf;
use mainstay_model::postgres::backup::{Manifest, Reason};
use tokio_util::sync::CancellationToken;

static COUNTER: AtomicU32 = AtomicU32::new(1);

pub struct Postgres {
    pub docker: Docker,
    pub name: String,
    pub folder: tempfile::TempDir,
    address: String,
}

impl Postgres {
    /// A server of an image with the database `crm`, made by these statements.
    pub fn start(docker: Docker, image: &str, sql: &str) -> Postgres {
        let name = format!("dkr-pg-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let variables = ["-e", "POSTGRES_PASSWORD=it is a secret", "-e", "POSTGRES_DB=crm"];
        docker_ok(&[["run", "-d", "--name", &name].as_slice(), &variables, &[image]].concat());
        let folder = tempfile::tempdir().unwrap();
        let mut server = Postgres { docker, name, folder, address: String::new() };
        for _ in 0..300 {
            let ready = ["exec", &server.name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres"];
            if Command::new("docker").args(ready).status().unwrap().success() {
                let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
                server.address = docker_ok(&["inspect", "--format", format, &server.name]);
                server.sql(sql);
                return server;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{} never answers", server.name);
    }

    pub fn sql(&self, sql: &str) -> String {
        let psql = ["exec", "-i", &self.name, "psql", "-U", "postgres", "-d", "crm", "-XAtq", "-v", "ON_ERROR_STOP=1"];
        docker_ok(&[psql.as_slice(), &["-c", sql]].concat())
    }

    pub fn shell(&self, script: &str) -> String {
        docker_ok(&["exec", "-u", "root", &self.name, "sh", "-c", script])
    }

    pub fn server(&self) -> Server {
        let url = format!("postgres://postgres:it%20is%20a%20secret@{}/crm?sslmode=disable", self.address);
        Server::new(Settings::for_url(&url).unwrap())
    }

    pub async fn source(&self) -> Source {
        let variables =
            [("PGHOST", "127.0.0.1"), ("PGDATABASE", "crm"), ("PGUSER", "postgres"), ("PGPASSWORD", "it is a secret")];
        let variables = variables.map(|(name, value)| (name.to_owned(), Hidden::new(value))).to_vec();
        let id = docker_ok(&["inspect", "--format", "{{.Id}}", &self.name]);
        let inside = Inside { container: id, name: self.name.clone(), variables };
        Source { server: self.server(), tools: Tools::inside(&self.docker, inside).await.unwrap() }
    }

    /// Of this server, in a folder; sealed for the key of a host of its own, and one more.
    pub fn vault(&self) -> Vault {
        let secrets = Secrets::of(&self.folder.path().join("state"), None);
        let (_, recovery) = Secrets::new_recovery_key();
        self.vault_with(secrets.seals(&[recovery]).unwrap())
    }

    pub fn vault_with(&self, seals: Seals) -> Vault {
        let place = self.folder.path().join("backups").to_str().unwrap().to_owned();
        let store = Store::open(&Destination::Folder(place)).unwrap();
        Vault::new(store, Shelf::new("test", None, "crm"), seals, "crm of test")
    }

    pub async fn back_up(&self, vault: &Vault) -> Manifest {
        let order = Order {
            stack: Some(self.name.clone()),
            env: None,
            database: "crm".into(),
            reason: Reason::Manual(None),
            made_by: "0".into(),
            alone: Alone::Yes { patience: Duration::from_secs(10) },
        };
        back_up(&self.source().await, vault, &order, &CancellationToken::new(), &|_| {}).await.unwrap()
    }

    /// The file that holds a backup's data.
    pub fn stored(&self, manifest: &Manifest) -> std::path::PathBuf {
        self.folder.path().join("backups/test/crm").join(&manifest.stored.key)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-f", "-v", &self.name]).output();
    }
}

pub fn docker_ok(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Names, kinds and rows of every sort that a dump may stumble over.
pub const ODD: &str = r#"
create role web login; create role anon; create role "o wner" nosuperuser; grant anon to web with admin option;
alter role web set statement_timeout = '3s'; alter role web in database crm set search_path = "$user", public, "a,b";
alter database crm set "app.jwt_secret" = 'hunter2'; grant create on database crm to web;
create schema "we ird" authorization "o wner"; create extension pgcrypto;
create table guests (id bigint generated always as identity primary key, name text not null check (name <> ''),
  shout text generated always as (upper(name)) stored, tenant int default 1, at timestamptz default now(), f float8, j jsonb);
insert into guests (name, f, j) select 'guest ' || n, n / 3.0, jsonb_build_object('n', n, 't', 'ä"\') from generate_series(1, 2000) n;
create index on guests (tenant, at desc) where tenant > 0; comment on table guests is 'who stays';
alter table guests enable row level security; create policy mine on guests to web using (tenant = 1);
grant select (id, name), update (name) on guests to web; grant select on guests to anon;
create table "we ird"."tab""le" (id serial primary key, "co l" text default 'x''y', guest bigint references guests on delete cascade);
insert into "we ird"."tab""le" (guest) select id from guests where id <= 50;
alter table "we ird"."tab""le" owner to "o wner"; alter table "we ird"."tab""le" force row level security;
create table logs (at date not null, line text) partition by range (at);
create table logs_1 partition of logs for values from ('2026-01-01') to ('2026-02-01');
create table logs_2 partition of logs default;
insert into logs select '2026-01-01'::date + n, 'line ' || n from generate_series(0, 99) n;
create function touch() returns trigger language plpgsql as $$begin new.at = now(); return new; end$$;
create trigger touch before update on guests for each row execute function touch();
create view names as select id, name from guests;
create materialized view m1 as select tenant, count(*) c from guests group by 1;
create materialized view m2 as select sum(c) from m1; create unique index on m1 (tenant);
create type mood as enum ('good', 'bad'); create domain short as text check (length(value) < 9);
create table kinds (m mood, s short, n numeric(12,2), b bytea, r int4range, x xml, a text[], u uuid default gen_random_uuid());
insert into kinds (m, s, n, b, r, a) values ('good', 'a', 1.50, '\x00ff', '[1,5)', array['a', null]), ('bad', null, 'NaN', null, null, null);
select lo_create(4711); select lo_put(4711, 0, '\xdeadbeef');
alter default privileges in schema public grant select on tables to anon;
"#;
