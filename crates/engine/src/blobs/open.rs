//! From what was declared to a store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mainstay_model::declared::{Bucket, Destination};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{ClientOptions, RetryConfig};

use super::error::BlobError;
use super::store::{Kind, Store};

/// Servers that know no regions take any.
const REGION: &str = "us-east-1";
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Between two pieces of an answer, not for the whole: a backup takes as long as it takes.
const QUIET_FOR: Duration = Duration::from_secs(60);
/// For so long a server that is away is asked again.
const PATIENCE: Duration = Duration::from_secs(60);

impl Store {
    /// The store of a place. Nothing is asked of it yet, but a folder is made.
    ///
    /// # Errors
    /// When the folder cannot be made, or keys are missing.
    pub fn open(destination: &Destination) -> Result<Store, BlobError> {
        match destination {
            Destination::Folder(path) => folder(Path::new(path), destination.to_string()),
            Destination::S3(bucket) => s3(bucket, destination.to_string()),
        }
    }

    /// One that is gone with the process.
    pub fn memory() -> Store {
        let memory = Arc::new(InMemory::new());
        Store { place: "memory".into(), prefix: String::new(), objects: memory.clone(), kind: Kind::Parts(memory) }
    }
}

/// The library makes its TLS of what the process has chosen. A second choice is refused and changes nothing.
pub(crate) fn choose_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn folder(path: &Path, place: String) -> Result<Store, BlobError> {
    let failed = |why: String| BlobError::Place { place: place.clone(), why, hints: Vec::new() };
    // What was backed up is as private as the database.
    crate::secrets::disk::make_folder(path).map_err(|error| match error {
        crate::secrets::SecretsError::Disk { source, .. } => failed(source.to_string()),
        other => failed(other.to_string()),
    })?;
    let files = LocalFileSystem::new_with_prefix(path).map_err(|error| failed(error.to_string()))?.with_fsync(true);
    let root = path.to_owned();
    Ok(Store { place, prefix: String::new(), objects: Arc::new(files), kind: Kind::Folder(root) })
}

fn s3(bucket: &Bucket, place: String) -> Result<Store, BlobError> {
    let (Some(access), Some(secret)) = (&bucket.access_key, &bucket.secret_key) else {
        return Err(BlobError::Place {
            place,
            why: "its keys are missing".into(),
            hints: vec![
                "declare them: `to: { url: s3://…, access_key: ${BACKUP_ACCESS_KEY}, secret_key: ${BACKUP_SECRET_KEY} }`, \
                 and `mainstay secret set BACKUP_SECRET_KEY`"
                    .into(),
                "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into(),
            ],
        });
    };
    choose_tls();
    let client =
        ClientOptions::new().with_connect_timeout(CONNECT_WITHIN).with_timeout_disabled().with_read_timeout(QUIET_FOR);
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(RetryConfig { retry_timeout: PATIENCE, max_retries: 6, ..RetryConfig::default() })
        .with_bucket_name(&bucket.bucket)
        .with_region(bucket.region.as_deref().unwrap_or(REGION))
        .with_access_key_id(access.reveal())
        .with_secret_access_key(secret.reveal())
        .with_virtual_hosted_style_request(!bucket.path_style)
        // Tags and bulk deletes are what smaller servers lack.
        .with_disable_tagging(true)
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_endpoint(of_bucket(endpoint, bucket)).with_allow_http(endpoint.starts_with("http://"));
    }
    let s3 = builder.build().map_err(|error| BlobError::Place {
        place: place.clone(),
        why: error.to_string(),
        hints: Vec::new(),
    })?;
    let s3 = Arc::new(s3);
    Ok(Store { place, prefix: bucket.prefix.clone(), objects: s3.clone(), kind: Kind::Parts(s3) })
}

/// The library wants the bucket in the address already where it is to be in the host's name.
fn of_bucket(endpoint: &str, bucket: &Bucket) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.split_once("://") {
        Some((scheme, rest)) if !bucket.path_style => format!("{scheme}://{}.{rest}", bucket.bucket),
        _ => endpoint.to_owned(),
    }
}
