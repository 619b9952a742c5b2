//! Where the backups of the database that is meant lie, for every command about them.

use std::path::PathBuf;

use clap::Args;
use mainstay_engine::pg::backup::{BackupError, Vault};
use mainstay_engine::secrets::Seals;
use mainstay_engine::standing_pool::Settings;
use mainstay_model::declared::{Backup, Bucket, Destination, Hidden};

use super::found::Found;
use super::travel::{File, Typed};
use crate::boot::Boot;
use crate::config::Environment;
use crate::problem::{Kind, Problem};

/// The flags that every command about backups has.
#[derive(Debug, Args)]
pub struct Shelved {
    /// The name under `x-mainstay.databases`; default: DATABASE_URL or PG*, else the one that is declared
    #[arg(long, short = 'd', value_name = "NAME")]
    database: Option<String>,
    /// A folder or `s3://BUCKET/PREFIX`; default: as declared
    #[arg(long, value_name = "PLACE")]
    to: Option<String>,
}

/// Opening what is sealed with another key than the host's.
#[derive(Debug, Args)]
pub struct Opening {
    /// Open with the key in this file, such as a recovery key, instead of the key of the host
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

/// The database with its place.
pub struct Shelf {
    pub found: Found,
    pub vault: Vault,
    /// Not another one that `--to` names.
    pub is_declared_place: bool,
    /// As declared.
    pub backup: Option<Backup>,
    pub stack: Option<String>,
    pub env: Option<String>,
    /// Its name: as declared, or of the server.
    pub name: String,
}

impl Shelved {
    pub fn typed(&self) -> Typed<'_> {
        let to = self.to.as_deref();
        Typed { database: self.database.as_deref(), to, elsewhere: to.map(|_| "--to"), ..Typed::default() }
    }

    /// # Errors
    /// When it is not clear which database is meant, or where its backups are.
    pub async fn find(&self, boot: &Boot) -> Result<Shelf, Problem> {
        let found = Found::find(boot, self.database.as_deref()).await?;
        self.of(boot, found)
    }

    /// Of a database that was found already.
    ///
    /// # Errors
    /// When it is not clear where its backups are.
    pub fn of(&self, boot: &Boot, found: Found) -> Result<Shelf, Problem> {
        shelf(boot, found, self.to.as_deref())
    }
}

impl Opening {
    pub fn file(&self) -> Option<File> {
        self.identity.as_ref().map(|_| File::Identity)
    }

    /// # Errors
    /// When the file has no key.
    pub fn apply(&self, boot: &Boot, vault: Vault) -> Result<Vault, Problem> {
        Ok(match self.seals(boot)? {
            Some(seals) => vault.opened_with(&seals),
            None => vault,
        })
    }

    /// The key that was named.
    ///
    /// # Errors
    /// When the file has none.
    pub fn seals(&self, boot: &Boot) -> Result<Option<Seals>, Problem> {
        let Some(file) = &self.identity else { return Ok(None) };
        let path = boot.environment.working_directory.join(file);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Problem::files("no-identity", format!("`{}` could not be read", path.display())).caused_by(&error)
        })?;
        let text = Hidden::new(text);
        boot.ui.redactions.learn([&text]);
        let seals = Seals::of_key(&text).map_err(|_| {
            Problem::files("no-identity", format!("`{}` holds no age key", path.display()))
                .hint("it has a line that begins with `AGE-SECRET-KEY-1`; `age --decrypt` opens one with a passphrase")
        })?;
        Ok(Some(seals))
    }
}

/// The port that goes without saying.
const USUAL_PORT: &str = "5432";

/// The place of a database's backups: as `to` says, else as declared.
///
/// # Errors
/// When neither says it, or it cannot be used.
pub fn shelf(boot: &Boot, found: Found, to: Option<&str>) -> Result<Shelf, Problem> {
    let env = boot.global.env.clone();
    let backup = found.declared.as_ref().and_then(|entry| entry.database.backup.clone());
    let is_declared_place = to.is_none();
    let to = match (to, &backup) {
        (Some(text), _) => named(boot, text)?,
        (None, Some(backup)) => backup.to.clone(),
        (None, None) => return Err(nowhere(&found)),
    };
    let to = with_keys(to, &boot.environment);
    learn(boot, &to);
    let recipients = backup.as_ref().map(|backup| backup.recipients.clone()).unwrap_or_default();
    let seals = boot.secrets().seals(&recipients)?;
    let (stack, owner, name) = match &found.declared {
        Some(entry) => {
            let stack = entry.declared.stack.to_string();
            (Some(stack.clone()), stack, entry.name.clone())
        }
        None => {
            let settings = Settings::from_vars(|name| boot.environment.get(name).map(str::to_owned));
            let target =
                settings.map_err(|error| Problem::usage("bad-database-settings", error.to_string()))?.target.name();
            // Two servers behind two ports of one machine, as behind tunnels, are two.
            let port = if target.port == USUAL_PORT { String::new() } else { format!("_{}", target.port) };
            (None, format!("{}{port}", target.host), target.database)
        }
    };
    let env = env.filter(|_| stack.is_some());
    let vault = Vault::open(&to, &owner, env.as_deref(), &name, seals)?;
    Ok(Shelf { found, vault, is_declared_place, backup, stack, env, name })
}

