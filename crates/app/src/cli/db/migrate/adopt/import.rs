//! `mainstay db migrate adopt --from TOOL`: what another tool's ledger says.

use mainstay_engine::pg::{Adopting, Patience};
use mainstay_model::postgres::migration::{Import, LedgerName, Proof, Tool};

use super::super::Scene;
use super::{Which, adopt_all};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::{Cell, Table, Tone};

pub async fn run(boot: &Boot, which: &Which, tool: Tool, table: Option<&str>) -> Outcome {
    let scene = Scene::of(boot, which).await?;
    let table = LedgerName::parse(table.unwrap_or_else(|| tool.table()))
        .map_err(|problem| Problem::usage("bad-ledger", format!("`--from-table`: {problem}")))?;
    if table == scene.chosen.ledger {
        let message = format!("`{table}` is {tool}'s ledger, and cannot be the one of `--ledger` too");
        return Err(Problem::usage("same-ledger", message).hint(
            "name another table for the new one: `--ledger public.mainstay_migrations`, or `migrations: { table: … }`",
        ));
    }
    let migrator = scene.migrator(boot, Patience::default());
    let Some(rows) = migrator.foreign(tool, &table).await? else {
        return Err(Problem::world("no-such-ledger", format!("there is no table `{table}`"))
            .hint(format!("where {tool} keeps its ledger: `--from-table SCHEMA.TABLE`")));
    };
    let import = Import::of(tool, &rows, &scene.set);
    boot.ui.talk(&scene.shown());
    if boot.ui.json {
        boot.ui.json_document(&import)?;
    } else {
        show(boot, tool, &import)?;
    }
    for row in &import.without_file {
        boot.ui.warn(&format!("{tool} has `{row}` as applied, and no one file here is it"));
    }
    for file in &import.broken_off {
        boot.ui.warn(&format!(
            "{file}: {tool} began it and did not end it: look what is there, `mainstay db migrate adopt --detect`"
        ));
    }
    for one in import.files.iter().filter(|one| one.proof == Proof::Changed) {
        let file = &one.file;
        boot.ui.warn(&format!(
            "{file}: {tool} applied another text: when today's is as good, `mainstay db migrate adopt {file}`"
        ));
    }
    let kept = import.files.iter().filter(|one| one.proof != Proof::Changed);
    let all: Vec<Adopting<'_>> = kept
        .map(|one| Adopting {
            name: &one.file,
            file: scene.set.files.get(&one.file),
            at: one.at.clone(),
            how: match one.proof {
                Proof::Same => format!("as {tool} applied it"),
                _ => format!("from {tool}, which keeps no hash"),
            },
        })
        .collect();
    adopt_all(boot, &scene, &all).await
}

fn show(boot: &Boot, tool: Tool, import: &Import) -> Result<(), Problem> {
    if import.files.is_empty() {
        boot.ui.talk(&format!("{tool}'s ledger has none of these files as applied"));
        return Ok(());
    }
    let mut table = Table::new(&["FILE", "TEXT", "APPLIED"]);
    table.yields(&[], &["FILE"]);
    for one in &import.files {
        let (tone, proof) = match one.proof {
            Proof::Same => (Tone::Good, "as it was applied"),
            Proof::Untold => (Tone::Plain, "no hash to compare with"),
            Proof::Changed => (Tone::Bad, "another one now"),
        };
        table.row(vec![one.file.as_str().into(), Cell::new(tone, proof), one.at.clone().unwrap_or_default().into()]);
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))
}
