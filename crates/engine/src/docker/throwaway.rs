//! A container that is thrown away after its use, whatever becomes of the one who uses it.
//!
//! What runs in it runs by `exec`. Its own program is `cat`, which reads from a line that this process holds: when the
//! line is let go, by [`Throwaway::let_go`], by a drop or because the process was killed, `cat` ends, and the engine removes the
//! container with its volumes. What can be left over nevertheless (killed between making and starting it, or a volume that
//! the engine forgets when a kill and a removal meet) carries our labels, and goes with [`Docker::sweep`].

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::models::{ContainerCreateResponse, ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{
    ListContainersOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions, WaitContainerOptions,
};
use futures_util::StreamExt;
use mainstay_model::identity::labels::{ABOUT, MADE_BY, OWNER, THROWAWAY};
use serde_json::json;
use tokio::io::AsyncWrite;

use super::exec::{Exec, ExecOptions};
use super::owner::{Fate, Owner};
use super::refusal::{Refusal, is_missing};
use super::{ANSWER_WITHIN, CHANGE_WITHIN, Docker, timed, wire};
use crate::world::WorldError;

/// What a container may put into `/dev/shm`: parallel plans of a large database need more than the engine's 64 MB.
const SHARED_MEMORY: u64 = 512 << 20;
/// One that is not running and whose maker cannot be seen from here counts as left over after so long.
const LEFT_AFTER: i64 = 60 * 60;

/// What is wanted of a throw-away container.
#[derive(Clone, Debug)]
pub struct ThrowawayWanted {
    /// A name, a digest or an id; it has to be there.
    pub image: String,
    /// One word; it becomes part of the container's name.
    pub purpose: &'static str,
    /// For a person who looks: `stack/database`.
    pub about: String,
    /// As whom everything in it runs.
    pub user: String,
    /// A folder in memory, with its size in bytes.
    pub memory: Option<(String, u64)>,
}

/// A container without a network that goes when this value goes.
pub struct Throwaway {
    docker: Docker,
    id: String,
    name: String,
    user: String,
    /// Behind a lock only so that this value can be shared.
    line: Mutex<Option<Pin<Box<dyn AsyncWrite + Send>>>>,
}

impl std::fmt::Debug for Throwaway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throwaway").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Docker {
    /// Makes one and starts it.
    ///
    /// # Errors
    /// When the image is not there, or the engine refuses.
    pub async fn throw_away(&self, wanted: ThrowawayWanted) -> Result<Throwaway, WorldError> {
        // Here rather than at every command: it costs a question, and what is left costs nothing but room.
        self.sweep_volumes().await;
        let mut nonce = [0; 4];
        getrandom::fill(&mut nonce).map_err(|error| {
            WorldError::new("the operating system gave no random bytes").caused_by(error.to_string())
        })?;
        let name = format!("mainstay-{}-{:08x}", wanted.purpose, u32::from_be_bytes(nonce));
        let refusal = || Refusal::new(format!("the throw-away container `{name}` could not be started"));
        let path = format!("/containers/create{}", wire::query([("name", name.clone())]));
        let body = body(&wanted, &self.volumes_of_image(&wanted.image).await);
        let made = timed(CHANGE_WITHIN, self.wire.post::<ContainerCreateResponse>(&path, &body)).await;
        let id = made.map_err(|error| refusal().explain(error))?.id;
        let started = async {
            // Before the start: nobody may end it for want of a line.
            let path =
                format!("/containers/{id}/attach{}", wire::query([("stream", "1".into()), ("stdin", "1".into())]));
            let (_, line) = self.hijack(&path, wire::no_body()).await?;
            timed(CHANGE_WITHIN, self.client.start_container(&id, None)).await?;
            Ok(line)
        };
        match started.await {
            Ok(line) => Ok(Throwaway {
                docker: self.clone(),
                id,
                name,
                user: wanted.user,
                line: Mutex::new(Some(Box::pin(line))),
            }),
            Err(error) => {
                self.remove_by_force(&id).await;
                Err(refusal().explain(error))
            }
        }
    }

    /// Where an image wants volumes; nowhere when it cannot be asked, since whoever makes a container of it hears of that.
    async fn volumes_of_image(&self, image: &str) -> Vec<String> {
        let seen = timed(ANSWER_WITHIN, self.client.inspect_image(image)).await;
        seen.ok().and_then(|seen| seen.config?.volumes).unwrap_or_default()
    }

    /// The user that an image says of itself; none when it says none. `None` when the image is not there.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn image_user(&self, image: &str) -> Result<Option<String>, WorldError> {
        match timed(ANSWER_WITHIN, self.client.inspect_image(image)).await {
            Ok(seen) => Ok(Some(seen.config.and_then(|config| config.user).unwrap_or_default())),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(Refusal::new(format!("the image `{image}` could not be looked at")).explain(error)),
        }
    }

    /// Removes what throw-away containers were left over by a process that is gone, and tells their names.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn sweep(&self) -> Result<Vec<String>, WorldError> {
        let filters = HashMap::from([("label".to_owned(), vec![THROWAWAY.to_owned()])]);
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let listed = timed(ANSWER_WITHIN, self.client.list_containers(Some(options))).await;
        let listed =
            listed.map_err(|error| Refusal::new("throw-away containers could not be listed").explain(error))?;
        let now = jiff::Timestamp::now().as_second();
        let mut swept = Vec::new();
        for container in listed.iter().filter(|container| is_left_over(container, now)) {
            let Some(id) = &container.id else { continue };
            self.remove_by_force(id).await;
            let name = container.names.iter().flatten().next().unwrap_or(id);
            swept.push(name.trim_start_matches('/').to_owned());
        }
        if !swept.is_empty() {
            self.sweep_volumes().await;
        }
        Ok(swept)
    }

    /// Volumes of throw-away containers that nothing has any more, and whose makers are gone.
    async fn sweep_volumes(&self) {
        let labels = vec![THROWAWAY.to_owned()];
        let filters = HashMap::from([("label".to_owned(), labels), ("dangling".to_owned(), vec!["true".to_owned()])]);
        let listing = self.client.list_volumes(Some(ListVolumesOptions { filters: Some(filters) }));
        let Ok(listed) = timed(ANSWER_WITHIN, listing).await else { return };
        for volume in listed.volumes.unwrap_or_default() {
            let is_left = volume.labels.get(OWNER).is_some_and(|label| matches!(Owner::fate_of(label), Fate::Gone));
            if is_left {
                // One that is taken into use meanwhile stays.
                let _ = self.client.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await;
            }
        }
    }

    /// With its volumes; one that goes by itself is fine.
    async fn remove_by_force(&self, id: &str) {
        let options = RemoveContainerOptions { v: true, force: true, ..Default::default() };
        let _ = timed(CHANGE_WITHIN, self.client.remove_container(id, Some(options))).await;
    }
}

