//! The buckets of stacks: which are there, and the making of one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mainstay_model::observed::{BucketPlace, Observed, ObservedBucket};
use mainstay_model::plan::Target;

use super::Machine;
use crate::bucket::{BucketError, Made, Place, Server};
use crate::docker::id_of;
use crate::reconcile::Watched;
use crate::world::{Acted, Context, Progress, WorldError};

/// What does not answer a look by then is not seen.
const SEEN_WITHIN: Duration = Duration::from_secs(3);
/// So long a server that has just come up may refuse.
const COMES_UP_WITHIN: Duration = Duration::from_mins(1);
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Asks for every bucket side by side.
pub(super) async fn seen(
    places: &BTreeMap<String, BucketPlace>,
    observed: &Observed,
) -> BTreeMap<String, ObservedBucket> {
    let asked = places.iter().map(|(name, place)| async move {
        let asked = tokio::time::timeout(SEEN_WITHIN, is_there(place, observed)).await;
        let bucket = match asked {
            Ok(Ok(true)) => ObservedBucket::There,
            Ok(Ok(false)) => ObservedBucket::Missing,
            Ok(Err(error)) => ObservedBucket::Unseen { why: error.to_string() },
            Err(_) => {
                ObservedBucket::Unseen { why: format!("its server did not answer within {} s", SEEN_WITHIN.as_secs()) }
            }
        };
        (name.clone(), bucket)
    });
    join_all(asked).await.into_iter().collect()
}

async fn is_there(place: &BucketPlace, observed: &Observed) -> Result<bool, BucketError> {
    Place::among(place, &observed.stack, &observed.containers)?.server()?.is_there().await
}

impl Machine {
    /// Makes a bucket with its settings. What is there already is left alone.
    pub(super) async fn make_bucket(
        &self,
        name: &str,
        at: Option<&Target>,
        context: &Context,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        let wish = context.declared.as_deref().and_then(|declared| declared.buckets.get(name));
        let wish = wish.ok_or_else(|| WorldError::new(format!("the bucket `{name}` is not declared")))?;
        let container = match at {
            Some(target) => self.glance(id_of(target, context)?).await?.map(|glance| glance.container),
            None => None,
        };
        let place = Place::at(&BucketPlace::of(wish), container.as_ref()).map_err(failed)?;
        let server = place.server().map_err(failed)?;
        let is_there = once_it_answers(&server, name, at.is_some(), context, progress).await?;
        if is_there {
            return Ok(told("it is there"));
        }
        let made = server.make(wish.cors.as_deref()).await.map_err(failed)?;
        match made {
            Made { is_new: true, is_public: true, .. } => {
                let message = format!("`{}` was made, and everybody can list it, without keys", wish.bucket);
                let hint =
                    "take the public access away at the server: Mainstay does not change who may read what is there";
                Err(WorldError::new(message).hint(hint))
            }
            Made { cors_set: true, .. } => Ok(told("made, with its CORS rules")),
            _ => Ok(told("made")),
        }
    }
}

/// Whether it is there. A container that was started a moment ago gets its time.
async fn once_it_answers(
    server: &Server,
    name: &str,
    is_ours: bool,
    context: &Context,
    progress: &Progress,
) -> Result<bool, WorldError> {
    let began = Instant::now();
    let mut is_told = false;
    loop {
        let asked = tokio::select! {
            asked = server.is_there() => asked,
            () = context.cancel.cancelled() => return Err(cancelled(name)),
        };
        match asked {
            Ok(is_there) => return Ok(is_there),
            Err(error) if is_ours && may_pass(&error) && began.elapsed() < COMES_UP_WITHIN => {
                if !is_told {
                    progress.tell(format!("{name}: does not answer yet: {error}"));
                    is_told = true;
                }
            }
            Err(error) => return Err(failed(error)),
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = context.cancel.cancelled() => return Err(cancelled(name)),
        }
    }
}

/// What a server says while it comes up.
fn may_pass(error: &BucketError) -> bool {
    matches!(error, BucketError::Away { .. } | BucketError::Refused { status: 500 | 502 | 503 | 504, .. })
}

fn told(detail: &str) -> Acted {
    Acted { detail: Some(detail.to_owned()), ..Acted::default() }
}

fn cancelled(name: &str) -> WorldError {
    WorldError { cancelled: true, ..WorldError::new(format!("the making of the bucket `{name}` was cancelled")) }
}

fn failed(error: BucketError) -> WorldError {
    let mut told = WorldError::new(error.to_string());
    told.hints.extend(error.hints());
    told
}
