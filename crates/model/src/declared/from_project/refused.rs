//! Files that are refused for their form: what can be said about the rest of them in the same run.

use super::place::Complaints;
use super::read;
use crate::compose::{Diagnostics, Known, LoadOptions};
use crate::identity::StackName;

/// Stands for a name that was refused: what is said about values does not depend on it.
const SOME_NAME: &str = "stack";

/// Of these, the check of what refers to what has said everything.
const TOLD_BEFORE: &[&str] = &[
    "no-image",
    "no-such-volume",
    "no-such-network",
    "no-such-service",
    "no-such-file",
    "no-content",
    "mounted-twice",
];

/// Adds the complaints about values to those about form, without what only follows from these.
#[must_use]
pub fn judge_the_rest(mut refused: Diagnostics) -> Diagnostics {
    let Some(mut partial) = refused.partial.take() else { return refused };
    // With other options values have no types yet, or refer to what was not looked for.
    if partial.options != LoadOptions::default() {
        return refused;
    }
    if StackName::new(partial.name.as_str()).is_err() {
        SOME_NAME.clone_into(&mut partial.name);
    }
    let is_told = |code: &str| TOLD_BEFORE.contains(&code);
    let complaints = Complaints::default();
    read(&partial, &complaints);
    let known = Known::of(&refused.list, &partial.project);
    refused.list.extend(complaints.into_list().into_iter().filter(|one| !is_told(one.code) && !known.covers(one)));
    refused.sort();
    refused
}
