//! From the routes that a stack declares to the sites of the edge.

use super::site::{Answer, Proxy, Site};
use crate::declared::route::Target;
use std::collections::BTreeMap;

use crate::declared::{Attachment, Network, Route, Service};
use crate::identity::StackName;

/// So many characters of an engine's id are a name of the container on each of its networks, by the engine's own doing.
const SHORT_ID: usize = 12;

/// How the edge calls a container's port.
///
/// By the container's short id and not by its name: a container that takes over is made under another name and gets the
/// final one later, and its id is the same before and after.
pub fn upstream(container_id: &str, port: u16) -> String {
    format!("{}:{port}", short_id(container_id))
}

/// The name of a container that the engine itself gives it on each network.
pub fn short_id(container_id: &str) -> &str {
    container_id.get(..SHORT_ID).unwrap_or(container_id)
}

/// Whether an upstream is this container.
pub fn leads_to(upstream: &str, container_id: &str) -> bool {
    let id = upstream.rsplit_once(':').map_or(upstream, |(id, _)| id);
    !id.is_empty() && container_id.starts_with(id)
}

/// The port that the routes of a service lead to: the first, when there are several.
pub fn routed_port(service: &Service) -> Option<u16> {
    service.routes.iter().find_map(|route| match route.to {
        Target::Port { port } => Some(port),
        Target::Redirect { .. } => None,
    })
}

/// The network on which the edge meets a service: one that is called `edge`, else `default`, else the first that leads
/// out, else the first. `None` when nothing is led to it.
pub fn meeting_place<'s>(service: &'s Service, networks: &BTreeMap<String, Network>) -> Option<&'s Attachment> {
    let rank = |attachment: &&Attachment| match attachment.key.as_str() {
        "edge" => 0,
        "default" => 1,
        key if networks.get(key).is_some_and(|network| !network.internal) => 2,
        _ => 3,
    };
    routed_port(service)?;
    service.attachments.iter().min_by_key(rank)
}

/// The site of one route. `ids` are the containers that serve it, in the order of their numbers.
pub fn site(stack: &StackName, service: &Service, route: &Route, ids: &[String]) -> Site {
    let handling = &route.handling;
    let answer = match (&route.to, &handling.maintenance) {
        (_, Some(page)) => Answer::Maintenance { page: page.clone() },
        (Target::Port { port }, None) => Answer::Proxy(Proxy {
            upstreams: ids.iter().map(|id| upstream(id, *port)).collect(),
            protocol: handling.protocol,
            strip_path: handling.strip_path,
            sticky_cookie: handling.sticky_cookie.clone(),
        }),
        (Target::Redirect { redirect, status }, None) => Answer::Redirect { to: redirect.clone(), status: *status },
    };
    Site {
        stack: stack.clone(),
        service: service.name.clone(),
        host: route.host.clone(),
        path: route.path.clone(),
        answer,
        headers: handling.headers.clone(),
        accounts: handling.accounts.clone(),
        max_body_bytes: handling.max_body_bytes,
        access_log: handling.access_log,
    }
}
