//! The flags that every command takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mainstay_model::compose::Dialect;

use crate::ui::ColorChoice;

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which stack")]
pub struct Global {
    /// A stack, by its folder or its name; may be repeated. Default: the stack of this folder
    #[arg(long, global = true, value_name = "NAME|DIR")]
    pub stack: Vec<String>,
    /// The environment: adds `compose.<ENV>.yaml` and `.env.<ENV>`. Default: the one that the stack is up with; `none`: without
    #[arg(long, global = true, value_name = "ENV")]
    pub env: Option<String>,
    /// `--env none` was said: what is remembered does not count either.
    #[arg(skip)]
    pub no_env: bool,
    /// A Compose file; may be repeated, later ones win. Before the command `-f` is the same
    #[arg(long, global = true, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// The stack's name, instead of the one in the files
    #[arg(long, short = 'p', global = true, value_name = "NAME")]
    pub project_name: Option<String>,
    /// The folder that relative paths in the files start from
    #[arg(long, global = true, value_name = "DIR")]
    pub project_directory: Option<PathBuf>,
    /// A profile to switch on; may be repeated
    #[arg(long, global = true, value_name = "PROFILE")]
    pub profile: Vec<String>,
    /// A file of variables instead of `.env`; may be repeated
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Whose files these are: `compose` or `coolify`. Default: what the files say or show
    #[arg(long, global = true, value_enum, value_name = "DIALECT", hide_possible_values = true)]
    pub dialect: Option<DialectArg>,
    /// The domain below which services get their hosts [env: MAINSTAY_DOMAIN]
    #[arg(long, global = true, value_name = "DOMAIN")]
    pub domain: Option<String>,

    /// Where the journal, the lock and the socket are [env: MAINSTAY_STATE_DIR]
    #[arg(long, global = true, value_name = "DIR", help_heading = "How")]
    pub state_dir: Option<PathBuf>,
    /// The key that opens secrets; else `host.key` in the state folder [env: MAINSTAY_KEY_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = "How")]
    pub key_file: Option<PathBuf>,
    /// Run it on another machine: `ssh://user@vps`, `https://vps:7443` [env: MAINSTAY_HOST]
    #[arg(long, global = true, value_name = "URL", help_heading = "How")]
    pub host: Option<String>,
    /// A file with the token for `https://` [env: MAINSTAY_TOKEN, MAINSTAY_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = "How")]
    pub token_file: Option<PathBuf>,
    /// The Docker engine [env: DOCKER_HOST]
    #[arg(long, global = true, value_name = "URL", help_heading = "How")]
    pub docker_host: Option<String>,
    /// Data as JSON on stdout, a problem as JSON on stderr; warnings stay text
    #[arg(long, global = true, help_heading = "How")]
    pub json: bool,
    /// Consent to what the plan shows, without being asked
    #[arg(long, short = 'y', global = true, help_heading = "How")]
    pub yes: bool,
    /// Show the plan and change nothing
    #[arg(long, global = true, help_heading = "How")]
    pub dry_run: bool,
    /// When to use colour [NO_COLOR is honoured]
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "How",
        hide_possible_values = true
    )]
    pub color: ColorChoice,
    /// Say only what is data or goes wrong
    #[arg(long, short = 'q', global = true, help_heading = "How")]
    pub quiet: bool,
}

/// A dialect as the flag takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DialectArg {
    Compose,
    Coolify,
}

impl From<DialectArg> for Dialect {
    fn from(arg: DialectArg) -> Dialect {
        match arg {
            DialectArg::Compose => Dialect::Compose,
            DialectArg::Coolify => Dialect::Coolify,
        }
    }
}
