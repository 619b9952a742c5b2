//! The one text form of a plan: stable, aligned, without colour, and without any value of the declaration.

use std::fmt::Write;
use std::time::Duration;

use super::decide::{ANSWERS_WITHIN_SECS, READY_WITHIN_SECS};
use super::{Action, Asker, Impact, Level, Plan, Stage, StepId};
use crate::declared::Condition;

/// Columns grow up to here; a longer entry pushes what follows on its own line only.
const WIDEST: usize = 72;

/// A plan as text: a line for each step, then what is unchanged, what was found, and the tally.
pub fn render(plan: &Plan) -> String {
    let mut out = String::new();
    let numbers = plan.steps.len().to_string().len().max(2);
    let phrases: Vec<String> = plan.steps.iter().map(|step| phrase(&step.action, "")).collect();
    let phrase_width = widest(phrases.iter().map(String::as_str));
    let impact_width = widest(plan.steps.iter().map(|step| word(step.impact))) + 2;
    let why_width = widest(plan.steps.iter().filter(|step| !step.needs.is_empty()).map(|step| step.why.as_str()));
    for (step, phrase) in plan.steps.iter().zip(&phrases) {
        let impact = format!("[{}]", word(step.impact));
        let line = format!(
            " {:>numbers$}  {}  {impact:impact_width$}  because {}",
            step.id.0,
            padded(phrase, phrase_width),
            padded(&step.why, why_width)
        );
        let _ = match step.needs.as_slice() {
            [] => writeln!(out, "{}", line.trim_end()),
            needs => writeln!(out, "{line}  after {}", ids(needs)),
        };
    }
    if !plan.unchanged.is_empty() {
        let names: Vec<&str> = plan.unchanged.iter().map(AsRef::as_ref).collect();
        let _ = writeln!(out, "  unchanged: {}", names.join(", "));
    }
    for finding in &plan.findings {
        let level = match finding.level {
            Level::Refusal => "refused",
            Level::Warning => "warning",
            Level::Note => "note",
        };
        let _ = writeln!(out, "  {level}: {}", finding.message);
        if let Some(hint) = &finding.hint {
            let _ = writeln!(out, "  {:width$}  {hint}", "", width = level.len());
        }
    }
    out + &tally(plan) + "\n"
}

/// One line: how many steps of which impact, and the gravest.
pub fn tally(plan: &Plan) -> String {
    let refusals = plan.refusals().count();
    if refusals > 0 {
        let reasons = if refusals == 1 { "1 reason".to_owned() } else { format!("{refusals} reasons") };
        return format!("{} of `{}` is refused for {reasons}", plan.noun(), plan.stack);
    }
    if plan.is_empty() {
        return format!("{} of `{}`: nothing to do", plan.noun(), plan.stack);
    }
    let counts: Vec<String> = [Impact::Live, Impact::Replace, Impact::Interrupt, Impact::Destroy]
        .into_iter()
        .map(|impact| (plan.steps.iter().filter(|step| step.impact == impact).count(), impact))
        .filter(|(count, _)| *count > 0)
        .map(|(count, impact)| format!("{count} {}", word(impact)))
        .collect();
    let steps = if plan.steps.len() == 1 { "step" } else { "steps" };
    let gravest = consequence(plan.impact());
    format!("{} of `{}`: {} {steps} ({}); {gravest}", plan.noun(), plan.stack, plan.steps.len(), counts.join(", "))
}

/// What a step does, in the present tense, for progress lines and history: "create container `web-1`".
pub fn describe(action: &Action) -> String {
    phrase(action, "`")
}

