//! How checks reach the edge of this machine: where its container is published, and whom it is signed by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mainstay_engine::edge::Edge;
use mainstay_engine::smoke::{Door, Ways};
use mainstay_model::edge::stack::{SERVICE, STACK};
use mainstay_model::identity::StackName;
use mainstay_model::observed::{Container, Scope, State};
use mainstay_model::smoke::{Check, Whence};

use super::SmokeArgs;
use crate::boot::{Boot, engine};
use crate::problem::Problem;

/// The folder that the edge shares with Mainstay, in the state folder.
const FOLDER: &str = "edge";
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// The ways that these checks need.
///
/// # Errors
/// When a flag cannot be understood. That there is no edge is no error.
pub(super) async fn find(boot: &Boot, args: &SmokeArgs, checks: &[Check]) -> Result<Ways, Problem> {
    let mut ways = Ways { edge: args.edge.as_deref().map(door).transpose()?, ..Ways::default() };
    if checks.iter().all(|check| check.from == Whence::Outside) && args.edge_root.is_none() {
        return Ok(ways);
    }
    let folder = boot.settings.state_dir.join(FOLDER);
    let edge = folder.is_dir().then(|| Edge::at(folder));
    if ways.edge.is_none() {
        ways.edge = running(boot).await.as_ref().and_then(published);
    }
    ways.root = match (&args.edge_root, &edge) {
        (Some(path), _) => {
            let path = boot.environment.working_directory.join(path);
            Some(std::fs::read_to_string(&path).map_err(|error| {
                let message = format!("the root certificate `{}` cannot be read", path.display());
                Problem::usage("edge-root", message).caused_by(&error)
            })?)
        }
        // An edge whose every name is public has no authority of its own; then nothing needs it.
        (None, Some(edge)) => edge.root_certificate().await.ok(),
        (None, None) => None,
    };
    ways.probe = edge;
    Ok(ways)
}

/// The edge's container, where an engine answers and it runs.
async fn running(boot: &Boot) -> Option<Container> {
    let docker = boot.docker().await.ok()?;
    let observed = engine::look(&docker, &Scope::of_stack(StackName::new(STACK).ok()?)).await.ok()?;
    let is_edge = |one: &Container| {
        one.state == State::Running && one.service.as_ref().is_some_and(|service| service.as_str() == SERVICE)
    };
    observed.containers.into_iter().find(is_edge)
}

fn published(container: &Container) -> Option<Door> {
    let https = port(&container.ports, HTTPS)?;
    let http = port(&container.ports, HTTP).unwrap_or(SocketAddr::new(https.ip(), HTTP));
    Some(Door { http, https })
}

/// Where a port of a container is published: `0.0.0.0:8443->443/tcp` is reached on this machine at 127.0.0.1:8443.
fn port(ports: &[String], inside: u16) -> Option<SocketAddr> {
    let wanted = format!("{inside}/tcp");
    let found = ports.iter().filter_map(|port| port.split_once("->")).filter(|(_, target)| *target == wanted);
    let mut found: Vec<SocketAddr> = found.filter_map(|(host, _)| host.parse().ok()).map(reachable).collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied()
}

/// An address that stands for all is asked at the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// `--edge 10.0.0.7`, `--edge 127.0.0.1:8443`: plain HTTP is then asked at port 80 of the same address.
fn door(text: &str) -> Result<Door, Problem> {
    let with_port = text.parse::<SocketAddr>().ok();
    let bare = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let https = with_port.or_else(|| bare.map(|ip| SocketAddr::new(ip, HTTPS))).ok_or_else(|| {
        Problem::usage("bad-address", format!("`--edge {text}` is no address"))
            .hint("write it with numbers: `--edge 127.0.0.1:8443`, `--edge 10.0.0.7`, `--edge [::1]:443`")
    })?;
    Ok(Door { http: SocketAddr::new(https.ip(), HTTP), https })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_must_be_asked_where_this_machine_reaches_it() {
        let at = |ports: &[&str], inside| {
            let ports: Vec<String> = ports.iter().map(|port| (*port).to_owned()).collect();
            port(&ports, inside).map(|address| address.to_string())
        };
        let both = ["[::]:8443->443/tcp", "0.0.0.0:8443->443/tcp", "0.0.0.0:8443->443/udp", "10.0.0.7:80->80/tcp"];
        assert_eq!(at(&both, 443).as_deref(), Some("127.0.0.1:8443"));
        assert_eq!(at(&both, 80).as_deref(), Some("10.0.0.7:80"));
        assert_eq!(at(&["[::]:443->443/tcp"], 443).as_deref(), Some("[::1]:443"));
        assert_eq!(at(&["nonsense", "0.0.0.0:1->1443/tcp"], 443), None);
    }

    #[test]
    fn an_edge_must_be_named_by_its_address() {
        let https = |text: &str| door(text).map(|door| door.https.to_string()).ok();
        assert_eq!(https("10.0.0.7").as_deref(), Some("10.0.0.7:443"));
        assert_eq!(https("127.0.0.1:8443").as_deref(), Some("127.0.0.1:8443"));
        assert_eq!(https("[::1]").as_deref(), Some("[::1]:443"));
        assert_eq!(https("localhost:443"), None);
    }
}
