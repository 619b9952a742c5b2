//! `mainstay secret rm`

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;

use super::about::About;
use super::listed;
use crate::boot::Boot;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::ask;

/// Forget values. Containers that carry one keep it until they are replaced.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay secret rm OLD_KEY\n  mainstay secret rm STRIPE_KEY --yes      also when the stack still needs it"
)]
pub(super) struct Rm {
    /// Names of secrets
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

pub(super) async fn run(boot: &Boot, args: Rm) -> Outcome {
    boot.refuse_dry_run("secret rm")?;
    args.names.iter().try_for_each(|name| About::check_name("rm", name, &[]))?;
    let about = About::of(boot, "secret rm").await?;
    let names: BTreeSet<String> = args.names.into_iter().collect();
    let kept = about.secrets.list(&about.namespace)?;
    let kept: BTreeSet<String> = kept.into_iter().filter(|one| !one.is_made_up).map(|one| one.name).collect();
    let missing: Vec<String> = names.difference(&kept).cloned().collect();
    if !missing.is_empty() {
        return Err(about.unknown(&missing, &kept));
    }
    consent(boot, needs(&about, &names)).await?;
    about.secrets.remove(&about.namespace, &names)?;
    boot.ui.talk(&format!("forgot {} of `{}`", listed(&names), about.namespace));
    Ok(ExitCode::SUCCESS)
}

/// Who would miss them.
fn needs(about: &About, names: &BTreeSet<String>) -> Vec<String> {
    let users = about.users(names).unwrap_or_default();
    let one = |name: &String| {
        let users = users.get(name).filter(|users| !users.is_empty());
        let is_required = about.wish(name).is_some_and(|wish| wish.required);
        match (users, is_required) {
            (Some(users), true) => Some(format!("`{name}` is required, and used by {}", listed(users))),
            (Some(users), false) => Some(format!("`{name}` is used by {}", listed(users))),
            (None, true) => Some(format!("`{name}` is required by the files")),
            (None, false) => None,
        }
    };
    let mut needs: Vec<String> = names.iter().filter_map(one).collect();
    if about.read.is_none() {
        needs.push("the files of the stack could not be read, so nobody knows who uses it".to_owned());
    }
    needs
}

/// `--yes`, or a person's answer, when there are reasons to ask.
///
/// # Errors
/// When it is no.
pub(super) async fn consent(boot: &Boot, reasons: Vec<String>) -> Result<(), Problem> {
    if reasons.is_empty() || boot.settings.yes {
        return Ok(());
    }
    if !boot.ui.can_ask() {
        let message = "this needs your consent, and there is no terminal to ask on; nothing was changed";
        let mut problem = Problem::new(Kind::Consent, "consent-needed", message)
            .hint("when it is what you want, run the same command with `--yes`");
        problem.causes = reasons;
        return Err(problem);
    }
    let (ui, question) = (boot.ui.clone(), format!("{}\nGo on?", reasons.join("\n")));
    let asked = tokio::task::spawn_blocking(move || ask::yes_or_no(&ui, &question));
    match asked.await {
        Ok(true) => Ok(()),
        _ => Err(Problem::new(Kind::Consent, "declined", "you said no; nothing was changed")),
    }
}
