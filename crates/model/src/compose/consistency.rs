//! What a settled project refers to must be there, and what it says twice must agree.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::Diagnostic;
use super::schema::suggest;
use super::tree::{Map, Node, Span};

/// Checks the services that are on. `disabled` are those that no active profile asks for.
pub fn check(project: &Node, disabled: &Node, out: &mut Vec<Diagnostic>) {
    let mut checking = Checking { project, disabled, out };
    for (name, entry) in section(project, "services") {
        checking.service(name, entry.key_span, &entry.node);
    }
    for (name, entry) in section(project, "secrets") {
        checking.secret(name, &entry.node);
    }
    checking.container_names();
    checking.cycles();
}

fn section<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = (&'a str, &'a super::tree::Entry)> {
    node.get(key).and_then(Node::as_map).into_iter().flat_map(Map::iter)
}

fn items<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    node.get(key).and_then(Node::as_list).unwrap_or_default()
}

fn text<'a>(node: &'a Node, key: &str) -> &'a str {
    node.get(key).and_then(Node::as_str).unwrap_or_default()
}

/// The value far below a node.
fn deep<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, key| node.get(key))
}

/// Longer texts are not repeated.
const LONGEST_SHOWN: usize = 40;

struct Checking<'a> {
    project: &'a Node,
    disabled: &'a Node,
    out: &'a mut Vec<Diagnostic>,
}

impl<'a> Checking<'a> {
    fn error(&mut self, code: &'static str, span: Span, message: String, hint: &str) {
        self.out.push(Diagnostic::error(code, span, message).hint(hint));
    }

    fn service(&mut self, name: &str, span: Span, service: &'a Node) {
        let has = |key: &str| service.get(key).is_some();
        if !has("build") && text(service, "image").is_empty() && !has("provider") {
            match service.get("image").filter(|image| image.span.is_written()) {
                Some(image) => {
                    let message = format!("the `image` of service `{name}` is empty");
                    let hint = "name an image; when it comes from a variable, give the variable a value";
                    self.error("no-image", image.span, message, hint);
                }
                None => {
                    let message = format!("service `{name}` has neither `image` nor `build`");
                    let hint = "write `image: …` with the image that it runs, or `build: ./folder` with its Dockerfile";
                    self.error("no-image", span, message, hint);
                }
            }
        }
        self.build(name, service);
        self.networks(name, service);
        self.healthcheck(name, service);
        self.dependencies(name, service);
        self.resources(name, service);
        self.scale(name, service);
        self.limits(name, service);
        self.watch(name, service);
        self.mounts(name, service);
    }

    fn build(&mut self, name: &str, service: &'a Node) {
        let Some(build) = service.get("build") else { return };
        if let Some(inline) = build.get("dockerfile_inline").filter(|_| !text(build, "dockerfile").is_empty()) {
            let message = format!("service `{name}` has both `dockerfile` and `dockerfile_inline`");
            self.error("two-dockerfiles", inline.span, message, "keep one of them");
        }
        for (key, entry) in section(build, "additional_contexts") {
            let Some(target) = entry.node.as_str().and_then(|text| text.strip_prefix("service:")) else { continue };
            match deep(self.project, &["services", target]) {
                None => self.undefined("service", target, &entry.node, &format!("the context `{key}` of `{name}`")),
                Some(target_service) if target_service.get("build").is_none() => {
                    let message =
                        format!("the context `{key}` of `{name}` is service `{target}`, which has no `build`");
                    self.error("not-built", entry.node.span, message, "use a service that is built");
                }
                Some(_) => {}
            }
        }
        let platform = text(service, "platform");
        let platforms = items(build, "platforms");
        if !platform.is_empty() && !platforms.is_empty() && !platforms.iter().any(|one| one.as_str() == Some(platform))
        {
            let span = platforms[0].span;
            let message = format!("`build.platforms` of `{name}` lacks the service's own platform `{platform}`");
            self.error("platform-not-built", span, message, "add it to the list");
        }
        for secret in items(build, "secrets") {
            self.granted("secrets", "secret", secret, &format!("the build of `{name}`"));
        }
    }

