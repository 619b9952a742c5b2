//! `mainstay edge`: the one proxy of this host, in front of every stack that has routes.

mod read;
mod status;
mod trust;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use mainstay_engine::edge::Edge;
use mainstay_model::edge::{Certificates, EdgeSettings};
use mainstay_model::identity::StackName;
use mainstay_model::plan::{Order, StackOrder, UpOptions};

use super::required::Wanted;
use super::up;
use super::walk::Walk;
use crate::boot::Boot;
use crate::client::Memory;
use crate::problem::{Outcome, Problem};

/// The proxy in front of every stack that has routes: Caddy, with automatic HTTPS.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay edge up                                         ports 80 and 443, public certificates where a name is public\n  mainstay edge up --http-port 8080 --https-port 8443      where another program has 80 and 443\n  mainstay edge up --certificates internal                 its own authority for every name\n  mainstay edge up --pull                                  a newer Caddy, where there is one\n  mainstay edge status                                     what it serves, and whether it does\n  sudo mainstay edge trust                                 let this host trust its own authority\n  sudo mainstay edge trust --remove                        and no longer\n\n`mainstay up` of a stack with routes brings the edge up by itself. Its settings are kept in the state folder."
)]
pub struct EdgeArgs {
    #[command(subcommand)]
    command: EdgeCommand,
}

#[derive(Debug, Subcommand)]
enum EdgeCommand {
    Up(EdgeUp),
    /// Show what the edge serves, and whether it does
    Status,
    /// Print the root certificate of the edge's own authority (PEM)
    Certificate,
    Trust(trust::Trust),
    /// Take the edge away; nothing is served until it is up again
    Down,
}

impl EdgeArgs {
    /// Whether it changes nothing.
    pub fn only_looks(&self) -> bool {
        matches!(self.command, EdgeCommand::Status | EdgeCommand::Certificate)
    }

    /// Whether it changes what the machine trusts on which it is run.
    pub fn changes_this_machine(&self) -> bool {
        matches!(self.command, EdgeCommand::Trust(_))
    }
}

