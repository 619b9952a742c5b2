//! `mainstay logs`

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures_util::{FutureExt as _, StreamExt as _};
use mainstay_engine::docker::{Docker, Following, LogNews, LogOptions, LogSource, LogsWanted};
use mainstay_model::observed::Scope;

use super::chosen;
use super::up::{ServiceArg, services};
use crate::boot::interrupt::Signals;
use crate::boot::{Boot, engine};
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::lines::{Form, Lines};
use crate::ui::since;

/// How long lines of before `--until` may take to arrive.
const LATE_LINES: Duration = Duration::from_millis(500);

/// Show what a stack's containers write.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay logs                          all services, in the order of time\n  mainstay logs -f web                   go on with what comes, over restarts and replacements\n  mainstay logs --since 10m --tail 100\n  mainstay logs --stack supabase --stack nocodb --timestamps\n  mainstay logs --json web | jq -r 'select(.stream == \"stderr\") | .line'\n\nCtrl-C ends `--follow` with 130."
)]
pub struct Logs {
    /// Only these services
    #[arg(value_name = "SERVICE")]
    services: Vec<ServiceArg>,
    /// Go on with what comes, also from containers that are restarted, replaced or made later
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
    /// Only the container of this number of each service
    #[arg(long, value_name = "NUMBER")]
    index: Option<u32>,
    /// Taken for Compose's sake; the same as `--color never`
    #[arg(long, hide = true)]
    no_color: bool,
}

pub async fn run(boot: &Boot, args: Logs) -> Outcome {
    let options = args.options(jiff::Timestamp::now())?;
    let stacks = chosen::stacks(boot)?;
    let wanted = LogsWanted {
        stacks: stacks.iter().map(|one| one.name.clone()).collect(),
        services: services(&args.services),
        number: args.index,
    };
    chosen::must_have(boot, &stacks, &wanted.services).await?;
    if let Err(error) = boot.secrets().everything(None) {
        boot.ui.warn(&format!("secrets are shown where containers write them, since nobody knows them here: {error}"));
    }
    let docker = boot.docker().await?;
    if options.follow {
        let mut interrupted = Signals::listen();
        return tokio::select! {
            ended = args.follow(boot, &docker, wanted, &options) => ended,
            () = interrupted.next() => Ok(ExitCode::from(Kind::Interrupted.exit_code())),
        };
    }
    let sources = sources(&docker, &wanted).await?;
    if sources.is_empty() {
        chosen::must_be_known(boot, &wanted.stacks).await?;
        boot.ui.talk("there are no containers to read from");
    }
    args.once(boot, &docker, sources, &options).await
}

async fn sources(docker: &Docker, wanted: &LogsWanted) -> Result<Vec<LogSource>, Problem> {
    let mut sources = Vec::new();
    for stack in &wanted.stacks {
        let observed = engine::look(docker, &Scope::of_stack(stack.clone())).await?;
        sources.extend(observed.containers.iter().filter_map(|container| wanted.of_container(container)));
    }
    Ok(sources)
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
        let until = moment("--until", &self.until)?;
        // Nothing can come any more from before a time that is over.
        let is_over = until.as_deref().and_then(|until| time_to(until, now)).is_some_and(|left| left.is_zero());
        Ok(LogOptions { follow: self.follow && !is_over, since: moment("--since", &self.since)?, until, tail })
    }

    /// All lines that are there.
    async fn once(&self, boot: &Boot, docker: &Docker, sources: Vec<LogSource>, options: &LogOptions) -> Outcome {
        let mut lines = self.lines(boot, &sources);
        let mut troubles = Vec::new();
        let count = sources.len();
        let mut news = docker.logs_of(sources, options);
        loop {
            // What is at hand is written at once; before a wait nothing is kept back.
            let next = match news.next().now_or_never() {
                Some(next) => next,
                None => {
                    lines.flush()?;
                    news.next().await
                }
            };
            match next {
                Some(LogNews::Line(source, line)) => lines.write(&source, &line)?,
                Some(LogNews::Trouble(error) | LogNews::Lost(error)) => troubles.push(error),
                None => break,
            }
        }
        lines.flush()?;
        // The others are still worth reading; a container that keeps no log is no failure beside them.
        let is_fatal = troubles.len() == count || troubles.iter().any(|error| error.transient);
        let mut troubles: Vec<Problem> = troubles.into_iter().map(Problem::from).collect();
        let fatal = if is_fatal { troubles.pop() } else { None };
        troubles.iter().for_each(|problem| boot.ui.warn_of(problem));
        fatal.map_or(Ok(ExitCode::SUCCESS), Err)
    }

    /// Everything that comes, until the time of `--until`.
    async fn follow(&self, boot: &Boot, docker: &Docker, wanted: LogsWanted, options: &LogOptions) -> Outcome {
        let left = options.until.as_deref().and_then(|until| time_to(until, jiff::Timestamp::now()));
        let over = async {
            match left {
                Some(left) => tokio::time::sleep(left + LATE_LINES).await,
                None => std::future::pending().await,
            }
        };
        let stacks = wanted.stacks.clone();
        let mut following = Following::begin(docker, wanted, options.clone()).await?;
        let sources = following.sources();
        if sources.is_empty() {
            chosen::must_be_known(boot, &stacks).await?;
            boot.ui.talk("there are no containers yet; waiting for some");
        }
        let mut lines = self.lines(boot, &sources);
        let mut is_lost = false;
        tokio::pin!(over);
        loop {
            let news = tokio::select! {
                news = following.next() => news,
                () = &mut over => return Ok(ExitCode::SUCCESS),
            };
            match news {
                LogNews::Line(source, line) => {
                    is_lost = false;
                    lines.write(&source, &line)?;
                    lines.flush()?;
                }
                LogNews::Trouble(error) => boot.ui.warn_of(&error.into()),
                LogNews::Lost(_) if is_lost => {}
                LogNews::Lost(error) => {
                    is_lost = true;
                    boot.ui.warn_of(&Problem::from(error));
                    boot.ui.talk("the connection to the engine was lost; going on as soon as it answers");
                }
            }
        }
    }

    fn lines(&self, boot: &Boot, sources: &[LogSource]) -> Lines {
        let form = match (boot.ui.json, self.no_log_prefix) {
            (true, _) => Form::Json,
            (false, true) => Form::Bare,
            (false, false) => Form::Prefixed,
        };
        Lines::new(&boot.ui, form, self.timestamps, !self.no_color, sources)
    }
}

/// How long it is until a moment in seconds since 1970; zero when it is over.
fn time_to(moment: &str, now: jiff::Timestamp) -> Option<Duration> {
    let moment: f64 = moment.parse().ok()?;
    let now = Duration::try_from(now.as_duration()).ok()?;
    Duration::try_from_secs_f64(moment).ok().map(|moment| moment.saturating_sub(now))
}
