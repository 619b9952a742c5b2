//! What a container sees of the host's folders, of volumes, of memory and of images.

use std::collections::{BTreeMap, BTreeSet};

use super::place::Place;
use super::x_mainstay;
use crate::compose::schema::suggest;
use crate::compose::{Diagnostic, Value};
use crate::declared::container::{ContainerSpec, Mount, MountKind};
use crate::declared::{Hidden, HostFile, Volume};

/// The service's `volumes`, in their order.
pub(super) fn read(service: &Place, declared: &BTreeMap<String, Volume>) -> Vec<Mount> {
    let Some(child) = service.child("volumes") else { return Vec::new() };
    child.items().iter().filter_map(|item| one(item, declared)).collect()
}

/// The files that the mounts bind and whose content the declaration brings along.
pub(super) fn files(service: &Place) -> Vec<HostFile> {
    let Some(child) = service.child("volumes") else { return Vec::new() };
    child.items().iter().filter_map(file).collect()
}

fn file(mount: &Place) -> Option<HostFile> {
    let content = x_mainstay::content_of_mount(mount)?;
    if mount.word("type").as_deref() != Some("bind") {
        mount.refuse("brings the content of a file, and must be of the type `bind`");
        return None;
    }
    // What is wrong with the source is told where the mount is read.
    let path = mount.word("source").filter(|path| path.starts_with('/'))?;
    Some(HostFile { path, content: Hidden::new(content) })
}

fn one(item: &Place, declared: &BTreeMap<String, Volume>) -> Option<Mount> {
    if item.node.as_map().is_none() {
        item.refuse("must be in the long form here, with `type` and `target`");
        return None;
    }
    let Some(target) = item.word("target") else {
        item.refuse("needs a `target`: the path in the container");
        return None;
    };
    let kind = kind(item)?;
    let bind = item.child("bind");
    let volume = item.child("volume");
    let tmpfs = item.child("tmpfs");
    let subpath = |place: Option<Place>| place.and_then(|place| place.word("subpath"));
    Some(Mount {
        kind,
        source: source(item, kind, declared)?,
        target,
        read_only: item.flag("read_only"),
        create_host_path: kind == MountKind::Bind && bind.as_ref().is_none_or(|bind| bind.flag("create_host_path")),
        propagation: bind.as_ref().and_then(|bind| bind.word("propagation")),
        selinux: bind.as_ref().and_then(|bind| bind.word("selinux")),
        no_copy: volume.as_ref().is_some_and(|volume| volume.flag("nocopy")),
        subpath: subpath(volume).or_else(|| subpath(item.child("image"))),
        size_bytes: tmpfs.as_ref().and_then(|tmpfs| tmpfs.size("size")),
        mode: tmpfs.and_then(|tmpfs| tmpfs.child("mode")).and_then(|mode| permissions(&mode)),
    })
}

fn kind(item: &Place) -> Option<MountKind> {
    let word = item.word("type");
    match word.as_deref() {
        Some("bind") => Some(MountKind::Bind),
        Some("volume") => Some(MountKind::Volume),
        Some("tmpfs") => Some(MountKind::Tmpfs),
        Some("npipe") => Some(MountKind::Npipe),
        Some("image") => Some(MountKind::Image),
        Some("cluster") => {
            item.refuse("is a `cluster` volume, and those are for a Swarm cluster");
            None
        }
        other => {
            item.refuse(format!(
                "has the type `{}`, and must have `bind`, `volume`, `tmpfs` or `image`",
                other.unwrap_or("")
            ));
            None
        }
    }
}

/// The outer option is nothing when the mount cannot be read, the inner one when it has no source.
fn source(item: &Place, kind: MountKind, declared: &BTreeMap<String, Volume>) -> Option<Option<String>> {
    let word = item.word("source");
    match (kind, word) {
        (MountKind::Tmpfs, _) | (MountKind::Volume, None) => Some(None),
        (MountKind::Volume, Some(key)) => match declared.get(&key) {
            Some(volume) => Some(Some(volume.name.clone())),
            None => {
                item.say(missing_volume(item, &key, declared));
                None
            }
        },
        (MountKind::Bind, Some(path)) if !path.starts_with('/') => {
            item.refuse(format!("binds `{path}`, which is no path of this machine; {}", path_here(&path)));
            None
        }
        (_, Some(source)) => Some(Some(source)),
        (_, None) => {
            item.refuse("needs a `source`; add `source: ./folder`");
            None
        }
    }
}

/// What to write for a path that does not start at the root.
fn path_here(path: &str) -> String {
    let mut letters = path.chars();
    let is_drive = letters.next().is_some_and(|c| c.is_ascii_alphabetic()) && letters.next() == Some(':');
    match is_drive {
        true => {
            "drives are of Windows: write `./folder` beside the Compose file, or a path that starts with `/`".to_owned()
        }
        false => "write a path that starts with `./` or `/`".to_owned(),
    }
}

