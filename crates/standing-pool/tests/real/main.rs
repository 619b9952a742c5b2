//! Against real servers in containers, and gates before them that misbehave.

#![allow(clippy::unwrap_used, reason = "a test that unwraps tells where it failed")]
#![allow(clippy::disallowed_macros, reason = "a test that is skipped says so")]

mod errors;
mod gate;
mod health;
mod log;
mod outage;
mod processes;
mod schema;
mod server;
mod start;
mod statements;
mod tls;
