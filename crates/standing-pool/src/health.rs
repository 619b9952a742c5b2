//! Health answers, computed from what is known: none of them opens a connection, so asking a thousand times a second costs
//! a database that is down nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::lease::Lease;
use crate::pool::StandingPool;
use crate::state::{LastError, Mode};

#[cfg(feature = "axum")]
mod router;
#[cfg(feature = "axum")]
pub use router::router;

/// What a service's schema lacks, in the words that mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaBehind {
    /// The migration that brings what is missing.
    pub file: String,
    /// What is missing, as the server says it: `relation "channel_sync_logs" does not exist`.
    pub missing: String,
    /// The command that applies the migration.
    pub command: String,
}

impl fmt::Display for SchemaBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SchemaBehind { file, missing, command } = self;
        write!(f, "schema out of date: {missing}; {file} brings it: {command}")
    }
}

/// How a component stands, as whoever watches it says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It serves.
    Ready,
    /// It serves, and something should be known about it.
    Note(String),
    /// It was not looked at yet, or cannot be now.
    Unknown(String),
    /// The database is older than the service.
    SchemaBehind(SchemaBehind),
    /// It does not serve.
    Failing {
        /// A word for the reason.
        code: String,
        /// The reason.
        message: String,
        /// What to look at next.
        hint: Option<String>,
    },
}

/// One component as it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Component {
    /// Its name: `database`, `schema`.
    pub name: String,
    /// `ready`, `starting`, `degraded`, `unknown`, `failing`, `schema-out-of-date`, `closed`.
    pub state: String,
    /// Whether traffic may come.
    pub ready: bool,
    /// Since when it is so.
    pub since: Timestamp,
    /// Of a pool: how many this process has made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// A word or a SQLSTATE for the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What to look at next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What the schema lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaBehind>,
}

/// One look at a component, under way.
pub type Look<'a> = Pin<Box<dyn Future<Output = Result<Condition, tokio_postgres::Error>> + Send + 'a>>;

/// A status and a body: whatever speaks HTTP can give it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// 200 or 503.
    pub status: u16,
    /// The body, as JSON.
    pub body: Value,
}

/// How soon a look that failed is made again.
const SOON: Duration = Duration::from_secs(2);
/// The least time between two looks that statements cause.
const FLOOR: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Told {
    condition: Condition,
    since: Timestamp,
}

/// The components of a service, and the three answers about them.
#[derive(Clone, Default)]
pub struct Health {
    pools: Vec<(String, StandingPool)>,
    told: Arc<Mutex<BTreeMap<String, Told>>>,
    watches: Arc<Watches>,
}

/// Tasks that look at components; they end with the last clone of their [`Health`].
#[derive(Default)]
struct Watches(Mutex<Vec<JoinHandle<()>>>);