    fn networks(&mut self, name: &str, service: &'a Node) {
        if let Some(mode) = service.get("network_mode").filter(|mode| mode.as_str() != Some("")) {
            let networks = service.as_map().and_then(|map| map.0.get("networks"));
            if let Some(networks) =
                networks.filter(|networks| networks.node.as_map().is_some_and(|map| !map.is_empty()))
            {
                let message = format!("service `{name}` has both `network_mode` and `networks`");
                self.error("network-conflict", networks.key_span, message, "keep one of them");
            }
            if let Some(target) = mode.as_str().and_then(|mode| mode.strip_prefix("service:"))
                && deep(self.project, &["services", target]).is_none()
                && service.get("depends_on").and_then(|on| on.get(target)).is_none()
            {
                self.undefined("service", target, mode, &format!("`network_mode` of `{name}`"));
            }
        }
        for (network, entry) in section(service, "networks") {
            if deep(self.project, &["networks", network]).is_none() {
                let at = Node::string(network, entry.key_span);
                self.undefined("network", network, &at, &format!("service `{name}`"));
            }
        }
    }

    fn healthcheck(&mut self, name: &str, service: &Node) {
        let Some(first) = deep(service, &["healthcheck", "test"]).and_then(Node::as_list).and_then(<[_]>::first) else {
            return;
        };
        if !matches!(first.as_str(), Some("CMD" | "CMD-SHELL" | "NONE")) {
            let message = format!("the health test of `{name}` does not say how it runs");
            let hint = match first.as_str() {
                Some(word) if word.len() <= LONGEST_SHOWN => {
                    format!("write `[\"CMD\", \"{word}\", …]`, or the whole line as one text")
                }
                _ => "begin the list with `CMD`, `CMD-SHELL` or `NONE`".to_owned(),
            };
            self.error("bad-test", first.span, message, &hint);
        }
    }

    fn dependencies(&mut self, name: &str, service: &Node) {
        for (target, entry) in section(service, "depends_on") {
            if deep(self.project, &["services", target]).is_some() {
                continue;
            }
            let required = entry.node.get("required").and_then(Node::as_bool) != Some(false);
            let Some(off) = self.disabled.get(target) else {
                let at = Node::string(target, entry.key_span);
                self.undefined("service", target, &at, &format!("service `{name}`"));
                continue;
            };
            if required {
                let profiles: Vec<&str> = items(off, "profiles").iter().filter_map(Node::as_str).collect();
                let message = format!("service `{name}` depends on `{target}`, which is off");
                let hint =
                    format!("activate one of its profiles ({}), or write `required: false`", profiles.join(", "));
                self.error("dependency-is-off", entry.key_span, message, &hint);
            }
        }
    }

    fn resources(&mut self, name: &str, service: &'a Node) {
        let who = format!("service `{name}`");
        for mount in items(service, "volumes") {
            let source = mount.get("source").filter(|source| source.as_str() != Some(""));
            if text(mount, "type") == "volume" && source.is_some() {
                self.must_exist("volumes", "volume", source, &who);
            }
        }
        for config in items(service, "configs") {
            self.granted("configs", "config", config, &who);
        }
        for secret in items(service, "secrets") {
            self.granted("secrets", "secret", secret, &who);
        }
        for (model, entry) in section(service, "models") {
            self.must_exist("models", "model", Some(&Node::string(model, entry.key_span)), &who);
        }
    }

    fn granted(&mut self, key: &str, what: &str, grant: &'a Node, who: &str) {
        match grant.get("source").filter(|source| source.as_str() != Some("")) {
            Some(source) => self.must_exist(key, what, Some(source), who),
            None => {
                let message = format!("{who} uses a {what} without saying which");
                self.error("no-source", grant.span, message, &format!("add `source`, the name of a {what}"));
            }
        }
    }

