//! Every secret that this process has had in its hands, kept out of everything that it says.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use mainstay_model::declared::Hidden;
use mainstay_model::operation::{Failure, What};
use mainstay_model::secrets::Redactor;

use crate::journal::NewEntry;
use crate::world::WorldError;

/// One for all doors of a process; clones know the same values. What it has learned it does not forget: an old value
/// may still stand in a log.
#[derive(Clone, Debug, Default)]
pub struct Redactions(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    values: BTreeSet<Hidden>,
    redactor: Arc<Redactor>,
}

impl Redactions {
    /// From now on these are told no more.
    pub fn learn<'v>(&self, values: impl IntoIterator<Item = &'v Hidden>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.values.len();
        known.values.extend(values.into_iter().cloned());
        if known.values.len() > before {
            known.redactor = Arc::new(Redactor::new(known.values.iter().map(Hidden::reveal)));
        }
    }

    /// What is known at this moment.
    pub fn redactor(&self) -> Arc<Redactor> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).redactor.clone()
    }

    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redactor().clean(text) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(cleaned) => Cow::Owned(cleaned),
        }
    }

    /// A line of history without values.
    pub fn clean_entry(&self, mut entry: NewEntry) -> NewEntry {
        let redactor = self.redactor();
        if redactor.is_empty() {
            return entry;
        }
        set(&redactor, &mut entry.summary);
        entry.cause.iter_mut().for_each(|cause| set(&redactor, cause));
        redactor.clean_json(&mut entry.evidence);
        entry
    }

    /// What an operation utters without values. A plan has none.
    pub fn clean_what(&self, mut what: What) -> What {
        let redactor = self.redactor();
        if redactor.is_empty() {
            return what;
        }
        match &mut what {
            What::StepProgress { message, .. } => set(&redactor, message),
            What::BuildProgress { build, .. } => build.texts_mut().for_each(|text| set(&redactor, text)),
            What::StepDone { detail, .. } => detail.iter_mut().for_each(|detail| set(&redactor, detail)),
            What::StepFailed { failure, .. } => of_failure(&redactor, failure),
            What::StepSkipped { because, .. } | What::Replanned { because, .. } | What::TakenBack { because, .. } => {
                set(&redactor, because)
            }
            What::Finished { failure, .. } => failure.iter_mut().for_each(|failure| of_failure(&redactor, failure)),
            What::Planned { .. } | What::StepStarted { .. } => {}
        }
        what
    }

    /// Why a step failed, without values.
    pub fn clean_failure(&self, mut failure: Failure) -> Failure {
        of_failure(&self.redactor(), &mut failure);
        failure
    }

    /// What the world answered, without values. A source that tells one is replaced by its cleaned words.
    pub fn clean_error(&self, mut error: WorldError) -> WorldError {
        let redactor = self.redactor();
        if redactor.is_empty() {
            return error;
        }
        set(&redactor, &mut error.message);
        error.hints.iter_mut().for_each(|hint| set(&redactor, hint));
        error.log_tail.iter_mut().for_each(|line| set(&redactor, line));
        let mut below: Option<&dyn std::error::Error> = error.source.as_deref().map(|source| source as _);
        let mut words = Vec::new();
        while let Some(cause) = below {
            words.push(cause.to_string());
            below = cause.source();
        }
        let words = words.join(": ");
        if let Cow::Owned(cleaned) = redactor.clean(&words) {
            error.source = Some(cleaned.into());
        }
        error
    }
}

fn set(redactor: &Redactor, text: &mut String) {
    if let Cow::Owned(cleaned) = redactor.clean(text) {
        *text = cleaned;
    }
}

fn of_failure(redactor: &Redactor, failure: &mut Failure) {
    set(redactor, &mut failure.message);
    let Failure { causes, hints, log_tail, .. } = failure;
    causes.iter_mut().chain(hints).chain(log_tail).for_each(|text| set(redactor, text));
}
