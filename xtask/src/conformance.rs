//! Runs every Compose file of a folder through Mainstay and through the reference, and tells where they differ.
//!
//! The reference's answers are recorded beside the files (`files/`, `expected/`, `index.json`), or come from a
//! `docker compose` program. Both programs run under limits, because a folder of files may hold a bomb.

mod answer;
mod cases;
mod compare;
mod known;
mod recorded;
mod report;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use answer::Program;
use cases::{Case, Reading};
use known::Known;
use recorded::Recorded;
use report::{Report, Verdict};

const USAGE: &str = "usage: cargo run -p xtask -- conformance FOLDER [options]

  FOLDER               Compose files in any layout, or a corpus with `files/`, `expected/` and `index.json`
  --reference PATH     a `docker compose` program to ask instead of the recorded answers
  --mainstay PATH      the program to judge; default: target/debug/mainstay, built first
  --known FILE         the list of differences that are right; default: xtask/known-differences.txt
  --reading NAME       full, noint or nocons; may be repeated; default: all
  --only WORDS         only cases whose name has these words
  --no-yaml            with --reference: compare the JSON only
  --show               print every difference of a case, not only the first";

/// What was asked for.
struct Order {
    folder: PathBuf,
    reference: Option<PathBuf>,
    mainstay: Option<PathBuf>,
    known: Option<PathBuf>,
    readings: Vec<Reading>,
    only: Option<String>,
    yaml: bool,
    show: bool,
}

/// Runs the command; fails when something differs that is not known to be right.
pub fn run(arguments: &[String], root: &Path) -> ExitCode {
    let order = match read_order(arguments) {
        Ok(order) => order,
        Err(problem) => {
            eprintln!("conformance: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match judge(&order, root) {
        Ok(report) => {
            print!("{}", report.render());
            if report.agrees() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            eprintln!("conformance: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn read_order(arguments: &[String]) -> Result<Order, String> {
    let mut order = Order {
        folder: PathBuf::new(),
        reference: None,
        mainstay: None,
        known: None,
        readings: Vec::new(),
        only: None,
        yaml: true,
        show: false,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--reference" => order.reference = Some(absolute(value()?)?),
            "--mainstay" => order.mainstay = Some(absolute(value()?)?),
            "--known" => order.known = Some(absolute(value()?)?),
            "--reading" => {
                let name = value()?;
                let reading = Reading::ALL.into_iter().find(|reading| reading.name() == name);
                order.readings.push(reading.ok_or_else(|| format!("there is no reading `{name}`"))?);
            }
            "--only" => order.only = Some(value()?.clone()),
            "--no-yaml" => order.yaml = false,
            "--show" => order.show = true,
            flag if flag.starts_with('-') => return Err(format!("there is no option `{flag}`")),
            folder if order.folder.as_os_str().is_empty() => order.folder = absolute(folder)?,
            more => return Err(format!("`{more}` is one folder too many")),
        }
    }
    if order.folder.as_os_str().is_empty() {
        return Err("no folder was given".into());
    }
    if order.readings.is_empty() {
        order.readings = Reading::ALL.to_vec();
    }
    Ok(order)
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    Path::new(path).canonicalize().map_err(|error| format!("`{path}`: {error}"))
}

fn judge(order: &Order, root: &Path) -> Result<Report, String> {
    let ours = Program::mainstay(match &order.mainstay {
        Some(path) => path.clone(),
        None => built(root)?,
    });
    let reference = order.reference.clone().map(Program::compose);
    let known = Known::open(order.known.as_deref().unwrap_or(&root.join("xtask/known-differences.txt")))?;
    let recorded = Recorded::open(&order.folder)?;
    if recorded.is_none() && reference.is_none() {
        return Err("the folder has no recorded answers: name a `docker compose` program with --reference".into());
    }
    let mut cases = match &recorded {
        Some(recorded) => recorded.cases(),
        None => cases::find(&order.folder),
    };
    if let Some(words) = &order.only {
        cases.retain(|case| case.name.contains(words.as_str()));
    }
    if cases.is_empty() {
        return Err(format!("no Compose file in `{}`", order.folder.display()));
    }
    let jobs: Vec<(&Case, Reading)> =
        cases.iter().flat_map(|case| order.readings.iter().map(move |reading| (case, *reading))).collect();
    let report = Mutex::new(Report::new(order.show));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((case, reading)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged = compared(case, *reading, order, &ours, reference.as_ref(), recorded.as_ref());
                    let judged = judged.map(|verdict| known.judge(&case.name, *reading, verdict));
                    if let Ok(mut report) = report.lock() {
                        report.add(case, *reading, judged);
                    }
                }
            });
        }
    });
    report.into_inner().map_err(|_| "a comparison broke off".to_owned())
}

/// One case in one reading. `None`: nobody knows what the reference says.
fn compared(
    case: &Case,
    reading: Reading,
    order: &Order,
    ours: &Program,
    reference: Option<&Program>,
    recorded: Option<&Recorded>,
) -> Option<Verdict> {
    let environment = recorded.map(|recorded| recorded.environment(case, reading));
    let ask = |program: &Program, is_json| program.config(case, reading, environment.as_ref(), is_json);
    let theirs = match (reference, recorded) {
        (Some(reference), _) => ask(reference, true),
        (None, Some(recorded)) => recorded.answer(case, reading)?,
        (None, None) => return None,
    };
    let verdict = compare::json(ask(ours, true), theirs);
    match (verdict, reference) {
        (Verdict::Same, Some(reference)) if order.yaml => {
            Some(compare::text(&ask(ours, false), &ask(reference, false)))
        }
        (verdict, _) => Some(verdict),
    }
}

fn built(root: &Path) -> Result<PathBuf, String> {
    let status = Command::new("cargo").args(["build", "--quiet", "-p", "mainstay"]).current_dir(root).status();
    match status {
        Ok(status) if status.success() => absolute(&root.join("target/debug/mainstay").to_string_lossy()),
        _ => Err("`cargo build -p mainstay` failed".into()),
    }
}
