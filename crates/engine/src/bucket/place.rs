//! Where a declared bucket is now.

use mainstay_model::declared::{Bucket, BucketServer, Declared, Destination, StackBucket};
use mainstay_model::observed::Scope;

use super::error::BucketError;
use super::make::Server;
use crate::blobs::Store;
use crate::docker::Docker;
use crate::whereabouts::{address, running};
use crate::world::{World as _, WorldError};

/// Finds it. The engine is asked only for a service of the stack.
///
/// # Errors
/// When no container of its service runs, or it has no address.
pub async fn place(
    docker: impl AsyncFnOnce() -> Result<Docker, WorldError>,
    declared: &Declared,
    wish: &StackBucket,
) -> Result<Place, BucketError> {
    let endpoint = match &wish.server {
        BucketServer::Endpoint(endpoint) => endpoint.clone(),
        BucketServer::Service { service, port } => {
            let observed = docker().await?.look(&Scope::of(declared)).await?;
            let container = running(service, &declared.stack, &observed.containers)?;
            format!("http://{}:{port}", address(container)?)
        }
    };
    Ok(Place::at(wish, endpoint))
}

/// A bucket with the address of its server.
#[derive(Clone, Debug)]
pub struct Place(Bucket);

impl Place {
    pub(crate) fn at(wish: &StackBucket, endpoint: String) -> Place {
        Place(Bucket {
            bucket: wish.bucket.clone(),
            prefix: String::new(),
            endpoint: Some(endpoint),
            region: wish.region.clone(),
            path_style: wish.path_style,
            access_key: Some(wish.access_key.clone()),
            secret_key: Some(wish.secret_key.clone()),
        })
    }

    /// Its objects. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When the address cannot be one.
    pub fn objects(&self) -> Result<Store, BucketError> {
        Ok(Store::open(&Destination::S3(self.0.clone()))?)
    }

    /// Itself, for what is not about objects.
    ///
    /// # Errors
    /// As [`Place::objects`].
    pub fn server(&self) -> Result<Server, BucketError> {
        Server::new(&self.0)
    }
}
