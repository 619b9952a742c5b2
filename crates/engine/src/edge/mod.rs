//! The edge as it runs: sends it the model's route table, reads it back, and asks services from where it stands.
//!
//! The edge is Caddy in a container. It shares one folder of the host with Mainstay, in which its two sockets and the
//! configuration that it starts with stand: so it comes back as it was when Mainstay is away. This room renders
//! nothing; what is sent is [`mainstay_model::edge::caddy::render`]'s.

mod change;
mod folder;
mod kept;
mod preview;
mod probe;
mod slots;
mod socket;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Request};
use mainstay_model::edge::slots::{self as wanted_slots, SET, Slots};
use mainstay_model::edge::{RouteTable, caddy};
use mainstay_model::identity::StackName;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::world::WorldError;
pub use change::Change;
use folder::Folder;
use kept::Files;
pub use kept::Kept;
pub use probe::{Probe, ProbeAnswer};
use slots::Sets;

/// How long Caddy may take to answer about itself.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to change over to another configuration: it loads certificates before it answers.
const LOAD_WITHIN: Duration = Duration::from_secs(60);

/// The edge of this host, by the folder that it shares with Mainstay. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Edge {
    folder: Folder,
    files: Files,
    sets: Sets,
    /// One change at a time.
    changing: Arc<Mutex<()>>,
}

impl Edge {
    pub fn at(folder: PathBuf) -> Edge {
        Edge {
            files: Files::of(&folder),
            sets: Sets::in_folder(&folder),
            folder: Folder::new(folder),
            changing: Arc::default(),
        }
    }

