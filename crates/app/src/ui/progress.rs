//! An operation while it runs, told from its events alone.
//!
//! On a terminal every running step has one live line; what is finished stands above. Without a terminal there is one
//! plain line for everything that ended. Nothing shows before a quarter of a second: what is quick is told at once,
//! when it is over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mainstay_model::identity::OperationId;
use mainstay_model::operation::{BuildNews, Event, Failure, Verdict, What};
use mainstay_model::plan::render::describe;
use mainstay_model::plan::{Action, Plan, StepId};

use super::building::{Building, Line};
use super::since::took;
use super::table::cut;
use super::{Tone, Ui, show};

/// How long an operation stays silent at its start.
pub const PATIENCE: Duration = Duration::from_millis(250);
/// How often a plain log repeats where a long step is.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// So many steps that were not run are told one by one; of more, the first says enough.
const TOLD_ONE_BY_ONE: usize = 3;

/// What an operation came to, as far as its events told.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Whether the release failed and was taken back.
    pub taken_back: bool,
    pub operation: Option<OperationId>,
    /// The steps that were done and those of the last plan.
    pub total: usize,
    pub done: usize,
    pub skipped: usize,
    pub failures: Vec<(StepId, Failure)>,
    /// Why it failed when every step was done.
    pub afterwards: Option<Failure>,
    pub verdict: Option<Verdict>,
    pub took_ms: u64,
}

/// Shows events as they come.
pub struct Progress {
    ui: Ui,
    plan: Plan,
    bars: Option<MultiProgress>,
    running: BTreeMap<StepId, Running>,
    /// Lines of finished steps that wait until something may be shown.
    held_back: Vec<String>,
    /// Steps that were not run, in a row so far, and why.
    skipped: Vec<(StepId, String)>,
    shows: bool,
    tally: Tally,
}

struct Running {
    bar: Option<ProgressBar>,
    told_at: Instant,
    words: String,
    /// There for a build.
    building: Option<Building>,
}

