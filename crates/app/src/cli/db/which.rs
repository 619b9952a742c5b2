//! Which database a command is about, and where it is now.

use std::path::{Path, PathBuf};

use clap::Args;
use mainstay_engine::pg::Server;
use mainstay_model::declared::Whereabouts;
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::postgres::migration::LedgerName;

use super::found::Found;
use super::travel::Typed;
use crate::boot::Boot;
use crate::cli::sent;
use crate::problem::Problem;

/// The folder when nothing says another one.
pub const DEFAULT_DIR: &str = "migrations";

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
    pub found: Found,
    /// Whose it is, where a stack declares it; with its name there.
    pub of: Option<Declaration>,
    pub server: Server,
    pub dir: PathBuf,
    pub ledger: LedgerName,
}

impl Which {
    pub fn typed(&self) -> Typed<'_> {
        Typed {
            database: self.database.as_deref(),
            reads_migrations: true,
            dir: self.dir.as_deref(),
            elsewhere: [(self.dir.is_some(), "--dir"), (self.ledger.is_some(), "--ledger")]
                .into_iter()
                .find_map(|(is_given, flag)| is_given.then_some(flag)),
            ..Typed::default()
        }
    }

    /// # Errors
    /// When it is not clear which one is meant, or it is not there.
    pub async fn choose(&self, boot: &Boot) -> Result<Chosen, Problem> {
        let found = Found::find(boot, self.database.as_deref()).await?;
        let server = found.server(boot).await?;
        let declared = found.declared.as_ref().and_then(|entry| entry.database.migrations.clone());
        let dir = match (sent::dir(boot), &self.dir, &declared) {
            (Some(dir), ..) => dir,
            (None, Some(dir), _) => sent::here(boot, "--dir", dir)?,
            (None, None, Some(migrations)) => PathBuf::from(&migrations.dir),
            (None, None, None) => sent::here(boot, "--dir", Path::new(DEFAULT_DIR))?,
        };
        let ledger = match (&self.ledger, declared) {
            (Some(text), _) => LedgerName::parse(text)
                .map_err(|problem| Problem::usage("bad-ledger", format!("`--ledger`: {problem}")))?,
            (None, Some(migrations)) => migrations.ledger,
            (None, None) => LedgerName::default(),
        };
        let of = found.declared.as_ref().map(|entry| Declaration {
            stack: entry.declared.stack.clone(),
            database: entry.name.clone(),
            service: match &entry.database.whereabouts {
                Whereabouts::Service { service, .. } => Some(service.clone()),
                Whereabouts::Url(_) => None,
            },
        });
        Ok(Chosen { found, of, server, dir, ledger })
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
