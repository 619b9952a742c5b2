//! The pools of this process: one a target, whoever opens it and how often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::Handle;

use crate::dial::Server;
use crate::pool::Owner;
use crate::settings::Settings;
use crate::shared::Shared;

/// By process, since a forked one inherits this memory but not the tasks; by runtime, since tasks end with theirs.
type Key = (u32, String, String);

static POOLS: Mutex<Option<HashMap<Key, Weak<Owner>>>> = Mutex::new(None);

/// The process's pool for the target: the one that is there, or one that is begun now. Nothing is waited for under the lock.
pub(crate) fn of(settings: &Settings) -> Arc<Owner> {
    let key = (std::process::id(), Handle::current().id().to_string(), settings.target.key());
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let pools = pools.get_or_insert_default();
    if let Some(owner) = pools.get(&key).and_then(Weak::upgrade).filter(|owner| !owner.is_closed()) {
        return owner;
    }
    pools.retain(|_, owner| owner.strong_count() > 0);
    let reach = Arc::new(Server { settings: settings.clone() });
    let owner = Owner::begin(Shared::new(settings.clone(), reach));
    pools.insert(key, Arc::downgrade(&owner));
    owner
}