    fn must_exist(&mut self, key: &str, what: &str, source: Option<&Node>, who: &str) {
        let Some(node) = source else { return };
        let Some(name) = node.as_str() else { return };
        if deep(self.project, &[key, name]).is_none() {
            self.undefined(what, name, node, who);
        }
    }

    fn undefined(&mut self, what: &str, name: &str, at: &Node, who: &str) {
        let key = format!("{what}s");
        let known: Vec<&str> = section(self.project, &key).map(|(name, _)| name).collect();
        let hint = match suggest(name, known.into_iter()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => declared_by(what, name, &key),
        };
        let code = match what {
            "network" => "undefined-network",
            "volume" => "undefined-volume",
            "secret" => "undefined-secret",
            "config" => "undefined-config",
            "model" => "undefined-model",
            _ => "undefined-service",
        };
        self.error(code, at.span, format!("{who} uses the {what} `{name}`, which is not declared"), &hint);
    }

    fn scale(&mut self, name: &str, service: &Node) {
        let scale = service.get("scale");
        let replicas = deep(service, &["deploy", "replicas"]);
        let count = |node: Option<&Node>| node.and_then(Node::as_int);
        if let (Some(scale), Some(replicas)) = (scale, replicas)
            && scale.value != replicas.value
        {
            let message = format!("`scale` and `deploy.replicas` of `{name}` differ");
            self.error("scale-conflict", scale.span, message, "keep one of them");
        }
        for node in [scale, replicas].into_iter().flatten() {
            if count(Some(node)).is_some_and(|count| count < 0) {
                let message = format!("service `{name}` cannot have fewer than no containers");
                self.error("bad-scale", node.span, message, "write 0 or more");
            }
        }
        let wanted = count(scale).or(count(replicas)).unwrap_or(1);
        if wanted > 1
            && let Some(container) = service.get("container_name").filter(|name| name.as_str() != Some(""))
        {
            let message = format!("service `{name}` asks for {wanted} containers of one name");
            self.error("name-not-unique", container.span, message, "remove `container_name`, or run one container");
        }
    }

    /// What stands on the service and again under `deploy` must agree; what is unsaid counts as zero there.
    fn limits(&mut self, name: &str, service: &Node) {
        const PAIRS: [(&str, &str, &str); 4] = [
            ("cpus", "limits", "cpus"),
            ("mem_limit", "limits", "memory"),
            ("mem_reservation", "reservations", "memory"),
            ("pids_limit", "limits", "pids"),
        ];
        for (key, kind, deploy_key) in PAIRS {
            let Some(own) = service.get(key).filter(|own| !is_zero(own)) else { continue };
            let Some(resource) = deep(service, &["deploy", "resources", kind]) else { continue };
            if resource.get(deploy_key).is_none_or(|other| other.value != own.value) {
                let message = format!("`{key}` of `{name}` and `deploy.resources.{kind}.{deploy_key}` differ");
                self.error("limit-conflict", own.span, message, "say it in one place, or the same in both");
            }
        }
    }

    fn watch(&mut self, name: &str, service: &Node) {
        for trigger in deep(service, &["develop", "watch"]).and_then(Node::as_list).unwrap_or_default() {
            if text(trigger, "target").is_empty() && !matches!(text(trigger, "action"), "rebuild" | "restart") {
                let message = format!("a watch of `{name}` does not say where in the container the files go");
                self.error("no-watch-target", trigger.span, message, "add `target`");
            }
        }
    }

    fn mounts(&mut self, name: &str, service: &Node) {
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        let tmpfs = items(service, "tmpfs").iter().filter_map(|node| {
            let text = node.as_str()?;
            Some((text.split(':').next().unwrap_or(text), node.span))
        });
        let volumes = items(service, "volumes").iter().map(|mount| (text(mount, "target"), mount.span));
        for (target, span) in tmpfs.chain(volumes) {
            if !taken.insert(target) {
                let message = format!("service `{name}` mounts two things at `{target}`");
                self.error("mounted-twice", span, message, "give one of them another place");
            }
        }
    }

