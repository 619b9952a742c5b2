//! Small requests to a server: each is asked again when no answer comes in time.
//!
//! The library repeats what a server refuses for a moment, and what is only read. A request that changes something it gives up
//! with the first try that gets no answer, after as long as a part of a large object may take. What is asked here
//! may be asked twice, and is small: an answer that does not come soon does not come.

use std::time::Duration;

use futures_util::future::BoxFuture;
use object_store::{Error, Result};

/// One try.
#[cfg(not(test))]
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
#[cfg(test)]
const ANSWER_WITHIN: Duration = Duration::from_millis(300);
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// Asks until an answer comes.
///
/// # Errors
/// The answer, when it is one, or that none came.
pub(super) async fn asked<'a, T>(ask: impl Fn() -> BoxFuture<'a, Result<T>>) -> Result<T> {
    for number in 1..=TRIES {
        match tokio::time::timeout(ANSWER_WITHIN, ask()).await {
            Ok(answer) => return answer,
            Err(_) if number < TRIES => tokio::time::sleep(PAUSE * number).await,
            Err(_) => {}
        }
    }
    let source = format!("no answer within {} s, asked {TRIES} times", ANSWER_WITHIN.as_secs());
    Err(Error::Generic { store: "S3", source: source.into() })
}
