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
    /// Between the ends of two connections of one visitor.
    pub longest_gap: Duration,
}

/// Requests of one kept connection.
const KEPT_FOR: usize = 40;

impl Visitors {
    /// Of each kind one with HTTP/2 and one with HTTP/1.1 come to a page and expect a 200 that holds the text.
    pub fn come(edge: &Edge, host: &str, path: &str, expected: &str) -> Visitors {
        let leave = Arc::new(AtomicBool::new(false));
        let kinds = [1, KEPT_FOR].into_iter().flat_map(|requests| [(requests, "--http2"), (requests, "--http1.1")]);
        let threads = kinds.map(|(requests, http)| {
            let [host, path, expected] = [host, path, expected].map(str::to_owned);
            let visitor = Visitor { edge: edge.clone(), host, path, expected, requests, http };
            let leave = Arc::clone(&leave);
            thread::spawn(move || visitor.visit(&leave))
        });
        let threads = threads.collect();
        Visitors { leave, threads }
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

struct Visitor {
    edge: Edge,
    host: String,
    path: String,
    expected: String,
    /// How often one connection is asked.
    requests: usize,
    http: &'static str,
}

impl Visitor {
    fn visit(&self, leave: &AtomicBool) -> Visits {
        let mut visits = Visits::default();
        let mut last = Instant::now();
        while !leave.load(Ordering::SeqCst) {
            self.ask(&mut visits);
            visits.longest_gap = visits.longest_gap.max(last.elapsed());
            last = Instant::now();
        }
        visits
    }

    /// One connection. Within one process curl keeps it, and asks anew on another one when a kept one was reset.
    fn ask(&self, visits: &mut Visits) {
        let url = self.edge.url(&self.host, &self.path);
        let is_kept = self.requests > 1;
        let url = if is_kept { format!("{url}?[1-{}]", self.requests) } else { url };
        let mut curl = Edge::curl(&self.host, self.edge.https);
        curl.args([self.http, "--rate", "40/s", "--write-out", "\n\u{1}%{http_code} %{errormsg}\u{2}", &url]);
        let output = curl.output().expect("curl runs");
        for answer in String::from_utf8_lossy(&output.stdout).split_terminator('\u{2}') {
            let (body, how) = answer.rsplit_once('\u{1}').unwrap_or((answer, "no answer"));
            if how.starts_with("200") && body.contains(&self.expected) {
                visits.answered += 1;
            } else {
                let kind = if is_kept { "kept" } else { "fresh" };
                visits.failed.push(format!("{kind}: {how}: {}", body.trim()));
            }
        }
    }
}
