//! Backups, drills, migrations and readiness beside the bare tools; `bench/postgres.sh` makes the scene.
//!
//! `mainstay-bench-postgres --mainstay BIN --root FOLDER --name NAME --port PORT [--image IMAGE] [--rows N] [--rounds N] [--migrations N]
//! [--only backup,drill,migrations,readiness] [--service BIN] [--dbmate BIN] [--sqlx BIN]`
//!
//! In each round all are measured, one right after the other: what else the machine does hits them alike. What is compared is the
//! ratio within a round, and processor time before the clock.

mod backup;
mod drill;
mod gauge;
mod migrations;
mod readiness;
mod scene;
mod table;

use std::env;
use std::path::PathBuf;

use migrations::Others;
use scene::Scene;

fn main() {
    let path = |name: &str| flag(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    let binary = path("--mainstay").expect("--mainstay BIN");
    let root = path("--root").expect("--root FOLDER");
    let image = flag("--image").unwrap_or_else(|| "postgres:17".into());
    let rounds = number("--rounds", 3);
    let only = flag("--only").unwrap_or_else(|| "backup,drill,migrations,readiness".into());
    let is_asked = |part: &str| only.split(',').any(|asked| asked == part);

    let (name, port) = (flag("--name").expect("--name NAME"), number("--port", 25432));
    let scene = Scene::build(&root, &name, port, &binary, &image);
    let mut told = Vec::new();
    let mut tell = |text: String| {
        // What was measured so far is kept, whatever becomes of the rest.
        eprintln!("{text}");
        told.push(text);
    };
    if is_asked("migrations") {
        let others = Others { dbmate: path("--dbmate"), sqlx: path("--sqlx") };
        tell(migrations::measure(&scene, rounds, number("--migrations", 1000), &others).text());
    }
    if is_asked("readiness") {
        let service = path("--service").expect("--service BIN");
        tell(readiness::measure(&scene, rounds, &service));
    }
    if is_asked("backup") || is_asked("drill") {
        scene.psql(scene::DATABASE, "DROP TABLE IF EXISTS bookings", None);
        scene.fill(number("--rows", 300_000));
        tell(backup::measure(&scene, rounds).text());
    }
    if is_asked("drill") {
        tell(drill::measure(&scene, rounds).text());
    }
    println!("{}", told.join("\n\n"));
}

fn flag(name: &str) -> Option<String> {
    let args: Vec<String> = env::args().collect();
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).cloned()
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    flag(name).and_then(|text| text.parse().ok()).unwrap_or(default)
}