fn missing_volume(item: &Place, key: &str, declared: &BTreeMap<String, Volume>) -> Diagnostic {
    let message =
        format!("`{}` names the volume `{key}`, which is not declared under the top-level `volumes`", item.path);
    let complaint = Diagnostic::error("no-such-volume", item.span, message);
    match suggest(key, declared.keys().map(String::as_str)) {
        Some(meant) => complaint.hint(format!("did you mean `{meant}`?")),
        None => complaint.hint(format!("declare it: `volumes: {{ {key}: {{}} }}`")),
    }
}

/// Permission bits: octal text, or the number that YAML made of it.
pub(super) fn permissions(place: &Place) -> Option<u32> {
    let Value::String(text) = &place.node.value else { return place.as_int() };
    let digits = text.trim().trim_start_matches("0o");
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777);
    if mode.is_none() {
        place.refuse(format!("is `{text}`, and must be octal permission bits such as `0440`"));
    }
    mode
}

/// The service's `tmpfs`: `path`, or `path:options`.
pub(super) fn tmpfs(service: &Place) -> BTreeMap<String, String> {
    let split = |text: String| match text.split_once(':') {
        Some((path, options)) => (path.to_owned(), options.to_owned()),
        None => (text, String::new()),
    };
    service.strings("tmpfs").into_iter().map(split).collect()
}

/// Two things at one path of the container: the engine would refuse it later, in its own words.
pub(super) fn refuse_doubles(service: &Place, spec: &ContainerSpec) {
    let mounted = spec.mounts.iter().map(|mount| mount.target.as_str());
    let mut seen = BTreeSet::new();
    for target in mounted.chain(spec.tmpfs.keys().map(String::as_str)) {
        if !seen.insert(target.trim_end_matches('/')) {
            let message = format!("`{}` mounts two things at `{target}`", service.path);
            service.say(Diagnostic::error("mounted-twice", service.span, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{container, declared, refused, web_project};
    use super::*;

    #[test]
    fn a_named_volume_is_mounted_by_the_engines_name() {
        let project = declared(
            r#"{"services": {"web": {"image": "nginx", "volumes": [
                    {"type": "volume", "source": "data", "target": "/data", "volume": {"nocopy": true, "subpath": "a"}},
                    {"type": "volume", "source": "theirs", "target": "/theirs", "read_only": true},
                    {"type": "volume", "target": "/cache"}]}},
                "volumes": {"data": {"name": "shop_data"}, "theirs": {"external": true}, "unused": {}}}"#,
        );
        let mounts = &project.services.values().next().expect("the project has a service").container.mounts;
        let sources: Vec<_> = mounts.iter().map(|mount| mount.source.as_deref()).collect();
        assert_eq!(sources, [Some("shop_data"), Some("theirs"), None]);
        assert!(mounts[0].no_copy && mounts[0].subpath.as_deref() == Some("a") && mounts[1].read_only);
        assert_eq!(project.volumes.keys().collect::<Vec<_>>(), ["data", "theirs"]);
    }

    #[test]
    fn a_volume_that_nobody_declared_is_refused_with_the_likely_one() {
        let json = r#"{"services": {"web": {"image": "nginx", "volumes": [
            {"type": "volume", "source": "dta", "target": "/data"}]}}, "volumes": {"data": {}}}"#;
        assert_eq!(
            refused(json),
            [
                "`services.web.volumes[0]` names the volume `dta`, which is not declared under the top-level `volumes` (did you mean `data`?)"
            ]
        );
    }

    #[test]
    fn binds_tmpfs_and_images_keep_their_options() {
        let mounts = container(
            r#""volumes": [
                {"type": "bind", "source": "/etc/a", "target": "/a", "bind": {"create_host_path": true, "selinux": "Z", "propagation": "rslave"}},
                {"type": "bind", "source": "/etc/b", "target": "/b", "read_only": true, "bind": {}},
                {"type": "tmpfs", "target": "/t", "tmpfs": {"size": "64m", "mode": 511}},
                {"type": "image", "source": "nginx:alpine", "target": "/i", "image": {"subpath": "usr"}}]"#,
        )
        .mounts;
        assert!(mounts[0].create_host_path && !mounts[1].create_host_path);
        assert_eq!((mounts[0].selinux.as_deref(), mounts[0].propagation.as_deref()), (Some("Z"), Some("rslave")));
        assert_eq!((mounts[2].size_bytes, mounts[2].mode), (Some(64 << 20), Some(0o777)));
        assert_eq!((mounts[3].source.as_deref(), mounts[3].subpath.as_deref()), (Some("nginx:alpine"), Some("usr")));
    }

    #[test]
    fn tmpfs_lines_are_paths_with_options() {
        let found = container(r#""tmpfs": ["/run", "/tmp:size=64m,mode=1777"]"#).tmpfs;
        let expected =
            [("/run", ""), ("/tmp", "size=64m,mode=1777")].map(|(path, with)| (path.to_owned(), with.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn two_things_at_one_path_are_refused() {
        assert_eq!(
            refused(&web_project(r#""tmpfs": ["/a"], "volumes": [{"type": "bind", "source": "/x", "target": "/a/"}]"#)),
            ["`services.web` mounts two things at `/a`"]
        );
    }
}
