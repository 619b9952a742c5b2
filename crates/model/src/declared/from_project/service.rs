//! A service: what runs, how many of it, and after whom.

use std::collections::BTreeMap;

use super::place::Place;
use super::{Project, build, container, networks, x_mainstay};
use crate::compose::Diagnostic;
use crate::declared::{Condition, Dependency, Network, PullPolicy, Service, Volume};
use crate::identity::ServiceName;

/// Every service of the project. One with complaints is read all the same: its other complaints come along.
pub(super) fn all(
    project: &Project,
    networks: &BTreeMap<String, Network>,
    volumes: &BTreeMap<String, Volume>,
) -> BTreeMap<ServiceName, Service> {
    let Some(services) = project.root.child("services") else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (name, place) in services.children() {
        match ServiceName::new(name) {
            Ok(name) => {
                let service = one(project, &name, &place, networks, volumes);
                found.insert(name, service);
            }
            Err(problem) => place.say(Diagnostic::error("bad-name", place.span, problem.to_string())),
        }
    }
    found
}

fn one(
    project: &Project,
    name: &ServiceName,
    place: &Place,
    networks: &BTreeMap<String, Network>,
    volumes: &BTreeMap<String, Volume>,
) -> Service {
    x_mainstay::of_service(place);
    let build = place.child("build").map(|build| build::read(project, name, &build));
    let replicas = replicas(place);
    let network_mode = networks::mode(project, place);
    let attachments = networks::attachments(project, name, place, &network_mode, networks);
    let container = container::read(project, place, volumes);
    Service {
        name: name.clone(),
        image: image(project, name, place, build.is_some()),
        build,
        pull_policy: pull_policy(place),
        platform: place.word("platform"),
        replicas,
        container_name: container_name(place, replicas),
        depends_on: depends_on(project, name, place),
        network_mode,
        attachments,
        container,
    }
}

/// The reference of the image; a built one without a name of its own gets Compose's.
fn image(project: &Project, name: &ServiceName, place: &Place, is_built: bool) -> String {
    match place.word("image") {
        Some(image) => image,
        None => {
            if !is_built && place.child("provider").is_none() {
                place.say(
                    Diagnostic::error(
                        "no-image",
                        place.span,
                        format!("service `{name}` has neither `image` nor `build`"),
                    )
                    .hint("name the image that it runs, or the folder that it is built from"),
                );
            }
            format!("{}-{name}", project.stack)
        }
    }
}

/// `deploy.replicas` wins over `scale`; both missing means one.
fn replicas(place: &Place) -> u32 {
    let deploy = place.child("deploy");
    if let Some(mode) = deploy.as_ref().and_then(|deploy| deploy.child("mode"))
        && mode.as_text().is_some_and(|text| text != "replicated")
    {
        mode.warn(
            "not-honoured",
            "is not honoured: on one machine a service runs as a replicated one, and Compose does the same",
        );
    }
    deploy.and_then(|deploy| deploy.int("replicas")).or_else(|| place.int("scale")).unwrap_or(1)
}

fn container_name(place: &Place, replicas: u32) -> Option<String> {
    let name = place.word("container_name")?;
    if replicas > 1
        && let Some(child) = place.child("container_name")
    {
        child.say(
            Diagnostic::error(
                "bad-value",
                child.span,
                format!("`{}` is `{name}`, and {replicas} containers cannot share one name", child.path),
            )
            .hint("remove `container_name`, or run one replica"),
        );
    }
    Some(name)
}

fn pull_policy(place: &Place) -> PullPolicy {
    let Some(child) = place.child("pull_policy") else { return PullPolicy::default() };
    match child.as_text().unwrap_or_default().as_str() {
        "" | "missing" | "if_not_present" => PullPolicy::Missing,
        "always" => PullPolicy::Always,
        "never" => PullPolicy::Never,
        "build" => PullPolicy::Build,
        text if text == "daily" || text == "weekly" || text.starts_with("every_") => {
            child.warn(
                "not-honoured",
                format!("is `{text}`, which is not honoured: the image is pulled when it is missing, or when `--pull` asks for it"),
            );
            PullPolicy::Missing
        }
        text => {
            child.refuse(format!("is `{text}`, and must be `missing`, `always`, `never` or `build`"));
            PullPolicy::default()
        }
    }
}

fn depends_on(project: &Project, name: &ServiceName, place: &Place) -> BTreeMap<ServiceName, Dependency> {
    let Some(child) = place.child("depends_on") else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (other, entry) in child.children() {
        let dependency = Dependency {
            condition: condition(&entry),
            restart: entry.flag("restart"),
            required: entry.child("required").and_then(|required| required.as_flag()).unwrap_or(true),
        };
        if other == name.as_str() {
            entry.refuse("makes the service wait for itself");
        } else if is_service(project, other) {
            found.extend(ServiceName::new(other).ok().map(|other| (other, dependency)));
        } else if dependency.required {
            entry.say(missing_service(&entry, other));
        } else {
            entry.warn("dependency-off", "names a service that is not active; it is not required, and not waited for");
        }
    }
    found
}

fn condition(entry: &Place) -> Condition {
    let Some(child) = entry.child("condition") else { return Condition::Started };
    match child.as_text().unwrap_or_default().as_str() {
        "service_started" => Condition::Started,
        "service_healthy" => Condition::Healthy,
        "service_completed_successfully" => Condition::Completed,
        text => {
            child.refuse(format!(
                "is `{text}`, and must be `service_started`, `service_healthy` or `service_completed_successfully`"
            ));
            Condition::Started
        }
    }
}

/// Whether an active service of the project has the name.
pub(super) fn is_service(project: &Project, name: &str) -> bool {
    project.root.node.get("services").is_some_and(|services| services.get(name).is_some())
}

/// The complaint about a reference to a service that is not there.
pub(super) fn missing_service(place: &Place, name: &str) -> Diagnostic {
    let message = format!("`{}` names the service `{name}`, which is not declared or not active", place.path);
    Diagnostic::error("no-such-service", place.span, message).hint("check the name, and the active profiles")
}
