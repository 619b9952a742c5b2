//! Which environments are known to be none of production.

const NON_PROD: &[&str] = &["dev", "development", "local", "test", "ci", "staging", "preview", "prod-sim"];

/// Whether a change of a schema has to be agreed to, and has a backup made before it: where nothing is said of the
/// environment, it may be production. `is_denied`: somebody said in so many words that it is none.
pub fn is_production(env: Option<&str>, is_denied: bool) -> bool {
    !is_denied && env.is_none_or(|env| !NON_PROD.contains(&env))
}
