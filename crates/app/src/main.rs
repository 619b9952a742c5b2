//! `mainstay`: the command line, the server and the only wire formats.
//!
//! [`boot`] reads flags and environment once and builds everything; [`cli`] has one file a command; [`client`] is who
//! carries orders out; [`remote`] carries whole commands to another machine; [`api`] and [`wire`] are the server's side; [`ui`] is the only room that prints; [`problem`]
//! is the one form in which anything goes wrong.

mod api;
mod boot;
mod cli;
mod client;
mod complaint;
mod config;
mod problem;
mod remote;
mod ui;
mod wire;

fn main() -> std::process::ExitCode {
    boot::main()
}
