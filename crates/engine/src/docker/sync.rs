//! Files of the host brought into a running container, and removed there when they are gone here.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bollard::query_parameters::UploadToContainerOptions;
use futures_util::StreamExt;

use super::refusal::Refusal;
use super::{CHANGE_WITHIN, Docker, ExecOptions, timed, wire};
use crate::watch::Move;
use crate::world::WorldError;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    pub brought: usize,
    pub removed: usize,
}

impl Docker {
    /// Makes these places in a container as they are here. What is brought belongs to the container's user.
    ///
    /// # Errors
    /// When the container does not run, or has no `rm` where something is gone.
    pub async fn sync(&self, container: &str, name: &str, moves: Vec<Move>) -> Result<Synced, WorldError> {
        let packing = tokio::task::spawn_blocking(move || pack(&moves));
        let packed = packing.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let packed = packed
            .map_err(|error| WorldError::new(format!("files for `{name}` could not be read")).caused_by(error))?;
        if !packed.gone.is_empty() {
            self.remove_files(container, name, &packed.gone).await?;
        }
        if packed.brought > 0 {
            let options =
                UploadToContainerOptions { path: "/".into(), copy_uidgid: Some("true".into()), ..Default::default() };
            let put = self.client.upload_to_container(container, Some(options), wire::bytes_body(packed.archive));
            let refusal = |error| Refusal::new(format!("files could not be put into `{name}`")).explain(error);
            timed(CHANGE_WITHIN, put).await.map_err(refusal)?;
        }
        Ok(Synced { brought: packed.brought, removed: packed.gone.len() })
    }

    async fn remove_files(&self, container: &str, name: &str, paths: &[String]) -> Result<(), WorldError> {
        let mut command = ["rm", "-rf", "--"].map(str::to_owned).to_vec();
        command.extend(paths.iter().cloned());
        let options = ExecOptions { command, user: Some("0".into()), ..ExecOptions::default() };
        let mut exec = self.exec(container, options).await?;
        let mut said = Vec::new();
        while let Some(piece) = exec.output.next().await {
            said.extend_from_slice(&piece?.bytes);
        }
        match exec.exit_code().await? {
            0 => Ok(()),
            code => Err(WorldError::new(format!("`rm` in `{name}` ended with {code}"))
                .caused_by(io::Error::other(String::from_utf8_lossy(&said).trim().to_owned()))),
        }
    }
}

#[derive(Default)]
struct Packed {
    archive: Vec<u8>,
    brought: usize,
    /// Places in the container of what is not here any more.
    gone: Vec<String>,
}

fn pack(moves: &[Move]) -> io::Result<Packed> {
    let mut packed = Packed::default();
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(false);
    for one in moves {
        match one.from.symlink_metadata() {
            Ok(metadata) => match append(&mut archive, &one.from, &metadata, &one.to) {
                Ok(is_in) => packed.brought += usize::from(is_in),
                // It went in this moment; its going is told next.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("`{}`: {error}", one.from.display()))),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => packed.gone.push(one.to.clone()),
            Err(error) => return Err(io::Error::new(error.kind(), format!("`{}`: {error}", one.from.display()))),
        }
    }
    packed.archive = archive.into_inner()?;
    Ok(packed)
}

/// Appends a file, folder or link; sockets and devices are no content.
fn append(archive: &mut tar::Builder<Vec<u8>>, from: &Path, metadata: &Metadata, to: &str) -> io::Result<bool> {
    let path = to.trim_start_matches('/');
    let mut header = tar::Header::new_gnu();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    let kind = metadata.file_type();
    if kind.is_dir() {
        header.set_entry_type(tar::EntryType::Directory);
        archive.append_data(&mut header, path, io::empty())?;
    } else if kind.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        archive.append_link(&mut header, path, std::fs::read_link(from)?)?;
    } else if kind.is_file() {
        // Read first: a file that is written now may have another length than it had.
        let mut content = Vec::new();
        File::open(from)?.read_to_end(&mut content)?;
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content.as_slice())?;
    } else {
        return Ok(false);
    }
    Ok(true)
}
