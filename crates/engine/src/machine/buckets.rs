//! The buckets of stacks: which are there, and the making of one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mainstay_model::declared::StackBucket;
use mainstay_model::observed::{BucketPlace, Container, Observed, ObservedBucket};
use mainstay_model::plan::Target;

use super::Machine;
use crate::bucket::{BucketError, Made, Place};
use crate::docker::id_of;
use crate::reconcile::Watched;
use crate::world::{Acted, Context, Progress, WorldError};

/// What does not answer a look by then is not seen.
const SEEN_WITHIN: Duration = Duration::from_secs(3);
/// So long a server that has just come up may refuse.
const COMES_UP_WITHIN: Duration = Duration::from_secs(30);
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
    /// Makes a bucket with its settings. What is there already is left alone. A server that refuses is told of, and is no
    /// failure: some have to be up before anybody can give them the keys.
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
        let making =
            making(wish, container.as_ref(), |why| progress.tell(format!("{name}: does not answer yet: {why}")));
        let made = tokio::select! {
            made = making => made,
            () = context.cancel.cancelled() => {
                let error = WorldError::new(format!("the making of the bucket `{name}` was cancelled"));
                return Err(WorldError { cancelled: true, ..error });
            }
        };
        let detail = match made {
            Ok(Made { is_new: true, is_public: true, .. }) => {
                let message = format!("`{}` was made, and everybody can list it, without keys", wish.bucket);
                let hint = "take the public access away at the server: who may read what is there is its to say";
                return Err(WorldError::new(message).hint(hint));
            }
            Ok(Made { is_new: true, cors_set: true, .. }) => "made, with its CORS rules".to_owned(),
            Ok(Made { is_new: true, .. }) => "made".to_owned(),
            Ok(_) => "it is there".to_owned(),
            Err(error) => format!("not made: {error}; `mainstay bucket make {name}` tries again"),
        };
        Ok(Acted { detail: Some(detail), ..Acted::default() })
    }
}

async fn making(
    wish: &StackBucket,
    container: Option<&Container>,
    mut waits: impl FnMut(String),
) -> Result<Made, BucketError> {
    let server = Place::at(&BucketPlace::of(wish), container)?.server()?;
    let began = Instant::now();
    let mut is_told = false;
    let is_there = loop {
        match server.is_there().await {
            // A container that was started a moment ago gets its time.
            Err(error) if container.is_some() && may_pass(&error) && began.elapsed() < COMES_UP_WITHIN => {
                if !std::mem::replace(&mut is_told, true) {
                    waits(error.to_string());
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
            asked => break asked?,
        }
    };
    if is_there { Ok(Made::default()) } else { server.make(wish.cors.as_deref()).await }
}

/// What a server says while it comes up.
fn may_pass(error: &BucketError) -> bool {
    matches!(error, BucketError::Away { .. } | BucketError::Refused { status: 500 | 502 | 503 | 504, .. })
}
