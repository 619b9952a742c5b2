//! One step, done and seen.

use std::path::Path;
use std::time::Duration;

use bollard::models::ContainerStateStatusEnum;
use mainstay_model::plan::{Action, Target, TargetContainer};

use super::Docker;
use super::await_ready::Patience;
use super::create::{Wanted, declared_service};
use super::refusal::Refusal;
use crate::world::{Acted, Context, Progress, WorldError};

impl Docker {
    pub(super) async fn do_action(
        &self,
        action: &Action,
        context: &Context,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        match action {
            Action::PullImage { image, platform } => self.pull(image, platform.as_deref(), progress).await,
            Action::BuildImage { service, image } => {
                let (declared, service) = declared_service(context, service)?;
                self.build(service, image, Path::new(&declared.directory), &context.redactions, progress).await
            }
            Action::CreateNetwork { key, name } => {
                let network = context.declared.as_deref().and_then(|declared| declared.networks.get(key));
                let network = network.ok_or_else(|| undeclared("network", name))?;
                self.create_network(&context.stack, key, network).await
            }
            Action::RemoveNetwork { id, name } => self.remove_network(id, name).await,
            Action::CreateVolume { key, name } => {
                let volume = context.declared.as_deref().and_then(|declared| declared.volumes.get(key));
                let volume = volume.ok_or_else(|| undeclared("volume", name))?;
                self.create_volume(&context.stack, key, volume).await
            }
            Action::RemoveVolume { name } => self.remove_volume(name).await,
            Action::CreateContainer { service, number, name, networks, carried } => {
                self.create(Wanted { service, number: *number, name, networks, carried }, context, progress).await
            }
            Action::StartContainer { target } => {
                self.put_what_is_missing(target, context).await?;
                self.start(id_of(target, context)?, &target.name).await
            }
            Action::StopContainer { target, grace_secs } => {
                self.stop(id_of(target, context)?, &target.name, *grace_secs).await
            }
            Action::RemoveContainer { target, volumes } => {
                self.remove(id_of(target, context)?, &target.name, *volumes).await
            }
            Action::RenameContainer { target, to } => self.rename(id_of(target, context)?, &target.name, to).await,
            Action::Attach { target, attachment } => {
                self.attach(id_of(target, context)?, &target.name, attachment).await
            }
            Action::Detach { target, network, network_id } => {
                self.detach(id_of(target, context)?, &target.name, network, network_id).await
            }
            Action::Await { target, condition, within_secs, steady_ms } => {
                let patience = Patience {
                    condition: *condition,
                    within: Duration::from_secs(*within_secs),
                    steady: Duration::from_millis(*steady_ms),
                };
                self.await_ready(id_of(target, context)?, &target.name, patience, progress).await
            }
            Action::MakeBucket { .. } => Err(WorldError::new("an engine alone was asked for a bucket")),
            Action::Migrate { .. } | Action::BackUp { .. } => {
                Err(WorldError::new("an engine alone was asked for something of a database"))
            }
            Action::Probe { .. }
            | Action::Commit { .. }
            | Action::Drain { .. }
            | Action::Unroute { .. }
            | Action::Smoke { .. }
            | Action::LeadBack { .. }
            | Action::ClosePreview
            | Action::KeepLogs { .. } => {
                Err(WorldError::new("an engine without its edge was asked for something of the edge"))
            }
        }
    }
}

impl Docker {
    /// A container that was found never started may have been left by a process that was killed before it put the files.
    async fn put_what_is_missing(&self, target: &Target, context: &Context) -> Result<(), WorldError> {
        let TargetContainer::Id(id) = &target.container else { return Ok(()) };
        let service = target.service.as_ref().and_then(|name| context.declared.as_deref()?.services.get(name));
        let Some(service) = service.filter(|service| !service.container.injected.is_empty()) else { return Ok(()) };
        let doing = || Refusal::new(format!("`{}` could not be looked at", target.name));
        let seen = self.inspect(id).await.map_err(|error| doing().explain(error))?;
        if seen.state.and_then(|state| state.status) != Some(ContainerStateStatusEnum::CREATED) {
            return Ok(());
        }
        self.inject(id, &target.name, &service.container).await
    }
}

fn undeclared(kind: &str, name: &str) -> WorldError {
    WorldError::new(format!("the {kind} `{name}` is not declared in what is applied"))
}

/// The engine's id of a step's container.
pub(crate) fn id_of<'a>(target: &'a Target, context: &'a Context) -> Result<&'a str, WorldError> {
    match &target.container {
        TargetContainer::Id(id) => Ok(id),
        TargetContainer::MadeBy(step) => {
            context.made.get(step).map(String::as_str).ok_or_else(|| {
                WorldError::new(format!("`{}` was to be made by step {} and was not", target.name, step.0))
            })
        }
    }
}
