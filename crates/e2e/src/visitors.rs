//! Visitors of a site: they come all the time while a test does something, and remember every answer they did not get.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::edge::Edge;

/// Some with a new connection for each request, some that keep theirs and ask again once when it was reset.
pub struct Visitors {
    leave: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Visits>>,
}

/// What visitors saw.
#[derive(Debug, Default)]
pub struct Visits {
    pub answered: usize,
    /// What came instead of an answer, in words.
    pub failed: Vec<String>,
    /// Between two good answers of one visitor.
    pub longest_gap: Duration,
}

/// Requests of one kept connection.
const KEPT_FOR: usize = 40;

impl Visitors {
    /// Two of each kind come to a page, and expect a 200 that holds the text.
    pub fn come(edge: &Edge, host: &str, path: &str, expected: &str) -> Visitors {
        let leave = Arc::new(AtomicBool::new(false));
        let threads = [1, 1, KEPT_FOR, KEPT_FOR].map(|requests| {
            let (edge, host, path, expected) = (edge.clone(), host.to_owned(), path.to_owned(), expected.to_owned());
            let leave = leave.clone();
            thread::spawn(move || visit(&edge, &host, &path, &expected, requests, &leave))
        });
        Visitors { leave, threads: threads.into() }
    }

    /// Lets them go; gives what they saw together.
    pub fn leave(self) -> Visits {
        self.leave.store(true, Ordering::SeqCst);
        let mut all = Visits::default();
        for thread in self.threads {
            let visits = thread.join().expect("no visitor panicked");
            all.answered += visits.answered;
            all.failed.extend(visits.failed);
            all.longest_gap = all.longest_gap.max(visits.longest_gap);
        }
        all
    }
}

impl Visits {
    /// Expects that everybody was answered, and that somebody was.
    #[track_caller]
    pub fn all_answered(&self) {
        assert!(self.failed.is_empty(), "{} answered, {} not: {:#?}", self.answered, self.failed.len(), self.failed);
        assert!(self.answered > 10, "too few came to tell: {}", self.answered);
    }
}

fn visit(edge: &Edge, host: &str, path: &str, expected: &str, requests: usize, leave: &AtomicBool) -> Visits {
    let mut visits = Visits::default();
    let mut last_good = Instant::now();
    while !leave.load(Ordering::SeqCst) {
        // Within one process curl keeps its connection, and asks anew on another one when a kept one was reset.
        let url = edge.url(host, path);
        let url = if requests > 1 { format!("{url}?[1-{requests}]") } else { url };
        let mut curl = Edge::curl(host, edge.https);
        let output =
            curl.args(["--rate", "40/s", "--write-out", "\n\u{1}%{http_code} %{errormsg}\u{2}", &url]).output();
        let said = String::from_utf8_lossy(&output.expect("curl runs").stdout).into_owned();
        for answer in said.split_terminator('\u{2}') {
            let (body, how) = answer.rsplit_once('\u{1}').unwrap_or((answer, "no answer"));
            if how.starts_with("200") && body.contains(expected) {
                visits.answered += 1;
            } else {
                let kind = if requests > 1 { "kept" } else { "fresh" };
                visits.failed.push(format!("{kind}: {how}: {}", body.trim()));
            }
        }
        visits.longest_gap = visits.longest_gap.max(last_good.elapsed());
        last_good = Instant::now();
    }
    visits
}
