//! A backup, sealed and with its manifest, beside `pg_dump` into a file of the host.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use super::gauge::run;
use super::scene::{DATABASE, Scene};
use super::table::Table;

/// The bare tool as it is typed, and as Mainstay has it compress.
pub const BARE: [(&str, &[&str]); 2] =
    [("pg_dump -Fc", &["-Fc"]), ("pg_dump -Fc -Z zstd:3", &["-Fc", "--compress=zstd:3"])];

/// What a bare tool has written, for the drill to read.
pub fn archive(scene: &Scene, index: usize) -> PathBuf {
    scene.root.join(format!("bare-{index}.dump"))
}

pub fn measure(scene: &Scene, rounds: usize) -> Table {
    let mut table = Table::new("backup: server, pg_dump and own");
    for round in 1..=rounds {
        eprintln!("backup, round {round} of {rounds}");
        scene.settle();
        table.add("mainstay db backup", run(&mut scene.mainstay(&["db", "backup"]), None, &[scene.group()]));
        for (index, (name, flags)) in BARE.iter().enumerate() {
            scene.settle();
            let mut command = Command::new("docker");
            command.args(["exec", &scene.container(), "pg_dump", "-U", "postgres"]).args(*flags).arg(DATABASE);
            let output = File::create(archive(scene, index)).expect("a file");
            table.add(name, run(&mut command, Some(output), &[scene.group()]));
        }
    }
    let size = |index| std::fs::metadata(archive(scene, index)).map_or(0.0, |file| file.len() as f64 / 1e6);
    table.note(format!("database of {:.0} MB; archives of {:.0} and {:.0} MB", scene.bytes() / 1e6, size(0), size(1)));
    table
}
