//! The database that is meant, and where it is now.

use mainstay_engine::NotReached;
use mainstay_engine::pg::{ReachError, Reached, Server, reach};
use mainstay_engine::standing_pool::{Settings, SettingsError};
use mainstay_model::declared::{Database, Declared};

use crate::boot::Boot;
use crate::cli::{generated, smoke};
use crate::problem::Problem;

/// A database by its name under `x-mainstay.databases`, or by the variables.
pub struct Found {
    pub declared: Option<Entry>,
}

/// One that is declared.
pub struct Entry {
    pub name: String,
    pub database: Database,
    pub declared: Declared,
}

impl Found {
    /// DATABASE_URL or PG*, unless one is named; else the one that is declared.
    ///
    /// # Errors
    /// When it is not clear which one is meant.
    pub async fn find(boot: &Boot, name: Option<&str>) -> Result<Found, Problem> {
        if name.is_none() && named_by_variable(boot).is_some() {
            return Ok(Found { declared: None });
        }
        Ok(Found { declared: Some(declared(boot, name).await?) })
    }

    /// Where it is now.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn reach(&self, boot: &Boot) -> Result<Reached, Problem> {
        let Some(entry) = &self.declared else {
            let settings = Settings::from_vars(|name| boot.environment.get(name).map(str::to_owned));
            return Ok(Reached { settings: settings.map_err(bad_settings)?, container: None });
        };
        // A problem with the engine has hints of its own.
        if matches!(entry.database.whereabouts, mainstay_model::declared::Whereabouts::Service { .. }) {
            boot.docker().await?;
        }
        let docker =
            async || boot.docker().await.map_err(|problem| mainstay_engine::WorldError::new(problem.message.clone()));
        let reached = reach(docker, &entry.declared, &entry.database).await?;
        if let Some(inside) = &reached.container {
            let passwords = inside.variables.iter().filter(|(name, _)| name == "PGPASSWORD");
            boot.ui.redactions.learn(passwords.map(|(_, value)| value));
        }
        Ok(reached)
    }

    /// The server alone.
    ///
    /// # Errors
    /// As [`Found::reach`].
    pub async fn server(&self, boot: &Boot) -> Result<Server, Problem> {
        Ok(Server::new(self.reach(boot).await?.settings))
    }
}

/// The variable that names a database. Whoever is on another machine does not mean one of this machine's variables.
pub fn named_by_variable(boot: &Boot) -> Option<&'static str> {
    let is_set = |name: &&str| boot.environment.get(name).is_some();
    ["DATABASE_URL", "PGHOST"].into_iter().find(is_set).filter(|_| boot.environment.carried.is_none())
}

async fn declared(boot: &Boot, name: Option<&str>) -> Result<Entry, Problem> {
    let [read] = <[_; 1]>::try_from(smoke::reads(boot).await?).map_err(|reads| {
        Problem::usage("one-stack", format!("a database is one of one stack, and {} are named", reads.len()))
            .hint("name one: `--stack NAME`")
    })?;
    let declared = generated::shown(boot, read).await?.declared;
    boot.ui.redactions.learn(declared.secrets.values.values());
    let names: Vec<&str> = declared.databases.keys().map(String::as_str).collect();
    let found = match (name, names.as_slice()) {
        (Some(name), _) => declared.databases.get_key_value(name),
        (None, [_]) => declared.databases.iter().next(),
        (None, []) => None,
        (None, _) => {
            return Err(Problem::usage("which-database", format!("`{}` has several databases", declared.stack))
                .hint(format!("name one of `{}`: `--database NAME`", names.join("`, `"))));
        }
    };
    match (found.map(|(name, database)| (name.clone(), database.clone())), name) {
        (Some((name, database)), _) => {
            boot.ui.redactions.learn(&database.whereabouts.password());
            Ok(Entry { name, database, declared })
        }
        (None, Some(name)) => {
            let problem =
                Problem::usage("no-such-database", format!("`{}` declares no database `{name}`", declared.stack));
            Err(if names.is_empty() {
                declare(problem)
            } else {
                problem.hint(format!("there is `{}`", names.join("`, `")))
            })
        }
        (None, None) => {
            Err(declare(Problem::usage("no-database", format!("`{}` declares no database", declared.stack))))
        }
    }
}

fn declare(problem: Problem) -> Problem {
    problem
        .hint("declare it: `x-mainstay: { databases: { shop: { service: db, migrations: { dir: ./migrations } } } }`")
        .hint("or name it: `DATABASE_URL=postgres://USER:PASSWORD@HOST/DATABASE mainstay db …`")
}

fn bad_settings(SettingsError { variable, problem }: SettingsError) -> Problem {
    Problem::usage("bad-database-settings", format!("`{variable}` {problem}"))
}

impl From<ReachError> for Problem {
    fn from(error: ReachError) -> Self {
        let message = error.to_string();
        match error {
            ReachError::NotReached(NotReached::NotRunning { service }) => {
                Problem::world("database-not-running", message)
                    .hint(format!("`mainstay up {service}` starts it, `mainstay logs {service}` says why it ended"))
            }
            ReachError::NotReached(NotReached::NoAddress { .. }) => {
                Problem::world("database-without-address", message).hint("name it by `url`, or by DATABASE_URL")
            }
            ReachError::Settings(error) => bad_settings(error),
            ReachError::World(error) => error.into(),
        }
    }
}
