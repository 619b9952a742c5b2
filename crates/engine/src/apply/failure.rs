//! From errors to what is reported: the message, the causes below it, the hints.

use std::error::Error;

use mainstay_model::operation::Failure;

use crate::journal::JournalError;
use crate::world::WorldError;

/// A failure, and whether the plan may be what is wrong: see [`WorldError::contradicts`].
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub failure: Failure,
    pub contradicts: bool,
}

pub(crate) fn failure_of(error: &WorldError) -> Failure {
    Failure {
        message: error.message.clone(),
        causes: causes_of(error),
        hints: error.hints.clone(),
        log_tail: error.log_tail.clone(),
    }
}

pub(crate) fn failure_of_journal(error: &JournalError) -> Failure {
    Failure {
        message: error.message.clone(),
        causes: causes_of(error),
        hints: error.hints.clone(),
        log_tail: Vec::new(),
    }
}

fn causes_of(error: &(dyn Error + 'static)) -> Vec<String> {
    let chain = std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source());
    // Some libraries print their source inside themselves: the same words twice tell nothing.
    let mut causes: Vec<String> = Vec::new();
    for cause in chain.map(ToString::to_string) {
        if !causes.last().is_some_and(|above| above.contains(&cause)) {
            causes.push(cause);
        }
    }
    causes
}
