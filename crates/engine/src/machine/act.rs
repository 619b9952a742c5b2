//! One step on the host: what the edge does here, everything else by the engine.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use mainstay_model::declared::Declared;
use mainstay_model::edge::{Site, wanted};
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::plan::{Action, PlannedRoute, Step, Target};

use super::Machine;
use super::backups::BackingUp;
use super::databases::Migrating;
use super::smoke::Asking;
use crate::docker::{ExecOptions, id_of};
use crate::edge::Change;
use crate::reconcile::Watched;
use crate::world::{Acted, Context, Progress, World, WorldError};

/// So many of the last lines of a container are kept when it goes.
const KEPT_LINES: u32 = 10_000;
/// So many files of such lines are kept of a stack.
const KEPT_FILES: usize = 50;
/// How often the connections of a container that finishes are counted.
const COUNT_EVERY: Duration = Duration::from_millis(250);

impl Machine {
    pub(super) async fn do_action(
        &self,
        step: &Step,
        context: &Context,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        match &step.action {
            Action::Probe { target, question, within_secs, stable_ms } => {
                let patience = super::probe::Patience {
                    within: Duration::from_secs(*within_secs),
                    stable: Duration::from_millis(*stable_ms),
                };
                self.probe(id_of(target, context)?, &target.name, question, patience, progress).await
            }
            Action::Commit { tells_edge: false, .. } => Ok(Acted::default()),
            Action::Commit { routes, kept, tells_edge: true, .. } => self.commit(routes, kept, context).await,
            Action::Drain { target, within_secs } => self.drain(target, *within_secs, context, progress).await,
            Action::Unroute { .. } => {
                self.edge.unroute(&context.stack).await?;
                Ok(Acted::default())
            }
            Action::Smoke { stage, checks, preview, kept } => {
                self.smoke(&Asking { stage: *stage, checks, preview, kept }, context, progress).await
            }
            Action::LeadBack { .. } => {
                self.edge.lead_back(&context.stack).await?;
                Ok(Acted { detail: Some("the edge took it".into()), ..Acted::default() })
            }
            Action::ClosePreview => {
                self.edge.close_preview(&context.stack).await?;
                Ok(Acted::default())
            }
            Action::Migrate { database, at, files, .. } => {
                self.migrate(&Migrating { database, at: at.as_ref(), files }, context, progress).await
            }
            Action::BackUp { database, at, .. } => {
                self.back_up(&BackingUp { database, at: at.as_ref() }, context, progress).await
            }
            Action::MakeBucket { bucket, at, .. } => self.make_bucket(bucket, at.as_ref(), context, progress).await,
            Action::KeepLogs { target } => self.keep_logs(id_of(target, context)?, target, context).await,
            Action::StartContainer { .. } if self.is_edge(&context.stack)? => {
                // Caddy starts with what is written down for it.
                self.edge.make_ready().await?;
                World::act(&self.docker, step, context, progress).await
            }
            _ => World::act(&self.docker, step, context, progress).await,
        }
    }

    /// What a container has said, as a file for its owner's eyes.
    async fn keep_logs(&self, id: &str, target: &Target, context: &Context) -> Result<Acted, WorldError> {
        let lines = self.docker.last_lines(id, KEPT_LINES).await;
        let folder = self.logs.join(context.stack.as_str());
        let file = folder.join(format!("{}-{}.log", target.name, id.get(..12).unwrap_or(id)));
        let write = || {
            use std::io::Write as _;
            use std::os::unix::fs::OpenOptionsExt as _;
            std::fs::create_dir_all(&folder)?;
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&file)?;
            lines.iter().try_for_each(|line| writeln!(file, "{}", context.redactions.clean(line)))?;
            keep_the_newest(&folder)
        };
        // A full disk must not keep the old release from coming back.
        let detail = match write() {
            Ok(()) => format!("{} in `{}`", super::lines(lines.len()), file.display()),
            Err(error) => format!("not kept: {error}"),
        };
        Ok(Acted { detail: Some(detail), ..Acted::default() })
    }

    fn is_edge(&self, stack: &StackName) -> Result<bool, WorldError> {
        Ok(self.edge.settings()?.name == stack.as_str())
    }

    async fn commit(
        &self,
        routes: &[PlannedRoute],
        kept: &[ServiceName],
        context: &Context,
    ) -> Result<Acted, WorldError> {
        let declared = context.declared.as_deref().ok_or_else(|| WorldError::new("a commit needs a declaration"))?;
        let sites: Result<Vec<Site>, WorldError> =
            routes.iter().map(|route| site_of(route, declared, context)).collect();
        let services = declared.services.values();
        let networks = services.filter_map(|service| wanted::meeting_place(service, &declared.networks));
        let networks = networks.map(|attachment| attachment.network.clone()).collect();
        let change = Change { stack: context.stack.clone(), sites: sites?, kept: kept.to_vec(), networks };
        self.edge.change(change).await?;
        Ok(Acted { detail: Some("the edge took it".into()), ..Acted::default() })
    }

    /// Waits until the edge has no connection with a container any more.
    async fn drain(
        &self,
        target: &Target,
        within_secs: u64,
        context: &Context,
        progress: &Progress,
    ) -> Result<Acted, WorldError> {
        let until = Instant::now() + Duration::from_secs(within_secs);
        let glance = self.docker.glance(id_of(target, context)?).await?;
        let container = glance.map(|glance| glance.container);
        let addresses: Vec<String> = container
            .iter()
            .flat_map(|container| &container.endpoints)
            .filter_map(|endpoint| endpoint.ipv4_address.clone())
            .collect();
        loop {
            // A request that was led to it in the last moment has not connected yet.
            let left = until.saturating_duration_since(Instant::now());
            tokio::time::sleep(COUNT_EVERY.min(left)).await;
            let open = match self.connections(&addresses).await {
                Ok(0) => return Ok(Acted { detail: Some("nothing under way".into()), ..Acted::default() }),
                Ok(1) => "1 connection under way".to_owned(),
                Ok(several) => format!("{several} connections under way"),
                // It cannot be counted, so the time is waited out.
                Err(_) => "waiting".to_owned(),
            };
            progress.tell(format!("{}: {open}", target.name));
            if Instant::now() >= until {
                return Ok(Acted { detail: Some(open), ..Acted::default() });
            }
        }
    }

    /// How many connections the edge has to these addresses, by its own table of connections.
    async fn connections(&self, addresses: &[String]) -> Result<usize, WorldError> {
        let edge = self.edge.settings()?.container();
        let command = ["cat", "/proc/net/tcp"].map(str::to_owned).to_vec();
        let mut exec = self.docker.exec(&edge, ExecOptions { command, ..ExecOptions::default() }).await?;
        let mut table = Vec::new();
        while let Some(piece) = exec.output.next().await {
            table.extend_from_slice(&piece?.bytes);
        }
        established(&String::from_utf8_lossy(&table), addresses)
            .ok_or_else(|| WorldError::new(format!("`{edge}` does not show its connections")))
    }
}

