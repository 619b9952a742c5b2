//! What went wrong with a bucket or its backups, in words.

use mainstay_model::identity::BackupId;

use crate::blobs::BlobError;
use crate::secrets::SecretsError;
use crate::whereabouts::NotReached;
use crate::world::WorldError;

#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    NotReached(#[from] NotReached),
    #[error(transparent)]
    World(#[from] WorldError),
    #[error("`{place}` has no backup of {of} with the id {id}")]
    NoSuchBackup { id: BackupId, of: String, place: String },
    #[error("`{place}` has no backup of {of}")]
    NoBackup { of: String, place: String },
    #[error("the list of the backup {id} cannot be read: {why}")]
    Unreadable { id: BackupId, why: String },
    #[error("{count} objects of the bucket cannot be read; the first is `{key}`: {why}")]
    Objects { count: usize, key: String, why: String },
    #[error("`{key}` of the backup {id} is damaged: {why}")]
    Damaged { id: BackupId, key: String, why: String },
    #[error("`{address}` did not answer while {doing}: {why}")]
    Away { address: String, doing: &'static str, why: String },
    #[error("`{address}` refused {doing}: {status}{words}")]
    Refused { address: String, doing: &'static str, status: u16, words: String },
    #[error("{0}")]
    Zone(String),
    #[error("only this host could open the backups of {of}: they would be lost with it")]
    OneKey { of: String },
    #[error("another command is at the backups of {of}")]
    Busy { of: String },
    #[error("the lock `{path}` cannot be had: {why}")]
    Lock { path: String, why: String },
}

impl BucketError {
    pub fn hints(&self) -> Vec<String> {
        match self {
            BucketError::Blob(error) => error.hints(),
            BucketError::NotReached(NotReached::NotRunning { service }) => {
                vec![format!("`mainstay up {service}` starts it, `mainstay logs {service}` says why it ended")]
            }
            BucketError::NotReached(NotReached::NoAddress { .. }) => vec!["name it by `endpoint`".into()],
            BucketError::NoSuchBackup { .. } | BucketError::Unreadable { .. } => {
                vec!["`mainstay bucket backups` lists what is there".into()]
            }
            BucketError::NoBackup { .. } => vec!["`mainstay bucket backup` makes one".into()],
            BucketError::Damaged { .. } => {
                vec!["`mainstay bucket drill --all` says which backups are whole".into()]
            }
            BucketError::Refused { status: 403, .. } => {
                vec!["the keys need the right to make buckets and to change their settings".into()]
            }
            BucketError::Refused { status: 501, .. } => {
                vec!["this server does not have that setting: leave it out".into()]
            }
            BucketError::OneKey { .. } => vec![
                "make a second key and keep it elsewhere: `mainstay secret recovery-key`".into(),
                "or name a recipient that you have: `backup: { recipients: [age1…] }`".into(),
            ],
            BucketError::Busy { .. } => vec!["try again when it is done".into()],
            _ => Vec::new(),
        }
    }
}
