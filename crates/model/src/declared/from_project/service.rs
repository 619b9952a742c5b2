//! A service: what runs, how many of it, and after whom.

use std::collections::BTreeMap;

use super::place::Place;
use super::{Project, build, container, doubts, mounts, networks, watch, x_mainstay};
use crate::compose::Diagnostic;
use crate::declared::{Condition, Dependency, Network, PullPolicy, Service, Volume};
use crate::identity::{ServiceName, container_name as container_name_of};

/// Every service of the project. One with complaints is read all the same: its other complaints come along.
pub(super) fn all(
    project: &Project,
    networks: &BTreeMap<String, Network>,
    volumes: &BTreeMap<String, Volume>,
) -> BTreeMap<ServiceName, Service> {
    let Some(services) = project.root.child("services") else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    doubts::of_ports(&services.children(), wanted_replicas);
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
    doubts::of_service(place);
    let build = place.child("build").map(|build| build::read(project, name, &build));
    let replicas = replicas(place);
    let network_mode = networks::mode(project, place);
    let attachments = networks::attachments(project, name, place, &network_mode, networks);
    let container = container::read(project, place, volumes);
    let words = x_mainstay::of_service(place, &container);
    if let Some(probe) = place.child(x_mainstay::KEY).and_then(|words| words.child("probe")) {
        super::probe::must_be_reachable(&probe, &network_mode);
    }
    // No part of what is declared; but what is wrong with them is told here, with all the rest.
    let _ = watch::rules(place);
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
        routes: words.routes,
        probe: words.probe,
        rollout: words.rollout,
        files: mounts::files(place),
        unwaited: words.unwaited,
        compose_hash: String::new(),
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
    let wanted = wanted_replicas(place);
    if wanted > MOST_REPLICAS {
        place.refuse(format!("asks for {wanted} replicas, and one machine is given {MOST_REPLICAS} at most"));
    }
    wanted.min(MOST_REPLICAS)
}

/// More containers than an engine holds: a slip that would only be noticed by the machine.
const MOST_REPLICAS: u32 = 1000;

fn wanted_replicas(place: &Place) -> u32 {
    let deployed = place.child("deploy").and_then(|deploy| deploy.int("replicas"));
    deployed.or_else(|| place.int("scale")).unwrap_or(1)
}

/// The names that the containers of a service will have.
pub(super) fn container_names(project: &Project, name: &ServiceName, place: &Place) -> Vec<String> {
    match place.word("container_name") {
        Some(fixed) => vec![fixed],
        None => {
            let replicas = wanted_replicas(place).min(MOST_REPLICAS);
            (1..=replicas).map(|number| container_name_of(&project.stack, name, number)).collect()
        }
    }
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

#[cfg(test)]
mod tests {
    use super::super::testing::{declared, refused, warned, web, web_project};
    use super::*;

    fn service(keys: &str) -> Service {
        web(keys).services.into_values().next().expect("the project has a service")
    }

    #[test]
    fn an_image_is_taken_as_written() {
        let image = "ghcr.io/acme/web:1.2@sha256:0123";
        let project = declared(&format!(r#"{{"services": {{"web": {{"image": "{image}"}}}}}}"#));
        assert_eq!(project.services.values().next().map(|service| service.image.as_str()), Some(image));
    }

    #[test]
    fn a_built_service_without_an_image_is_named_after_stack_and_service() {
        let project = declared(r#"{"services": {"web": {"build": {"context": "/srv/shop"}}}}"#);
        let service = project.services.values().next().expect("the project has a service");
        assert_eq!(service.image, "shop-web");
        assert_eq!(service.build.as_ref().map(|build| build.context.as_str()), Some("/srv/shop"));
    }

    #[test]
    fn a_service_with_neither_image_nor_build_is_refused() {
        assert_eq!(
            refused(r#"{"services": {"web": {}}}"#),
            [
                "service `web` has neither `image` nor `build` (name the image that it runs, or the folder that it is built from)"
            ]
        );
    }

    #[test]
    fn deploy_replicas_win_over_scale() {
        assert_eq!(service(r#""scale": 3"#).replicas, 3);
        assert_eq!(service(r#""scale": 3, "deploy": {"replicas": 2}"#).replicas, 2);
        assert_eq!(service(r#""deploy": {"replicas": 0}"#).replicas, 0);
        assert_eq!(service(r#""tty": false"#).replicas, 1);
        assert_eq!(refused(&web_project(r#""scale": 4000000000"#)).len(), 1);
    }

    #[test]
    fn a_fixed_container_name_is_for_one_container_only() {
        assert_eq!(service(r#""container_name": "front""#).container_name.as_deref(), Some("front"));
        assert_eq!(
            refused(&web_project(r#""container_name": "front", "scale": 2"#)),
            [
                "`services.web.container_name` is `front`, and 2 containers cannot share one name (remove `container_name`, or run one replica)"
            ]
        );
    }

    #[test]
    fn pull_policies_have_their_compose_names() {
        assert_eq!(service(r#""pull_policy": "if_not_present""#).pull_policy, PullPolicy::Missing);
        assert_eq!(service(r#""pull_policy": "always""#).pull_policy, PullPolicy::Always);
        assert_eq!(service(r#""pull_policy": "never""#).pull_policy, PullPolicy::Never);
        assert_eq!(service(r#""pull_policy": "build""#).pull_policy, PullPolicy::Build);
        assert_eq!(warned(&web_project(r#""pull_policy": "every_12h""#)).len(), 1);
        assert_eq!(refused(&web_project(r#""pull_policy": "sometimes""#)).len(), 1);
    }

    #[test]
    fn dependencies_keep_their_condition() {
        let project = declared(
            r#"{"services": {
                "db": {"image": "postgres"},
                "web": {"image": "nginx", "depends_on": {
                    "db": {"condition": "service_healthy", "required": true, "restart": true}}}}}"#,
        );
        let web = &project.services[&ServiceName::new("web").expect("a name")];
        let db = ServiceName::new("db").expect("a name");
        let expected = Dependency { condition: Condition::Healthy, restart: true, required: true };
        assert_eq!(web.depends_on, BTreeMap::from([(db, expected)]));
    }

    #[test]
    fn a_dependency_on_nobody_is_refused_unless_it_is_not_required() {
        let keys = |required: bool| {
            web_project(&format!(
                r#""depends_on": {{"db": {{"condition": "service_started", "required": {required}}}}}"#
            ))
        };
        assert_eq!(
            refused(&keys(true)),
            [
                "`services.web.depends_on.db` names the service `db`, which is not declared or not active (check the name, and the active profiles)"
            ]
        );
        assert_eq!(
            warned(&keys(false)),
            ["`services.web.depends_on.db` names a service that is not active; it is not required, and not waited for"]
        );
    }

    #[test]
    fn every_complaint_comes_at_once() {
        let found = refused(&web_project(r#""pull_policy": "sometimes", "cpus": "many", "user": ["a"], "kitchen": 1"#));
        assert_eq!(found.len(), 4, "{found:#?}");
    }
}
