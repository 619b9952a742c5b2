//! Ctrl-C while an operation runs: the first asks it to end, the second leaves at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
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
        let task = tokio::spawn(wait(ui.clone(), token.clone(), Signals::listen()));
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

/// SIGINT and SIGTERM, heard from the moment that this is made: one that comes before anybody waits is not lost.
pub struct Signals {
    heard: Option<(Signal, Signal)>,
}

impl Signals {
    pub fn listen() -> Self {
        let heard = signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok());
        Signals { heard }
    }

    /// Resolves at the next one; never when signals cannot be heard.
    pub async fn next(&mut self) {
        let Some((interrupt, terminate)) = &mut self.heard else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

async fn wait(ui: Ui, token: CancellationToken, mut signals: Signals) {
    signals.next().await;
    // Whoever shows the operation says so: a line from here would tear what moves on its screen.
    token.cancel();
    signals.next().await;
    ui.say("left at once; `mainstay up` goes on from wherever things are");
    std::process::exit(i32::from(Kind::Interrupted.exit_code()));
}
