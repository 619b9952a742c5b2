//! Requests a second through an edge beside those through another proxy to the same container; `bench/edge.sh` makes both.
//!
//! `mainstay-bench-edge --edge HTTP,HTTPS --hand HTTP,HTTPS [--host NAME] [--rounds N] [--seconds N] [--connections N]`
//!
//! In each round both are asked in each of the ways, one right after the other, in turns who comes first: what else the
//! machine does hits both alike. What is compared is the ratio within a round.

mod visitor;

use std::env;
use std::time::Duration;

use visitor::{Ask, Way};

/// One proxy, and what came of each way of asking in each round.
struct Subject {
    name: &'static str,
    http: u16,
    https: u16,
    /// By way, by round: requests a second.
    rates: Vec<Vec<f64>>,
}

/// Over plain HTTP Caddy's own redirect to HTTPS closes the connection, so there none can be kept.
const WAYS: [(&str, Way); 3] = [
    ("HTTPS, connection kept", Way { tls: true, kept: true }),
    ("HTTPS, connection per request", Way { tls: true, kept: false }),
    ("HTTP (to HTTPS), per request", Way { tls: false, kept: false }),
];

fn main() {
    let host = flag("--host").unwrap_or_else(|| "bench.localhost".into());
    let rounds = number("--rounds", 7);
    let ask =
        Ask { host, seconds: Duration::from_secs(number("--seconds", 3)), connections: number("--connections", 16) };
    let mut subjects = ["edge", "hand"].map(|name| {
        let ports = flag(&format!("--{name}")).unwrap_or_else(|| panic!("--{name} HTTP,HTTPS"));
        let (http, https) = ports.split_once(',').expect("two ports");
        let port = |text: &str| text.parse().expect("a port");
        Subject { name, http: port(http), https: port(https), rates: vec![Vec::new(); WAYS.len()] }
    });
    // Certificates and connections to the container are there before anything counts.
    for subject in &subjects {
        for (_, way) in WAYS {
            ask.again_and_again(subject.port(way), way, Duration::from_millis(300));
        }
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (index, (_, way)) in WAYS.into_iter().enumerate() {
            let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for subject in order {
                let subject = &mut subjects[subject];
                let rate = ask.again_and_again(subject.port(way), way, ask.seconds);
                subject.rates[index].push(rate);
            }
        }
    }
    println!("{}", table(&subjects));
}

impl Subject {
    fn port(&self, way: Way) -> u16 {
        if way.tls { self.https } else { self.http }
    }
}

/// A line a way: the medians and the lowest of both, and the ratios within rounds.
fn table([edge, hand]: &[Subject; 2]) -> String {
    let mut out = format!(
        "{:<32}{:>10}{:>8}{:>10}{:>8}{:>9}{:>8}{:>8}",
        "requests a second", edge.name, "lowest", hand.name, "lowest", "ratio", "lowest", "highest"
    );
    for (index, (title, _)) in WAYS.iter().enumerate() {
        let (ours, theirs) = (sorted(&edge.rates[index]), sorted(&hand.rates[index]));
        let within: Vec<f64> =
            edge.rates[index].iter().zip(&hand.rates[index]).map(|(ours, theirs)| ours / theirs).collect();
        let ratios = sorted(&within);
        out += &format!(
            "\n{title:<32}{:>10.0}{:>8.0}{:>10.0}{:>8.0}{:>9.2}{:>8.2}{:>8.2}",
            median(&ours),
            ours[0],
            median(&theirs),
            theirs[0],
            median(&ratios),
            ratios[0],
            ratios[ratios.len() - 1],
        );
    }
    out
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

fn flag(name: &str) -> Option<String> {
    let args: Vec<String> = env::args().collect();
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).cloned()
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    flag(name).and_then(|text| text.parse().ok()).unwrap_or(default)
}
