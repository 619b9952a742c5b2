//! What a restore will do, and a person's yes to it.

use mainstay_model::identity::digest;
use serde::Serialize;

use super::Restore;
use crate::boot::Boot;
use crate::boot::interrupt::Signals;
use crate::problem::{Kind, Problem};
use crate::ui::ask;

/// Environments that are known to be none of production.
const NON_PROD: &[&str] = &["dev", "development", "local", "test", "ci", "staging", "preview", "prod-sim"];
const SHORT: usize = 12;

/// Ordered steps; the digest is of everything in it.
#[derive(Clone, Debug, Serialize)]
pub struct Plan<T> {
    pub server: String,
    pub database: String,
    pub backup: Option<String>,
    pub steps: Vec<Step>,
    /// What is counted, where the plan depends on it.
    pub counted: T,
}

#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub what: String,
    pub why: &'static str,
    /// As in every plan: `live`, `interrupt`, `destroy`.
    pub impact: &'static str,
}

impl Step {
    pub fn new(what: impl Into<String>, why: &'static str, impact: &'static str) -> Step {
        Step { what: what.into(), why, impact }
    }
}

impl<T: Serialize> Plan<T> {
    pub fn digest(&self) -> String {
        digest(self)
    }

    fn short(&self) -> String {
        self.digest().chars().take(SHORT).collect()
    }

    pub fn show(&self, boot: &Boot) -> Result<(), Problem> {
        if boot.ui.json {
            #[derive(Serialize)]
            struct Told<'p, T> {
                #[serde(flatten)]
                plan: &'p Plan<T>,
                digest: String,
            }
            if boot.settings.dry_run {
                boot.ui.json_document(&Told { plan: self, digest: self.digest() })?;
            }
            return Ok(());
        }
        let lines = self
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| format!("{:>3}  {:<9}  {}  ({})", index + 1, step.impact, step.what, step.why));
        let lines = lines.collect::<Vec<_>>().join("\n");
        if boot.settings.dry_run {
            boot.ui.data(&lines)?
        } else {
            boot.ui.talk(&lines)
        }
        boot.ui.talk(&format!("{} steps; digest {}", self.steps.len(), self.short()));
        Ok(())
    }

    /// Consent: to exactly this plan, or to whatever is shown where that is enough.
    ///
    /// # Errors
    /// When nobody gave it.
    pub async fn agree(&self, boot: &Boot, args: &Restore) -> Result<(), Problem> {
        if let Some(typed) = &args.confirm {
            if typed.len() >= SHORT && self.digest().starts_with(typed.as_str()) {
                return Ok(());
            }
            let message = format!("the plan now has the digest {}, not {typed}; nothing was changed", self.short());
            return Err(Problem::new(Kind::Consent, "other-plan", message)
                .hint("the database or the backups have changed: look at the plan again with `--dry-run`"));
        }
        self.not_in_production(boot)?;
        if boot.settings.yes {
            return Ok(());
        }
        let question = format!("Restore `{}` at {}?", self.database, self.server);
        if !boot.ui.can_ask() {
            return Err(Problem::new(
                Kind::Consent,
                "consent-needed",
                "this needs your consent, and there is no terminal to ask on; nothing was changed",
            )
            .hint(format!("look at the plan (`--dry-run`); then `--yes`, or `--confirm {}`", self.short())));
        }
        let asking = boot.ui.clone();
        let mut signals = Signals::listen();
        let asked = tokio::task::spawn_blocking(move || ask::yes_or_no(&asking, &question));
        tokio::select! {
            answer = asked => match answer {
                Ok(true) => Ok(()),
                _ => Err(Problem::new(Kind::Consent, "declined", "you said no; nothing was changed")),
            },
            () = signals.next() => Err(Problem::new(Kind::Interrupted, "interrupted", "nothing was changed")),
        }
    }

    /// In production somebody has to have said so.
    fn not_in_production(&self, boot: &Boot) -> Result<(), Problem> {
        let is_set = |name: &str| boot.environment.get(name).is_some_and(|value| value == "1" || value == "true");
        let env = boot.global.env.as_deref();
        if env.is_some_and(|env| NON_PROD.contains(&env)) || is_set("CONFIRM_PROD") || is_set("ALLOW_NON_PROD") {
            return Ok(());
        }
        let what = env.map_or("no `--env` was given, so this counts as production".to_owned(), |env| {
            format!("`--env {env}` counts as production")
        });
        Err(Problem::new(Kind::Consent, "confirm-prod", format!("{what}; nothing was changed"))
            .hint(format!("to do exactly this: `--confirm {}`", self.short()))
            .hint("or `CONFIRM_PROD=1` with `--yes`; where it is none: `ALLOW_NON_PROD=1`, or `--env dev`"))
    }
}
