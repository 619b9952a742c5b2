//! A whole database.

use std::process::ExitCode;

use jiff::Timestamp;
use mainstay_engine::pg::backup::{Alone, BackupError, Source};
use mainstay_engine::pg::restore::{Changed, Guard, RestoreError, Swap, Whole, changed_since, kept_name};
use mainstay_model::postgres::backup::{Difference, Reason};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::plan::{Plan, Step};
use super::{OVERWRITTEN, Restore, Task};
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::cli::db::{backup, remember};
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::meter::Meter;
use crate::ui::show::count;
use crate::ui::since::ago;

/// Before the name of the database that is kept.
const LATE: &str = "written since that was shown; it is not in what is restored, and is kept in";
/// So many tables are shown.
const SHOWN: usize = 20;

/// As `--json` gives it.
#[derive(Serialize)]
struct Told<'t> {
    backup: &'t str,
    database: &'t str,
    /// Of the state before, when one was made.
    taken_before: Option<String>,
    kept_as: Option<&'t str>,
    changed_since: &'t [Changed],
    roles: &'t [Difference],
}

pub(super) async fn run(task: &Task<'_>) -> Outcome {
    let Task { boot, shelf, manifest, .. } = *task;
    let reached = shelf.found.reach(boot).await?;
    let image = shelf.found.declared.as_ref().and_then(|entry| entry.database.image.clone());
    let opened = Source::open(&boot.docker().await?, reached, image.as_deref(), shelf.vault.of()).await;
    let source = opened.map_err(RestoreError::from)?;
    let ended = restore(task, &source).await;
    source.give_back().await;
    ended.map_err(|problem| {
        if problem.kind != Kind::Interrupted {
            return problem;
        }
        // It is one transaction, and Ctrl-C may come after its commit.
        let or = if task.args.in_place > 1 { ", or as the backup has it, and nothing between" } else { "" };
        let name = source.server.name().database;
        let message = format!("interrupted; `{name}` of {} is as it was{or}", manifest.of());
        Problem::new(Kind::Interrupted, "interrupted", message)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The names that a swap gives.
struct Names {
    live: String,
    new: String,
    kept: Option<String>,
}

impl Names {
    fn of(args: &Restore, live: String) -> Names {
        let time = Timestamp::now().strftime("%Y%m%d_%H%M%S").to_string();
        match &args.into {
            Some(name) => Names { live, new: name.clone(), kept: None },
            None => Names {
                new: kept_name(&live, &time).replace("_before_restore_", "_restored_"),
                kept: Some(kept_name(&live, &time)),
                live,
            },
        }
    }
}

async fn restore(task: &Task<'_>, source: &Source) -> Result<(), Problem> {
    let Task { boot, args, shelf, vault, manifest } = *task;
    let interrupt = Interrupt::listen(&boot.ui);
    let names = Names::of(args, source.server.name().database);
    let in_place = args.in_place > 1;
    let whole = Whole { source, vault, manifest };
    if let Some(name) = &args.into {
        whole.must_be_free(name).await?;
    }
    let changed = match args.into.is_some() {
        true => Vec::new(),
        false => {
            let alone = Alone::Yes { patience: super::patience(args) };
            let mut waiting = |holder: String| boot.ui.talk(&format!("waiting for {holder}"));
            changed_since(source, manifest, alone, interrupt.token(), &mut waiting).await?
        }
    };
    let plan = planned(task, source, &names, &changed);
    let age = ago(&manifest.snapshot_at, Timestamp::now());
    boot.ui.talk(&format!("backup {} of {}, {age} old, at {}", manifest.id, manifest.of(), vault.place()));
    tell_changed(boot, &changed);
    plan.show(boot)?;
    if boot.settings.dry_run {
        return Ok(());
    }
    if args.into.is_none() {
        plan.agree(boot, args).await?;
    }
    // What lives is not touched by a new database beside it.
    let guard = match args.into.is_some() {
        true => None,
        false => Some(super::alone(boot, args, &source.server, &interrupt).await?),
    };
    let mut changed = changed;
    if guard.as_ref().is_some_and(Guard::waited) {
        changed = changed_since(source, manifest, Alone::No, interrupt.token(), &mut |_| {}).await?;
        tell_changed(boot, &changed);
        if args.confirm.is_some() {
            planned(task, source, &names, &changed).agree(boot, args).await?;
        }
    }
    // They have the time in them, and another restore may have gone before this one.
    let names = Names::of(args, names.live);
    let mut before = None;
    if args.into.is_none() && !args.no_backup {
        let made = backup::make(boot, shelf, Reason::Before("restore".into()), Alone::No, &interrupt).await?;
        before = Some(made.id.to_string());
    }
    let meter = Meter::new(&boot.ui);
    let mut told = |text: String| meter.set(|| text);
    let (roles, held) = if in_place {
        if let Some(guard) = &guard {
            guard.must_hold().await?;
        }
        (overwrite(task, &whole, interrupt.token(), &mut told).await?, None)
    } else {
        for name in whole.sweep().await? {
            meter.say(&format!("`{name}` was left half done by a restore that was killed; it is dropped"));
        }
        let made = cancellable(interrupt.token(), whole.beside(&names.new, &mut told)).await;
        if made.as_ref().is_err_and(|problem| problem.kind == Kind::Interrupted) {
            whole.forget(&names.new).await;
        }
        let mut made = made?;
        (std::mem::take(&mut made.roles), Some(made))
    };
    if let (Some(kept), Some(guard), false) = (&names.kept, guard, in_place) {
        let (server, live, new) = (&source.server, names.live.as_str(), names.new.as_str());
        let looked = cancellable(interrupt.token(), written_meanwhile(task, source, &changed, kept, &meter)).await;
        if looked.is_err() {
            whole.forget(new).await;
        }
        changed = looked?;
        // Whoever is killed now leaves it written what was about to happen.
        let sentence = format!("`{new}`, restored from backup {}, is about to become `{live}`", manifest.id);
        remember::write(boot, shelf, "db restore", &format!("{sentence}; the one before it to be kept as `{kept}`"))
            .await;
        // From here on it is a moment, and done or not done.
        let swap = Swap { server, live, new, kept, is_marked: true, patience: args.wait };
        if let Err(error) = swap.run(guard, &mut told).await {
            // When it was done all the same, there is nothing of that name.
            whole.forget(new).await;
            return Err(error.into());
        }
    } else if !in_place {
        whole.keep(&names.new).await?;
    }
    drop((meter, held));
    report(task, &names, &changed, before, &roles, in_place).await
}

/// Apps go on while the backup is restored beside the database: looks at it once more, and tells what is not as it was shown.
async fn written_meanwhile(
    task: &Task<'_>,
    source: &Source,
    shown: &[Changed],
    kept: &str,
    meter: &Meter,
) -> Result<Vec<Changed>, RestoreError> {
    meter.set(|| "looking what was written meanwhile".to_owned());
    let now = changed_since(source, task.manifest, Alone::No, &CancellationToken::new(), &mut |_| {}).await?;
    let late = since_shown(shown, &now);
    if !late.is_empty() {
        meter.say(&format!("{LATE} `{kept}`:"));
        lines(&late).iter().for_each(|line| meter.say(line));
    }
    Ok(now)
}

/// Over the database itself. What comes after that is no reason to say that nothing was done.
async fn overwrite(
    task: &Task<'_>,
    whole: &Whole<'_>,
    cancelled: &CancellationToken,
    told: &mut (dyn FnMut(String) + Send),
) -> Result<Vec<Difference>, Problem> {
    let Task { boot, shelf, manifest, .. } = *task;
    let done = cancellable(cancelled, whole.in_place(told)).await;
    if let Err(problem) = &done
        && problem.code == OVERWRITTEN
    {
        let sentence = format!("backup {} was restored over `{}`: {}", manifest.id, shelf.name, problem.message);
        remember::write(boot, shelf, "db restore --in-place", &sentence).await;
    }
    done
}

/// Ends the work with the first Ctrl-C.
async fn cancellable<T>(
    cancelled: &CancellationToken,
    work: impl Future<Output = Result<T, RestoreError>>,
) -> Result<T, Problem> {
    tokio::select! {
        done = work => Ok(done?),
        () = cancelled.cancelled() => Err(Problem::from(BackupError::Interrupted)),
    }
}

/// What consent is to, beside the steps.
#[derive(Serialize)]
struct Counted<'c> {
    into: Option<&'c str>,
    /// What a restore takes away.
    changed_since: &'c [Changed],
}

fn planned<'c>(task: &Task<'c>, source: &Source, names: &Names, changed: &'c [Changed]) -> Plan<Counted<'c>> {
    let Task { args, shelf, manifest, .. } = *task;
    let name = source.server.name();
    let (live, new) = (&names.live, &names.new);
    let mut steps = Vec::new();
    if args.into.is_none() && !args.no_backup {
        let what = format!("back up `{live}` as it is now to {}", shelf.vault.place());
        steps.push(Step::new(what, "the way back", "live"));
    }
    if args.in_place > 1 {
        let what = format!("restore backup {} over `{live}`, in one transaction", manifest.id);
        steps.push(Step::new(what, "it was said twice", "destroy"));
        steps.push(Step::new("compare it with the manifest", "to know that it is whole", "live"));
    } else {
        // The names have the time in them, and the plan is to be the same when it is looked at twice.
        let shown = if args.into.is_some() { format!("`{new}`") } else { format!("`{live}_restored_TIME`") };
        let what = format!("restore backup {} as a new database {shown}", manifest.id);
        steps.push(Step::new(what, "nothing that lives is touched", "live"));
        steps.push(Step::new("compare it with the manifest", "only what is whole takes the place", "live"));
    }
    if names.kept.is_some() && args.in_place == 0 {
        let what = format!(
            "end the sessions of `{live}`, rename it to `{live}_before_restore_TIME`, and the new one to `{live}`"
        );
        steps.push(Step::new(what, "both renames or none, and the old one is kept", "interrupt"));
    }
    Plan {
        server: format!("{}:{}", name.host, name.port),
        database: name.database,
        backup: Some(manifest.id.to_string()),
        steps,
        counted: Counted { into: args.into.as_deref(), changed_since: changed },
    }
}

fn tell_changed(boot: &Boot, changed: &[Changed]) {
    if changed.is_empty() {
        return;
    }
    boot.ui.warn(&format!("{} not as in the backup; what was written since is not in it:", were(changed.len())));
    for line in lines(changed) {
        boot.ui.talk(&line);
    }
}

fn lines(changed: &[Changed]) -> Vec<String> {
    let told = changed.iter().take(SHOWN).map(|one| {
        let text = match (one.backed_up, one.now) {
            (Some(then), Some(now)) if then == now => format!("{}: {then} rows in both, and others", one.table),
            (Some(then), Some(now)) => format!("{}: {then} rows in the backup, {now} now", one.table),
            (None, now) => format!("{}: not in the backup, {} rows now", one.table, now.unwrap_or_default()),
            (then, None) => {
                format!("{}: {} rows in the backup, and not there now", one.table, then.unwrap_or_default())
            }
        };
        format!("  {text}")
    });
    let more = (changed.len() > SHOWN).then(|| format!("  and {} more", changed.len() - SHOWN));
    told.chain(more).collect()
}

/// Those that are not as they were when they were shown.
fn since_shown(shown: &[Changed], now: &[Changed]) -> Vec<Changed> {
    now.iter().filter(|one| !shown.contains(one)).cloned().collect()
}

fn were(tables: usize) -> String {
    if tables == 1 { "1 table is".to_owned() } else { format!("{tables} tables are") }
}

async fn report(
    task: &Task<'_>,
    names: &Names,
    changed: &[Changed],
    before: Option<String>,
    roles: &[Difference],
    in_place: bool,
) -> Result<(), Problem> {
    let Task { boot, args, shelf, manifest, .. } = *task;
    let kept = names.kept.as_deref().filter(|_| !in_place);
    let database = if args.into.is_some() { &names.new } else { &names.live };
    if !roles.is_empty() {
        boot.ui.note(&format!("{} of roles since the backup; roles are not restored:", count(roles.len(), "change")));
        for one in roles.iter().take(SHOWN) {
            boot.ui.talk(&format!("  {one}"));
        }
    }
    let mut sentence = format!("`{database}` is restored from backup {} of {}", manifest.id, manifest.of());
    if let Some(kept) = kept {
        sentence += &format!("; the one before it is kept as `{kept}`");
    }
    remember::write(boot, shelf, "db restore", &sentence).await;
    if boot.ui.json {
        boot.ui.json_document(&Told {
            backup: manifest.id.as_str(),
            database,
            taken_before: before,
            kept_as: kept,
            changed_since: changed,
            roles,
        })?;
    }
    boot.ui.talk(&format!("✔ {sentence}"));
    if let Some(kept) = kept {
        boot.ui.note("`mainstay db restore --back` lets that one take its place again");
        boot.ui.note(&format!("when it is needed no more: DROP DATABASE \"{}\"", kept.replace('"', "\"\"")));
    }
    Ok(())
}