fn phrase(action: &Action, quote: &str) -> String {
    let q = |name: &str| format!("{quote}{name}{quote}");
    let all = |names: &[String]| names.iter().map(|name| q(name)).collect::<Vec<_>>().join(", ");
    match action {
        Action::PullImage { image, platform: Some(platform) } => format!("pull image {} for {platform}", q(image)),
        Action::PullImage { image, platform: None } => format!("pull image {}", q(image)),
        Action::BuildImage { service, image } => format!("build image {} of {}", q(image), q(service.as_str())),
        Action::CreateNetwork { name, .. } => format!("create network {}", q(name)),
        Action::RemoveNetwork { name, .. } => format!("remove network {}", q(name)),
        Action::CreateVolume { name, .. } => format!("create volume {}", q(name)),
        Action::RemoveVolume { name } => format!("remove volume {} and its data", q(name)),
        Action::CreateContainer { name, networks, carried, .. } => {
            let on = if networks.is_empty() { String::new() } else { format!(" on {}", all(networks)) };
            let targets: Vec<String> = carried.iter().map(|volume| volume.target.clone()).collect();
            let what = if targets.len() == 1 { "volume" } else { "volumes" };
            let with = if targets.is_empty() {
                String::new()
            } else {
                format!(", carrying over the {what} at {}", all(&targets))
            };
            format!("create container {}{on}{with}", q(name))
        }
        Action::StartContainer { target } => format!("start container {}", q(&target.name)),
        Action::StopContainer { target, grace_secs: Some(secs) } => {
            format!("stop container {} within {secs} s", q(&target.name))
        }
        Action::StopContainer { target, grace_secs: None } => format!("stop container {}", q(&target.name)),
        Action::RemoveContainer { target, volumes: false } => format!("remove container {}", q(&target.name)),
        Action::RemoveContainer { target, volumes: true } => {
            format!("remove container {} and its nameless volumes", q(&target.name))
        }
        Action::RenameContainer { target, to } => format!("rename container {} to {}", q(&target.name), q(to)),
        Action::Attach { target, attachment } if attachment.aliases.is_empty() => {
            format!("attach {} to {}", q(&target.name), q(&attachment.network))
        }
        Action::Attach { target, attachment } => {
            format!("attach {} to {} as {}", q(&target.name), q(&attachment.network), all(&attachment.aliases))
        }
        Action::Detach { target, network, .. } => format!("detach {} from {}", q(&target.name), q(network)),
        Action::Await { target, condition, within_secs, steady_ms } => {
            let state = match (condition, steady_ms) {
                (Condition::Started, 0) => "runs".to_owned(),
                (Condition::Started, steady) => format!("has run for {}", seconds(*steady)),
                (Condition::Healthy, 0) => "is healthy".to_owned(),
                (Condition::Healthy, steady) => format!("is healthy or has run for {}", seconds(*steady)),
                (Condition::Completed, _) => "has completed".to_owned(),
            };
            // What nobody chose needs no word in every line.
            let most = match *within_secs {
                READY_WITHIN_SECS => String::new(),
                secs => format!(", {secs} s at most"),
            };
            format!("wait until {} {state}{most}", q(&target.name))
        }
        Action::Probe { target, question, within_secs, .. } => {
            let answer = match question.status {
                _ if question.tcp => format!("a connection to port {}", question.port),
                Some(status) => format!("{status} at {}", q(&question.path)),
                None => format!("any answer on port {}", question.port),
            };
            let whence = match question.asker {
                Asker::Edge => "the edge",
                Asker::Host => "this host",
            };
            let most = match *within_secs {
                ANSWERS_WITHIN_SECS => String::new(),
                secs => format!(", {secs} s at most"),
            };
            format!("probe {} from {whence} for {answer}{most}", q(&target.name))
        }
        Action::Commit { routes, lost, tells_edge: true, .. } => {
            let addresses: Vec<String> = routes.iter().map(super::PlannedRoute::address).collect();
            let leads = match addresses.len() {
                0 => "no route leads to it".to_owned(),
                1 => format!("{} leads to it", all(&addresses)),
                _ => format!("{} lead to it", all(&addresses)),
            };
            let leaves = match lost.len() {
                0 => String::new(),
                1 => format!(", {} is not served any more", all(lost)),
                _ => format!(", {} are not served any more", all(lost)),
            };
            format!("commit the release: {leads}{leaves}")
        }
        Action::Commit { tells_edge: false, .. } => "commit the release".to_owned(),
        Action::Drain { target, within_secs } => {
            format!("drain {}, {within_secs} s at most", q(&target.name))
        }
        Action::KeepLogs { target } => format!("keep the logs of {}", q(&target.name)),
        Action::Unroute { addresses } => format!("take {} off the edge", all(addresses)),
        Action::Migrate { database, files, .. } if files.is_empty() => {
            format!("look that no migration of {} is pending", q(database))
        }
        Action::Migrate { database, files, is_certain, is_new, .. } => {
            let names: Vec<String> = files.iter().map(|planned| planned.file.clone()).collect();
            // Of a new database everything is pending.
            let which = match (names.as_slice(), *is_certain || *is_new) {
                ([], _) => "nothing".to_owned(),
                ([_] | [_, _] | [_, _, _], true) => all(&names),
                ([first, .., last], true) => format!("{} files from {} to {}", names.len(), q(first), q(last)),
                ([one], false) => format!("{}, where it is pending", q(one)),
                ([first, .., last], false) => {
                    format!("what is pending of {} files from {} to {}", names.len(), q(first), q(last))
                }
            };
            format!("migrate {} by {which}", q(database))
        }
        Action::BackUp { database, to, is_certain: true, .. } => format!("back up {} to {}", q(database), q(to)),
        Action::BackUp { database, to, is_certain: false, .. } => {
            format!("back up {} to {}, if a migration is pending", q(database), q(to))
        }
        Action::MakeBucket { name, is_certain: true, .. } => format!("make bucket {}", q(name)),
        Action::MakeBucket { name, is_certain: false, .. } => format!("make bucket {}, if it is not there", q(name)),
        Action::Smoke { stage, checks, .. } => {
            let what = match checks.as_slice() {
                [one] => format!("smoke check {}", q(&one.shown)),
                several => format!("{} smoke checks", several.len()),
            };
            match stage {
                Stage::BeforeCommit => format!("ask {what} before the commit"),
                Stage::AfterCommit => format!("ask {what} after the commit"),
                Stage::AtEnd => format!("ask {what}"),
            }
        }
        Action::LeadBack { addresses } => format!("lead {} back", all(addresses)),
        Action::ClosePreview => "close the edge's preview of the release".to_owned(),
    }
}

