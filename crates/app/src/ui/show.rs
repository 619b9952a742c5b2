//! Plans as people see them.

use mainstay_model::plan::{Action, Finding, Impact, Level, Plan, Step, Target};

use super::{Paint, Tone, Ui};

/// The steps with their reasons, and what is to be known about them.
pub fn plan(plan: &Plan, paint: Paint) -> String {
    let mut text = String::new();
    if !plan.steps.is_empty() {
        let heading = format!("{} {}: {}", plan.verb, plan.stack, tally(plan));
        text += &format!("{}\n", paint.paint(Tone::Bold, &heading));
    }
    for step in &plan.steps {
        let impact = paint.paint(impact_tone(step.impact), impact_word(step.impact));
        let why = paint.paint(Tone::Dim, &format!("({})", step.why));
        text += &format!("  {:>2}. {impact} {} {why}\n", step.id.0, describe(step));
    }
    text.trim_end().to_owned()
}

/// Says the findings of a plan on stderr; refusals are left to the report.
pub fn findings(plan: &Plan, ui: &Ui) {
    for finding in &plan.findings {
        let text = finding_text(finding);
        match finding.level {
            Level::Refusal => {}
            Level::Warning => ui.warn(&text),
            Level::Note => ui.note(&text),
        }
    }
}

fn finding_text(finding: &Finding) -> String {
    match &finding.hint {
        Some(hint) => format!("{} ({hint})", finding.message),
        None => finding.message.clone(),
    }
}

/// `3 steps, replace`.
pub fn tally(plan: &Plan) -> String {
    format!("{}, {}", count(plan.steps.len(), "step"), impact_word(plan.impact()))
}

/// `1 step`, `3 steps`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn impact_word(impact: Impact) -> &'static str {
    match impact {
        Impact::Live => "live",
        Impact::Replace => "replace",
        Impact::Interrupt => "interrupt",
        Impact::Destroy => "destroy",
    }
}

fn impact_tone(impact: Impact) -> Tone {
    match impact {
        Impact::Live => Tone::Good,
        Impact::Replace | Impact::Interrupt => Tone::Warn,
        Impact::Destroy => Tone::Bad,
    }
}

/// What a step does, in a few words: `create container nocodb-nocodb-1`.
pub fn describe(step: &Step) -> String {
    match &step.action {
        Action::PullImage { image, .. } => format!("pull {image}"),
        Action::BuildImage { service, image } => format!("build {image} for {service}"),
        Action::CreateNetwork { name, .. } => format!("create network {name}"),
        Action::RemoveNetwork { name, .. } => format!("remove network {name}"),
        Action::CreateVolume { name, .. } => format!("create volume {name}"),
        Action::RemoveVolume { name } => format!("remove volume {name}"),
        Action::CreateContainer { name, .. } => format!("create container {name}"),
        Action::StartContainer { target } => on("start", target),
        Action::StopContainer { target, .. } => on("stop", target),
        Action::RemoveContainer { target, .. } => on("remove", target),
        Action::RenameContainer { target, to } => format!("rename {} to {to}", target.name),
        Action::Attach { target, attachment } => format!("attach {} to {}", target.name, attachment.network),
        Action::Detach { target, network, .. } => format!("detach {} from {network}", target.name),
        Action::Await { target, .. } => on("wait for", target),
    }
}

fn on(verb: &str, target: &Target) -> String {
    format!("{verb} {}", target.name)
}
