//! `mainstay db migrate adopt --detect`: which files' work is there.

use std::collections::BTreeSet;

use mainstay_engine::pg::{Adopting, Patience};
use mainstay_model::postgres::migration::{Standing, Status};
use mainstay_model::postgres::schema::{Effect, EffectState, ObjectKey, Trace, TracedFile, adoptable, detect};
use serde::Serialize;

use super::super::super::drift::replayed::{Replayed, Scratching};
use super::super::Scene;
use super::{Which, adopt_all};
use crate::boot::Boot;
use crate::problem::{Outcome, Problem};
use crate::ui::{Cell, Table, Tone};

/// No more of what is otherwise in a file is named in the table.
const NAMED: usize = 3;

/// As `--json` gives it.
#[derive(Serialize)]
struct Told<'a> {
    files: Vec<ToldFile<'a>>,
    /// What would be adopted.
    adopts: &'a [&'a str],
}

#[derive(Serialize)]
struct ToldFile<'a> {
    in_ledger: bool,
    #[serde(flatten)]
    traced: &'a TracedFile,
}

pub async fn run(boot: &Boot, which: &Which, scratching: &Scratching) -> Outcome {
    let scene = Scene::of(boot, which).await?;
    let rows = scene.migrator(boot, Patience::default()).rows().await?;
    let status = Status::of(&scene.set, &rows);
    let replayed = Replayed::of(boot, &scene.chosen, scratching).await?;
    let traced = detect(&replayed.sides.replay, &replayed.sides.live, &replayed.judged);
    let has_row = |file: &str| {
        status.files.get(file).is_some_and(|one| !matches!(one, Standing::Pending | Standing::OutOfOrder { .. }))
    };
    let mut names = adoptable(&traced);
    names.retain(|file| !has_row(file));
    if boot.ui.json {
        let files = traced.iter().map(|traced| ToldFile { in_ledger: has_row(&traced.file), traced }).collect();
        boot.ui.json_document(&Told { files, adopts: &names })?;
    } else {
        boot.ui.talk(&scene.shown());
        show(boot, &traced, &names.iter().copied().collect(), has_row)?;
    }
    advise(boot, &traced);
    let how = |trace: Trace| match trace {
        Trace::Applied => "its work was found",
        _ => "it leaves no trace, and later files were found",
    };
    let found = traced.iter().filter(|one| names.contains(&one.file.as_str()));
    let all: Vec<Adopting<'_>> = found
        .map(|one| Adopting {
            name: &one.file,
            file: scene.set.files.get(&one.file),
            at: None,
            how: how(one.trace).into(),
        })
        .collect();
    adopt_all(boot, &scene, &all).await
}

fn show(
    boot: &Boot,
    traced: &[TracedFile],
    adopts: &BTreeSet<&str>,
    has_row: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    let mut table = Table::new(&["FILE", "IN THE DATABASE", "LEDGER", "WHAT"]);
    table.yields(&[], &["WHAT", "FILE"]);
    for one in traced {
        let tone = match one.trace {
            Trace::Applied => Tone::Good,
            Trace::NotApplied | Trace::None => Tone::Plain,
            Trace::Partly | Trace::Conflict => Tone::Bad,
        };
        let ledger = match (has_row(&one.file), adopts.contains(one.file.as_str())) {
            (true, _) => "applied",
            (false, true) => "to be adopted",
            (false, false) => "",
        };
        table.row(vec![one.file.as_str().into(), Cell::new(tone, one.trace.words()), ledger.into(), words(one).into()]);
    }
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))
}

/// What is not as the file makes it; of a file that is there, or not at all, that says nothing more.
fn words(one: &TracedFile) -> String {
    if !matches!(one.trace, Trace::Partly | Trace::Conflict) {
        return String::new();
    }
    let is_missing = |key: &ObjectKey| one.effects.iter().any(|effect| effect.key == *key && !effect.is_there);
    // Of a relation that is missing, its parts are too.
    let says_more = |effect: &&Effect| {
        let parent = effect.key.parent();
        effect.effect != EffectState::There && !parent.is_some_and(|parent| is_missing(&parent))
    };
    let mut told: Vec<_> = one.effects.iter().filter(says_more).collect();
    told.sort_by_key(|effect| std::cmp::Reverse(effect.effect));
    let mut words: Vec<String> = told.iter().take(NAMED).map(ToString::to_string).collect();
    if told.len() > NAMED {
        words.push(format!("and {} more", told.len() - NAMED));
    }
    words.join("; ")
}

fn advise(boot: &Boot, traced: &[TracedFile]) {
    for one in traced {
        let file = &one.file;
        match one.trace {
            Trace::Partly => boot.ui.warn(&format!(
                "{file}: some of its work is there, and some is not: apply it when it can run twice, or do the rest by hand and adopt it by name"
            )),
            Trace::Conflict => boot.ui.warn(&format!(
                "{file}: something that it makes is there and otherwise: change the one or the other, or adopt it by name"
            )),
            _ => {}
        }
    }
}