/// `1 s`, `0.5 s`.
fn seconds(millis: u64) -> String {
    format!("{} s", Duration::from_millis(millis).as_secs_f64())
}

fn word(impact: Impact) -> &'static str {
    match impact {
        Impact::Live => "live",
        Impact::Replace => "replace",
        Impact::Interrupt => "interrupt",
        Impact::Destroy => "destroy",
    }
}

fn consequence(impact: Impact) -> &'static str {
    match impact {
        Impact::Live => "nothing that runs is restarted",
        Impact::Replace => "containers are replaced, and none that runs is stopped",
        Impact::Interrupt => "something that runs is stopped",
        Impact::Destroy => "data is destroyed",
    }
}

fn ids(needs: &[StepId]) -> String {
    let numbers: Vec<String> = needs.iter().map(|need| need.0.to_string()).collect();
    numbers.join(", ")
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0)
}

fn padded(text: &str, width: usize) -> String {
    format!("{text:width$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Target, TargetContainer};

    #[test]
    fn how_long_a_wait_may_take_is_said_where_somebody_chose_it() {
        let wait = |within_secs| {
            let container = TargetContainer::Id("1".into());
            let target = Target { name: "shop-web-1".into(), service: None, number: 1, container };
            describe(&Action::Await { target, condition: Condition::Healthy, within_secs, steady_ms: 0 })
        };
        assert_eq!(wait(READY_WITHIN_SECS), "wait until `shop-web-1` is healthy");
        assert_eq!(wait(30), "wait until `shop-web-1` is healthy, 30 s at most");
    }
}
