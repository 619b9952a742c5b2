//! The last rehearsal of a plan, as the history has it.

use jiff::Timestamp;
use mainstay_engine::journal::{Entry, HistoryFilter};
use mainstay_model::postgres::migration::MigrationPlan;

use super::super::Scene;
use crate::boot::Boot;
use crate::client::Memory;
use crate::ui::since::{took, when};

/// So far back it is looked for.
const ENTRIES: u32 = 500;

/// Says whether exactly this was rehearsed, where there are backups to rehearse on. A history that cannot be read says nothing.
pub async fn tell(boot: &Boot, scene: &Scene, plan: &MigrationPlan) {
    let entry = scene.chosen.found.declared.as_ref();
    if plan.steps.is_empty() || entry.is_none_or(|entry| entry.database.backup.is_none()) {
        return;
    }
    let stack = scene.chosen.of.as_ref().map(|of| of.stack.clone());
    let filter = HistoryFilter { stack, limit: Some(ENTRIES), ..HistoryFilter::default() };
    let Ok(memory) = Memory::open(&boot.settings).await else { return };
    let Ok(entries) = memory.history(&filter).await else { return };
    let Some(last) = entries.iter().rev().find(|entry| is_of(entry, plan)) else {
        boot.ui.note("this was not rehearsed: `mainstay db migrate rehearse` runs it on a copy of the last backup");
        return;
    };
    let then = when(&last.at, Timestamp::now());
    if last.evidence["verdict"] == "done" {
        let lasted = last.evidence["took_ms"].as_u64().map(took).unwrap_or_default();
        boot.ui.note(&format!(
            "this was rehearsed {then}: all of it ran on a copy, which took {lasted} with restoring it"
        ));
    } else {
        boot.ui.warn(&format!("this was rehearsed {then}, and did not run to its end: {}", last.summary));
    }
}

fn is_of(entry: &Entry, plan: &MigrationPlan) -> bool {
    let evidence = &entry.evidence;
    evidence["verb"] == "rehearse" && evidence["digest"] == plan.digest.as_str() && evidence["verdict"].is_string()
}