    /// Makes the folder, readable by its owner only, with what the edge starts with.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub async fn prepare(&self, table: &RouteTable) -> Result<(), WorldError> {
        self.folder.make().await?;
        for (stack, slots) in wanted_slots::of(table) {
            self.sets.lead(&stack, &slots)?;
        }
        self.files.keep_config(&self.config(table)?)
    }

    /// What Caddy is told to serve this table, and what is to come besides at the private door.
    fn config(&self, table: &RouteTable) -> Result<Value, WorldError> {
        Ok(caddy::render_with(table, &self.to_come(table)?))
    }

    /// Makes the edge serve this table and nothing else, and returns when it was read back as sent.
    ///
    /// Where only containers differ, requests are led to the new ones by one rename a stack, and the configuration stays.
    /// Another configuration is acknowledged by the edge first and becomes the file that it starts with after: one
    /// that Caddy refuses never stands on the disk.
    ///
    /// # Errors
    /// When the edge does not answer, refuses the configuration (it then serves on as before), or shows another one
    /// afterwards.
    pub async fn load(&self, table: &RouteTable) -> Result<(), WorldError> {
        let is_routed_so = self.shown().await? == self.config(table)?;
        let wanted = wanted_slots::of(table);
        let before: Vec<(&StackName, Option<String>)> =
            wanted.keys().map(|stack| (stack, self.sets.live(stack))).collect();
        if let Err(error) = self.lead(table, &wanted, is_routed_so).await {
            // Whoever hears of a failure takes the new containers away: nothing may lead to them any more.
            for (stack, set) in before {
                match set {
                    Some(set) => self.sets.lead_back(stack, &set)?,
                    None => self.sets.forget(stack),
                }
            }
            return Err(error);
        }
        wanted.keys().for_each(|stack| self.sets.clear(stack));
        Ok(())
    }

    async fn lead(
        &self,
        table: &RouteTable,
        wanted: &BTreeMap<StackName, Slots>,
        is_routed_so: bool,
    ) -> Result<(), WorldError> {
        for (stack, slots) in wanted {
            if self.sets.live(stack).as_ref() != slots.get(SET) {
                self.sets.lead(stack, slots)?;
            }
        }
        if !is_routed_so {
            self.load_config(table).await?;
        }
        if self.reads(table).await? {
            return Ok(());
        }
        Err(WorldError::new("the edge reads another set of containers than it was just given")
            .hint("is its folder the one of this state folder? `mainstay edge status` shows the difference"))
    }

    async fn load_config(&self, table: &RouteTable) -> Result<(), WorldError> {
        let config = self.config(table)?;
        let body = serde_json::to_vec(&config).unwrap_or_default();
        let request = Request::builder()
            .method(Method::POST)
            .uri("/load")
            .header("Host", "localhost")
            .header("Content-Type", "application/json")
            .body(body.into());
        let answer = socket::ask(&self.folder.admin(), request, LOAD_WITHIN).await.map_err(away)?;
        if !answer.status().is_success() {
            let told = answer.message();
            return Err(WorldError::new("the edge refused its routes, and serves on as before").caused_by(told));
        }
        let shown = self.shown().await?;
        if shown != config {
            return Err(WorldError::new("the edge shows other routes than it was just sent")
                .hint("does something else speak to its admin socket? `mainstay edge status` shows the difference"));
        }
        self.files.keep_config(&config)
    }

    /// Whether the edge serves this table now.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn serves(&self, table: &RouteTable) -> Result<bool, WorldError> {
        Ok(self.shown().await? == self.config(table)? && self.reads(table).await?)
    }

    /// Whether the edge reads the slots of this table, by its own word.
    async fn reads(&self, table: &RouteTable) -> Result<bool, WorldError> {
        for (stack, slots) in wanted_slots::of(table) {
            if self.told_set(caddy::SET_HEADER, &stack).await?.as_ref() != slots.get(SET) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The set of slots that the private door reads for a stack.
    async fn previews_set(&self, stack: &StackName) -> Result<Option<String>, WorldError> {
        self.told_set(caddy::NEXT_HEADER, stack).await
    }

    async fn told_set(&self, header: &str, stack: &StackName) -> Result<Option<String>, WorldError> {
        let request = Request::builder()
            .uri("/")
            .header("Host", "localhost")
            .header(header, stack.as_str())
            .body(bytes::Bytes::new().into());
        let answer = socket::ask(&self.folder.probe(), request, ANSWER_WITHIN).await.map_err(away)?;
        Ok(std::str::from_utf8(answer.body()).ok().map(str::to_owned))
    }

    /// The configuration that the edge shows of itself.
    async fn shown(&self) -> Result<Value, WorldError> {
        let answer = self.get("/config/").await?;
        serde_json::from_slice(answer.body()).map_err(|error| unreadable().caused_by(error))
    }

    /// The root certificate of the edge's own authority, as PEM.
    ///
    /// # Errors
    /// When the edge does not answer, or has not made one yet because no name of its routes needs it.
    pub async fn root_certificate(&self) -> Result<String, WorldError> {
        let answer = self.get("/pki/ca/local").await?;
        let authority: Value = serde_json::from_slice(answer.body()).map_err(|error| unreadable().caused_by(error))?;
        let certificate = authority.get("root_certificate").and_then(Value::as_str);
        certificate.map(str::to_owned).ok_or_else(|| {
            WorldError::new("the edge has no certificate authority of its own yet")
                .hint("it makes one for the first route whose name no public authority can sign")
        })
    }

    /// Asks one upstream from where the edge stands: its networks, its name server.
    ///
    /// # Errors
    /// When the edge itself does not answer in time. That the upstream does not is an answer.
    pub async fn probe(&self, probe: &Probe) -> Result<ProbeAnswer, WorldError> {
        probe::ask(&self.folder.probe(), probe).await.map_err(away)
    }

    async fn get(&self, path: &str) -> Result<socket::Answer, WorldError> {
        let request = Request::builder().uri(path).header("Host", "localhost").body(bytes::Bytes::new().into());
        let answer = socket::ask(&self.folder.admin(), request, ANSWER_WITHIN).await.map_err(away)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(WorldError::new(format!("the edge does not say `{path}`")).caused_by(answer.message()))
    }
}

fn away(error: std::io::Error) -> WorldError {
    let mut away = WorldError::new("the edge does not answer")
        .hint("`mainstay edge up` starts it; `docker logs` of its container shows what it says")
        .caused_by(error);
    away.transient = true;
    away
}

fn unreadable() -> WorldError {
    WorldError::new("what the edge says of itself cannot be read")
}