/// `volumes` are the paths at which the image wants some.
fn body(wanted: &ThrowawayWanted, volumes: &[String]) -> serde_json::Value {
    let mut labels = HashMap::from([
        (MADE_BY, env!("CARGO_PKG_VERSION").to_owned()),
        (THROWAWAY, wanted.purpose.to_owned()),
        (ABOUT, wanted.about.clone()),
    ]);
    labels.extend(Owner::here().map(|owner| (OWNER, owner.label())));
    let tmpfs: HashMap<_, _> =
        wanted.memory.iter().map(|(path, bytes)| (path, format!("rw,mode=1777,size={bytes}"))).collect();
    // Nameless ones, as the engine makes them by itself, but with our labels.
    let volumes = volumes.iter().filter(|path| !tmpfs.contains_key(path));
    let mounts: Vec<_> = volumes
        .map(|path| json!({ "Type": "volume", "Target": path, "VolumeOptions": { "Labels": labels } }))
        .collect();
    json!({
        "Image": wanted.image,
        "User": wanted.user,
        "Entrypoint": ["cat"],
        "Cmd": [],
        "Labels": labels,
        "OpenStdin": true,
        "StdinOnce": true,
        "AttachStdin": true,
        "Healthcheck": { "Test": ["NONE"] },
        "HostConfig": {
            "NetworkMode": "none",
            "AutoRemove": true,
            "ShmSize": SHARED_MEMORY,
            "Tmpfs": tmpfs,
            "Mounts": mounts,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": { "Type": "none" },
        },
    })
}

/// Whether its maker is gone, or has not been heard of for long.
pub(super) fn is_left_over(container: &ContainerSummary, now: i64) -> bool {
    let label = container.labels.as_ref().and_then(|labels| labels.get(OWNER)).map(String::as_str);
    match label.map_or(Fate::Unknown, Owner::fate_of) {
        Fate::Lives => false,
        Fate::Gone => true,
        Fate::Unknown => {
            let runs = container.state == Some(ContainerSummaryStateEnum::RUNNING);
            !runs && container.created.is_some_and(|created| created + LEFT_AFTER < now)
        }
    }
}

impl Throwaway {
    pub(crate) fn docker(&self) -> &Docker {
        &self.docker
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a program in it.
    ///
    /// # Errors
    /// When the container is gone.
    pub async fn exec(&self, command: &[&str], stdin: bool) -> Result<Exec, WorldError> {
        let options = ExecOptions {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            stdin,
            user: Some(self.user.clone()),
            ..ExecOptions::default()
        };
        self.docker.exec(&self.id, options).await
    }

    /// Removes it, and returns when it is gone.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn let_go(&self) -> Result<(), WorldError> {
        let options = WaitContainerOptions { condition: "removed".into() };
        let mut gone = Box::pin(self.docker.client.wait_container(&self.id, Some(options)));
        drop(self.line.lock().unwrap_or_else(PoisonError::into_inner).take());
        if tokio::time::timeout(Duration::from_secs(5), gone.next()).await.is_err() {
            self.docker.remove_by_force(&self.id).await;
        }
        match timed(ANSWER_WITHIN, self.docker.client.inspect_container(&self.id, None)).await {
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(Refusal::new(format!("`{}` could not be looked at", self.name)).explain(error)),
            // It is on its way: the engine has been told.
            Ok(_) => Ok(()),
        }
    }
}