/// Logs of releases that failed long ago are worth nobody's disk.
fn keep_the_newest(folder: &Path) -> std::io::Result<()> {
    let mut files = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        files.push((file.metadata()?.modified()?, file.path()));
    }
    files.sort();
    files.iter().rev().skip(KEPT_FILES).try_for_each(|(_, path)| std::fs::remove_file(path))
}

pub(super) fn site_of(route: &PlannedRoute, declared: &Declared, context: &Context) -> Result<Site, WorldError> {
    let undeclared = || WorldError::new(format!("the route `{}` is not declared in what is applied", route.address()));
    let service = declared.services.get(&route.service).ok_or_else(undeclared)?;
    let mut routes = service.routes.iter();
    let found = routes.find(|found| (&found.host, &found.path) == (&route.host, &route.path)).ok_or_else(undeclared)?;
    let ids: Result<Vec<String>, WorldError> =
        route.to.iter().map(|target| id_of(target, context).map(str::to_owned)).collect();
    Ok(wanted::site(&declared.stack, service, found, &ids?))
}

/// Counts the established connections to one of the addresses in the text of `/proc/net/tcp`. `None` when they cannot
/// be counted: the text is another one, or there is no address that it would show.
fn established(table: &str, addresses: &[String]) -> Option<usize> {
    const ESTABLISHED: &str = "01";
    let wanted: Vec<String> = addresses.iter().filter_map(|address| in_hex(address)).collect();
    if wanted.is_empty() || !table.lines().next()?.contains("rem_address") {
        return None;
    }
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let open = rows.filter(|row| row.get(3) == Some(&ESTABLISHED)).filter(|row| {
        row.get(2).and_then(|peer| peer.split(':').next()).is_some_and(|ip| wanted.iter().any(|w| w == ip))
    });
    Some(open.count())
}

/// As the kernel writes an IPv4 address: its four bytes the other way round.
fn in_hex(address: &str) -> Option<String> {
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    let [a, b, c, d] = address.octets();
    Some(format!("{d:02X}{c:02X}{b:02X}{a:02X}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_by_their_peer() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
            0: 020013AC:0050 030013AC:1F90 01 00000000\n\
            1: 020013AC:0051 030013AC:1F90 06 00000000\n\
            2: 020013AC:0052 040013AC:1F90 01 00000000\n";
        assert_eq!(established(table, &["172.19.0.3".into()]), Some(1));
        assert_eq!(established(table, &["172.19.0.3".into(), "172.19.0.4".into()]), Some(2));
        assert_eq!(established(table, &["172.19.0.9".into()]), Some(0));
    }

    #[test]
    fn what_cannot_be_counted_is_not_taken_for_nothing() {
        let table = "  sl  local_address rem_address   st tx_queue\n";
        assert_eq!(established(table, &[]), None, "on an IPv6 network alone");
        assert_eq!(established(table, &["fd00::3".into()]), None);
        assert_eq!(established("", &["172.19.0.3".into()]), None);
        assert_eq!(established("exec: \"cat\": executable file not found\n", &["172.19.0.3".into()]), None);
    }
}
