//! All sites of one edge, each host and path once, in the order in which they are tried.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::{EdgeSettings, Site};

/// What the edge of a host serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    pub settings: EdgeSettings,
    /// The more exact one first: names before wildcards, longer paths before shorter ones.
    sites: Vec<Site>,
}

/// One host and path that two services claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{host}{path}` leads to `{}` of stack `{}` and to `{}` of stack `{}`",
    first.1, first.0, second.1, second.0
)]
pub struct Conflict {
    pub host: String,
    pub path: String,
    /// Stack and service.
    pub first: (String, String),
    pub second: (String, String),
}

impl RouteTable {
    /// The table of these sites, whatever order they come in.
    ///
    /// # Errors
    /// Every host and path that is claimed twice. Which of two claims wins must never depend on who came last.
    pub fn new(settings: EdgeSettings, mut sites: Vec<Site>) -> Result<RouteTable, Vec<Conflict>> {
        sites.sort_by(|a, b| rank(a).cmp(&rank(b)));
        let conflicts: Vec<Conflict> = sites
            .windows(2)
            .filter(|pair| (&pair[0].host, &pair[0].path) == (&pair[1].host, &pair[1].path))
            .map(|pair| Conflict {
                host: pair[0].host.clone(),
                path: pair[0].path.clone(),
                first: owner(&pair[0]),
                second: owner(&pair[1]),
            })
            .collect();
        if conflicts.is_empty() { Ok(RouteTable { settings, sites }) } else { Err(conflicts) }
    }

    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The hosts, each with its sites, in the order of the table.
    pub fn hosts(&self) -> Vec<(&str, &[Site])> {
        self.sites.chunk_by(|a, b| a.host == b.host).map(|sites| (sites[0].host.as_str(), sites)).collect()
    }
}

fn rank(site: &Site) -> (bool, &str, Reverse<usize>, &str, &str, &str) {
    let is_wildcard = site.host.starts_with("*.");
    (is_wildcard, &site.host, Reverse(site.path.len()), &site.path, site.stack.as_str(), site.service.as_str())
}

fn owner(site: &Site) -> (String, String) {
    (site.stack.to_string(), site.service.to_string())
}
