//! `mainstay logs`

use std::process::ExitCode;

use clap::Args;
use futures_util::StreamExt as _;
use futures_util::stream::select_all;
use mainstay_engine::WorldError;
use mainstay_engine::docker::{Docker, LogLine, LogOptions};
use mainstay_model::observed::{Container, Scope};
use unicode_width::UnicodeWidthStr as _;

use super::chosen;
use super::up::{ServiceArg, services};
use crate::boot::{Boot, engine};
use crate::problem::{Outcome, Problem};
use crate::ui::{Paint, Tone, since};

/// Show what a stack's containers write.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay logs                          all services, once\n  mainstay logs -f web                   go on with what comes\n  mainstay logs --since 10m --tail 100\n  mainstay logs --stack supabase --timestamps"
)]
pub struct Logs {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<ServiceArg>,
    /// Go on with what comes
    #[arg(long, short = 'f')]
    follow: bool,
    /// From this time on: `10m` ago, `2h` ago, or an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only the last so many lines of each container, or `all`
    #[arg(long, short = 'n', value_name = "LINES", default_value = "all")]
    tail: String,
    /// The time of each line
    #[arg(long, short = 't')]
    timestamps: bool,
    /// No container's name in front of each line
    #[arg(long)]
    no_log_prefix: bool,
}

pub async fn run(boot: &Boot, args: Logs) -> Outcome {
    let options = args.options(jiff::Timestamp::now())?;
    let names = chosen::names(boot)?;
    let docker = boot.docker().await?;
    let mut containers = Vec::new();
    for name in &names {
        let observed = engine::look(&docker, &Scope::of_stack(name.clone())).await?;
        let own = observed.containers.into_iter().filter(|one| !one.one_off && one.stack.as_ref() == Some(name));
        containers.extend(own);
    }
    let containers = args.wanted(containers)?;
    if containers.is_empty() {
        boot.ui.talk("there are no containers to read from");
        return Ok(ExitCode::SUCCESS);
    }
    let prefixes = if args.no_log_prefix { Vec::new() } else { prefixes(&containers, boot.ui.out) };
    interleave(boot, &docker, &containers, &prefixes, &options).await
}

impl Logs {
    fn options(&self, now: jiff::Timestamp) -> Result<LogOptions, Problem> {
        let moment = |flag: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => since::moment(text, now).map(Some).ok_or_else(|| {
                Problem::usage("bad-time", format!("`{flag} {text}` is not a time")).hint(
                    "write how long ago, such as `90s`, `10m`, `2h`, `3d`, or a time such as `2026-07-01T12:00:00Z`",
                )
            }),
        };
        let tail = match self.tail.as_str() {
            "all" => None,
            number => Some(number.parse().map_err(|_| {
                Problem::usage("bad-number", format!("`--tail {number}` is neither a number nor `all`"))
            })?),
        };
        Ok(LogOptions {
            follow: self.follow,
            since: moment("--since", &self.since)?,
            until: moment("--until", &self.until)?,
            tail,
            timestamps: self.timestamps,
        })
    }

    /// The containers of the services that were asked for.
    fn wanted(&self, containers: Vec<Container>) -> Result<Vec<Container>, Problem> {
        let asked_for = services(&self.services);
        let has = |name| containers.iter().any(|one| one.service.as_ref() == Some(name));
        if let Some(missing) = asked_for.iter().find(|name| !has(name)) {
            return Err(Problem::usage("no-such-service", format!("there is no container of the service `{missing}`"))
                .hint("`mainstay ps` shows which there are"));
        }
        let is_wanted =
            |one: &Container| asked_for.is_empty() || one.service.as_ref().is_some_and(|name| asked_for.contains(name));
        Ok(containers.into_iter().filter(is_wanted).collect())
    }
}

/// Lines of all containers as they come; lines of one stay in order.
async fn interleave(
    boot: &Boot,
    docker: &Docker,
    containers: &[Container],
    prefixes: &[String],
    options: &LogOptions,
) -> Outcome {
    let streams = containers
        .iter()
        .enumerate()
        .map(|(index, container)| docker.logs(&container.id, options.clone()).map(move |line| (index, line)));
    let mut lines = select_all(streams);
    let mut trouble: Option<WorldError> = None;
    while let Some((index, line)) = lines.next().await {
        match line {
            Ok(LogLine { line, .. }) => {
                let mut out = prefixes.get(index).cloned().unwrap_or_default().into_bytes();
                out.extend_from_slice(&line);
                out.push(b'\n');
                boot.ui.raw_data(&out)?;
            }
            // The others are still worth reading; the first trouble is told at the end.
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    trouble.map_or(Ok(ExitCode::SUCCESS), |error| Err(error.into()))
}

/// What stands in front of each container's lines: its service, and its number where there are several.
fn prefixes(containers: &[Container], paint: Paint) -> Vec<String> {
    let labels: Vec<String> = containers
        .iter()
        .map(|container| match &container.service {
            Some(service) => format!("{service}-{}", container.number),
            None => container.name.clone(),
        })
        .collect();
    let widest = labels.iter().map(|label| label.width()).max().unwrap_or(0);
    let prefix = |(index, label): (usize, &String)| {
        let pad = " ".repeat(widest - label.width());
        paint.paint(Tone::Neighbour(index), &format!("{label}{pad} | "))
    };
    labels.iter().enumerate().map(prefix).collect()
}
