//! The smoke checks of a release: asked where it stands, told line by line, and with what the container said that
//! answered otherwise.

use std::time::Duration;

use mainstay_model::edge::Site;
use mainstay_model::edge::wanted::short_id;
use mainstay_model::identity::ServiceName;
use mainstay_model::plan::{PlannedCheck, PlannedRoute, Stage, TargetContainer};
use mainstay_model::smoke::{Address, Check, Report, Whence};

use super::Machine;
use super::act::site_of;
use crate::docker::id_of;
use crate::smoke::{Heard, Patience, Smoke, Ways};
use crate::world::{Acted, Context, Progress, WorldError};

/// What a step says about its checks.
pub(super) struct Asking<'a> {
    pub stage: Stage,
    pub checks: &'a [PlannedCheck],
    pub preview: &'a [PlannedRoute],
    pub kept: &'a [ServiceName],
}

impl Machine {
    pub(super) async fn smoke(
        &self,
        asking: &Asking<'_>,
        context: &Context,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        if !asking.preview.is_empty() {
            self.edge.preview(&context.stack, self.previewed(asking, context)?).await?;
        }
        let checks: Result<Vec<Check>, WorldError> =
            asking.checks.iter().map(|planned| declared_check(planned, context)).collect();
        let checks = checks?;
        let is_private = |(planned, _): &(&PlannedCheck, &Check)| planned.is_previewed;
        let private = asking.checks.iter().zip(&checks).filter(is_private).map(|(_, check)| check.url.clone());
        let ways = self.ways(&checks, private.collect()).await?;
        if ways.edge.is_none() && checks.iter().any(|check| check.from == Whence::Edge) {
            progress.tell("no edge runs here: what is to be asked at the edge is asked as a visitor would");
        }
        let told = |heard: Heard<'_>| progress.tell(line(asking.checks, heard));
        let reports = Smoke::new(ways)?.run(&checks, Patience::AsDeclared, &told).await;
        let failed = asking.checks.iter().zip(&reports).filter(|(_, report)| !report.holds).collect::<Vec<_>>();
        if failed.is_empty() {
            let holds = if reports.len() == 1 { "it holds" } else { "all hold" };
            return Ok(Acted { detail: Some(holds.to_owned()), ..Acted::default() });
        }
        Err(self.objection(asking, reports.len(), &failed, context).await)
    }

    /// What visitors would get: the routes of the release, and those that it leaves as they are.
    fn previewed(&self, asking: &Asking<'_>, context: &Context) -> Result<Vec<Site>, WorldError> {
        let declared = context.declared.as_deref().ok_or_else(|| WorldError::new("a preview needs a declaration"))?;
        let sites: Result<Vec<Site>, WorldError> =
            asking.preview.iter().map(|route| site_of(route, declared, context)).collect();
        let served = self.edge.kept()?.sites.into_iter();
        let kept = served.filter(|site| site.stack == context.stack && asking.kept.contains(&site.service));
        Ok(sites?.into_iter().chain(kept).collect())
    }

    async fn ways(&self, checks: &[Check], private: Vec<Address>) -> Result<Ways, WorldError> {
        let needs_edge = |check: &Check| check.from != Whence::Outside || check.url.is_of_this_machine();
        if !checks.iter().any(needs_edge) {
            return Ok(Ways::default());
        }
        Ok(Ways { private, ..Ways::to(self.edge.clone()).await? })
    }

    async fn objection(
        &self,
        asking: &Asking<'_>,
        all: usize,
        failed: &[(&PlannedCheck, &Report)],
        context: &Context,
    ) -> WorldError {
        let message = match (failed.len(), all) {
            (_, 1) => "the smoke check does not hold".to_owned(),
            (1, all) => format!("1 of {all} smoke checks does not hold"),
            (several, all) => format!("{several} of {all} smoke checks do not hold"),
        };
        let mut objection = WorldError::new(message);
        objection.source = reasons(failed).map(Into::into);
        let hints = failed.iter().flat_map(|(_, report)| &report.hints);
        for hint in hints {
            if !objection.hints.contains(hint) {
                objection.hints.push(hint.clone());
            }
        }
        if asking.stage == Stage::BeforeCommit && !asking.preview.is_empty() {
            objection.hints.push("no visitor was led to it: it was asked before its commit".to_owned());
        }
        let behind = failed.iter().find_map(|(check, _)| check.answered_by.first());
        if let Some(id) = behind.and_then(|target| id_of(target, context).ok()) {
            objection.log_tail = self.last_words(id).await;
        }
        objection
    }
}

/// The check with its values, and with the release's own container where it is asked from inside.
fn declared_check(planned: &PlannedCheck, context: &Context) -> Result<Check, WorldError> {
    let declared = context.declared.as_deref();
    let check = declared.and_then(|declared| declared.smoke.get(planned.index));
    let mut check = check.cloned().ok_or_else(|| {
        WorldError::new(format!("the smoke check `{}` is not declared in what is applied", planned.shown))
    })?;
    if let (Whence::Inside, Some(target)) = (check.from, planned.answered_by.first()) {
        let id = match &target.container {
            TargetContainer::Id(id) => id,
            TargetContainer::MadeBy(_) => id_of(target, context)?,
        };
        check.container = Some(short_id(id).to_owned());
    }
    Ok(check)
}

/// `https://shop.localhost: ok, 200 after 31 ms`.
fn line(checks: &[PlannedCheck], heard: Heard<'_>) -> String {
    let shown = |index: usize| checks.get(index).map_or("", |check| check.shown.as_str());
    match heard {
        Heard::Again { index, check, reasons } => {
            let within = Duration::from_millis(check.within_ms).as_secs_f64();
            let reason = reasons.first().map_or("", String::as_str);
            format!("{}: {reason}; asking again for {within} s at most", shown(index))
        }
        Heard::Ended { index, report } => {
            let status = report.status.map_or("no answer".to_owned(), |status| status.to_string());
            let word = if report.holds { "ok" } else { "failed" };
            let warnings = report.warnings.iter().map(|warning| format!("; {warning}")).collect::<String>();
            format!("{}: {word}, {status} after {} ms{warnings}", shown(index), report.answered_ms)
        }
    }
}

/// Why checks do not hold, each below the one before it.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Reason {
    text: String,
    source: Option<Box<Reason>>,
}

fn reasons(failed: &[(&PlannedCheck, &Report)]) -> Option<Box<Reason>> {
    failed.iter().rev().fold(None, |below, (check, report)| {
        let waited = Duration::from_millis(report.waited_ms).as_secs_f64();
        let asked = match report.attempts {
            1 => "asked once".to_owned(),
            several => format!("asked {several} times in {waited:.1} s"),
        };
        let behind =
            check.answered_by.first().map_or(String::new(), |target| format!(", behind it is `{}`", target.name));
        let text = format!("`{}`: {} ({asked}{behind})", check.shown, report.reasons.join("; "));
        Some(Box::new(Reason { text, source: below }))
    })
}
