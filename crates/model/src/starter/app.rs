//! An app as far as it has to be known to run it in a container.

/// What was understood of the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// `a Next.js app (package.json)`.
    pub what: String,
    /// Where it listens, in its container.
    pub port: u16,
    /// A path that is answered with 200 when all is well.
    pub health: String,
    /// Whether the app is told its port by the variable `PORT`.
    pub takes_port: bool,
    /// `None` where there is a Dockerfile.
    pub dockerfile: Option<String>,
    /// Lines for `.dockerignore` beside the usual ones.
    pub ignored: Vec<&'static str>,
    pub notes: Vec<String>,
}

/// The paths that apps use to say that they are well, the more telling first.
const HEALTH_PATHS: [&str; 7] = ["/api/v1/health", "/api/health", "/healthz", "/health", "/readyz", "/up", "/status"];

/// A health path that stands as text in one of these sources.
pub(super) fn health_in<'a>(sources: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    let stands = |path: &str, source: &str| {
        ["\"", "'", "`"].iter().any(|quote| source.contains(&format!("{quote}{path}{quote}")))
    };
    HEALTH_PATHS.iter().find(|path| sources.clone().any(|source| stands(path, source))).map(|path| (*path).to_owned())
}

/// A note for an app that only its own machine could reach.
pub(super) fn only_local(file: &str, source: &str) -> Option<String> {
    let is_local = ["\"127.0.0.1", "'127.0.0.1", "\"localhost:", "'localhost'", "\"localhost\""];
    is_local.iter().any(|mark| source.contains(mark)).then(|| {
        format!("`{file}` speaks of 127.0.0.1 or localhost: an app that listens there is reached by nobody outside its container; listen on 0.0.0.0")
    })
}
