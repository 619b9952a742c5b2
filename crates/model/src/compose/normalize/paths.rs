//! Relative paths made absolute, at the places where Compose knows a path.

use crate::compose::filepath;
use crate::compose::tree::{Map, Node, Value};

/// The caller's home, for `~`; `None` leaves `~` as it is.
pub type Home<'a> = Option<&'a str>;

/// Makes the paths of a project start at `base`. With a relative `base` they come out relative to the
/// folder above, which is how an extended or included file hands its paths to the file that uses it.
pub fn resolve_paths(project: &mut Node, base: &str, home: Home<'_>) {
    let paths = Paths { base, home };
    let Some(project) = project.as_map_mut() else { return };
    for (section, entry) in &mut project.0 {
        let Some(section_map) = entry.node.as_map_mut() else { continue };
        for resource in section_map.0.values_mut().filter_map(|entry| entry.node.as_map_mut()) {
            match section.as_str() {
                "services" => paths.service(resource),
                "configs" | "secrets" => resource.get_mut("file").into_iter().for_each(|file| paths.host(file)),
                "volumes" => paths.volume(resource),
                _ => {}
            }
        }
    }
}

struct Paths<'a> {
    base: &'a str,
    home: Home<'a>,
}

impl Paths<'_> {
    fn service(&self, service: &mut Map) {
        for (key, entry) in &mut service.0 {
            let node = &mut entry.node;
            match key.as_str() {
                "build" => self.build(node),
                "env_file" => each_item(node, |file| self.child(file, "path", Self::plain)),
                "label_file" => each_item(node, |file| self.plain(file)),
                "extends" => self.child(node, "file", Self::plain),
                "volumes" => each_item(node, |mount| {
                    if mount.get("type").and_then(Node::as_str) == Some("bind") {
                        self.child(mount, "source", Self::host);
                    }
                }),
                "develop" => {
                    if let Some(watch) = node.as_map_mut().and_then(|develop| develop.get_mut("watch")) {
                        each_item(watch, |trigger| self.child(trigger, "path", Self::plain));
                    }
                }
                _ => {}
            }
        }
    }

    fn child(&self, node: &mut Node, key: &str, resolve: fn(&Self, &mut Node)) {
        if let Some(child) = node.as_map_mut().and_then(|map| map.get_mut(key)) {
            resolve(self, child);
        }
    }

    fn build(&self, node: &mut Node) {
        self.child(node, "context", Self::context);
        // A list that is still one has a variable in it, and is resolved as it stands.
        if let Some(list) = node.as_map_mut().and_then(|build| build.get_mut("additional_contexts")) {
            each_item(list, |item| self.context(item));
        }
        for (key, resolve) in [("additional_contexts", Self::context as fn(&Self, &mut Node)), ("ssh", Self::host)] {
            if let Some(map) = node.as_map_mut().and_then(|build| build.get_mut(key)).and_then(Node::as_map_mut) {
                map.0.values_mut().for_each(|entry| resolve(self, &mut entry.node));
            }
        }
    }

    /// A bind mount that is declared as a local volume.
    fn volume(&self, volume: &mut Map) {
        if volume.get("driver").and_then(Node::as_str) != Some("local") {
            return;
        }
        let Some(options) = volume.get_mut("driver_opts") else { return };
        if options.get("o").and_then(Node::as_str) == Some("bind") {
            self.child(options, "device", Self::host);
        }
    }

    fn change(&self, node: &mut Node, resolve: impl Fn(&str) -> Option<String>) {
        if let Value::String(text) = &mut node.value
            && let Some(path) = resolve(text)
        {
            *text = path;
        }
    }

    /// A path on this machine.
    fn plain(&self, node: &mut Node) {
        self.change(node, |text| {
            let path = self.at_home(text);
            if path.is_empty() || filepath::is_absolute(&path) {
                return Some(path);
            }
            Some(filepath::join(self.base, &path))
        });
    }

    /// A path on the engine's machine, which may be written as Windows writes it.
    fn host(&self, node: &mut Node) {
        self.change(node, |text| {
            let path = self.at_home(text);
            if filepath::is_absolute(&path) || filepath::is_windows_absolute(&path) {
                return Some(path);
            }
            Some(filepath::join(self.base, &path))
        });
    }

    /// A build context: a folder, or something that the builder fetches.
    fn context(&self, node: &mut Node) {
        const FETCHED: [&str; 6] = ["https://", "http://", "git://", "ssh://", "github.com/", "git@"];
        let is_fetched = node.as_str().is_some_and(|text| {
            text.contains("://") || text.starts_with("service:") || FETCHED.iter().any(|start| text.starts_with(start))
        });
        if !is_fetched {
            self.plain(node);
        }
    }

    fn at_home(&self, path: &str) -> String {
        match (path.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) => filepath::clean(&format!("{home}/{rest}")),
            _ => path.to_owned(),
        }
    }
}

fn each_item(node: &mut Node, change: impl Fn(&mut Node)) {
    if let Value::List(items) = &mut node.value {
        items.iter_mut().for_each(change);
    }
}