impl Progress {
    /// Starts silently; [`Progress::reveal`] is called when the patience is over.
    pub fn new(ui: &Ui, plan: &Plan) -> Self {
        let live = ui.err_is_terminal && !ui.json && !ui.quiet;
        Progress {
            ui: ui.clone(),
            plan: plan.clone(),
            bars: live.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12))),
            running: BTreeMap::new(),
            held_back: Vec::new(),
            skipped: Vec::new(),
            shows: false,
            tally: Tally::default(),
        }
    }

    /// From now on things show as they happen.
    pub fn reveal(&mut self) {
        if self.shows {
            return;
        }
        self.shows = true;
        for line in std::mem::take(&mut self.held_back) {
            self.print(&line);
        }
        let waiting: Vec<StepId> = self.running.keys().copied().collect();
        for step in waiting {
            self.show_bar(step);
        }
    }

    /// Hears one event.
    pub fn hear(&mut self, event: &Event) {
        self.tally.operation = Some(event.operation.clone());
        if !matches!(event.what, What::StepSkipped { .. }) {
            self.tell_skipped();
        }
        match &event.what {
            What::Planned { plan, .. } => {
                self.plan = plan.clone();
                self.tally.total = plan.steps.len();
            }
            What::Replanned { because, plan, .. } => self.replanned(because, plan),
            What::TakenBack { because, plan, .. } => self.taken_back(because, plan),
            What::StepStarted { step } => self.started(*step),
            What::StepProgress { step, message } => self.progressed(*step, message),
            What::BuildProgress { step, build } => self.built(*step, build),
            What::StepDone { step, took_ms, detail } => {
                self.tally.done += 1;
                let mark = self.ui.err.paint(Tone::Good, "✔");
                let detail = detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
                let line = format!("{mark} {}{detail}  {}", self.words(*step), self.dim(&took(*took_ms)));
                self.ended(*step, line);
            }
            What::StepFailed { step, took_ms, failure } => {
                self.tally.failures.push((*step, failure.clone()));
                let mark = self.ui.err.paint(Tone::Bad, "✘");
                let line = format!("{mark} {}  {}", self.words(*step), self.dim(&took(*took_ms)));
                self.ended(*step, line);
            }
            What::StepSkipped { step, because } => {
                self.tally.skipped += 1;
                self.skipped.push((*step, because.clone()));
            }
            What::Finished { verdict, took_ms, failure } => {
                self.tally.verdict = Some(*verdict);
                self.tally.took_ms = *took_ms;
                self.tally.afterwards.clone_from(failure);
            }
        }
    }

    /// Says something that must not tear the live lines.
    pub fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) if self.shows && !self.running.is_empty() => {
                let _ = bars.println(self.ui.redactions.clean(line));
            }
            _ => self.ui.say(line),
        }
    }

    /// Takes the live lines away, tells what was held back, and gives the tally.
    pub fn finish(mut self) -> Tally {
        self.tell_skipped();
        for line in std::mem::take(&mut self.held_back) {
            self.print(&line);
        }
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
        self.tally
    }

    /// What needs a step that failed is not run either, which can be most of a plan.
    fn tell_skipped(&mut self) {
        let skipped = std::mem::take(&mut self.skipped);
        let count = skipped.len();
        for (step, because) in skipped.into_iter().take(if count > TOLD_ONE_BY_ONE { 1 } else { count }) {
            let line = self.dim(&format!("- not run: {} ({because})", self.words(step)));
            self.ended(step, line);
        }
        if count > TOLD_ONE_BY_ONE {
            let line = self.dim(&format!("- not run: {} more", show::count(count - 1, "step")));
            self.print_or_hold(line);
        }
    }

    /// The release failed: what takes it back is shown before it is done.
    fn taken_back(&mut self, because: &str, plan: &Plan) {
        self.tally.taken_back = true;
        self.plan.steps.extend(plan.steps.iter().cloned());
        let steps = show::count(plan.steps.len(), "step");
        let line = self.ui.err.paint(Tone::Warn, &format!("{because}: it is taken back in {steps}"));
        self.print_or_hold(line);
    }

    /// The world moved: what failed is overtaken, and the steps that are left are shown before the first of them.
    fn replanned(&mut self, because: &str, plan: &Plan) {
        self.tally.failures.clear();
        self.tally.skipped = 0;
        self.tally.total = self.tally.done + plan.steps.len();
        self.plan.steps.extend(plan.steps.iter().cloned());
        let mark = self.ui.err.paint(Tone::Warn, "↻");
        self.print_or_hold(format!("{mark} the world changed ({because}); decided once more:"));
        for line in show::plan(plan, self.ui.err, self.ui.err_width).lines() {
            self.print_or_hold(line.to_owned());
        }
    }

    fn started(&mut self, step: StepId) {
        let words = self.words(step);
        let building = match self.plan.step(step).map(|step| &step.action) {
            Some(Action::BuildImage { service, .. }) => Some(Building::new(service.as_str())),
            _ => None,
        };
        self.running.insert(step, Running { bar: None, told_at: Instant::now(), words, building });
        if self.shows {
            self.show_bar(step);
        }
    }

    fn show_bar(&mut self, step: StepId) {
        let (Some(bars), Some(running)) = (&self.bars, self.running.get_mut(&step)) else { return };
        // A build moves below its heading; any other step has one line.
        let template = match (running.building.is_some(), self.ui.err.is_on()) {
            (false, true) => "{spinner:.cyan} {msg}  {elapsed:.dim}",
            (false, false) => "{spinner} {msg}  {elapsed}",
            (true, true) => "{spinner:.cyan} {prefix}  {elapsed:.dim}{msg:.dim}",
            (true, false) => "{spinner} {prefix}  {elapsed}{msg}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = bars.add(ProgressBar::new_spinner().with_style(style).with_elapsed(running.told_at.elapsed()));
        match &running.building {
            Some(building) => {
                bar.set_prefix(running.words.clone());
                bar.set_message(below(&building.live(self.ui.err_width)));
            }
            None => bar.set_message(running.words.clone()),
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        running.bar = Some(bar);
    }

    fn progressed(&mut self, step: StepId, message: &str) {
        let action = self.plan.step(step).map(|step| &step.action);
        let is_told_whole = matches!(action, Some(Action::Smoke { .. }));
        let Some(running) = self.running.get_mut(&step) else { return };
        let words = running.words.clone();
        let message = self.ui.redactions.clean(message);
        match &running.bar {
            Some(bar) => bar.set_message(format!("{words}: {message}")),
            None if self.bars.is_some() => {}
            // Lines of checks are worth having in a log one by one; a pull's are not.
            None if is_told_whole || running.told_at.elapsed() >= PLAIN_EVERY => {
                running.told_at = Instant::now();
                self.print_or_hold(format!("  {words}: {message}"));
            }
            None => {}
        }
    }

    /// News of a build: what is over stands above, what is at work moves; without a terminal all its lines are told.
    fn built(&mut self, step: StepId, news: &BuildNews) {
        let Some(running) = self.running.get_mut(&step) else { return };
        let Some(building) = &mut running.building else { return };
        let mut news = news.clone();
        news.texts_mut().for_each(|text| *text = self.ui.redactions.clean(text).into_owned());
        let lines = building.hear(&news);
        if let Some(bar) = &running.bar {
            bar.set_message(below(&building.live(self.ui.err_width)));
        }
        self.print_build(lines);
    }

    fn print_build(&mut self, lines: Vec<Line>) {
        for line in lines {
            let line = match line {
                Line::Over(line) => self.dim(&format!("  {}", self.fitting(&line))),
                Line::Failed(line) => self.ui.err.paint(Tone::Bad, &format!("  {}", self.fitting(&line))),
                Line::Output(_) if self.bars.is_some() => continue,
                Line::Output(line) => format!("  {line}"),
            };
            self.print_or_hold(line);
        }
    }

    /// On a terminal a line stays one line; its time at the end stays, too.
    fn fitting(&self, line: &str) -> String {
        let Some(width) = self.ui.err_width.filter(|_| self.bars.is_some()) else { return line.to_owned() };
        match line.rsplit_once("  ") {
            Some((text, took)) => format!("{}  {took}", cut(text, width.saturating_sub(took.len() + 4))),
            None => cut(line, width.saturating_sub(2)),
        }
    }

    fn ended(&mut self, step: StepId, line: String) {
        let Some(Running { bar, building, .. }) = self.running.remove(&step) else { return self.print_or_hold(line) };
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let left = building.map(|mut building| building.flush()).unwrap_or_default();
        self.print_build(left);
        self.print_or_hold(line);
    }

    fn print_or_hold(&mut self, line: String) {
        if self.shows {
            self.print(&line);
        } else {
            self.held_back.push(line);
        }
    }

    fn print(&self, line: &str) {
        if self.ui.quiet || self.ui.json {
            return;
        }
        match &self.bars {
            Some(bars) if !self.running.is_empty() => {
                let _ = bars.println(self.ui.redactions.clean(line));
            }
            _ => self.ui.say(line),
        }
    }

    fn words(&self, step: StepId) -> String {
        self.plan.step(step).map_or_else(|| format!("step {}", step.0), |step| describe(&step.action))
    }

    fn dim(&self, text: &str) -> String {
        self.ui.err.paint(Tone::Dim, text)
    }
}

/// Lines below a heading.
fn below(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n{line}")).collect()
}
