//! `mainstay ps`

use std::process::ExitCode;

use clap::Args;
use mainstay_engine::timetable;
use mainstay_model::identity::StackName;
use mainstay_model::observed::{Container, Health, Scope, State};

use super::chosen::{self, Chosen};
use super::up::{ServiceArg, services};
use crate::boot::{Boot, engine};
use crate::client::Memory;
use crate::problem::{Outcome, Problem};
use crate::ui::since::ago;
use crate::ui::{Cell, Table, Tone};

/// Show a stack's containers: state, health, ports and networks.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mainstay ps                      the stack of this folder\n  mainstay ps web db               only these services\n  mainstay ps --all                every stack that is known here\n  mainstay ps --json | jq -r '.[] | select(.health != \"healthy\") | .name'"
)]
pub struct Ps {
    /// Only these services
    #[arg(value_name = "SERVICE", conflicts_with = "all")]
    services: Vec<ServiceArg>,
    /// Every stack that is known here
    #[arg(long, short, conflicts_with = "stack")]
    all: bool,
}

impl Ps {
    /// Whether it shows every stack.
    pub fn is_about_all(&self) -> bool {
        self.all
    }
}

pub async fn run(boot: &Boot, args: Ps) -> Outcome {
    let wanted = services(&args.services);
    let stacks = if args.all { known(boot).await? } else { chosen::stacks(boot)? };
    chosen::must_have(boot, &stacks, &wanted).await?;
    let names: Vec<StackName> = stacks.iter().map(|stack| stack.name.clone()).collect();
    let docker = boot.docker().await?;
    let mut containers = Vec::new();
    let mut strangers = Vec::new();
    for Chosen { name, container_names, .. } in &stacks {
        let mut scope = Scope::of_stack(name.clone());
        scope.container_names.extend(container_names.keys().cloned());
        let observed = engine::look(&docker, &scope).await?;
        for trouble in &observed.unreadable {
            boot.ui.warn(trouble);
        }
        let is_wanted =
            |one: &Container| wanted.is_empty() || one.service.as_ref().is_some_and(|service| wanted.contains(service));
        // A name of a service that somebody else's container has is why the service is not there.
        let (own, others): (Vec<_>, Vec<_>) =
            observed.containers.into_iter().partition(|one| one.stack.as_ref() == Some(name));
        let stands_for = |mut one: Container| {
            let service = container_names.get(&one.name)?;
            strangers.push((one.name.clone(), name.clone()));
            one.service = Some(service.clone());
            Some(one)
        };
        let others: Vec<Container> = others.into_iter().filter_map(stands_for).collect();
        containers.extend(own.into_iter().chain(others).filter(is_wanted));
    }
    if boot.ui.json {
        boot.ui.json_document(&containers)?;
        return Ok(ExitCode::SUCCESS);
    }
    if containers.is_empty() {
        chosen::must_be_known(boot, &names).await?;
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        boot.ui.talk(&format!(
            "no containers of {}",
            if names.is_empty() { "any stack".into() } else { names.join(", ") }
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let table = table(&containers, &strangers, args.all || names.len() > 1, jiff::Timestamp::now());
    boot.ui.data(&table.render(boot.ui.out, boot.ui.width))?;
    for memory in timetable::Memory::all(&boot.settings.state_dir) {
        if names.iter().any(|name| name.as_str() == memory.stack) {
            for trouble in &memory.troubles {
                let (of, command) = (memory.of(), memory.kind.command());
                boot.ui.warn(&format!("backups of {of}: {trouble}; `{command}` shows more"));
            }
        }
    }
    let left_out = table.left_out(boot.ui.width);
    if !left_out.is_empty() {
        boot.ui.note(&format!("no room here for {}: a wider terminal or `--json` has them", left_out.join(", ")));
    }
    for (container, stack) in strangers.iter().filter(|(name, _)| containers.iter().any(|one| one.name == *name)) {
        boot.ui.note(&format!(
            "`{container}` has a name of the stack `{stack}` and was not made for it: `docker rm -f {container}` removes \
             it, then `mainstay up` makes the right one"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn known(boot: &Boot) -> Result<Vec<Chosen>, Problem> {
    chosen::state_dir_must_exist(boot)?;
    let known = Memory::open(&boot.settings).await?.stacks().await?;
    Ok(known.into_iter().map(Chosen::known).collect())
}

/// `strangers` are containers that stand under a name of a stack and do not belong to it.
fn table(containers: &[Container], strangers: &[(String, StackName)], with_stack: bool, now: jiff::Timestamp) -> Table {
    let mut heading = vec!["SERVICE", "CONTAINER", "STATE", "SINCE", "IMAGE", "PORTS", "NETWORKS"];
    if with_stack {
        heading.insert(0, "STACK");
    }
    let mut table = Table::new(&heading);
    // A network that is lost is worth more than what everybody knows.
    let is_any_lost = containers.iter().any(|container| lost(container).next().is_some());
    let dispensable: &[&str] =
        if is_any_lost { &["PORTS", "IMAGE", "SINCE"] } else { &["PORTS", "NETWORKS", "IMAGE", "SINCE"] };
    table.yields(dispensable, &["CONTAINER"]);
    for container in containers {
        let stranger = strangers.iter().find(|(name, _)| *name == container.name);
        let (tone, state) = match (stranger, state(container)) {
            (Some(_), (_, state)) => (Tone::Bad, format!("foreign, {state}")),
            (None, state) => state,
        };
        let since = if container.state == State::Running { &container.started_at } else { &container.finished_at };
        let mut row: Vec<Cell> = vec![
            container.service.as_ref().map(ToString::to_string).unwrap_or_default().into(),
            container.name.clone().into(),
            Cell::new(tone, state),
            ago(since, now).into(),
            container.image.clone().into(),
            container.ports.join(", ").into(),
            networks(container),
        ];
        if with_stack {
            let stack = stranger.map(|(_, stack)| stack).or(container.stack.as_ref());
            row.insert(0, stack.map(ToString::to_string).unwrap_or_default().into());
        }
        table.row(row);
    }
    table
}

/// The state in words: what is known of its health stands beside it, and that nothing is known too.
fn state(container: &Container) -> (Tone, String) {
    let exit = container.exit_code.unwrap_or_default();
    match (container.state, container.health) {
        (State::Running, Health::Healthy) => (Tone::Good, "running (healthy)".into()),
        (State::Running, Health::Unverified) => (Tone::Good, "running (unverified)".into()),
        (State::Running, Health::Starting) => (Tone::Warn, "running (starting)".into()),
        (State::Running, Health::Unhealthy) => (Tone::Bad, "running (unhealthy)".into()),
        (State::Restarting, _) => (Tone::Bad, format!("restarting ({exit}, {} times)", container.restart_count)),
        (State::Exited, _) if container.oom_killed => (Tone::Bad, format!("exited ({exit}, out of memory)")),
        (State::Exited, _) if exit == 0 => (Tone::Dim, "exited (0)".into()),
        (State::Exited, _) => (Tone::Bad, format!("exited ({exit})")),
        (State::Created, _) => (Tone::Dim, "created".into()),
        (State::Paused, _) => (Tone::Warn, "paused".into()),
        (State::Removing, _) => (Tone::Dim, "removing".into()),
        (State::Dead, _) => (Tone::Bad, "dead".into()),
    }
}

/// The networks that it is on, and those that it should be on and is not.
fn networks(container: &Container) -> Cell {
    let mut names: Vec<String> = container.endpoints.iter().map(|endpoint| endpoint.network.clone()).collect();
    if names.is_empty() && !matches!(container.network_mode.as_str(), "" | "default") {
        names.push(container.network_mode.clone());
    }
    let lost: Vec<String> = lost(container).map(|network| format!("{network} (lost)")).collect();
    let tone = if lost.is_empty() { Tone::Plain } else { Tone::Bad };
    names.extend(lost);
    Cell::new(tone, names.join(", "))
}

/// The networks that it should be on and is not.
fn lost(container: &Container) -> impl Iterator<Item = &str> {
    let declared = container.declared_attachments.iter().flatten();
    let lost = declared.filter(|attachment| container.endpoint(&attachment.network).is_none());
    lost.map(|attachment| attachment.network.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Paint;

    fn container(json: serde_json::Value) -> Container {
        let mut whole = serde_json::json!({
            "id": "1", "name": "shop-web-1", "maker": "mainstay", "stack": "shop", "service": "web", "number": 1,
            "one_off": false, "image": "web:1", "image_id": "sha256:1", "state": "running", "health": "healthy",
            "exit_code": null, "oom_killed": false, "started_at": "2026-07-01T11:55:00Z", "finished_at": "",
            "created_at": "2026-07-01T11:54:00Z", "restart_count": 0, "restarts_itself": true, "endpoints": [],
            "network_mode": "shop_default", "fields": null, "declared_attachments": null, "depends_on": [],
            "requires": [], "ports": [],
        });
        let Some(fields) = json.as_object() else { panic!("an object") };
        for (field, value) in fields {
            whole[field] = value.clone();
        }
        serde_json::from_value(whole).expect("a container")
    }

    #[test]
    fn health_that_nobody_checks_and_attachments_that_are_lost_must_be_said() {
        let on = |network: &str| serde_json::json!([{"network": network, "network_id": "n", "aliases": []}]);
        let wants = |network: &str| serde_json::json!([{"key": "n", "network": network, "aliases": []}]);
        let containers = [
            container(serde_json::json!({"endpoints": on("shop_default"), "ports": ["127.0.0.1:80->3000/tcp"]})),
            container(serde_json::json!({"service": "db", "name": "shop-db-1", "health": "unverified",
                "endpoints": on("shop_default"), "declared_attachments": wants("supabase_default")})),
            container(serde_json::json!({"service": "job", "name": "shop-job-1", "state": "exited", "exit_code": 137,
                "oom_killed": true, "finished_at": "2026-07-01T09:00:00Z"})),
        ];
        let now = "2026-07-01T12:00:00Z".parse().expect("a time");
        insta::assert_snapshot!(table(&containers, &[], false, now).render(Paint::off(), None), @r"
        SERVICE   CONTAINER    STATE                         SINCE   IMAGE   PORTS                    NETWORKS
        web       shop-web-1   running (healthy)             5m      web:1   127.0.0.1:80->3000/tcp   shop_default
        db        shop-db-1    running (unverified)          5m      web:1                            shop_default, supabase_default (lost)
        job       shop-job-1   exited (137, out of memory)   3h      web:1                            shop_default
        ");
    }
}
