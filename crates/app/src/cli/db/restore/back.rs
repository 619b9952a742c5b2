//! The database that was kept takes its place again.

use std::process::ExitCode;

use jiff::Timestamp;
use mainstay_engine::pg::Server;
use mainstay_engine::pg::restore::{Swap, kept_before, kept_name};

use super::Restore;
use super::plan::{Plan, Step};
use crate::boot::Boot;
use crate::boot::interrupt::Interrupt;
use crate::cli::db::remember;
use crate::cli::db::shelf::Shelf;
use crate::problem::{Outcome, Problem};
use crate::ui::meter::Meter;

pub(super) async fn run(boot: &Boot, args: &Restore, shelf: &Shelf, name: &str) -> Outcome {
    let server = Server::new(shelf.found.reach(boot).await?.settings);
    let live = server.name().database;
    let kept = kept_before(&server, &live).await?;
    let chosen = match (name, kept.first()) {
        ("", Some(newest)) => newest.clone(),
        ("", None) => {
            return Err(Problem::usage("nothing-kept", format!("no database was kept when `{live}` was restored"))
                .hint("`mainstay db backups` shows what can be restored"));
        }
        (name, _) if kept.iter().any(|one| one == name) => name.to_owned(),
        (name, _) => {
            let problem = Problem::usage("no-such-database", format!("`{name}` is not kept for `{live}`"));
            return Err(if kept.is_empty() {
                problem
            } else {
                problem.hint(format!("there is `{}`", kept.join("`, `")))
            });
        }
    };
    let what =
        format!("end the sessions of `{live}`, rename it to `{live}_before_restore_TIME`, and `{chosen}` to `{live}`");
    let plan = Plan {
        server: server.name().host,
        database: live.clone(),
        backup: None,
        steps: vec![Step::new(what, "both renames or none", "interrupt")],
        counted: (),
    };
    plan.show(boot)?;
    if boot.settings.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    plan.agree(boot, args).await?;
    let interrupt = Interrupt::listen(&boot.ui);
    let guard = super::alone(boot, args, &server, &interrupt).await?;
    let put_away = kept_name(&live, &Timestamp::now().strftime("%Y%m%d_%H%M%S").to_string());
    let meter = Meter::new(&boot.ui);
    let patience = args.wait;
    let swap = Swap { server: &server, live: &live, new: &chosen, kept: &put_away, is_marked: false, patience };
    swap.run(guard, &mut |text| meter.set(|| text)).await?;
    drop(meter);
    let sentence = format!("`{chosen}` is `{live}` again; the restored one is kept as `{put_away}`");
    remember::write(boot, shelf, "db restore --back", &sentence).await;
    if boot.ui.json {
        boot.ui.json_document(&serde_json::json!({ "database": live, "was": chosen, "kept_as": put_away }))?;
    }
    boot.ui.talk(&format!("✔ {sentence}"));
    Ok(ExitCode::SUCCESS)
}
