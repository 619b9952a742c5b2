//! Ctrl-C while an operation runs: the first asks it to end, the second leaves at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::problem::Kind;
use crate::ui::Ui;

/// Listens until dropped.
pub struct Interrupt {
    token: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Interrupt {
    /// From here on Ctrl-C and SIGTERM do not end the process, until the second one.
    pub fn listen(ui: &Ui) -> Self {
        let token = CancellationToken::new();
        let task = tokio::spawn(listen(ui.clone(), token.clone()));
        Interrupt { token, task }
    }

    /// Cancelled by the first signal.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Resolves at the next SIGINT or SIGTERM; never when signals cannot be heard.
pub async fn next_signal() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn listen(ui: Ui, token: CancellationToken) {
    next_signal().await;
    ui.say("\nstopping: what runs is ended and recorded; press Ctrl-C again to leave at once");
    token.cancel();
    next_signal().await;
    ui.say("left at once; `mainstay up` goes on from wherever things are");
    std::process::exit(i32::from(Kind::Interrupted.exit_code()));
}
