//! The built binary, sealed: its own home, no terminal, no colour, no engine. Stdout, stderr and exit code together.

mod consent;
mod files;
mod help;
mod history;
mod sealed;
mod server;
mod stand_in;
mod usage;
