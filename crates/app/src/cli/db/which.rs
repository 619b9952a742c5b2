//! Which database a command is about, and where it is now.

use std::path::{Path, PathBuf};

use clap::Args;
use mainstay_engine::pg::{Server, Unreachable};
use mainstay_engine::standing_pool::Settings;
use mainstay_model::declared::{Database, Declared, Whereabouts};
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::Scope;
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

/// Where a database is declared.
pub struct Declaration {
    pub stack: StackName,
    pub database: String,
    /// The service of the stack that it is in.
    pub service: Option<ServiceName>,
}

/// One database with its files.
pub struct Chosen {
    /// Whose it is, where a stack declares it; with its name there.
    pub of: Option<Declaration>,
    pub server: Server,
    pub dir: PathBuf,
    pub ledger: LedgerName,
}

impl Which {
    /// # Errors
    /// When it is not clear which one is meant, or it is not there.
    pub async fn choose(&self, boot: &Boot) -> Result<Chosen, Problem> {
        let by_variables = ["DATABASE_URL", "PGHOST"].iter().any(|name| boot.environment.get(name).is_some());
        let (server, of, declared) = if by_variables && self.database.is_none() {
            (of_variables(boot)?, None, None)
        } else {
            let (name, database, declared) = self.declared(boot).await?;
            let service = match &database.whereabouts {
                Whereabouts::Service { service, .. } => Some(service.clone()),
                Whereabouts::Url(_) => None,
            };
            let of = Declaration { stack: declared.stack.clone(), database: name, service };
            (reach(boot, &database, &declared).await?, Some(of), database.migrations)
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
        Ok(Chosen { of, server, dir, ledger })
    }

    async fn declared(&self, boot: &Boot) -> Result<(String, Database, Declared), Problem> {
        let [read] = <[_; 1]>::try_from(smoke::reads(boot).await?).map_err(|reads| {
            Problem::usage("one-stack", format!("a database is one of one stack, and {} are named", reads.len()))
                .hint("name one: `--stack NAME`")
        })?;
        let declared = generated::shown(boot, read).await?.declared;
        boot.ui.redactions.learn(declared.secrets.values.values());
        let names: Vec<&str> = declared.databases.keys().map(String::as_str).collect();
        let found = match (&self.database, names.as_slice()) {
            (Some(name), _) => declared.databases.get_key_value(name),
            (None, [_]) => declared.databases.first_key_value(),
            (None, []) => None,
            (None, _) => {
                return Err(Problem::usage("which-database", format!("`{}` has several databases", declared.stack))
                    .hint(format!("name one of `{}`: `--database NAME`", names.join("`, `"))));
            }
        };
        let found = found.map(|(name, database)| (name.clone(), database.clone()));
        match (found, &self.database) {
            (Some((name, database)), _) => Ok((name, database, declared)),
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

fn of_variables(boot: &Boot) -> Result<Server, Problem> {
    let settings = Settings::from_vars(|name| boot.environment.get(name).map(str::to_owned));
    settings.map(Server::new).map_err(|error| unreachable(&Unreachable::Settings(error)))
}

/// Its server: at the address of the service's container on one of its networks, which this host reaches.
async fn reach(boot: &Boot, database: &Database, declared: &Declared) -> Result<Server, Problem> {
    boot.ui.redactions.learn(&database.whereabouts.password());
    let containers = match &database.whereabouts {
        Whereabouts::Url(_) => Vec::new(),
        Whereabouts::Service { .. } => {
            let docker = boot.docker().await?;
            engine::look(&docker, &Scope::of(declared)).await?.containers
        }
    };
    Server::of(&database.whereabouts, &declared.stack, &containers).map_err(|why| unreachable(&why))
}

fn unreachable(why: &Unreachable) -> Problem {
    match why {
        Unreachable::NotRunning(service) => Problem::world("database-not-running", why.to_string())
            .hint(format!("`mainstay up {service}` starts it, `mainstay logs {service}` says why it ended")),
        Unreachable::NoAddress(_) => {
            Problem::world("database-without-address", why.to_string()).hint("name it by `url`, or by DATABASE_URL")
        }
        Unreachable::Settings(_) => Problem::usage("bad-database-settings", why.to_string()),
    }
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
