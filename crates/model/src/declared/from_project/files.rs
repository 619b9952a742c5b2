//! Configs and secrets: files that a service is given.

use super::Project;
use super::mounts::permissions;
use super::place::Place;
use crate::compose::Diagnostic;
use crate::declared::container::{ContainerSpec, Hidden, Injected, Mount, MountKind};

/// What stands behind a config or secret.
pub(super) enum Content {
    /// An absolute path on the host.
    File(String),
    /// The bytes themselves, from the file or from the environment.
    Text(Hidden),
}

/// The two kinds differ in where they are declared and where they land.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Config,
    Secret,
}

impl Kind {
    /// The key, in a service and at the top alike.
    fn key(self) -> &'static str {
        match self {
            Kind::Config => "configs",
            Kind::Secret => "secrets",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::Config => "config",
            Kind::Secret => "secret",
        }
    }

    /// A target that is not absolute is a name in the kind's own folder.
    fn target(self, target: &str) -> String {
        match self {
            _ if target.starts_with('/') => target.to_owned(),
            Kind::Config => format!("/{target}"),
            Kind::Secret => format!("/run/secrets/{target}"),
        }
    }
}

/// Adds the service's configs and secrets to its container: files as read-only binds, contents as injected files.
pub(super) fn read(project: &Project, service: &Place, spec: &mut ContainerSpec) {
    for kind in [Kind::Config, Kind::Secret] {
        for item in service.child(kind.key()).map(|list| list.items()).unwrap_or_default() {
            give(project, &item, kind, spec);
        }
    }
}

fn give(project: &Project, item: &Place, kind: Kind, spec: &mut ContainerSpec) {
    let Some(name) = reference(item) else { return };
    let Some(content) = content(project, item, kind, &name) else { return };
    let is_long = item.node.as_map().is_some();
    let target = kind.target(&is_long.then(|| item.word("target")).flatten().unwrap_or(name));
    let owner = |key: &str| is_long.then(|| item.word(key)).flatten();
    let mode = is_long.then(|| item.child("mode")).flatten().and_then(|mode| permissions(&mode));
    match content {
        Content::Text(content) => {
            spec.injected.push(Injected { target, content, uid: owner("uid"), gid: owner("gid"), mode });
        }
        Content::File(path) => {
            if owner("uid").is_some() || owner("gid").is_some() || mode.is_some() {
                item.warn(
                    "not-honoured",
                    "has `uid`, `gid` or `mode`, which are not honoured for a file: it is mounted as it is on the host, as in Compose",
                );
            }
            spec.mounts.push(file_mount(path, target));
        }
    }
}

fn file_mount(path: String, target: String) -> Mount {
    Mount {
        kind: MountKind::Bind,
        source: Some(path),
        target,
        read_only: true,
        create_host_path: false,
        propagation: None,
        selinux: None,
        no_copy: false,
        subpath: None,
        size_bytes: None,
        mode: None,
    }
}

/// The name that a reference gives: the item itself, or its `source`.
pub(super) fn reference(item: &Place) -> Option<String> {
    let name = match item.node.as_map() {
        Some(_) => item.word("source"),
        None => item.as_text(),
    };
    if name.is_none() {
        item.refuse("needs a `source`");
    }
    name
}

/// What the top-level declaration of that name holds.
pub(super) fn content(project: &Project, item: &Place, kind: Kind, name: &str) -> Option<Content> {
    let word = kind.word();
    let found = project.root.child(kind.key()).and_then(|declared| declared.child(name));
    let Some(found) = found else {
        let message = format!(
            "`{}` names the {word} `{name}`, which is not declared under the top-level `{}`",
            item.path,
            kind.key()
        );
        item.say(Diagnostic::error("no-such-file", item.span, message));
        return None;
    };
    if super::volumes::is_external(&found) {
        let message = format!("`{}` is external, and external {word}s exist only in a Swarm cluster", found.path);
        let hint = "give it a `file`, or an `environment` variable to be read from";
        found.say(Diagnostic::error("external-file", found.span, message).hint(hint));
        return None;
    }
    if let Some(path) = found.word("file") {
        return Some(Content::File(absolute(project, &path)));
    }
    if let Some(text) = found.text("content") {
        return Some(Content::Text(Hidden::new(text)));
    }
    let message = match found.word("environment") {
        Some(variable) => format!("`{}` is read from the variable `{variable}`, which is not set", found.path),
        None => format!("`{}` has no `file`, `content` or `environment`", found.path),
    };
    found.say(Diagnostic::error("no-content", found.span, message));
    None
}

pub(super) fn absolute(project: &Project, path: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{}", project.directory.trim_end_matches('/'), path.trim_start_matches("./")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused, warned};

    fn project(service: &str, top: &str) -> String {
        format!(r#"{{"services": {{"web": {{"image": "nginx", {service}}}}}, {top}}}"#)
    }

    #[test]
    fn a_secret_from_a_file_is_a_read_only_bind() {
        let json = project(
            r#""secrets": [{"source": "key"}, {"source": "key", "target": "/etc/key"}]"#,
            r#""secrets": {"key": {"name": "shop_key", "file": "/srv/shop/key.txt"}}"#,
        );
        let project = declared(&json);
        let mounts = &project.services.values().next().expect("the project has a service").container.mounts;
        let targets: Vec<_> =
            mounts.iter().map(|mount| (mount.source.as_deref(), mount.target.as_str(), mount.read_only)).collect();
        let file = Some("/srv/shop/key.txt");
        assert_eq!(targets, [(file, "/run/secrets/key", true), (file, "/etc/key", true)]);
    }

    #[test]
    fn a_content_is_injected_with_its_owner_and_mode() {
        let json = project(
            r#""configs": [{"source": "conf", "target": "/etc/conf", "uid": "103", "mode": "0440"}], "secrets": [{"source": "key"}]"#,
            r#""configs": {"conf": {"content": "a=b\n"}}, "secrets": {"key": {"environment": "KEY", "content": "s3cret"}}"#,
        );
        let project = declared(&json);
        let injected = &project.services.values().next().expect("the project has a service").container.injected;
        assert_eq!(injected[0].target, "/etc/conf");
        assert_eq!(injected[0].content.reveal(), "a=b\n");
        assert_eq!((injected[0].uid.as_deref(), injected[0].mode), (Some("103"), Some(0o440)));
        assert_eq!((injected[1].target.as_str(), injected[1].content.reveal()), ("/run/secrets/key", "s3cret"));
    }

    #[test]
    fn an_external_secret_is_refused_with_a_way_out() {
        let json =
            project(r#""secrets": [{"source": "key"}]"#, r#""secrets": {"key": {"name": "key", "external": true}}"#);
        assert_eq!(
            refused(&json),
            [
                "`secrets.key` is external, and external secrets exist only in a Swarm cluster (give it a `file`, or an `environment` variable to be read from)"
            ]
        );
    }

    #[test]
    fn a_secret_from_a_variable_that_is_not_set_is_refused() {
        let json = project(r#""secrets": [{"source": "key"}]"#, r#""secrets": {"key": {"environment": "KEY"}}"#);
        assert_eq!(refused(&json), ["`secrets.key` is read from the variable `KEY`, which is not set"]);
    }

    #[test]
    fn an_owner_of_a_file_is_warned_about() {
        let json = project(r#""secrets": [{"source": "key", "uid": "1"}]"#, r#""secrets": {"key": {"file": "/key"}}"#);
        assert_eq!(warned(&json).len(), 1);
    }
}