/// Bring the edge up, with these settings from now on
#[derive(Debug, Default, Args)]
struct EdgeUp {
    /// The host's port for plain HTTP, which leads to HTTPS
    #[arg(long, value_name = "PORT")]
    http_port: Option<u16>,
    /// The host's port for HTTPS
    #[arg(long, value_name = "PORT")]
    https_port: Option<u16>,
    /// Who signs certificates
    #[arg(long, value_enum, value_name = "WHO")]
    certificates: Option<Authority>,
    /// The address that the public certificate authority may write to
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Another ACME directory than Let's Encrypt's
    #[arg(long, value_name = "URL")]
    acme_directory: Option<String>,
    /// Pull the image of Caddy even when it is there, and take what is newer
    #[arg(long)]
    pull: bool,
    /// The image of Caddy (2.8 or later)
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// The name of the edge's stack, where one engine has several edges
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Authority {
    /// A public authority for public names, the edge's own for all others
    Auto,
    /// The edge's own authority for every name
    Internal,
}

impl EdgeUp {
    fn settings(self, before: EdgeSettings) -> Result<EdgeSettings, Problem> {
        if let Some(name) = &self.name {
            StackName::new(name.as_str()).map_err(|problem| Problem::usage("bad-name", problem.to_string()))?;
        }
        let settings = EdgeSettings {
            name: self.name.unwrap_or(before.name),
            image: self.image.unwrap_or(before.image),
            http_port: self.http_port.unwrap_or(before.http_port),
            https_port: self.https_port.unwrap_or(before.https_port),
            certificates: match self.certificates {
                Some(Authority::Auto) => Certificates::Auto,
                Some(Authority::Internal) => Certificates::Internal,
                None => before.certificates,
            },
            email: self.email.or(before.email),
            acme_directory: self.acme_directory.or(before.acme_directory),
        };
        if settings.http_port == settings.https_port {
            let message = format!("HTTP and HTTPS cannot both have port {}", settings.http_port);
            return Err(Problem::usage("same-port", message).hint("give one of them another port"));
        }
        Ok(settings)
    }
}

/// The edge of this state folder.
pub fn of(boot: &Boot) -> Edge {
    Edge::at(boot.settings.state_dir.join("edge"))
}

pub async fn run(boot: &Boot, args: EdgeArgs) -> Outcome {
    match args.command {
        EdgeCommand::Up(args) => bring(boot, args).await,
        EdgeCommand::Down => down(boot).await,
        EdgeCommand::Status => status::run(boot).await,
        EdgeCommand::Certificate => {
            boot.ui.data(&of(boot).root_certificate().await?)?;
            Ok(ExitCode::SUCCESS)
        }
        EdgeCommand::Trust(args) => trust::run(boot, &args).await,
    }
}

async fn bring(boot: &Boot, args: EdgeUp) -> Outcome {
    let edge = of(boot);
    let before = edge.settings()?;
    let pull = args.pull;
    let settings = args.settings(before.clone())?;
    let walk = Walk::begin(boot, "edge up").await?;
    if settings.name != before.name && edge.answers().await {
        let message = format!("the edge runs under the name `{}`", before.name);
        return Err(Problem::usage("edge-renamed", message).hint("`mainstay edge down` first"));
    }
    let order = read::order(boot, &settings).await?;
    let stood = stands(boot, &before).await?;
    if !boot.settings.dry_run {
        edge.keep_settings(&settings)?;
    }
    if let Err(problem) = up::bring_up(&walk, with_pull(order, pull)).await {
        // What runs is what was there before, and that is what the settings have to say. Where nothing was, they go on
        // saying what was begun: part of it may be there.
        if !boot.settings.dry_run && stood {
            edge.keep_settings(&before)?;
        }
        return Err(problem);
    }
    if !boot.settings.dry_run {
        // The redirect to HTTPS names the port, and who signs is part of the routes.
        edge.change(nothing_new(&settings)?).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether an edge of these settings was brought up and not taken down since.
async fn stands(boot: &Boot, settings: &EdgeSettings) -> Result<bool, Problem> {
    let known = Memory::open(&boot.settings).await?.stacks().await?;
    Ok(known.iter().any(|one| one.stack.as_str() == settings.name && !one.held.is_empty()))
}

fn with_pull(order: Order, pull: bool) -> Order {
    match order {
        Order::Up { declared, options } => Order::Up { declared, options: UpOptions { pull, ..options } },
        other => other,
    }
}

/// A change that changes no route, so that what is served is told again.
fn nothing_new(settings: &EdgeSettings) -> Result<mainstay_engine::edge::Change, Problem> {
    let stack = StackName::new(settings.name.as_str())?;
    Ok(mainstay_engine::edge::Change { stack, sites: Vec::new(), kept: Vec::new(), networks: Default::default() })
}

async fn down(boot: &Boot) -> Outcome {
    let settings = of(boot).settings()?;
    let stack = StackName::new(settings.name)?;
    let walk = Walk::begin(boot, "edge down").await?;
    let order = StackOrder {
        stack,
        services: Default::default(),
        volumes: Default::default(),
        held: Vec::new(),
        timeout_secs: None,
        no_wait: false,
    };
    walk.carry_out(vec![Order::Down(order)]).await?;
    Ok(ExitCode::SUCCESS)
}

/// Whether one of these stacks has something for the edge to serve.
pub fn is_needed(wanted: &[Wanted]) -> bool {
    wanted.iter().flat_map(|one| one.read.declared.services.values()).any(|service| !service.routes.is_empty())
}

/// The order that brings the edge up; `None` when it answers already.
///
/// # Errors
/// When its files cannot be read or written.
pub async fn order_if_away(boot: &Boot) -> Result<Option<Order>, Problem> {
    let edge = of(boot);
    if edge.answers().await {
        return Ok(None);
    }
    Ok(Some(read::order(boot, &edge.settings()?).await?))
}

fn as_declared(declared: mainstay_model::declared::Declared) -> Order {
    Order::Up { declared: Box::new(declared), options: UpOptions::default() }
}
