//! What stands between a database and a backup of it.

use mainstay_model::identity::BackupId;

use crate::blobs::BlobError;
use crate::pg::PgError;
use crate::secrets::SecretsError;
use crate::world::WorldError;

/// Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Pg(#[from] PgError),
    #[error(transparent)]
    World(#[from] WorldError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("there is no backup `{id}` of {of} at {place}")]
    NoSuchBackup { id: BackupId, of: String, place: String },
    #[error("there is no backup of {of} at {place}")]
    NoBackup { of: String, place: String },
    /// What lies there is not what was stored.
    #[error("backup {id} is damaged: {what}")]
    Damaged { id: BackupId, what: String },
    /// It may be whole: it is sealed for others.
    #[error("backup {id} is sealed for other keys than the one at hand")]
    OtherKey { id: BackupId },
    #[error("only this host could open its backups: they are sealed for the key of the host alone")]
    OneKey,
    /// `pg_dump`, in its own words.
    #[error("`{program}` failed with exit code {code}")]
    Dump { program: String, code: i64, words: String },
    #[error("`{program}` is not in the container `{container}`")]
    NoProgram { program: String, container: String },
    /// A question of ours that the server did not answer.
    #[error("the database refused while {doing}: {words}")]
    Refused { doing: String, words: String },
    /// Row security would hide rows from the one who reads.
    #[error("the role `{role}` may not read every row of {table}: row security holds for it")]
    RowSecurity { role: String, table: String },
    #[error("another backup, migration, restore or cleanup of this database is under way")]
    Busy { holder: Option<String> },
    #[error("interrupted; there is no new backup, and nothing of it stays")]
    Interrupted,
    /// Ours.
    #[error("{0}")]
    Broken(String),
}

impl BackupError {
    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        match self {
            BackupError::Blob(error) => error.hints(),
            BackupError::Pg(error) => error.hints(),
            BackupError::World(error) => error.hints.clone(),
            BackupError::NoSuchBackup { .. } => vec!["`mainstay db backups` lists them".into()],
            BackupError::NoBackup { .. } => vec!["make one: `mainstay db backup`".into()],
            BackupError::Damaged { .. } => vec![
                "it cannot be restored: keep the one before it, and make a new one with `mainstay db backup`".into(),
            ],
            BackupError::OtherKey { .. } => vec![
                "put the key back that it was sealed for: `mainstay secret restore-kit FILE`".into(),
                "or say where a recovery key is: `--identity FILE`".into(),
            ],
            BackupError::OneKey => vec![
                "make a key that is kept elsewhere: `mainstay secret recovery-key FILE`".into(),
                "or name the age recipient of one that you have: `backup: { recipients: [age1…] }`".into(),
            ],
            BackupError::RowSecurity { role, .. } => vec![format!(
                "connect as the owner or a superuser, or, as one: ALTER ROLE \"{}\" BYPASSRLS;",
                role.replace('"', "\"\"")
            )],
            BackupError::Busy { .. } => {
                vec!["run it again when that one has ended, or wait longer: `--wait 10m`".into()]
            }
            BackupError::NoProgram { .. } => {
                vec!["the image needs Postgres' own programs: use one with `pg_dump` in it".into()]
            }
            BackupError::Secrets(_)
            | BackupError::Dump { .. }
            | BackupError::Refused { .. }
            | BackupError::Interrupted
            | BackupError::Broken(_) => Vec::new(),
        }
    }
}
