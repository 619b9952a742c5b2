//! Drills on real servers: what holds is proven, and everything that does not is told with its place.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/mod.rs"]
mod support;

use mainstay_engine::docker::Docker;
use mainstay_engine::pg::backup::{BackupError, Vault};
use mainstay_engine::pg::drill::{Drill, Drilled, Wanted};
use mainstay_engine::secrets::{Seals, Secrets};
use mainstay_model::declared::DrillProbe;
use mainstay_model::postgres::backup::retention::Standing;
use mainstay_model::postgres::backup::{Manifest, Verdict};
use postgres::{ODD, Postgres, docker_ok};
use support::engine;
use tokio_util::sync::CancellationToken;

async fn drill(
    docker: &Docker,
    vault: &Vault,
    manifest: &Manifest,
    probes: &[DrillProbe],
) -> Result<Drilled, BackupError> {
    let wanted = Wanted { docker, vault, manifest, image: None, purpose: "drilltest" };
    Drill { wanted, probes, made_by: "0" }.run(&CancellationToken::new(), &mut |_| {}).await
}

/// Throw-away servers of one backup's stack, which each test has of its own.
fn left(manifest: &Manifest) -> String {
    docker_ok(&["ps", "--all", "--quiet", "--filter", &format!("label=dev.mainstay.about={}", manifest.of())])
}

/// What stands in a verdict that is not good.
fn words(drilled: &Drilled) -> String {
    match &drilled.proof.verdict {
        Verdict::Proven => "proven".to_owned(),
        Verdict::Different(all) => all.iter().map(|one| format!("{one}\n")).collect(),
        Verdict::Failed { doing, words } => format!("{doing}: {words}"),
    }
}

#[tokio::test]
async fn a_good_backup_of_everything_odd_is_proven() {
    let Some(docker) = engine().await else { return };
    for image in ["postgres:15", "postgres:17"] {
        let pg = Postgres::start(docker.clone(), image, ODD);
        let vault = pg.vault();
        let manifest = pg.back_up(&vault).await;
        let probe = |sql: &str, expect: &str| DrillProbe {
            name: sql.into(),
            sql: sql.into(),
            expect: expect.into(),
            within_secs: 5,
        };
        let good = [probe("select count(*), min(name) from guests", "2000|guest 1")];
        let drilled = drill(&docker, &vault, &manifest, &good).await.unwrap();
        assert_eq!(words(&drilled), "proven");
        assert!(drilled.proof.restore_ms.is_some_and(|took| took > 0 && took <= drilled.proof.total_ms));
        assert_eq!(drilled.notes, Vec::<String>::new());
        let shelved = vault.get(&manifest.id).await.unwrap();
        assert_eq!((shelved.standing(), &shelved.proofs[0]), (Standing::Proven, &drilled.proof));

        let bad = [probe("select count(*) from guests", "1"), probe("select 1/0", "1")];
        let drilled = drill(&docker, &vault, &manifest, &bad).await.unwrap();
        assert!(words(&drilled).contains("answers `2000`, and `1` is expected"), "{drilled:?}");
        assert!(words(&drilled).contains("division by zero"), "{drilled:?}");
        assert_eq!(vault.get(&manifest.id).await.unwrap().standing(), Standing::Failed);
        assert_eq!(left(&manifest), "");
    }
}

#[tokio::test]
async fn what_was_planted_in_a_copy_is_told_with_its_place() {
    let Some(docker) = engine().await else { return };
    let pg = Postgres::start(docker.clone(), "postgres:15", ODD);
    let vault = pg.vault();
    let good = pg.back_up(&vault).await;
    // One damage after the other, so each drill tells those before it, too: one drill a damage is enough for its words.
    for (sql, told) in [
        (
            "update guests set f = f + 1e-9 where id = 7",
            "table \"public\".\"guests\": 2,000 rows in both, and their contents differ",
        ),
        (
            "delete from guests where id > 1990",
            "table \"public\".\"guests\": 2,000 rows in the backup, 1,990 rows in the copy",
        ),
        ("drop policy mine on guests", "schema: its text is another"),
        ("alter table guests disable row level security", "row security was on and is off in the copy"),
        (
            "select setval('guests_id_seq', 10)",
            "sequence \"public\".\"guests_id_seq\": would give 11 next in the copy, and 2001",
        ),
        ("select lo_put(4711, 0, '\\xbeef')", "large objects: 1 in both, and their contents differ"),
        ("drop table kinds", "table \"public\".\"kinds\": is missing in the copy"),
    ] {
        pg.sql(sql);
        let damaged = pg.back_up(&vault).await;
        let planted = Manifest { contents: good.contents.clone(), ..damaged };
        let drilled = drill(&docker, &vault, &planted, &[]).await.unwrap();
        assert!(words(&drilled).contains(told), "{sql}: {}", words(&drilled));
    }
    assert_eq!(left(&good), "");
}

