//! Buckets: declared, not there already, made when their server is surely ready, and before whoever depends on it.

use super::Reader;
use crate::declared::{BucketServer, Condition};
use crate::observed::ObservedBucket;
use crate::plan::{Action, Order, Step, TargetContainer};

impl Reader<'_> {
    pub fn read_bucket(&mut self, step: &Step) {
        let Action::MakeBucket { bucket, at, is_certain, .. } = &step.action else { return };
        let Order::Up { declared, .. } = self.order else {
            self.wrong(step, "bucket-unasked", "this order makes no bucket");
            return;
        };
        let Some(wish) = declared.buckets.get(bucket) else {
            self.wrong(step, "bucket-unasked", format!("`{bucket}` is not declared"));
            return;
        };
        if *is_certain && self.world.buckets.get(bucket) != Some(&ObservedBucket::Missing) {
            self.wrong(step, "bucket-there", format!("nobody has seen that `{bucket}` is missing"));
        }
        let BucketServer::Service { service, .. } = &wish.server else { return };
        let Some(at) = at else {
            self.wrong(step, "bucket-server", "its server is a service, and no container is named");
            return;
        };
        if !self.is_surely_ready(step, &at.container) {
            self.wrong(step, "bucket-server", "its server is not surely ready");
        }
        for start in &self.plan.steps {
            let Action::StartContainer { target } = &start.action else { continue };
            let leans = target.service.as_ref().and_then(|name| declared.services.get(name));
            let leans = leans.is_some_and(|dependent| dependent.depends_on.contains_key(service));
            if leans && !self.before[&start.id].contains(&step.id) {
                self.wrong(start, "starts-without-bucket", format!("step {} may not be done by then", step.id.0));
            }
        }
    }

    /// A server that this plan starts is waited for.
    pub(super) fn is_surely_ready(&self, step: &Step, server: &TargetContainer) -> bool {
        self.plan.steps.iter().all(|start| {
            let is_it = matches!(&start.action, Action::StartContainer { target } if target.container == *server);
            let is_awaited = || {
                self.earlier(step).any(|other| match &other.action {
                    Action::Await { target, condition: Condition::Healthy, .. } => {
                        target.container == *server && self.before[&other.id].contains(&start.id)
                    }
                    _ => false,
                })
            };
            !is_it || is_awaited()
        })
    }
}
