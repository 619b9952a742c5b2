//! What a builder tells, as news of its parts: BuildKit's traces and the classic builder's lines come out alike.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mainstay_model::operation::{BuildNews, BuildPart};
use prost::Message;
use serde::Deserialize;
use serde_json::Value;

use super::proto::Trace;
use super::veil::Veil;
use crate::world::Progress;

/// How many of the last lines of a part an error carries, and how many of the last complaints among them: the two
/// streams of a command come in an order of their own.
const LOG_TAIL: usize = 20;
const COMPLAINTS: usize = 5;

/// One value of a build's answer.
#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    id: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    pub(super) error: String,
    #[serde(default)]
    aux: Value,
}

/// A build as it was told so far.
pub(super) struct Story<'a> {
    progress: &'a Progress,
    veil: Veil,
    parts: Vec<Part>,
    by_digest: BTreeMap<String, usize>,
    /// The classic builder's part that runs.
    current: Option<usize>,
    /// The classic builder's line that has no end yet.
    rest: String,
}

struct Part {
    what: BuildPart,
    began: Instant,
    began_ms: Option<i64>,
    is_over: bool,
    is_cached: bool,
    /// What has no end of line yet, by stream: standard output, standard error.
    rest: [Vec<u8>; 2],
    printed: u64,
    /// With the place of each line among all.
    last: VecDeque<(u64, String)>,
    complaints: VecDeque<(u64, String)>,
    error: String,
}

/// The part that failed.
pub(super) struct Failed {
    pub(super) name: String,
    pub(super) last: Vec<String>,
    pub(super) error: String,
}

impl<'a> Story<'a> {
    pub(super) fn new(progress: &'a Progress, veil: Veil) -> Story<'a> {
        let (parts, by_digest) = (Vec::new(), BTreeMap::new());
        Story { progress, veil, parts, by_digest, current: None, rest: String::new() }
    }

    pub(super) fn veil(&self, text: &str) -> String {
        self.veil.clean(text)
    }

    /// Something to know that the builder does not tell by itself.
    pub(super) fn note(&self, line: &str) {
        self.progress.build(BuildNews::Noted { line: self.veil.clean(line) });
    }

    pub(super) fn hear(&mut self, answer: &Answer) {
        if answer.id == "moby.buildkit.trace" {
            let bytes = answer.aux.as_str().and_then(|text| STANDARD.decode(text).ok());
            if let Some(trace) = bytes.and_then(|bytes| Trace::decode(bytes.as_slice()).ok()) {
                self.hear_trace(&trace);
            }
            return;
        }
        self.rest.push_str(&answer.stream);
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            self.hear_line(line.trim_end());
        }
        // The base image is pulled: its layers come and go by the hundred, their ends are enough.
        if answer.status == "Pull complete" || answer.status.starts_with("Status:") {
            self.hear_line(format!("{} {}", answer.id, answer.status).trim());
        }
    }

    /// What failed is tried otherwise: it counts no more, and what the builder does again is told again.
    pub(super) fn begin_anew(&mut self) {
        self.by_digest.clear();
        self.parts.iter_mut().for_each(|part| part.error.clear());
    }

    /// The answer is over: the classic builder's last part is, too. `failed` says which way.
    pub(super) fn end(&mut self, failed: bool) {
        let rest = std::mem::take(&mut self.rest);
        self.hear_line(rest.trim_end());
        if let Some(current) = self.current.take() {
            self.over(current, None, failed);
        }
    }

    /// The part that failed: the one that says so, or the last one that was at work.
    pub(super) fn failed(&self) -> Option<Failed> {
        let failed = self.parts.iter().find(|part| !part.error.is_empty() && !part.error.contains("context canceled"));
        let part = failed.or_else(|| self.parts.iter().rev().find(|part| !part.error.is_empty()))?;
        let last: BTreeMap<u64, String> = part.last.iter().chain(&part.complaints).cloned().collect();
        let last = last.into_values().collect();
        Some(Failed { name: part.what.name.clone(), last, error: part.error.clone() })
    }

    fn hear_trace(&mut self, trace: &Trace) {
        for vertex in trace.vertexes.iter().filter(|vertex| vertex.started.is_some() || vertex.cached) {
            let at = match self.by_digest.get(&vertex.digest) {
                Some(at) => *at,
                None => {
                    let at = self.begin(&vertex.name);
                    self.by_digest.insert(vertex.digest.clone(), at);
                    at
                }
            };
            let part = &mut self.parts[at];
            part.began_ms = part.began_ms.or(vertex.started.map(super::proto::Moment::millis));
            part.is_cached |= vertex.cached;
        }
        for log in &trace.logs {
            if let Some(at) = self.by_digest.get(&log.vertex).copied() {
                self.said(at, usize::from(log.stream == 2), &log.message);
            }
        }
        for vertex in &trace.vertexes {
            let Some(at) = self.by_digest.get(&vertex.digest).copied() else { continue };
            if !vertex.error.is_empty() {
                self.parts[at].error = self.veil.clean(&vertex.error);
            }
            // BuildKit tells the end of a part more than once.
            if let Some(completed) = vertex.completed.filter(|_| !self.parts[at].is_over) {
                let failed = !self.parts[at].error.is_empty();
                self.over(at, Some(completed.millis()), failed);
            }
        }
        for warning in &trace.warnings {
            self.note(&String::from_utf8_lossy(&warning.short));
        }
    }

