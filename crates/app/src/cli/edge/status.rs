//! `mainstay edge status`

use std::process::ExitCode;

use mainstay_model::edge::{Answer, Site};
use serde::Serialize;

use super::of;
use crate::boot::Boot;
use crate::problem::{Kind, Outcome, Problem};
use crate::ui::{Cell, Table, Tone};

/// What `--json` gives.
#[derive(Serialize)]
struct Status<'a> {
    container: &'a str,
    http_port: u16,
    https_port: u16,
    answers: bool,
    /// Whether it serves what it was told last.
    as_told: bool,
    routes: Vec<Route<'a>>,
}

#[derive(Serialize)]
struct Route<'a> {
    address: String,
    stack: &'a str,
    service: &'a str,
    leads_to: Vec<String>,
}

pub(super) async fn run(boot: &Boot) -> Outcome {
    let edge = of(boot);
    let settings = edge.settings()?;
    let seen = edge.seen().await?;
    if boot.ui.json {
        boot.ui.json_document(&Status {
            container: &seen.container,
            http_port: settings.http_port,
            https_port: settings.https_port,
            answers: seen.answers,
            as_told: seen.is_as_told,
            routes: seen.sites.iter().map(route).collect(),
        })?;
    } else if !seen.sites.is_empty() {
        let mut table = Table::new(&["ADDRESS", "STACK", "SERVICE", "LEADS TO"]);
        for site in &seen.sites {
            let route = route(site);
            let leads_to = match route.leads_to.as_slice() {
                [] => Cell::new(Tone::Warn, "nothing"),
                some => some.join(", ").into(),
            };
            table.row(vec![route.address.into(), route.stack.into(), route.service.into(), leads_to]);
        }
        boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    }
    let ports = format!("ports {} and {}", settings.http_port, settings.https_port);
    match (seen.answers, seen.is_as_told) {
        (false, _) => {
            Err(Problem::new(Kind::World, "edge-away", format!("the edge `{}` does not answer", seen.container))
                .hint("`mainstay edge up` brings it up; `docker logs` of its container shows what it says"))
        }
        (true, false) => {
            Err(Problem::new(Kind::Drift, "edge-differs", "the edge serves something else than it was told")
                .hint("`mainstay edge up` tells it again; so does a restart of its container"))
        }
        (true, true) => {
            boot.ui.talk(&format!("the edge `{}` serves this on {ports}", seen.container));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn route(site: &Site) -> Route<'_> {
    let leads_to = match &site.answer {
        Answer::Proxy(proxy) => proxy.upstreams.clone(),
        Answer::Redirect { to, status } => vec![format!("{to} ({status})")],
        Answer::Maintenance { .. } => vec!["maintenance page".to_owned()],
    };
    Route { address: site.address(), stack: site.stack.as_str(), service: site.service.as_str(), leads_to }
}
