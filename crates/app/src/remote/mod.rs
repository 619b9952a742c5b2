//! Commands that are carried to another machine and run there: `--host ssh://…` and `--host https://…`.
//!
//! What was typed travels, and the same program runs it there as it would have been run by hand: with the state folder,
//! the values, the engine and the server of that machine. So every command has one meaning, and what leaves that machine
//! is what the command prints. Over both ways the same [`frames`] are spoken: over `ssh` with `mainstay bridge` on its
//! standard streams, over HTTPS on a connection that was upgraded.
//!
//! This side: [`travel`] says which commands go, [`along`] which SQL goes with them, [`ssh`] and [`https`] reach the other side, [`carry`] talks with it. The
//! other side is [`there`].

pub mod address;
mod along;
pub mod carried;
pub mod carry;
pub mod frames;
pub mod https;
pub mod ssh;
pub mod there;
pub mod tls;
pub mod travel;

use tokio::io::{AsyncRead, AsyncWrite};

/// A way to the other side, of whatever kind.
pub struct Link {
    pub from: Box<dyn AsyncRead + Send + Unpin>,
    pub to: Box<dyn AsyncWrite + Send + Unpin>,
    /// What says why, when the link ends before its time.
    pub ssh: Option<ssh::Client>,
}