#[tokio::test]
async fn stored_bytes_that_are_not_as_they_were_fail_with_the_reason_and_another_key_proves_nothing() {
    let Some(docker) = engine().await else { return };
    let pg = Postgres::start(docker.clone(), "postgres:17", ODD);
    let vault = pg.vault();
    let (manifest, other) = (pg.back_up(&vault).await, pg.back_up(&vault).await);
    let path = pg.stored(&manifest);
    let whole = std::fs::read(&path).unwrap();
    let mut broken = vec![whole[..whole.len() - 1].to_vec(), whole[..whole.len() / 2].to_vec(), Vec::new()];
    for at in [10, whole.len() / 3, whole.len() - 3] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        broken.push(flipped);
    }
    broken.push(std::fs::read(pg.stored(&other)).unwrap());
    for (index, bytes) in broken.into_iter().enumerate() {
        std::fs::write(&path, bytes).unwrap();
        // Reading alone finds it; of the drills, that take longer, some are enough.
        let error = vault.verify(&manifest, |_| {}).await.unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{index}: {error}");
        if ![0, 4, 6].contains(&index) {
            continue;
        }
        let drilled = drill(&docker, &vault, &manifest, &[]).await.unwrap();
        let told = words(&drilled);
        assert!(told.contains("reading what is stored") && told.contains("is damaged"), "{told}");
    }
    std::fs::remove_file(&path).unwrap();
    let told = words(&drill(&docker, &vault, &manifest, &[]).await.unwrap());
    assert!(told.contains("its data is not there"), "{told}");
    std::fs::write(&path, whole).unwrap();

    let proofs = vault.get(&manifest.id).await.unwrap().proofs.len();
    let (key, _) = Secrets::new_recovery_key();
    let stranger = vault.clone().opened_with(&Seals::of_key(&key).unwrap());
    let error = drill(&docker, &stranger, &manifest, &[]).await.unwrap_err();
    assert!(matches!(error, BackupError::OtherKey { .. }), "{error}");
    assert_eq!(vault.get(&manifest.id).await.unwrap().proofs.len(), proofs);
    assert_eq!(left(&manifest), "");
}

#[tokio::test]
async fn an_image_without_the_extension_is_told_in_the_tools_words_and_drills_run_side_by_side() {
    let Some(docker) = engine().await else { return };
    let pg = Postgres::start(docker.clone(), "postgres:15", "create table a (id int); insert into a values (1)");
    let vault = pg.vault();
    let manifest = pg.back_up(&vault).await;
    let (one, other) = tokio::join!(drill(&docker, &vault, &manifest, &[]), drill(&docker, &vault, &manifest, &[]));
    assert_eq!((words(&one.unwrap()), words(&other.unwrap())), ("proven".to_owned(), "proven".to_owned()));

    // What the running container has and its image has not.
    let folder = "$(pg_config --sharedir)/extension";
    pg.shell(&format!(
        "echo \"default_version = '1'\" >{folder}/homemade.control; echo 'create table made (id int);' >{folder}/homemade--1.sql"
    ));
    pg.sql("create extension homemade");
    let manifest = pg.back_up(&vault).await;
    let told = words(&drill(&docker, &vault, &manifest, &[]).await.unwrap());
    assert!(told.contains("pg_restore") && told.contains("homemade"), "{told}");

    let stopped = CancellationToken::new();
    stopped.cancel();
    let wanted = Wanted { docker: &docker, vault: &vault, manifest: &manifest, image: None, purpose: "drilltest" };
    let ended = Drill { wanted, probes: &[], made_by: "0" }.run(&stopped, &mut |_| {}).await;
    assert!(matches!(ended, Err(BackupError::Interrupted)), "{ended:?}");
}

#[tokio::test]
async fn where_postgres_is_no_superuser_the_copy_has_the_same_roles() {
    let Some(docker) = engine().await else { return };
    let roles = "create role supabase_admin superuser createdb createrole replication bypassrls login password 'admin'; \
        create role anon nologin; create role authenticated nologin; create role service_role nologin bypassrls; \
        create role authenticator noinherit login; grant anon, authenticated, service_role to authenticator; \
        create schema auth authorization supabase_admin; create table auth.users (id uuid primary key); \
        alter table auth.users owner to supabase_admin; grant usage on schema auth to postgres; \
        grant select on auth.users to postgres; insert into auth.users values (gen_random_uuid()); \
        create table notes (id int primary key, owner uuid references auth.users); \
        alter table notes enable row level security; create policy own on notes to authenticated using (true); \
        alter database crm owner to postgres; \
        create role crmapp login createdb bypassrls password 'it is a secret'; grant pg_read_all_data to crmapp;";
    for image in ["postgres:15", "postgres:17"] {
        let pg = Postgres::start(docker.clone(), image, roles);
        let vault = pg.vault();
        let mut manifest = pg.back_up(&vault).await;
        assert_eq!(words(&drill(&docker, &vault, &manifest, &[]).await.unwrap()), "proven");
        // As there: the cluster's first role is another one, and `postgres` may not do everything.
        manifest.contents.roles.get_mut("postgres").unwrap().attributes.superuser = false;
        assert_eq!(words(&drill(&docker, &vault, &manifest, &[]).await.unwrap()), "proven");
    }
}
