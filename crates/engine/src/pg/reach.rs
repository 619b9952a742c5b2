//! Where a declared database is now: at an address of its container, or where its URL says.

use mainstay_model::declared::Whereabouts;
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::{Container, State};
use standing_pool::{Settings, SettingsError};

use super::session::Server;

/// Why there is nothing to connect to.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    #[error("no container of `{0}` runs")]
    NotRunning(ServiceName),
    #[error("`{0}` has no address on a network")]
    NoAddress(String),
    /// Holds no value.
    #[error("`{}` {}", .0.variable, .0.problem)]
    Settings(SettingsError),
}

impl Server {
    /// The server of a declared database, by what was seen of its stack.
    ///
    /// # Errors
    /// When none of its containers runs, or what is declared cannot be read.
    pub fn of(whereabouts: &Whereabouts, stack: &StackName, containers: &[Container]) -> Result<Server, Unreachable> {
        let service = match whereabouts {
            Whereabouts::Url(_) => return Server::at(whereabouts, None),
            Whereabouts::Service { service, .. } => service,
        };
        let is_it = |one: &&Container| one.stack.as_ref() == Some(stack) && one.service.as_ref() == Some(service);
        let mut running = containers.iter().filter(is_it).filter(|one| !one.one_off && one.state == State::Running);
        let container = running.next().ok_or_else(|| Unreachable::NotRunning(service.clone()))?;
        Server::at(whereabouts, Some(container))
    }

    /// The same, in this very container.
    ///
    /// # Errors
    /// When it has no address, or what is declared cannot be read.
    pub fn at(whereabouts: &Whereabouts, container: Option<&Container>) -> Result<Server, Unreachable> {
        let (service, port, name, user, password) = match whereabouts {
            Whereabouts::Url(url) => {
                return settings(|name| (name == "DATABASE_URL").then(|| url.reveal().to_owned()));
            }
            Whereabouts::Service { service, port, database, user, password } => {
                (service, port, database, user, password)
            }
        };
        let container = container.ok_or_else(|| Unreachable::NotRunning(service.clone()))?;
        let addresses = container.endpoints.iter().filter_map(|endpoint| endpoint.ipv4_address.clone());
        let address = addresses.into_iter().find(|address| !address.is_empty());
        let address = address.ok_or_else(|| Unreachable::NoAddress(container.name.clone()))?;
        settings(|variable| match variable {
            "PGHOST" => Some(address.clone()),
            "PGPORT" => Some(port.to_string()),
            "PGDATABASE" => Some(name.clone()),
            "PGUSER" => Some(user.clone()),
            "PGPASSWORD" => password.as_ref().map(|password| password.reveal().to_owned()),
            // It never leaves this machine.
            "PGSSLMODE" => Some("disable".into()),
            _ => None,
        })
    }
}

fn settings(get: impl Fn(&str) -> Option<String>) -> Result<Server, Unreachable> {
    Settings::from_vars(get).map(Server::new).map_err(Unreachable::Settings)
}
