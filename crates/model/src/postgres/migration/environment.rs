//! Which environments are known to be none of production.

const NON_PROD: &[&str] = &["dev", "development", "local", "test", "ci", "staging", "preview", "prod-sim"];

/// Whether a change of a schema has to be agreed to: where nothing is said of the environment, it may be production.
pub fn is_production(env: Option<&str>) -> bool {
    env.is_none_or(|env| !NON_PROD.contains(&env))
}
