//! The only room that sees the Docker client's types: look, act, events, logs, exec.

/// A connection to one engine, with the API version that both sides speak. Cheap to clone.
#[derive(Clone)]
pub struct Docker {}