impl Drop for Watches {
    fn drop(&mut self) {
        for task in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

impl Health {
    /// A service without components: always ready.
    pub fn new() -> Health {
        Health::default()
    }

    /// Adds a pool as a component.
    #[must_use]
    pub fn with_pool(mut self, name: &str, pool: &StandingPool) -> Health {
        self.pools.push((name.to_owned(), pool.clone()));
        self
    }

    /// Says how a component stands. `since` moves when it stands differently than before.
    pub fn set(&self, name: &str, condition: Condition) {
        tell(&self.told, name, condition);
    }

    /// Looks at a component with a connection of `pool`: when there is a new pool, every `every`, and as soon as a
    /// statement has missed a table or a column. For checks of the schema.
    pub fn watch(
        &self,
        name: &str,
        pool: &StandingPool,
        every: Duration,
        look: impl for<'a> Fn(&'a mut Lease) -> Look<'a> + Send + Sync + 'static,
    ) {
        self.set(name, Condition::Unknown("not looked at yet".into()));
        let (told, name, pool) = (Arc::downgrade(&self.told), name.to_owned(), pool.clone());
        let task = tokio::spawn(async move {
            let shared = pool.shared();
            let mut states = shared.state.subscribe();
            loop {
                let (seen, looked_at) = match pool.get_as(&name).await {
                    Ok(mut lease) => {
                        let seen = look(&mut lease).await.map_err(|error| {
                            lease.observe(&error);
                            crate::Failure::of(&error).to_string()
                        });
                        (seen, lease.generation())
                    }
                    Err(error) => (Err(error.to_string()), shared.state.borrow().generation),
                };
                let again = if seen.is_ok() { every } else { every.min(SOON) };
                let Some(told) = told.upgrade() else { return };
                match seen {
                    Ok(condition) => tell(&told, &name, condition),
                    Err(why) => tell_unknown(&told, &name, why),
                }
                drop(told);
                let doubted = shared.doubt.notified();
                tokio::select! {
                    () = tokio::time::sleep(again) => {}
                    // Every request of a service whose schema is behind raises a doubt: one look a second answers them all.
                    () = async { tokio::time::sleep(FLOOR).await; doubted.await } => {}
                    _ = states.wait_for(|state| state.mode == Mode::Normal && state.generation != looked_at) => {}
                }
            }
        });
        self.watches.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// `/health/live`: the process runs. Knows nothing of the database, so that an outage is never a reason to kill a
    /// process which would heal.
    pub fn live(&self) -> Answer {
        Answer { status: 200, body: json!({ "status": "alive", "pid": std::process::id() }) }
    }

    /// `/health/ready`: 200 when every component is ready, else 503 with the first that is not and all of them.
    pub fn ready(&self) -> Answer {
        let components = self.components();
        match components.iter().find(|component| !component.ready) {
            None => Answer { status: 200, body: json!({ "status": "ready", "components": components }) },
            Some(culprit) => {
                let body = json!({
                    "status": "not ready",
                    "component": culprit.name,
                    "reason": culprit.message.as_deref().unwrap_or(&culprit.state),
                    "components": components,
                });
                Answer { status: 503, body }
            }
        }
    }

    /// `/health`: 200 in every mode, with all components; `status` is `ok` or `degraded`.
    pub fn health(&self) -> Answer {
        let components = self.components();
        let status = if components.iter().all(|component| component.ready) { "ok" } else { "degraded" };
        Answer { status: 200, body: json!({ "status": status, "pid": std::process::id(), "components": components }) }
    }

    /// The debug answers of the pools, by component.
    pub fn pools(&self) -> Answer {
        let reports: BTreeMap<&str, _> = self.pools.iter().map(|(name, pool)| (name.as_str(), pool.report())).collect();
        Answer { status: 200, body: json!({ "pid": std::process::id(), "pools": reports }) }
    }

    /// Every component: pools first, then what was told, by name.
    pub fn components(&self) -> Vec<Component> {
        let pools = self.pools.iter().map(|(name, pool)| of_pool(name, pool));
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        pools.chain(told.into_iter().map(|(name, told)| of_told(name, told))).collect()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.components().iter().map(|component| (&component.name, &component.state))).finish()
    }
}

fn tell(told: &Mutex<BTreeMap<String, Told>>, name: &str, condition: Condition) {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    if told.get(name).is_none_or(|known| known.condition != condition) {
        told.insert(name.to_owned(), Told { condition, since: Timestamp::now() });
    }
}

/// A look that failed takes nothing away from what was seen before; the database's own component says what is wrong.
fn tell_unknown(told: &Mutex<BTreeMap<String, Told>>, name: &str, why: String) {
    let is_known = {
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(name).is_some_and(|known| !matches!(known.condition, Condition::Unknown(_)))
    };
    if !is_known {
        tell(told, name, Condition::Unknown(why));
    }
}

fn of_pool(name: &str, pool: &StandingPool) -> Component {
    let report = pool.report();
    let (state, ready) = match report.mode {
        Mode::Starting => ("starting", false),
        Mode::Normal => ("ready", true),
        Mode::Degraded => ("degraded", false),
        Mode::Closed => ("closed", false),
    };
    let reason = report.last_error.filter(|_| !ready);
    let (code, message, hint) = match reason {
        Some(LastError { code, message, hint, .. }) => (Some(code), Some(message), hint),
        None => (None, None, None),
    };
    Component {
        name: name.to_owned(),
        state: state.into(),
        ready,
        since: report.since,
        generation: Some(report.generation),
        code,
        message,
        hint,
        schema: None,
    }
}

fn of_told(name: String, told: Told) -> Component {
    let plain = |state: &str, ready, message| Component {
        name: name.clone(),
        state: state.into(),
        ready,
        since: told.since,
        generation: None,
        code: None,
        message,
        hint: None,
        schema: None,
    };
    match told.condition {
        Condition::Ready => plain("ready", true, None),
        Condition::Note(note) => plain("ready", true, Some(note)),
        Condition::Unknown(why) => plain("unknown", false, Some(why)),
        Condition::SchemaBehind(behind) => Component {
            code: Some("schema-out-of-date".into()),
            hint: Some(behind.command.clone()),
            schema: Some(behind.clone()),
            ..plain("schema-out-of-date", false, Some(behind.to_string()))
        },
        Condition::Failing { code, message, hint } => {
            Component { code: Some(code), hint, ..plain("failing", false, Some(message)) }
        }
    }
}