    fn said(&mut self, at: usize, stream: usize, bytes: &[u8]) {
        self.parts[at].rest[stream].extend_from_slice(bytes);
        while let Some(end) = self.parts[at].rest[stream].iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.parts[at].rest[stream].drain(..=end).collect();
            self.line(at, &String::from_utf8_lossy(&line), stream == 1);
        }
    }

    /// `Step 2/5 : RUN npm ci` begins a part; ` ---> Using cache` says how it ended; the rest is what it prints.
    fn hear_line(&mut self, line: &str) {
        let step = line.strip_prefix("Step ").and_then(|rest| rest.split_once(" : "));
        if let Some((number, text)) = step.filter(|(number, _)| number.contains('/')) {
            if let Some(current) = self.current.take() {
                self.over(current, None, false);
            }
            self.current = Some(self.begin(&format!("[{number}] {text}")));
            return;
        }
        let Some(current) = self.current else {
            if !line.trim().is_empty() && !line.starts_with("Successfully ") {
                self.note(line);
            }
            return;
        };
        match line.trim() {
            "---> Using cache" => self.parts[current].is_cached = true,
            mark if mark.starts_with("---> ") || mark.starts_with("Removing intermediate container") => {}
            built if built.starts_with("Successfully built ") || built.starts_with("Successfully tagged ") => {}
            _ => self.line(current, line, false),
        }
    }

    /// What the classic builder complained of belongs to the part that ran.
    pub(super) fn complain(&mut self, error: &str) {
        let at = self.current.or_else(|| self.parts.len().checked_sub(1)).filter(|_| self.by_digest.is_empty());
        if let Some(at) = at {
            self.parts[at].error = self.veil.clean(error);
        }
    }

    fn begin(&mut self, name: &str) -> usize {
        let name = self.veil.clean(&name.split_whitespace().collect::<Vec<_>>().join(" "));
        let what = BuildPart { aside: is_aside(&name), name };
        self.parts.push(Part {
            what: what.clone(),
            began: Instant::now(),
            began_ms: None,
            is_over: false,
            is_cached: false,
            rest: Default::default(),
            printed: 0,
            last: VecDeque::new(),
            complaints: VecDeque::new(),
            error: String::new(),
        });
        let at = self.parts.len() - 1;
        self.progress.build(BuildNews::PartBegan { part: number(at), what });
        at
    }

    fn line(&mut self, at: usize, line: &str, complains: bool) {
        // What a terminal would show of a line that was written over.
        let line = line.trim_end_matches(['\r', '\n']);
        let line = without_escapes(line.rsplit('\r').next().unwrap_or(line));
        let line = self.veil.clean(line.trim_end());
        if line.trim().is_empty() {
            return;
        }
        let part = &mut self.parts[at];
        part.printed += 1;
        keep(&mut part.last, LOG_TAIL, part.printed, &line);
        if complains {
            keep(&mut part.complaints, COMPLAINTS, part.printed, &line);
        }
        self.progress.build(BuildNews::PartSaid { part: number(at), line });
    }

    fn over(&mut self, at: usize, ended_ms: Option<i64>, failed: bool) {
        let [out, complaint] = std::mem::take(&mut self.parts[at].rest);
        self.line(at, &String::from_utf8_lossy(&out), false);
        self.line(at, &String::from_utf8_lossy(&complaint), true);
        let part = &mut self.parts[at];
        part.is_over = true;
        let by_engine = part.began_ms.zip(ended_ms).map(|(began, ended)| u64::try_from(ended - began).unwrap_or(0));
        let by_clock = || u64::try_from(part.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let took_ms = by_engine.unwrap_or_else(by_clock);
        let (what, cached) = (part.what.clone(), part.is_cached);
        let cancelled = part.error.contains("context canceled");
        let part = number(at);
        self.progress.build(match (failed, cancelled) {
            (true, true) => BuildNews::PartCancelled { part, what },
            (true, false) => BuildNews::PartFailed { part, what, took_ms },
            (false, _) => BuildNews::PartEnded { part, what, cached, took_ms },
        });
    }
}

fn keep(last: &mut VecDeque<(u64, String)>, most: usize, place: u64, line: &str) {
    if last.len() == most {
        last.pop_front();
    }
    last.push_back((place, line.to_owned()));
}

fn number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

/// An instruction's name starts with its place: `[2/5]`, `[build 2/5]`. That a stage begins with an image is no work.
fn is_aside(name: &str) -> bool {
    let Some((label, text)) = name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) else { return true };
    !label.rsplit(' ').next().is_some_and(|word| word.contains('/')) || text.starts_with("FROM ")
}