    fn secret(&mut self, name: &str, secret: &Node) {
        let is_external = secret.get("external").and_then(Node::as_bool) == Some(true);
        if !is_external && text(secret, "file").is_empty() && text(secret, "environment").is_empty() {
            let message = format!("secret `{name}` does not say where its content is");
            self.error("no-source", secret.span, message, "add `file`, `environment` or `external: true`");
        }
    }

    fn container_names(&mut self) {
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, entry) in section(self.project, "services") {
            let Some(container) = entry.node.get("container_name") else { continue };
            let Some(wanted) = container.as_str().filter(|text| !text.is_empty()) else { continue };
            if let Some(owner) = owners.insert(wanted, name) {
                let message = format!("services `{owner}` and `{name}` both want the container name `{wanted}`");
                self.error("name-not-unique", container.span, message, "give one of them another name");
            }
        }
    }

    fn cycles(&mut self) {
        if let Some((cycle, span)) = first_cycle(self.project) {
            let (message, hint) = match cycle.as_slice() {
                [one, _] => (format!("service `{one}` waits for itself"), "take it out of its own `depends_on`"),
                _ => (
                    format!("services wait for each other: {}", cycle.join(" → ")),
                    "one of them must start first: remove its dependency",
                ),
            };
            self.error("dependency-cycle", span, message, hint);
        }
    }
}

/// A circle of dependencies, with the place of the one that closes it. Walks with a list of its own instead
/// of the stack: a chain may be as long as a file.
fn first_cycle(project: &Node) -> Option<(Vec<&str>, Span)> {
    let targets = |name: &str| -> Vec<(&str, Span)> {
        let service = deep(project, &["services", name]).into_iter();
        service.flat_map(|service| section(service, "depends_on")).map(|(to, entry)| (to, entry.key_span)).collect()
    };
    let mut names: Vec<&str> = section(project, "services").map(|(name, _)| name).collect();
    names.sort_unstable();
    let mut is_done: BTreeMap<&str, bool> = BTreeMap::new();
    for start in names {
        let mut path: Vec<(&str, Vec<(&str, Span)>)> = Vec::new();
        if is_done.insert(start, false).is_none() {
            path.push((start, targets(start)));
        }
        while let Some((name, ahead)) = path.last_mut() {
            let Some((next, span)) = ahead.pop() else {
                is_done.insert(name, true);
                path.pop();
                continue;
            };
            match is_done.get(next) {
                Some(true) => {}
                Some(false) => {
                    let from = path.iter().position(|(name, _)| *name == next).unwrap_or_default();
                    let circle = path[from..].iter().map(|(name, _)| *name).chain([next]);
                    return Some((circle.collect(), span));
                }
                None => {
                    is_done.insert(next, false);
                    path.push((next, targets(next)));
                }
            }
        }
        is_done.insert(start, true);
    }
    None
}

/// What to write so that something is declared.
fn declared_by(what: &str, name: &str, key: &str) -> String {
    match what {
        "network" => {
            format!(
                "declare it at the top level: `{key}: {{ {name}: {{}} }}`, or `{name}: {{ external: true }}` when another stack makes it"
            )
        }
        "volume" if name.contains('/') => {
            format!("a folder starts with `./` or `/`: write `./{name}`; a volume has no `/` in its name")
        }
        "volume" => format!("declare it at the top level: `{key}: {{ {name}: {{}} }}`"),
        "secret" | "config" => format!("declare it at the top level: `{key}: {{ {name}: {{ file: ./{name} }} }}`"),
        "service" => {
            "check the name; for a service of another stack, name that stack: `x-mainstay: { requires: [STACK] }`"
                .to_owned()
        }
        _ => format!("declare it under `{key}`"),
    }
}

fn is_zero(node: &Node) -> bool {
    match &node.value {
        super::tree::Value::Int(value) => *value == 0,
        super::tree::Value::Float(value) => *value == 0.0,
        super::tree::Value::String(text) => text.is_empty() || text == "0",
        _ => false,
    }
}
