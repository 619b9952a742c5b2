//! Which database a command is about, and where it is now.

use std::path::{Path, PathBuf};

use clap::Args;
use mainstay_engine::pg::Server;
use mainstay_engine::standing_pool::{Settings, SettingsError};
use mainstay_model::declared::{Database, Declared, Whereabouts};
use mainstay_model::identity::ServiceName;
use mainstay_model::observed::{Scope, State};
use mainstay_model::postgres::migration::LedgerName;

use crate::boot::{Boot, engine};
use crate::cli::{generated, smoke};
use crate::problem::Problem;

/// The folder when nothing says another one.
const DEFAULT_DIR: &str = "migrations";

/// The flags that every verb has.
#[derive(Debug, Args)]
pub struct Which {
    /// The name under `x-mainstay.databases`; default: DATABASE_URL or PG*, else the one that is declared
    #[arg(long, short = 'd', value_name = "NAME")]
    database: Option<String>,
    /// The folder of the files; default: as declared, else ./migrations
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The table that says what was applied; default: as declared, else public.schema_migrations
    #[arg(long, value_name = "SCHEMA.TABLE")]
    ledger: Option<String>,
}

/// One database with its files.
pub struct Chosen {
    pub server: Server,
    pub dir: PathBuf,
    pub ledger: LedgerName,
}

impl Which {
    /// # Errors
    /// When it is not clear which one is meant, or it is not there.
    pub async fn choose(&self, boot: &Boot) -> Result<Chosen, Problem> {
        let by_variables = ["DATABASE_URL", "PGHOST"].iter().any(|name| boot.environment.get(name).is_some());
        let (settings, declared) = if by_variables && self.database.is_none() {
            (of_variables(boot)?, None)
        } else {
            let database = self.declared(boot).await?;
            (reach(boot, &database.0, &database.1).await?, database.0.migrations)
        };
        let here = &boot.environment.working_directory;
        let dir = match (&self.dir, &declared) {
            (Some(dir), _) => here.join(dir),
            (None, Some(migrations)) => PathBuf::from(&migrations.dir),
            (None, None) => here.join(DEFAULT_DIR),
        };
        let ledger = match (&self.ledger, declared) {
            (Some(text), _) => LedgerName::parse(text)
                .map_err(|problem| Problem::usage("bad-ledger", format!("`--ledger`: {problem}")))?,
            (None, Some(migrations)) => migrations.ledger,
            (None, None) => LedgerName::default(),
        };
        Ok(Chosen { server: Server::new(settings), dir, ledger })
    }

    async fn declared(&self, boot: &Boot) -> Result<(Database, Declared), Problem> {
        let [read] = <[_; 1]>::try_from(smoke::reads(boot).await?).map_err(|reads| {
            Problem::usage("one-stack", format!("a database is one of one stack, and {} are named", reads.len()))
                .hint("name one: `--stack NAME`")
        })?;
        let declared = generated::shown(boot, read).await?.declared;
        boot.ui.redactions.learn(declared.secrets.values.values());
        let names: Vec<&str> = declared.databases.keys().map(String::as_str).collect();
        let found = match (&self.database, names.as_slice()) {
            (Some(name), _) => declared.databases.get(name),
            (None, [_]) => declared.databases.values().next(),
            (None, []) => None,
            (None, _) => {
                return Err(Problem::usage("which-database", format!("`{}` has several databases", declared.stack))
                    .hint(format!("name one of `{}`: `--database NAME`", names.join("`, `"))));
            }
        };
        match (found.cloned(), &self.database) {
            (Some(database), _) => Ok((database, declared)),
            (None, Some(name)) => {
                let problem =
                    Problem::usage("no-such-database", format!("`{}` declares no database `{name}`", declared.stack));
                Err(if names.is_empty() {
                    declare(problem)
                } else {
                    problem.hint(format!("there is `{}`", names.join("`, `")))
                })
            }
            (None, None) => {
                Err(declare(Problem::usage("no-database", format!("`{}` declares no database", declared.stack))))
            }
        }
    }
}

fn declare(problem: Problem) -> Problem {
    problem
        .hint("declare it: `x-mainstay: { databases: { shop: { service: db, migrations: { dir: ./migrations } } } }`")
        .hint("or name it: `DATABASE_URL=postgres://USER:PASSWORD@HOST/DATABASE mainstay db …`")
}

fn of_variables(boot: &Boot) -> Result<Settings, Problem> {
    settings(|name| boot.environment.get(name).map(str::to_owned))
}

fn settings(get: impl Fn(&str) -> Option<String>) -> Result<Settings, Problem> {
    Settings::from_vars(get).map_err(|SettingsError { variable, problem }| {
        Problem::usage("bad-database-settings", format!("`{variable}` {problem}"))
    })
}

/// The address of the service's container on one of its networks, which this host reaches.
async fn reach(boot: &Boot, database: &Database, declared: &Declared) -> Result<Settings, Problem> {
    let (service, port, name, user, password) = match &database.whereabouts {
        Whereabouts::Url(url) => {
            return settings(|name| (name == "DATABASE_URL").then(|| url.reveal().to_owned()));
        }
        Whereabouts::Service { service, port, database, user, password } => (service, port, database, user, password),
    };
    let address = address(boot, declared, service).await?;
    if let Some(password) = password {
        boot.ui.redactions.learn([password]);
    }
    settings(|variable| match variable {
        "PGHOST" => Some(address.clone()),
        "PGPORT" => Some(port.to_string()),
        "PGDATABASE" => Some(name.clone()),
        "PGUSER" => Some(user.clone()),
        "PGPASSWORD" => password.as_ref().map(|password| password.reveal().to_owned()),
        // It never leaves this machine.
        "PGSSLMODE" => Some("disable".into()),
        _ => None,
    })
}

async fn address(boot: &Boot, declared: &Declared, service: &ServiceName) -> Result<String, Problem> {
    let docker = boot.docker().await?;
    let observed = engine::look(&docker, &Scope::of(declared)).await?;
    let running = observed.containers.iter().find(|container| {
        container.stack.as_ref() == Some(&declared.stack)
            && container.service.as_ref() == Some(service)
            && container.state == State::Running
    });
    let Some(container) = running else {
        let problem = Problem::world("database-not-running", format!("no container of `{service}` runs"));
        return Err(
            problem.hint(format!("`mainstay up {service}` starts it, `mainstay logs {service}` says why it ended"))
        );
    };
    let address =
        container.endpoints.iter().find_map(|endpoint| endpoint.ipv4_address.clone().filter(|one| !one.is_empty()));
    address.ok_or_else(|| {
        Problem::world("database-without-address", format!("`{}` has no address on a network", container.name))
            .hint("name it by `url`, or by DATABASE_URL")
    })
}

/// The files of a folder: their names and bytes.
///
/// # Errors
/// When there is no such folder, or a file cannot be read.
pub fn files(dir: &Path) -> Result<Vec<(String, Vec<u8>)>, Problem> {
    mainstay_engine::sources::sql_files(dir).map_err(|error| {
        Problem::files("migrations-folder", error.to_string())
            .hint("name the folder: `--dir DIR`, or `migrations: { dir: … }` under `x-mainstay.databases`")
    })
}
