//! Where a declared database is now.

use mainstay_model::declared::{Database, Declared, Hidden, Whereabouts};
use mainstay_model::identity::StackName;
use mainstay_model::observed::{Container, Scope};
use standing_pool::{Settings, SettingsError};

use super::session::Server;
use crate::docker::Docker;
use crate::whereabouts::{NotReached, address, running};
use crate::world::{World as _, WorldError};

/// A server that can be reached, and the container that it runs in when it is one of the stack's.
#[derive(Clone, Debug)]
pub struct Reached {
    pub settings: Settings,
    pub container: Option<Inside>,
}

/// How a program in the server's own container reaches it.
#[derive(Clone, Debug)]
pub struct Inside {
    /// Its id.
    pub container: String,
    pub name: String,
    pub variables: Vec<(String, Hidden)>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    #[error(transparent)]
    NotReached(#[from] NotReached),
    #[error("`{}` {}", .0.variable, .0.problem)]
    Settings(SettingsError),
    #[error(transparent)]
    World(#[from] WorldError),
}

/// Finds it. The engine is asked only for a service of the stack.
///
/// # Errors
/// When its container does not run, or has no address.
pub async fn reach(
    docker: impl AsyncFnOnce() -> Result<Docker, WorldError>,
    declared: &Declared,
    database: &Database,
) -> Result<Reached, ReachError> {
    match &database.whereabouts {
        Whereabouts::Url(_) => Reached::at(&database.whereabouts, None),
        Whereabouts::Service { service, .. } => {
            let docker = docker().await?;
            let observed = docker.look(&Scope::of(declared)).await?;
            inside(running(service, &declared.stack, &observed.containers)?, &database.whereabouts)
        }
    }
}

impl Reached {
    /// What is declared, in this very container where it is a service of the stack.
    ///
    /// # Errors
    /// When it has no address, or what is declared cannot be read.
    pub fn at(whereabouts: &Whereabouts, container: Option<&Container>) -> Result<Reached, ReachError> {
        match (whereabouts, container) {
            (Whereabouts::Url(url), _) => Ok(Reached { settings: of_url(url)?, container: None }),
            (Whereabouts::Service { .. }, Some(container)) => inside(container, whereabouts),
            (Whereabouts::Service { service, .. }, None) => {
                Err(NotReached::NotRunning { service: service.clone() }.into())
            }
        }
    }
}

impl Server {
    /// The server of a declared database, by what was seen of its stack.
    ///
    /// # Errors
    /// When none of its containers runs, or what is declared cannot be read.
    pub fn of(whereabouts: &Whereabouts, stack: &StackName, containers: &[Container]) -> Result<Server, ReachError> {
        match whereabouts {
            Whereabouts::Url(_) => Server::at(whereabouts, None),
            Whereabouts::Service { service, .. } => Server::at(whereabouts, Some(running(service, stack, containers)?)),
        }
    }

    /// The same, in this very container.
    ///
    /// # Errors
    /// When it has no address, or what is declared cannot be read.
    pub fn at(whereabouts: &Whereabouts, container: Option<&Container>) -> Result<Server, ReachError> {
        Ok(Server::new(Reached::at(whereabouts, container)?.settings))
    }
}

fn of_url(url: &Hidden) -> Result<Settings, ReachError> {
    settings(|name| (name == "DATABASE_URL").then(|| url.reveal().to_owned()))
}

fn settings(get: impl Fn(&str) -> Option<String>) -> Result<Settings, ReachError> {
    Settings::from_vars(get).map_err(ReachError::Settings)
}

/// The address of the service's container on one of its networks, which this host reaches.
fn inside(container: &Container, whereabouts: &Whereabouts) -> Result<Reached, ReachError> {
    let Whereabouts::Service { port, database, user, password, .. } = whereabouts else {
        return Err(NotReached::NoAddress { container: container.name.clone() }.into());
    };
    let address = address(container)?;
    let password = password.as_ref().map(|password| password.reveal().to_owned());
    let variable = |name: &str, host: &str| match name {
        "PGHOST" => Some(host.to_owned()),
        "PGPORT" => Some(port.to_string()),
        "PGDATABASE" => Some(database.clone()),
        "PGUSER" => Some(user.clone()),
        "PGPASSWORD" => password.clone(),
        // It never leaves this machine.
        "PGSSLMODE" => Some("disable".into()),
        _ => None,
    };
    let names = ["PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSSLMODE"];
    let variables = names
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), Hidden::new(variable(name, "127.0.0.1")?))))
        .collect();
    let settings = settings(|name| variable(name, &address))?;
    let (id, name) = (container.id.clone(), container.name.clone());
    Ok(Reached { settings, container: Some(Inside { container: id, name, variables }) })
}
