//! Mounts in the engine's two dialects: `Mounts`, and `Binds` for what only those can say.

use bollard::models::{
    Mount as EngineMount, MountBindOptions, MountBindOptionsPropagationEnum, MountImageOptions, MountTmpfsOptions,
    MountType, MountVolumeOptions,
};
use mainstay_model::declared::container::{Mount, MountKind, bare_path};
use mainstay_model::observed::AnonymousVolume;

use crate::world::WorldError;

#[derive(Debug, Default, PartialEq)]
pub(super) struct Mounts {
    pub(super) mounts: Vec<EngineMount>,
    pub(super) binds: Vec<String>,
}

/// The mounts of a container that takes anonymous volumes over, each by its name at its path: in place of the declared
/// mount without a name, or beside the others where the image asks for the volume.
pub(super) fn with_carried(declared: &[Mount], carried: &[AnonymousVolume]) -> Vec<Mount> {
    let mut mounts = declared.to_vec();
    for volume in carried {
        match mounts.iter_mut().find(|mount| bare_path(&mount.target) == volume.target) {
            Some(mount) => mount.source = Some(volume.name.clone()),
            None => mounts.push(Mount::of_volume(&volume.name, &volume.target)),
        }
    }
    mounts
}

/// Splits a spec's mounts for an engine that speaks API `1.<minor>`.
pub(super) fn mounts_of(declared: &[Mount], minor: u32) -> Result<Mounts, WorldError> {
    let mut found = Mounts::default();
    for mount in declared {
        match bind_text(mount) {
            Some(bind) => found.binds.push(bind),
            None => found.mounts.push(engine_mount(mount, minor)?),
        }
    }
    Ok(found)
}

/// The short form, which alone makes missing host folders on every engine and relabels for SELinux. A path with a
/// colon cannot be said in it. A plain named volume takes it as well: so Compose writes it, and what one made the other
/// reads.
fn bind_text(mount: &Mount) -> Option<String> {
    let source = mount.source.as_deref()?;
    let serves = match mount.kind {
        MountKind::Bind => mount.create_host_path || mount.selinux.is_some(),
        MountKind::Volume => !mount.no_copy && mount.subpath.is_none(),
        _ => false,
    };
    if !serves || source.contains(':') || mount.target.contains(':') {
        return None;
    }
    let mut options = vec![if mount.read_only { "ro" } else { "rw" }];
    options.extend(mount.selinux.as_deref());
    options.extend(mount.propagation.as_deref().filter(|propagation| !propagation.is_empty()));
    Some(format!("{source}:{}:{}", mount.target, options.join(",")))
}

fn engine_mount(mount: &Mount, minor: u32) -> Result<EngineMount, WorldError> {
    let mut told = EngineMount {
        target: Some(mount.target.clone()),
        source: mount.source.clone(),
        read_only: Some(mount.read_only),
        ..Default::default()
    };
    let needs = |api: u32, what: &str| {
        if minor >= api {
            return Ok(());
        }
        Err(WorldError::new(format!("the mount at `{}` has {what}, which this engine does not know", mount.target))
            .hint(format!("it needs an engine with API 1.{api} or newer")))
    };
    match mount.kind {
        MountKind::Bind => {
            told.typ = Some(MountType::BIND);
            let create = (mount.create_host_path && minor >= 42).then_some(true);
            let propagation = propagation_of(mount)?;
            if create.is_some() || propagation.is_some() {
                let options = MountBindOptions { propagation, create_mountpoint: create, ..Default::default() };
                told.bind_options = Some(options);
            }
        }
        MountKind::Volume => {
            told.typ = Some(MountType::VOLUME);
            if mount.subpath.is_some() {
                needs(45, "a `subpath`")?;
            }
            if mount.no_copy || mount.subpath.is_some() {
                let no_copy = Some(mount.no_copy);
                let options = MountVolumeOptions { no_copy, subpath: mount.subpath.clone(), ..Default::default() };
                told.volume_options = Some(options);
            }
        }
        MountKind::Tmpfs => {
            told.typ = Some(MountType::TMPFS);
            told.source = None;
            told.tmpfs_options = Some(MountTmpfsOptions {
                size_bytes: mount.size_bytes.and_then(|size| i64::try_from(size).ok()),
                mode: mount.mode.map(i64::from),
                ..Default::default()
            });
        }
        MountKind::Npipe => told.typ = Some(MountType::NPIPE),
        MountKind::Image => {
            needs(47, "the type `image`")?;
            told.typ = Some(MountType::IMAGE);
            told.image_options = mount.subpath.clone().map(|subpath| MountImageOptions { subpath: Some(subpath) });
        }
    }
    Ok(told)
}

fn propagation_of(mount: &Mount) -> Result<Option<MountBindOptionsPropagationEnum>, WorldError> {
    use MountBindOptionsPropagationEnum as P;
    match mount.propagation.as_deref() {
        None | Some("") => Ok(None),
        Some("private") => Ok(Some(P::PRIVATE)),
        Some("rprivate") => Ok(Some(P::RPRIVATE)),
        Some("shared") => Ok(Some(P::SHARED)),
        Some("rshared") => Ok(Some(P::RSHARED)),
        Some("slave") => Ok(Some(P::SLAVE)),
        Some("rslave") => Ok(Some(P::RSLAVE)),
        Some(other) => {
            Err(WorldError::new(format!("the mount at `{}` has the unknown propagation `{other}`", mount.target)))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn bind(source: &str, create_host_path: bool) -> Mount {
        Mount {
            kind: MountKind::Bind,
            source: Some(source.into()),
            target: "/in".into(),
            read_only: true,
            create_host_path,
            propagation: None,
            selinux: None,
            no_copy: false,
            subpath: None,
            size_bytes: None,
            mode: None,
        }
    }

    #[test]
    fn a_bind_that_makes_its_folder_takes_the_short_form() {
        let told = mounts_of(&[bind("/srv/x", true)], 41).unwrap();
        assert_eq!(told.binds, ["/srv/x:/in:ro"]);
        let told = mounts_of(&[bind("/srv/x", false)], 41).unwrap();
        assert!(told.binds.is_empty() && told.mounts[0].bind_options.is_none());
    }

    #[test]
    fn a_path_with_a_colon_takes_the_long_form() {
        let told = mounts_of(&[bind("/srv/a:b", true)], 44).unwrap();
        assert_eq!(told.mounts[0].bind_options.as_ref().unwrap().create_mountpoint, Some(true));
    }

    #[test]
    fn a_subpath_on_an_old_engine_is_refused_and_not_dropped() {
        let mount = Mount { kind: MountKind::Volume, subpath: Some("a".into()), ..bind("v", false) };
        assert!(mounts_of(std::slice::from_ref(&mount), 41).is_err());
        assert!(mounts_of(&[mount], 45).is_ok());
    }
}
