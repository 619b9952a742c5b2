//! What a pool is told: the target, and how patient it is. Read from variables once, at start; a wrong value is an error
//! that names its variable.

use std::time::Duration;

use crate::target::Target;

/// A variable that cannot be taken as it is. Never repeats the value of one that holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct SettingsError {
    /// The variable's name.
    pub variable: String,
    /// What is wrong with it, and what it should be.
    pub problem: String,
}

impl SettingsError {
    pub(crate) fn new(variable: &str, problem: impl Into<String>) -> SettingsError {
        SettingsError { variable: variable.to_owned(), problem: problem.into() }
    }
}

/// What the sessions must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The target must take writes: a standby, or an old primary after a failover, is an outage.
    ReadWrite,
    /// Reading is enough.
    Any,
}

/// What stands between the process and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooler {
    /// Nothing, or a pooler in session mode.
    None,
    /// A pooler that gives out a session for one transaction: statements are not kept prepared.
    Transaction,
}

/// Everything that a pool is told. `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which database.
    pub target: Target,
    /// `DB_STARTUP_MAX_WAIT_SECONDS` (60): how long the start waits for the database.
    pub startup_max_wait: Duration,
    /// `DB_STARTUP_RETRY_INTERVAL_SECONDS` (2): how often it tries meanwhile.
    pub startup_retry_interval: Duration,
    /// `DB_BACKGROUND_RECONNECT_INTERVAL_SECONDS` (30): how often it tries in degraded mode, more or less a fifth.
    pub reconnect_interval: Duration,
    /// `DB_BACKGROUND_RECONNECT_ENABLED` (true): whether it tries in degraded mode by itself.
    pub reconnect_enabled: bool,
    /// `DB_POOL_DEBUG` (false): log who asked for a connection.
    pub debug: bool,
    /// `DB_POOL_MAX_SIZE` (10): the most connections.
    pub max_size: usize,
    /// `DB_CONNECT_TIMEOUT_SECONDS` (5): the longest that making one connection may take, name lookup and login included.
    pub connect_timeout: Duration,
    /// `DB_ACQUIRE_TIMEOUT_SECONDS` (10): the longest that a caller waits for a connection.
    pub acquire_timeout: Duration,
    /// `DB_CHECK_TIMEOUT_SECONDS` (2): how soon an idle connection must answer before it is handed out.
    pub check_timeout: Duration,
    /// `DB_CHECK_INTERVAL_SECONDS` (10): how often the pool asks the server whether it is still there.
    pub check_interval: Duration,
    /// A connection that was idle for longer is asked before it is handed out.
    pub check_after_idle: Duration,
    /// `DB_ACCESS` (`read-write`, or `any`).
    pub access: Access,
    /// `DB_POOLER` (`none`, or `transaction`).
    pub pooler: Pooler,
}

impl Settings {
    /// From the process's environment.
    pub fn from_env() -> Result<Settings, SettingsError> {
        Settings::from_vars(|name| std::env::var(name).ok())
    }

    /// The defaults, for a `postgres://…` URL or a `host=… user=…` line.
    pub fn for_url(url: &str) -> Result<Settings, SettingsError> {
        let url = url.to_owned();
        Settings::from_vars(move |name| (name == "DATABASE_URL").then(|| url.clone()))
    }

    /// From variables, wherever they come from. An empty one counts as not set.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let vars = Vars(&|name| get(name).filter(|value| !value.is_empty()));
        let (target, url_names_pooler) = Target::from_vars(&vars)?;
        let default_pooler = if url_names_pooler { Pooler::Transaction } else { Pooler::None };
        Ok(Settings {
            target,
            startup_max_wait: vars.seconds("DB_STARTUP_MAX_WAIT_SECONDS", 60.0, Least::Zero)?,
            startup_retry_interval: vars.seconds("DB_STARTUP_RETRY_INTERVAL_SECONDS", 2.0, Least::Positive)?,
            reconnect_interval: vars.seconds("DB_BACKGROUND_RECONNECT_INTERVAL_SECONDS", 30.0, Least::Positive)?,
            reconnect_enabled: vars.switch("DB_BACKGROUND_RECONNECT_ENABLED", true)?,
            debug: vars.switch("DB_POOL_DEBUG", false)?,
            max_size: vars.count("DB_POOL_MAX_SIZE", 10)?,
            connect_timeout: vars.seconds("DB_CONNECT_TIMEOUT_SECONDS", 5.0, Least::Positive)?,
            acquire_timeout: vars.seconds("DB_ACQUIRE_TIMEOUT_SECONDS", 10.0, Least::Positive)?,
            check_timeout: vars.seconds("DB_CHECK_TIMEOUT_SECONDS", 2.0, Least::Positive)?,
            check_interval: vars.seconds("DB_CHECK_INTERVAL_SECONDS", 10.0, Least::Positive)?,
            check_after_idle: Duration::from_secs(1),
            access: vars.choice("DB_ACCESS", &[("read-write", Access::ReadWrite), ("any", Access::Any)])?,
            pooler: match default_pooler {
                Pooler::Transaction => {
                    vars.choice("DB_POOLER", &[("transaction", Pooler::Transaction), ("none", Pooler::None)])?
                }
                Pooler::None => {
                    vars.choice("DB_POOLER", &[("none", Pooler::None), ("transaction", Pooler::Transaction)])?
                }
            },
        })
    }
}

