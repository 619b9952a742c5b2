//! Where a declared bucket is now.

use mainstay_model::declared::{Bucket, BucketServer, Declared, Destination, StackBucket};
use mainstay_model::identity::StackName;
use mainstay_model::observed::{BucketPlace, Container, Scope};

use super::error::BucketError;
use super::make::Server;
use crate::blobs::Store;
use crate::docker::Docker;
use crate::whereabouts::{NotReached, address, running};
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
    let containers = match &wish.server {
        BucketServer::Endpoint(_) => Vec::new(),
        BucketServer::Service { .. } => docker().await?.look(&Scope::of(declared)).await?.containers,
    };
    Place::among(&BucketPlace::of(wish), &declared.stack, &containers)
}

/// A bucket with the address of its server.
#[derive(Clone, Debug)]
pub struct Place(Bucket);

impl Place {
    /// By what was seen of the stack.
    ///
    /// # Errors
    /// When no container of its service runs, or it has no address.
    pub fn among(wish: &BucketPlace, stack: &StackName, containers: &[Container]) -> Result<Place, BucketError> {
        let container = match &wish.server {
            BucketServer::Endpoint(_) => None,
            BucketServer::Service { service, .. } => Some(running(service, stack, containers)?),
        };
        Place::at(wish, container)
    }

    /// The same, in this very container.
    ///
    /// # Errors
    /// When there is none, or it has no address.
    pub fn at(wish: &BucketPlace, container: Option<&Container>) -> Result<Place, BucketError> {
        let endpoint = match (&wish.server, container) {
            (BucketServer::Endpoint(endpoint), _) => endpoint.clone(),
            (BucketServer::Service { port, .. }, Some(container)) => format!("http://{}:{port}", address(container)?),
            (BucketServer::Service { service, .. }, None) => {
                return Err(NotReached::NotRunning { service: service.clone() }.into());
            }
        };
        Ok(Place(Bucket {
            bucket: wish.bucket.clone(),
            prefix: String::new(),
            endpoint: Some(endpoint),
            region: wish.region.clone(),
            path_style: wish.path_style,
            access_key: Some(wish.access_key.clone()),
            secret_key: Some(wish.secret_key.clone()),
        }))
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
