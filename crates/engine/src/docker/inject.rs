//! Files that Mainstay puts into a container before it starts, as one tar.

use bollard::query_parameters::UploadToContainerOptions;
use mainstay_model::declared::ContainerSpec;
use mainstay_model::declared::container::{Injected, MountKind};

use super::refusal::Refusal;
use super::{CHANGE_WITHIN, Docker, timed, wire};
use crate::world::WorldError;

/// Compose's own default.
const DEFAULT_MODE: u32 = 0o444;

impl Docker {
    /// Puts the spec's files into a container that was made and does not run.
    pub(super) async fn inject(&self, container_id: &str, name: &str, spec: &ContainerSpec) -> Result<(), WorldError> {
        if spec.injected.is_empty() {
            return Ok(());
        }
        let archive = archive_of(&spec.injected)?;
        let options = UploadToContainerOptions { path: "/".into(), ..Default::default() };
        let put = self.client.upload_to_container(container_id, Some(options), wire::bytes_body(archive));
        let doing = || format!("files could not be put into `{name}`");
        timed(CHANGE_WITHIN, put).await.map_err(|error| Refusal::new(doing()).explain(error))
    }
}

/// Says before anything is made that a file could not get to its place.
pub(super) fn check(spec: &ContainerSpec) -> Result<(), WorldError> {
    let Some(first) = spec.injected.first() else { return Ok(()) };
    if spec.read_only {
        let message = format!("`{}` cannot be put into a read-only container", first.target);
        return Err(WorldError::new(message).hint("give the config or secret as a `file:`, which is mounted instead"));
    }
    let tmpfs_mounts = spec.mounts.iter().filter(|mount| mount.kind == MountKind::Tmpfs).map(|mount| &mount.target);
    let covers: Vec<&String> = spec.tmpfs.keys().chain(tmpfs_mounts).collect();
    for file in &spec.injected {
        if !file.target.starts_with('/') {
            return Err(WorldError::new(format!("the file's place `{}` is not absolute", file.target)));
        }
        let covered = |cover: &&&String| file.target.starts_with(&format!("{}/", cover.trim_end_matches('/')));
        if let Some(cover) = covers.iter().find(covered) {
            let message = format!("`{}` would be hidden by the tmpfs at `{cover}`", file.target);
            return Err(WorldError::new(message).hint("give the file another `target`, or mount it with `file:`"));
        }
    }
    Ok(())
}

fn archive_of(files: &[Injected]) -> Result<Vec<u8>, WorldError> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let content = file.content.reveal().as_bytes();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_mode(file.mode.unwrap_or(DEFAULT_MODE));
        header.set_uid(owner(file, "uid", file.uid.as_deref())?);
        header.set_gid(owner(file, "gid", file.gid.as_deref())?);
        let path = file.target.trim_start_matches('/');
        let appended = archive.append_data(&mut header, path, content);
        appended.map_err(|error| WorldError::new(format!("`{}` could not be packed", file.target)).caused_by(error))?;
    }
    archive.into_inner().map_err(|error| WorldError::new("files could not be packed").caused_by(error))
}

fn owner(file: &Injected, what: &str, id: Option<&str>) -> Result<u64, WorldError> {
    let Some(id) = id.filter(|id| !id.is_empty()) else { return Ok(0) };
    id.parse().map_err(|_| WorldError::new(format!("the {what} `{id}` of `{}` is not a number", file.target)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn spec(target: &str) -> ContainerSpec {
        let file = Injected { target: target.into(), ..Default::default() };
        ContainerSpec { injected: vec![file], ..Default::default() }
    }

    #[test]
    fn a_file_that_nobody_would_see_is_refused() {
        let mut hidden = spec("/run/secrets/key");
        hidden.tmpfs.insert("/run".into(), String::new());
        assert!(check(&hidden).is_err());
        hidden.tmpfs.clear();
        hidden.tmpfs.insert("/runner".into(), String::new());
        assert!(check(&hidden).is_ok());
        assert!(check(&ContainerSpec { read_only: true, ..spec("/x") }).is_err());
    }

    #[test]
    fn owners_must_be_numbers() {
        let file = Injected { target: "/x".into(), uid: Some("me".into()), ..Default::default() };
        assert!(archive_of(&[file]).is_err());
    }
}
