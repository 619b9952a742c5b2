//! The edge's own Compose file: written where a person finds it, and read as any other.

use std::collections::BTreeSet;
use std::path::Path;

use mainstay_model::declared::Declared;
use mainstay_model::edge::{EdgeSettings, stack};
use mainstay_model::identity::StackName;
use mainstay_model::observed::Scope;
use mainstay_model::plan::Order;

use super::super::chosen;
use super::{as_declared, of};
use crate::boot::{Boot, engine};
use crate::problem::Problem;

/// Where Linux 5.14 and later say whether they can hand waiting connections over.
const MIGRATES: &str = "/proc/sys/net/ipv4/tcp_migrate_req";

/// The order that makes the edge as its settings say, on the networks of the stacks that it leads to.
pub(super) async fn order(boot: &Boot, settings: &EdgeSettings) -> Result<Order, Problem> {
    let folder = boot.settings.state_dir.join("edge");
    let unwritable = |error: std::io::Error| {
        Problem::world("edge-folder", format!("the edge's folder `{}` could not be written", folder.display()))
            .caused_by(&error)
    };
    std::fs::create_dir_all(&folder).map_err(unwritable)?;
    let folder = folder.canonicalize().map_err(unwritable)?;
    let place = stack::Place { folder: &folder.to_string_lossy(), migrates_connections: Path::new(MIGRATES).exists() };
    let text = stack::compose(settings, &place, &networks(boot, settings).await?);
    std::fs::write(folder.join("compose.yaml"), text).map_err(unwritable)?;
    let mut find = chosen::find_in(boot, &folder);
    // The environment of the stacks is not the edge's.
    find.env = None;
    find.profiles.clear();
    let mut declared = chosen::read_one(boot, &find)?.declared;
    without_names_elsewhere(&mut declared);
    Ok(as_declared(declared))
}

/// On the network of another stack the edge answers to no name but its container's: Compose would give it its service's
/// there, which that stack may have a service of. It also is how an `up` of that stack attaches it.
fn without_names_elsewhere(declared: &mut Declared) {
    let external: BTreeSet<String> =
        declared.networks.iter().filter(|(_, network)| network.external).map(|(key, _)| key.clone()).collect();
    let attachments = declared.services.values_mut().flat_map(|service| &mut service.attachments);
    attachments.filter(|at| external.contains(&at.key)).for_each(|at| at.aliases.clear());
}

/// The networks of routed stacks that are there: one that is down has none.
async fn networks(boot: &Boot, settings: &EdgeSettings) -> Result<BTreeSet<String>, Problem> {
    let wanted: BTreeSet<String> = of(boot).kept()?.networks.into_values().flatten().collect();
    if wanted.is_empty() {
        return Ok(wanted);
    }
    let stack = StackName::new(settings.name.as_str())?;
    let scope = Scope { networks: wanted.clone(), ..Scope::of_stack(stack) };
    let seen = engine::look(&boot.docker().await?, &scope).await?;
    Ok(wanted.into_iter().filter(|name| seen.networks_named(name).count() == 1).collect())
}
