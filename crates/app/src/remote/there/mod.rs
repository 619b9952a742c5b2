//! The other side: hears one command, asks whether it may be, runs it as a process of its own, and carries its streams.
//!
//! The process is this same program, which finds the server of the state folder by its socket, or hosts the engine itself.
//! When the connection breaks, it gets what Ctrl-C would have given it.

mod child;
pub mod powers;
mod sent;
mod typed;

use std::ffi::OsStr;
use std::time::Duration;

use clap::Parser as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::carried::{Carried, Given};
use super::frames::{Begin, Frame, Hearing, Telling, greeting};
use super::travel;
use crate::cli::{Cli, Command};
use crate::config::Settings;
use crate::problem::{Kind, Problem};
use crate::wire::ErrorBody;
use powers::Powers;
use sent::Laid;
pub use typed::typed;

/// How long the other side may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(20);
/// No claim about who asks is longer.
const LONGEST_NAME: usize = 80;

/// Whoever takes commands from afar.
#[derive(Clone, Debug)]
pub struct There {
    pub settings: Settings,
    pub powers: Powers,
    /// Cancelled when no command may run on.
    pub stopping: CancellationToken,
}

impl There {
    /// Serves one connection to its end.
    pub async fn serve<R, W>(&self, from: R, mut to: W)
    where
        R: AsyncRead + Send + Unpin,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        if to.write_all(greeting().as_bytes()).await.is_err() || to.flush().await.is_err() {
            return;
        }
        let (mut hearing, mut telling) = (Hearing::on(from), Telling::on(to));
        let begin = match tokio::time::timeout(PATIENCE, hearing.next()).await {
            Ok(Some(Ok(Frame::Begin(begin)))) => *begin,
            // It only greeted.
            Ok(None) | Err(_) => return,
            Ok(Some(_)) => {
                let problem = Problem::usage("bad-request", "what came first was no command");
                let _ = telling.tell(&Frame::Refused(Box::new(problem.into()))).await;
                return;
            }
        };
        match self.prepared(&begin).await {
            Ok((carried, laid)) => {
                let ended = child::run(self, &begin, &carried, &mut hearing, telling).await;
                if let Some(laid) = laid {
                    laid.clear(&self.settings).await;
                }
                if let Err((problem, Some(mut telling))) = ended {
                    let _ = telling.tell(&Frame::Refused(Box::new(ErrorBody::from(problem)))).await;
                }
            }
            Err(problem) => {
                let _ = telling.tell(&Frame::Refused(Box::new(ErrorBody::from(problem)))).await;
            }
        }
    }

    /// Judges a command as it will be understood, and lays its files down.
    async fn prepared(&self, begin: &Begin) -> Result<(Carried, Option<Laid>), Problem> {
        let mut carried = Carried {
            stacks: begin.stacks.clone(),
            sent: None,
            given: Given::default(),
            by: self.powers.on_behalf_of(&plain(&begin.by)),
            terminal: begin.terminal.is_some(),
        };
        let words = std::iter::once("mainstay").chain(begin.args.iter().map(String::as_str)).map(OsStr::new);
        let cli = Cli::try_parse_from(words).map_err(|error| not_understood(&error))?;
        let (mut global, command) = cli.parts();
        let typed = global.clone();
        carried.lay_over(&mut global);
        if let travel::Way::Stays { why, hint } = travel::way(&command) {
            let problem = Problem::usage("stays-here", format!("`mainstay {}` {why}", command.name()));
            return Err(problem.hint(hint));
        }
        self.powers.check(&command, &global, &typed, begin.files.is_some() || !begin.sql.is_empty())?;
        allow_variables(begin, &command)?;
        let laid = sent::lay_down(&self.settings, begin).await?;
        if let Some(laid) = &laid {
            carried.sent.clone_from(&laid.sent);
            carried.given.clone_from(&laid.given);
        }
        Ok((carried, laid))
    }
}

/// Only variables that are meant for this command come along.
fn allow_variables(begin: &Begin, command: &Command) -> Result<(), Problem> {
    let named = travel::may_come_along(command);
    match begin.variables.keys().find(|name| !named.contains(name) || name.starts_with("MAINSTAY_")) {
        Some(name) => Err(Problem::usage("bad-request", format!("the variable `{name}` is not one that comes along"))),
        None => Ok(()),
    }
}

fn not_understood(error: &clap::Error) -> Problem {
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    Problem::new(Kind::Usage, "not-understood", format!("the command line is not understood there: {message}"))
        .hint("compare the versions of both sides: `mainstay version`, here and with `--host`")
}

/// What somebody says of himself, fit for one line of history.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && *c != '`').take(LONGEST_NAME).collect()
}
