//! The words for what is being done and was done, and the one way in which an operation speaks.

use mainstay_model::identity::{OperationId, ServiceName, StackName};
use mainstay_model::operation::{Event, What};
use mainstay_model::plan::{Action, describe};
use tokio::sync::mpsc;

use crate::journal::now_text;
use crate::secrets::Redactions;

/// Puts the time, the operation and the stack to what is told. A listener that went away stops nothing.
#[derive(Clone)]
pub(crate) struct Teller {
    pub operation: OperationId,
    pub stack: StackName,
    /// `None` for the loop, which speaks through the journal alone.
    pub events: Option<mpsc::UnboundedSender<Event>>,
    /// What is never told.
    pub redactions: Redactions,
}

impl Teller {
    pub(crate) fn tell(&self, what: What) {
        if let Some(events) = &self.events {
            let what = self.redactions.clean_what(what);
            let event = Event { at: now_text(), operation: self.operation.clone(), stack: self.stack.clone(), what };
            let _ = events.send(event);
        }
    }
}

/// "attached `nocodb-nocodb-1` to `supabase_default` as `nocodb`": the planner's words for a step, in the past.
pub(crate) fn did(action: &Action) -> String {
    let to_do = describe(action);
    let (verb, rest) = to_do.split_once(' ').unwrap_or((&to_do, ""));
    let past = match verb {
        "build" => "built",
        "stop" => "stopped",
        "wait" => "waited",
        "make" => "made",
        "back" => "backed",
        "pull" => "pulled",
        "start" => "started",
        "attach" => "attached",
        "detach" => "detached",
        "commit" => "committed",
        "drain" => "drained",
        "take" => "took",
        "keep" => "kept",
        "ask" => "asked",
        "look" => "looked",
        "lead" => "led",
        // create, remove, rename, close, migrate
        _ => return format!("{verb}d {rest}"),
    };
    format!("{past} {rest}")
}

/// "could not attach `nocodb-nocodb-1` to `supabase_default` as `nocodb`"
pub(crate) fn could_not(action: &Action) -> String {
    format!("could not {}", describe(action))
}

/// The thing that a step is about, and the service that it belongs to.
pub(crate) fn subject(action: &Action) -> (String, Option<&ServiceName>) {
    let name = match action {
        Action::PullImage { image, .. } | Action::BuildImage { image, .. } => image,
        Action::CreateNetwork { name, .. }
        | Action::RemoveNetwork { name, .. }
        | Action::CreateVolume { name, .. }
        | Action::RemoveVolume { name }
        | Action::CreateContainer { name, .. } => name,
        Action::StartContainer { target }
        | Action::StopContainer { target, .. }
        | Action::RemoveContainer { target, .. }
        | Action::RenameContainer { target, .. }
        | Action::Attach { target, .. }
        | Action::Detach { target, .. }
        | Action::Await { target, .. }
        | Action::Probe { target, .. }
        | Action::Drain { target, .. }
        | Action::KeepLogs { target } => &target.name,
        Action::Migrate { database, at, .. } | Action::BackUp { database, at, .. } => {
            return (database.clone(), at.as_ref().and_then(|target| target.service.as_ref()));
        }
        Action::MakeBucket { bucket, at, .. } => {
            return (bucket.clone(), at.as_ref().and_then(|target| target.service.as_ref()));
        }
        Action::Commit { .. }
        | Action::Unroute { .. }
        | Action::Smoke { .. }
        | Action::LeadBack { .. }
        | Action::ClosePreview => return (String::new(), None),
    };
    (name.clone(), action.service())
}
