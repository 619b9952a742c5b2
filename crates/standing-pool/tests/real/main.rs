//! Against real servers in containers, and gates before them that misbehave.

mod errors;
mod gate;
mod health;
mod outage;
mod server;
mod start;
mod statements;
mod tls;
