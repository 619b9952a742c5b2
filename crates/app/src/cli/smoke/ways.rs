//! How checks reach the edge: this machine's own, or the one that a flag names.

use std::net::{IpAddr, SocketAddr};

use mainstay_engine::smoke::{Door, Ways};
use mainstay_model::smoke::{Check, Whence};

use super::SmokeArgs;
use crate::boot::Boot;
use crate::cli::edge;
use crate::problem::Problem;

const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// The ways that these checks need.
///
/// # Errors
/// When a flag cannot be understood, or the edge's settings cannot be read. That there is no edge is no error.
pub(super) async fn find(boot: &Boot, args: &SmokeArgs, checks: &[Check]) -> Result<Ways, Problem> {
    let named = args.edge.as_deref().map(door).transpose()?;
    // A name that only this machine has may be signed by the edge, wherever it is asked from.
    let needs_edge = |check: &Check| check.from != Whence::Outside || check.url.is_of_this_machine();
    let mut ways = if checks.iter().any(needs_edge) { Ways::to(edge::of(boot)).await? } else { Ways::default() };
    ways.edge = named.or(ways.edge);
    if let Some(path) = &args.edge_root {
        let path = boot.environment.working_directory.join(path);
        ways.root = Some(std::fs::read_to_string(&path).map_err(|error| {
            let message = format!("the root certificate `{}` cannot be read", path.display());
            Problem::usage("edge-root", message).caused_by(&error)
        })?);
    }
    Ok(ways)
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
    fn an_edge_must_be_named_by_its_address() {
        let https = |text: &str| door(text).map(|door| door.https.to_string()).ok();
        assert_eq!(https("10.0.0.7").as_deref(), Some("10.0.0.7:443"));
        assert_eq!(https("127.0.0.1:8443").as_deref(), Some("127.0.0.1:8443"));
        assert_eq!(https("[::1]").as_deref(), Some("[::1]:443"));
        assert_eq!(https("localhost:443"), None);
    }
}
