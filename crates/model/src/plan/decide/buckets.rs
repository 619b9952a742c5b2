//! Buckets that are not there: made once their server is ready, before whoever depends on it starts.

use super::up::Up;
use super::waits::is_still_to_come;
use crate::declared::{BucketServer, Condition, StackBucket};
use crate::identity::ServiceName;
use crate::observed::{ObservedBucket, State};
use crate::plan::{Action, Impact, Level, StepId};

impl Up<'_> {
    pub fn buckets(&mut self) {
        let declared = self.declared;
        if self.options.no_start {
            return;
        }
        for (name, wish) in &declared.buckets {
            match &wish.server {
                BucketServer::Service { service, .. } => self.bucket_of(name, wish, service),
                // Of a part, only what its services have is made.
                BucketServer::Endpoint(_) if self.options.services.is_empty() => self.bucket_elsewhere(name, wish),
                BucketServer::Endpoint(_) => {}
            }
        }
    }

    fn bucket_elsewhere(&mut self, name: &str, wish: &StackBucket) {
        match self.world.buckets.get(name) {
            Some(ObservedBucket::Missing) => {
                self.make_bucket(name, wish, None, None, true);
            }
            Some(ObservedBucket::Unseen { why }) => self.tell_unseen(name, why),
            Some(ObservedBucket::There) | None => {}
        }
    }

    fn bucket_of(&mut self, name: &str, wish: &StackBucket, service: &ServiceName) {
        let Some(index) = self.running_at_the_end(service).filter(|_| self.scope.contains(service)) else { return };
        let Some(declared) = self.declared.services.get(service) else { return };
        let instance = &self.instances[service][index];
        let comes = instance.started.is_some();
        let starts_empty = self.starts_empty(instance, declared);
        let is_starting = instance.kept.is_some_and(|kept| is_still_to_come(kept, Condition::Healthy));
        let is_certain = match self.world.buckets.get(name) {
            Some(ObservedBucket::There) if !starts_empty => return,
            Some(ObservedBucket::Missing) => true,
            _ if comes || is_starting => false,
            Some(ObservedBucket::Unseen { why }) => return self.tell_unseen(name, why),
            Some(ObservedBucket::There) | None => return,
        };
        let why = format!("the bucket `{}` is made next", wish.bucket);
        let ready = (comes || is_starting).then(|| self.wait_for(service, index, Condition::Healthy, &why));
        let step = self.make_bucket(name, wish, Some((service, index)), ready, is_certain);
        self.put_before_dependents(step, service);
    }

    fn make_bucket(
        &mut self,
        name: &str,
        wish: &StackBucket,
        at: Option<(&ServiceName, usize)>,
        ready: Option<StepId>,
        is_certain: bool,
    ) -> StepId {
        let action = Action::MakeBucket {
            bucket: name.to_owned(),
            name: wish.bucket.clone(),
            at: at.map(|(service, index)| self.instances[service][index].target.clone()),
            is_certain,
        };
        let why = if is_certain { "it is not there" } else { "its server can be asked once it runs" };
        self.draft.add(action, Impact::Live, why, ready)
    }

    fn put_before_dependents(&mut self, step: StepId, service: &ServiceName) {
        let leans = |name: &ServiceName| {
            self.declared.services.get(name).is_some_and(|dependent| dependent.depends_on.contains_key(service))
        };
        let starts = self.draft.steps().iter().filter(|start| match &start.action {
            Action::StartContainer { target } => target.service.as_ref().is_some_and(leans),
            _ => false,
        });
        let starts: Vec<StepId> = starts.map(|start| start.id).collect();
        starts.into_iter().for_each(|start| self.draft.need(start, step));
    }

    /// The first container of a service that runs once the plan is done.
    pub fn running_at_the_end(&self, service: &ServiceName) -> Option<usize> {
        let instances = self.instances.get(service).filter(|_| !self.refused.contains(service))?;
        instances.iter().position(|instance| {
            instance.started.is_some() || instance.kept.is_some_and(|one| one.state == State::Running)
        })
    }

    fn tell_unseen(&mut self, name: &str, why: &str) {
        let message = format!("whether the bucket `{name}` is there cannot be told: {why}");
        let hint = format!("`mainstay bucket make {name}` makes it once its server answers");
        self.draft.tell(Level::Warning, "bucket-unseen", message, Some(&hint));
    }
}
