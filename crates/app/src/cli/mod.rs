//! The commands, one file each: the arguments first, whose doc comments are the help, then what the command does.

pub mod bridge;
pub mod bucket;
pub mod chosen;
pub mod completions;
pub mod config;
pub mod db;
pub mod down;
pub mod edge;
pub mod exec;
pub mod generated;
pub mod global;
pub mod history;
pub mod init;
pub mod logs;
pub mod migrations;
pub mod plan;
pub mod promote;
pub mod ps;
pub mod recorded;
pub mod releases;
mod remembered;
pub mod required;
pub mod restart;
pub mod rollback;
pub mod secret;
pub mod sent;
pub mod serve;
pub mod serving;
pub mod smoke;
pub mod stacks;
pub mod start;
pub mod stop;
pub mod token;
pub mod up;
pub mod version;
pub mod walk;
pub mod watch;
pub mod way_back;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::boot::Boot;
use crate::problem::Outcome;

pub use global::Global;

/// Keeps Docker Compose stacks standing. Every change is a plan first
#[derive(Debug, Parser)]
#[command(
    name = "mainstay",
    version,
    disable_help_subcommand = true,
    max_term_width = 110,
    after_help = "Examples:\n  mainstay up                      bring the stack of this folder up\n  mainstay up --stack ./supabase --stack ./nocodb\n  mainstay plan                    show what `up` would do\n  mainstay ps --all                show every stack that is known here\n  mainstay history --follow        watch what happens, and why\n  mainstay --host ssh://vps ps     any command, on another machine\n\nExit codes: 0 done or nothing to do, 1 a step failed, 2 usage, 3 stack files,\n4 engine or state folder, 5 consent not given, 6 drift (`plan --check`),\n70 a bug, 130 interrupted (docs/EXIT-CODES.md)."
)]
pub struct Cli {
    /// A Compose file, as `--file`; only before the command
    #[arg(short = 'f', value_name = "FILE", hide = true)]
    files_first: Vec<PathBuf>,
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// The flags for every command, and the command.
    pub fn parts(self) -> (Global, Command) {
        let mut global = self.global;
        global.file.splice(0..0, self.files_first);
        (global, self.command)
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(visible_alias = "deploy")]
    Up(up::Up),
    Plan(plan::PlanArgs),
    Watch(watch::Watch),
    Down(down::Down),
    Start(start::Start),
    Stop(stop::Stop),
    Restart(restart::Restart),
    Ps(ps::Ps),
    Logs(logs::Logs),
    Exec(exec::Exec),
    Edge(edge::EdgeArgs),
    Smoke(smoke::SmokeArgs),
    History(history::History),
    Releases(releases::Releases),
    Rollback(rollback::Rollback),
    Promote(promote::Promote),
    Stacks(stacks::Stacks),
    Config(config::Config),
    Secret(secret::Secret),
    Token(token::TokenArgs),
    Db(db::Db),
    Bucket(bucket::BucketArgs),
    Serve(serve::Serve),
    Bridge(bridge::Bridge),
    Init(init::Init),
    Version(version::Version),
    Completions(completions::Completions),
}

impl Command {
    /// # Errors
    /// The one problem to report.
    pub async fn run(self, boot: &Boot) -> Outcome {
        let boot = if self.is_about_files() { remembered::with_environment(boot).await? } else { boot.clone() };
        match self.run_here(&boot).await {
            Err(problem) if problem.code == "no-compose-file" => Err(chosen::or_known(&boot, problem).await),
            ended => ended,
        }
    }

    /// Whether what it does depends on which files a stack has.
    fn is_about_files(&self) -> bool {
        !matches!(
            self,
            Command::Ps(_)
                | Command::Logs(_)
                | Command::History(_)
                | Command::Releases(_)
                | Command::Stacks(_)
                | Command::Edge(_)
                | Command::Exec(_)
                | Command::Token(_)
                | Command::Serve(_)
                | Command::Bridge(_)
                | Command::Init(_)
                | Command::Version(_)
                | Command::Completions(_)
        )
    }

    /// As it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Up(_) => "up",
            Command::Plan(_) => "plan",
            Command::Down(_) => "down",
            Command::Start(_) => "start",
            Command::Stop(_) => "stop",
            Command::Restart(_) => "restart",
            Command::Ps(_) => "ps",
            Command::Logs(_) => "logs",
            Command::Exec(_) => "exec",
            Command::Edge(_) => "edge",
            Command::Smoke(_) => "smoke",
            Command::History(_) => "history",
            Command::Releases(_) => "releases",
            Command::Rollback(_) => "rollback",
            Command::Promote(_) => "promote",
            Command::Stacks(_) => "stacks",
            Command::Config(_) => "config",
            Command::Secret(_) => "secret",
            Command::Token(_) => "token",
            Command::Db(_) => "db",
            Command::Bucket(_) => "bucket",
            Command::Serve(_) => "serve",
            Command::Bridge(_) => "bridge",
            Command::Init(_) => "init",
            Command::Watch(_) => "watch",
            Command::Version(_) => "version",
            Command::Completions(_) => "completions",
        }
    }

    async fn run_here(self, boot: &Boot) -> Outcome {
        match self {
            Command::Up(args) => up::run(boot, args).await,
            Command::Plan(args) => plan::run(boot, args).await,
            Command::Watch(args) => watch::run(boot, args).await,
            Command::Down(args) => down::run(boot, args).await,
            Command::Start(args) => start::run(boot, args).await,
            Command::Stop(args) => stop::run(boot, args).await,
            Command::Restart(args) => restart::run(boot, args).await,
            Command::Ps(args) => ps::run(boot, args).await,
            Command::Logs(args) => logs::run(boot, args).await,
            Command::Exec(args) => exec::run(boot, args).await,
            Command::Edge(args) => edge::run(boot, args).await,
            Command::Smoke(args) => smoke::run(boot, args).await,
            Command::Rollback(args) => rollback::run(boot, args).await,
            Command::Promote(args) => promote::run(boot, args).await,
            Command::Releases(args) => releases::run(boot, args).await,
            Command::History(args) => history::run(boot, args).await,
            Command::Stacks(args) => stacks::run(boot, args).await,
            Command::Config(args) => config::run(boot, args).await,
            Command::Secret(args) => secret::run(boot, args).await,
            Command::Token(args) => token::run(boot, args).await,
            Command::Db(args) => db::run(boot, args).await,
            Command::Bucket(args) => bucket::run(boot, args).await,
            Command::Serve(args) => serve::run(boot, args).await,
            Command::Bridge(args) => bridge::run(boot, args).await,
            Command::Init(args) => init::run(boot, args).await,
            Command::Version(args) => version::run(boot, args).await,
            Command::Completions(args) => completions::run(boot, args),
        }
    }
}