#[derive(Clone, Copy)]
enum Least {
    Zero,
    Positive,
}

/// The variables, and how each sort of value is read.
pub(crate) struct Vars<'a>(&'a dyn Fn(&str) -> Option<String>);

/// A year: more is a slip of the keyboard, and would overflow clocks further down.
const MOST_SECONDS: f64 = 366.0 * 86_400.0;

impl Vars<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    fn seconds(&self, name: &str, default: f64, least: Least) -> Result<Duration, SettingsError> {
        let Some(text) = self.get(name) else { return Ok(Duration::from_secs_f64(default)) };
        let wish = match least {
            Least::Zero => "a number of seconds, 0 or more, such as 60 or 0.5",
            Least::Positive => "a number of seconds above 0, such as 30 or 0.5",
        };
        let wrong = || SettingsError::new(name, format!("is `{text}`, and must be {wish}"));
        let seconds: f64 = text.trim().parse().map_err(|_| wrong())?;
        let duration = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
        let too_little = matches!(least, Least::Positive) && duration < Duration::from_millis(1);
        if too_little || seconds > MOST_SECONDS { Err(wrong()) } else { Ok(duration) }
    }

    fn count(&self, name: &str, default: usize) -> Result<usize, SettingsError> {
        let Some(text) = self.get(name) else { return Ok(default) };
        match text.trim().parse() {
            Ok(count) if (1..=10_000).contains(&count) => Ok(count),
            _ => Err(SettingsError::new(name, format!("is `{text}`, and must be a whole number from 1 to 10000"))),
        }
    }

    fn switch(&self, name: &str, default: bool) -> Result<bool, SettingsError> {
        let Some(text) = self.get(name) else { return Ok(default) };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(SettingsError::new(name, format!("is `{text}`, and must be `true` or `false`"))),
        }
    }

    /// One of the words; the first is the default.
    fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T, SettingsError> {
        let text = self.get(name);
        let wished = text.as_deref().map_or(choices[0].0, str::trim);
        choices.iter().find(|(word, _)| *word == wished).map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            SettingsError::new(name, format!("is `{wished}`, and must be {}", words.join(" or ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> Result<Settings, SettingsError> {
        Settings::from_vars(move |asked| match asked {
            "DATABASE_URL" => Some("postgres://app:hunter2@db/crm".into()),
            _ => (asked == name).then(|| value.into()),
        })
    }

    #[test]
    fn the_defaults_are_those_that_are_documented() {
        let settings = with("NONE", "").unwrap();
        assert_eq!(settings.startup_max_wait.as_secs(), 60);
        assert_eq!(settings.startup_retry_interval.as_secs(), 2);
        assert_eq!(settings.reconnect_interval.as_secs(), 30);
        assert!(settings.reconnect_enabled);
        assert!(!settings.debug);
        assert_eq!(settings.access, Access::ReadWrite);
        assert_eq!(settings.pooler, Pooler::None);
    }

    #[test]
    fn a_wrong_value_is_told_with_its_variable() {
        for (name, value) in [
            ("DB_STARTUP_MAX_WAIT_SECONDS", "-5"),
            ("DB_STARTUP_MAX_WAIT_SECONDS", "soon"),
            ("DB_STARTUP_MAX_WAIT_SECONDS", "inf"),
            ("DB_STARTUP_MAX_WAIT_SECONDS", "NaN"),
            ("DB_STARTUP_RETRY_INTERVAL_SECONDS", "0"),
            ("DB_BACKGROUND_RECONNECT_INTERVAL_SECONDS", "1e300"),
            ("DB_BACKGROUND_RECONNECT_ENABLED", "maybe"),
            ("DB_POOL_DEBUG", "2"),
            ("DB_POOL_MAX_SIZE", "0"),
            ("DB_POOL_MAX_SIZE", "ten"),
            ("DB_ACCESS", "write"),
            ("DB_POOLER", "session"),
        ] {
            let error = with(name, value).expect_err(name).to_string();
            assert!(error.starts_with(&format!("{name}: is `{value}`, and must be ")), "{error}");
        }
    }

    #[test]
    fn an_empty_value_counts_as_not_set() {
        assert_eq!(with("DB_STARTUP_MAX_WAIT_SECONDS", "").unwrap().startup_max_wait.as_secs(), 60);
    }

    #[test]
    fn no_waiting_at_start_can_be_asked_for() {
        assert!(with("DB_STARTUP_MAX_WAIT_SECONDS", "0").unwrap().startup_max_wait.is_zero());
    }

    #[test]
    fn settings_never_show_the_password() {
        let shown = format!("{:?}", with("NONE", "").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