/// Without colours and movements of the cursor.
fn without_escapes(line: &str) -> String {
    let mut found = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // `ESC [ … letter`; any other escape is two characters long.
                if chars.next() == Some('[') {
                    chars.by_ref().find(|c| c.is_ascii_alphabetic());
                }
            }
            '\t' => found.push(' '),
            c if c.is_control() => {}
            c => found.push(c),
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::proto::{Moment, Vertex, VertexLog};
    use super::*;
    use crate::world::Told;

    fn listener() -> (Progress, Arc<Mutex<Vec<BuildNews>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hear = heard.clone();
        let progress = Progress::new(move |told| {
            if let Told::Build(news) = told {
                hear.lock().unwrap().push(news);
            }
        });
        (progress, heard)
    }

    /// Short words for news, so that they can be compared.
    fn words(news: &BuildNews) -> String {
        match news {
            BuildNews::PartBegan { part, what } => {
                format!("{part} began {}{}", what.name, if what.aside { " *" } else { "" })
            }
            BuildNews::PartSaid { part, line } => format!("{part} said {line}"),
            BuildNews::PartEnded { part, cached, .. } => {
                format!("{part} ended{}", if *cached { " cached" } else { "" })
            }
            BuildNews::PartFailed { part, .. } => format!("{part} failed"),
            BuildNews::PartCancelled { part, .. } => format!("{part} cancelled"),
            BuildNews::Noted { line } => format!("noted {line}"),
        }
    }

    #[test]
    fn the_classic_builders_lines_become_parts() {
        let (progress, heard) = listener();
        let mut story = Story::new(&progress, Veil::of(["hunter2222"]));
        for text in [
            "Step 1/3 : FROM node\n",
            " ---> 0a1b\nStep 2/3 : COPY . /app\n",
            " ---> Using cache\n ---> 9f\n",
            "Step 3/3 : RUN npm ci\n",
            " ---> Running in 8c\nadded 3 \u{1b}[32mpackages\u{1b}[0m\nlogin hunter2222",
        ] {
            story.hear(&serde_json::from_value(serde_json::json!({ "stream": text })).unwrap());
        }
        story.complain("The command '/bin/sh -c npm ci' returned a non-zero code: 5");
        story.end(true);
        let heard: Vec<String> = heard.lock().unwrap().iter().map(words).collect();
        assert_eq!(
            heard,
            [
                "1 began [1/3] FROM node *",
                "1 ended",
                "2 began [2/3] COPY . /app",
                "2 ended cached",
                "3 began [3/3] RUN npm ci",
                "3 said added 3 packages",
                "3 said login …",
                "3 failed"
            ]
        );
        let failed = story.failed().unwrap();
        assert_eq!((failed.name.as_str(), failed.last.len()), ("[3/3] RUN npm ci", 2));
        assert!(failed.error.ends_with("code: 5"));
    }

    #[test]
    fn buildkits_traces_become_parts_and_time_is_the_engines() {
        let at = |millis: i32| Some(Moment { seconds: 7, nanos: millis * 1_000_000 });
        let (progress, heard) = listener();
        let mut story = Story::new(&progress, Veil::of([]));
        let vertex =
            |name: &str, digest: &str| Vertex { name: name.into(), digest: digest.into(), ..Vertex::default() };
        let waiting = vertex("[2/2] RUN make", "b");
        let load = Vertex { started: at(0), ..vertex("[internal] load build context", "a") };
        let run = Vertex { started: at(10), ..waiting.clone() };
        let log = |text: &str| VertexLog { vertex: "b".into(), stream: 1, message: text.into() };
        let done = Vertex { completed: at(900), error: "exit code: 2".into(), ..run.clone() };
        for trace in [
            Trace { vertexes: vec![load, waiting], ..Trace::default() },
            Trace { vertexes: vec![run], logs: vec![log("one\r10%\r100%\ntw")], ..Trace::default() },
            Trace { vertexes: vec![done.clone()], logs: vec![log("o\n")], ..Trace::default() },
            Trace { vertexes: vec![done], ..Trace::default() },
        ] {
            let aux = STANDARD.encode(trace.encode_to_vec());
            story
                .hear(&serde_json::from_value(serde_json::json!({ "id": "moby.buildkit.trace", "aux": aux })).unwrap());
        }
        let took = heard.lock().unwrap().iter().find_map(|news| match news {
            BuildNews::PartFailed { took_ms, .. } => Some(*took_ms),
            _ => None,
        });
        assert_eq!(took, Some(890));
        let heard: Vec<String> = heard.lock().unwrap().iter().map(words).collect();
        assert_eq!(
            heard,
            [
                "1 began [internal] load build context *",
                "2 began [2/2] RUN make",
                "2 said 100%",
                "2 said two",
                "2 failed"
            ]
        );
        assert_eq!(story.failed().unwrap().error, "exit code: 2");
    }
}
