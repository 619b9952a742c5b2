//! Against real servers in containers, and gates before them that misbehave.

#![allow(clippy::unwrap_used, reason = "a test that unwraps tells where it failed")]

mod errors;
mod gate;
mod health;
mod outage;
mod server;
mod start;
mod statements;
mod tls;
