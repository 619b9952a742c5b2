//! The throw-away server: it serves without a network, and goes with the one who made it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use mainstay_engine::pg::{Migrator, Need, Patience, ThrowawayServer};
use mainstay_model::postgres::migration::{LedgerName, MigrationSet};
use support::engine;
use tokio_util::sync::CancellationToken;

fn docker_command(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn need(image: &str) -> Need {
    Need { image: image.into(), purpose: "test", about: "engine/tests".into(), ..Need::default() }
}

fn is_there(name: &str) -> bool {
    !docker_command(&["ps", "--all", "--quiet", "--filter", &format!("name={name}")]).trim().is_empty()
}

#[tokio::test]
async fn it_runs_tools_without_a_network_and_leaves_nothing() {
    let Some(docker) = engine().await else { return };
    for image in ["postgres:15", "postgres:17"] {
        let server = ThrowawayServer::start(&docker, &need(image)).await.unwrap();
        let name = server.name().to_owned();
        assert!(is_there(&name));
        let seen = docker_command(&[
            "inspect",
            "--format",
            "{{.HostConfig.NetworkMode}} {{len .NetworkSettings.Networks}}",
            &name,
        ]);
        assert!(seen.starts_with("none"), "{seen}");
        let sql = "select current_user, current_setting('cron.launch_active_jobs'), current_setting('archive_mode')";
        let told = server.tool(&["psql", "-XAt", "-d", "postgres", "-f", "-"], sql.as_bytes()).await.unwrap();
        assert_eq!((told.code, told.text().trim()), (0, "postgres|off|off"), "{told:?}");
        let failed =
            server.tool(&["psql", "-XAt", "-d", "nowhere", "-c", "select 1"], tokio::io::empty()).await.unwrap();
        assert_eq!(failed.code, 2);
        assert!(failed.words().join(" ").contains("\"nowhere\" does not exist"), "{failed:?}");
        // Sessions are real ones: a migrator takes a lock with one and works with another.
        let migrator =
            Migrator::new(server.server("postgres"), LedgerName::default(), Patience::default(), "test".into());
        let set = MigrationSet::read([("1.sql", b"create table a (id int);".as_slice())]);
        let plan = migrator.plan(&set, &BTreeSet::new()).await.unwrap();
        let applied = migrator.apply(&set, &plan, &CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!(applied, 1);
        server.remove().await.unwrap();
        assert!(!is_there(&name));
    }
}

#[tokio::test]
async fn it_goes_with_a_value_that_is_dropped() {
    let Some(docker) = engine().await else { return };
    let server = ThrowawayServer::start(&docker, &need("postgres:15")).await.unwrap();
    let name = server.name().to_owned();
    drop(server);
    for _ in 0..100 {
        if !is_there(&name) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{name} is still there");
}

#[tokio::test]
async fn an_image_without_postgres_is_told_as_such() {
    let Some(docker) = engine().await else { return };
    let error = ThrowawayServer::start(&docker, &need("no-such-image:1")).await.unwrap_err();
    assert!(error.to_string().contains("is not there"), "{error}");
    let mut broken = need("postgres:15");
    broken.settings.push(("shared_preload_libraries".into(), "no_such_library".into()));
    let error = ThrowawayServer::start(&docker, &broken).await.unwrap_err();
    assert!(error.log_tail.join(" ").contains("no_such_library"), "{error:?}");
}
