//! Buckets: a server that runs tells which are there.

use crate::declared::{BucketServer, Declared};
use crate::observed::{Health, Observed, ObservedBucket, State};

use super::SimError;

/// Brings the buckets to what a look would see: a server whose container runs answers, and has none unless one was seen.
pub fn refresh_buckets(world: &mut Observed, declared: &Declared) {
    for (name, bucket) in &declared.buckets {
        let BucketServer::Service { service, .. } = &bucket.server else { continue };
        let mut containers = world.of_service(service).into_iter();
        let answers = containers.any(|one| one.state == State::Running && one.health != Health::Starting);
        let is_seen = matches!(world.buckets.get(name), Some(ObservedBucket::There | ObservedBucket::Missing));
        if answers && !is_seen {
            world.buckets.insert(name.clone(), ObservedBucket::Missing);
        }
    }
}

/// Makes one; the container of its server has to be up.
pub(super) fn make(world: &mut Observed, bucket: &str, at: Option<&str>) -> Result<(), SimError> {
    if let Some(id) = at {
        let container = world.container(id).ok_or_else(|| SimError::NoContainer(id.to_owned()))?;
        if container.state != State::Running || container.health == Health::Starting {
            return Err(SimError::NotReady(container.name.clone()));
        }
    }
    world.buckets.insert(bucket.to_owned(), ObservedBucket::There);
    Ok(())
}
