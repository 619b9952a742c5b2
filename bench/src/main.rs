//! `make bench`: one interleaved run of everything that is measured, with ratios at the end.
//!
//! `mainstay-bench --mainstay BIN --compose PLUGIN [--rounds N] [--sizes 1,10,50] [--out FILE]`

mod api;
mod figures;
mod repair;
mod rest;
mod subjects;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use figures::{Figures, timed};
use subjects::{Compose, Mainstay, Stack, floor_down, floor_look, floor_up};

fn main() {
    let root = env::temp_dir().join(format!("mainstay-bench-{}", std::process::id()));
    fs::create_dir_all(&root).expect("a temporary folder");
    let binary = PathBuf::from(flag("--mainstay").unwrap_or_else(|| "target/release/mainstay".into()));
    let binary = fs::canonicalize(binary).expect("the mainstay binary is built");
    let compose = Compose { plugin: PathBuf::from(flag("--compose").expect("--compose PLUGIN")) };
    let rounds: usize = flag("--rounds").and_then(|text| text.parse().ok()).unwrap_or(5);
    let sizes = flag("--sizes").unwrap_or_else(|| "1,10,50".into());
    let sizes: Vec<usize> = sizes.split(',').filter_map(|size| size.parse().ok()).collect();

    let hosted = Mainstay { binary: binary.clone(), state: root.join("hosted") };
    let served = Mainstay { binary: binary.clone(), state: root.join("served") };
    let mut figures = Figures::default();
    {
        let _server = served.serve();
        for &size in &sizes {
            for round in 1..=rounds {
                eprintln!("{size} services, round {round} of {rounds}");
                let stack = Stack::write(&root, size, round);
                one_round(&mut figures, &stack, &compose, &hosted, &served);
            }
            // What was measured so far is kept, whatever becomes of the rest.
            eprintln!("{}", figures.table());
        }
    }
    eprintln!("repair");
    repair::measure(&mut figures, &root, &served, rounds * 4);
    for containers in [10, 100] {
        eprintln!("at rest with {containers} containers");
        rest::measure(&mut figures, &root, &served, containers);
    }
    binary_itself(&mut figures, &binary);

    println!("{}", figures.table());
    if let Some(file) = flag("--out") {
        fs::write(file, figures.json().to_string()).expect("the results can be written");
    }
    let _ = fs::remove_dir_all(&root);
}

/// Every subject goes through the same states once, one after the other, so that a noisy minute hits all of them.
fn one_round(figures: &mut Figures, stack: &Stack, compose: &Compose, hosted: &Mainstay, served: &Mainstay) {
    let size = stack.services;
    let (cold, noop, changed, down) = (
        format!("cold up, {size}"),
        format!("no-op up, {size}"),
        format!("one changed, {size}"),
        format!("down, {size}"),
    );

    figures.add(&cold, "floor", timed(|| floor_up(stack)));
    figures.add(&noop, "floor", timed(|| floor_look(stack)));
    figures.add(&down, "floor", timed(|| floor_down(stack)));

    for (name, mainstay) in [("mainstay, served", served), ("mainstay, alone", hosted)] {
        stack.rewrite("0");
        figures.add(&cold, name, timed(|| mainstay.run(stack, &["up"])));
        for _ in 0..3 {
            figures.add(&noop, name, timed(|| mainstay.run(stack, &["up"])));
        }
        stack.rewrite("1");
        figures.add(&changed, name, timed(|| mainstay.run(stack, &["--yes", "up"])));
        figures.add(&down, name, timed(|| mainstay.run(stack, &["--yes", "down"])));
    }
    for (name, up) in [("compose up -d", &["up", "-d"][..]), ("compose up -d --wait", &["up", "-d", "--wait"])] {
        stack.rewrite("0");
        figures.add(&cold, name, timed(|| compose.run(stack, up)));
        for _ in 0..3 {
            figures.add(&noop, name, timed(|| compose.run(stack, up)));
        }
        stack.rewrite("1");
        figures.add(&changed, name, timed(|| compose.run(stack, up)));
        figures.add(&down, name, timed(|| compose.down(stack)));
    }
}

fn binary_itself(figures: &mut Figures, binary: &PathBuf) {
    let bytes = fs::metadata(binary).map(|file| file.len()).unwrap_or(0);
    figures.read("binary, MB", format!("{:.1}", bytes as f64 / 1e6));
    for _ in 0..20 {
        let took = timed(|| {
            let status = Command::new(binary).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(status.is_ok_and(|status| status.success()), "`mainstay version` runs");
        });
        figures.add("start (version)", "mainstay, alone", took);
    }
}

fn flag(name: &str) -> Option<String> {
    let args: Vec<String> = env::args().collect();
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).cloned()
}