fn named(boot: &Boot, text: &str) -> Result<Destination, Problem> {
    let Some(rest) = text.strip_prefix("s3://") else {
        let path = text.strip_prefix("file://").unwrap_or(text);
        if path.is_empty() || path.contains("://") {
            return Err(Problem::usage("bad-place", format!("`--to {text}` is neither a bucket nor a folder"))
                .hint("write `s3://BUCKET/PREFIX`, or a path"));
        }
        let path = boot.environment.working_directory.join(path);
        return Ok(Destination::Folder(path.to_string_lossy().into_owned()));
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    Ok(Destination::S3(Bucket {
        bucket: bucket.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
        endpoint: None,
        region: None,
        path_style: false,
        access_key: None,
        secret_key: None,
    }))
}

/// What a bucket is not told by its declaration, the usual variables say.
pub fn with_keys(to: Destination, environment: &Environment) -> Destination {
    let Destination::S3(mut bucket) = to else { return to };
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    if bucket.access_key.is_none() && bucket.secret_key.is_none() {
        bucket.access_key = variable("AWS_ACCESS_KEY_ID").map(Hidden::new);
        bucket.secret_key = variable("AWS_SECRET_ACCESS_KEY").map(Hidden::new);
    }
    if bucket.endpoint.is_none() {
        bucket.endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
        bucket.path_style |= bucket.endpoint.is_some();
    }
    bucket.region = bucket.region.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    Destination::S3(bucket)
}

fn learn(boot: &Boot, to: &Destination) {
    if let Destination::S3(Bucket { secret_key: Some(secret), .. }) = to {
        boot.ui.redactions.learn([secret]);
    }
}

fn nowhere(found: &Found) -> Problem {
    let name = found.declared.as_ref().map_or("the database", |entry| entry.name.as_str());
    Problem::usage("no-place", format!("nothing says where backups of `{name}` go"))
        .hint("declare it: `backup: { to: s3://BUCKET/PREFIX }` under `x-mainstay.databases`")
        .hint("or name a place: `--to ./backups`, `--to s3://BUCKET/PREFIX`")
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        let hints = error.hints();
        let message = error.to_string();
        let (kind, code) = match error {
            BackupError::Pg(error) => return error.into(),
            BackupError::World(error) => return error.into(),
            BackupError::Secrets(error) => return error.into(),
            BackupError::Blob(_) => (Kind::World, "store"),
            BackupError::NoSuchBackup { .. } | BackupError::NoBackup { .. } => (Kind::Usage, "no-such-backup"),
            BackupError::Damaged { .. } => (Kind::Failed, "damaged-backup"),
            BackupError::OtherKey { .. } => (Kind::World, "other-key"),
            BackupError::OneKey => (Kind::Usage, "one-key"),
            BackupError::Dump { .. } => (Kind::Failed, "dump"),
            BackupError::NoProgram { .. } => (Kind::World, "no-program"),
            BackupError::Refused { .. } => (Kind::Failed, "database-refused"),
            BackupError::RowSecurity { .. } => (Kind::Failed, "row-security"),
            BackupError::Busy { .. } => (Kind::World, "busy"),
            BackupError::Interrupted => (Kind::Interrupted, "interrupted"),
            BackupError::Broken(_) => (Kind::Bug, "backup"),
        };
        let mut problem = Problem::new(kind, code, message);
        match &error {
            BackupError::Dump { words, .. } if !words.is_empty() => problem.exhibit = Some(words.clone()),
            BackupError::Busy { holder: Some(holder) } => problem.causes.push(format!("it is {holder}")),
            _ => {}
        }
        problem.hints.extend(hints);
        problem
    }
}
