//! Tends the house. `cargo run -p xtask -- tidy` checks what the compiler cannot; `conformance FOLDER` compares the
//! reading of Compose files with the reference's.

mod conformance;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match arguments.split_first() {
        Some((command, [])) if command == "tidy" => tidy(&root),
        Some((command, rest)) if command == "conformance" => conformance::run(rest, &root),
        _ => {
            eprintln!("usage: cargo run -p xtask -- tidy | conformance FOLDER [options]");
            ExitCode::from(2)
        }
    }
}

fn tidy(root: &Path) -> ExitCode {
    let complaints = tidy::check(root);
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
