//! The words for what is being done and was done, and the one way in which an operation speaks.

use mainstay_model::identity::{OperationId, ServiceName, StackName};
use mainstay_model::operation::{Event, What};
use mainstay_model::plan::Action;
use tokio::sync::mpsc;

use crate::journal::now_text;

/// Puts the time, the operation and the stack to what is told. A listener that went away stops nothing.
#[derive(Clone)]
pub(crate) struct Teller {
    pub operation: OperationId,
    pub stack: StackName,
    /// `None` for the loop, which speaks through the journal alone.
    pub events: Option<mpsc::UnboundedSender<Event>>,
}

impl Teller {
    pub(crate) fn tell(&self, what: What) {
        if let Some(events) = &self.events {
            let event = Event { at: now_text(), operation: self.operation.clone(), stack: self.stack.clone(), what };
            let _ = events.send(event);
        }
    }
}

/// "attached `nocodb-nocodb-1` to `supabase_default`"
pub(crate) fn did(action: &Action) -> String {
    let words = Words::of(action);
    format!("{} {}", words.past, words.rest)
}

/// "could not attach `nocodb-nocodb-1` to `supabase_default`"
pub(crate) fn could_not(action: &Action) -> String {
    let words = Words::of(action);
    format!("could not {} {}", words.verb, words.rest)
}

/// "attach `nocodb-nocodb-1` to `supabase_default`"
pub(crate) fn to_do(action: &Action) -> String {
    let words = Words::of(action);
    format!("{} {}", words.verb, words.rest)
}

struct Words {
    verb: &'static str,
    past: &'static str,
    rest: String,
}

impl Words {
    fn of(action: &Action) -> Words {
        let words = |verb, past, rest: String| Words { verb, past, rest };
        let quoted = |name: &str| format!("`{name}`");
        match action {
            Action::PullImage { image, .. } => words("pull", "pulled", quoted(image)),
            Action::BuildImage { service, image } => words("build", "built", format!("`{image}` for `{service}`")),
            Action::CreateNetwork { name, .. } => words("make", "made", format!("the network `{name}`")),
            Action::RemoveNetwork { name, .. } => words("remove", "removed", format!("the network `{name}`")),
            Action::CreateVolume { name, .. } => words("make", "made", format!("the volume `{name}`")),
            Action::RemoveVolume { name } => words("remove", "removed", format!("the volume `{name}`")),
            Action::CreateContainer { name, .. } => words("make", "made", quoted(name)),
            Action::StartContainer { target } => words("start", "started", quoted(&target.name)),
            Action::StopContainer { target, .. } => words("stop", "stopped", quoted(&target.name)),
            Action::RemoveContainer { target, .. } => words("remove", "removed", quoted(&target.name)),
            Action::RenameContainer { target, to } => {
                words("rename", "renamed", format!("`{}` to `{to}`", target.name))
            }
            Action::Attach { target, attachment } => {
                words("attach", "attached", format!("`{}` to `{}`", target.name, attachment.network))
            }
            Action::Detach { target, network, .. } => {
                words("detach", "detached", format!("`{}` from `{network}`", target.name))
            }
            Action::Await { target, condition, .. } => {
                let state = match condition {
                    mainstay_model::declared::Condition::Started => "started",
                    mainstay_model::declared::Condition::Healthy => "healthy",
                    mainstay_model::declared::Condition::Completed => "completed",
                };
                words("see", "saw", format!("`{}` {state}", target.name))
            }
        }
    }
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
        | Action::Await { target, .. } => &target.name,
    };
    (name.clone(), action.service())
}
