//! `mainstay serve --listen`: commands over HTTPS, for whoever has a token.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use mainstay_engine::tokens::Tokens;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api::door::{Door, Listener, Peer};
use crate::boot::Boot;
use crate::problem::Problem;
use crate::remote::there::There;
use crate::remote::there::powers::Powers;
use crate::remote::tls::{self, Fingerprint};

#[derive(Debug, Args)]
pub(super) struct Outside {
    /// Take commands over HTTPS at this address, from those who have a token; off when nothing is said
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The certificate (PEM, with its chain) in the place of one of its own
    #[arg(long, value_name = "FILE", requires = "listen", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Without encryption, behind a proxy of this machine; the address must be a loopback
    #[arg(long, requires = "listen", conflicts_with = "tls_certificate")]
    plain: bool,
}

/// What listens.
pub(super) struct Bound {
    listener: Listener,
    fingerprint: Option<Fingerprint>,
    is_plain: bool,
}

impl Outside {
    /// # Errors
    /// When the address or the certificate cannot be used.
    pub(super) async fn bind(&self, state_dir: &Path) -> Result<Option<Bound>, Problem> {
        let Some(address) = self.listen else { return Ok(None) };
        if self.plain && !address.ip().is_loopback() {
            return Err(Problem::usage(
                "not-encrypted",
                format!("`--plain` at {address} would let others read tokens"),
            )
            .hint("listen on 127.0.0.1, with the proxy in front of it, or leave out `--plain`"));
        }
        let given = self.tls_certificate.as_deref().zip(self.tls_key.as_deref());
        let (config, fingerprint) = match self.plain {
            true => (None, None),
            false => {
                let (config, fingerprint) = tls::serving(state_dir, given)?;
                (Some(config), fingerprint)
            }
        };
        let listener = Listener::bind(address, config).await.map_err(|error| {
            Problem::world("listen", format!("nothing can be listened for at {address}"))
                .caused_by(&error)
                .hint("another program may have that port (`ss -ltnp`): choose another one")
        })?;
        Ok(Some(Bound { listener, fingerprint, is_plain: self.plain }))
    }
}

impl Bound {
    /// Where it is to be found, and by what it is known.
    pub(super) fn told(&self) -> Vec<String> {
        let scheme = if self.is_plain { "http" } else { "https" };
        let mut lines = vec![format!("listens on {scheme}://{}", self.listener.address())];
        if let Some(fingerprint) = &self.fingerprint {
            lines.push(format!("its certificate is {fingerprint} (MAINSTAY_HOST_FINGERPRINT)"));
        }
        lines
    }

    /// Until the server stops.
    pub(super) fn serve(self, boot: &Boot, stopping: CancellationToken) -> JoinHandle<()> {
        // Nobody may do anything before he has shown a token.
        let powers = Powers { who: String::new(), scopes: Some(Vec::new()) };
        let there = There { settings: boot.settings.clone(), powers, stopping: stopping.clone() };
        let door = Door::new(Tokens::of(&boot.settings.state_dir), there);
        let service = door.router().into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(self.listener, service).with_graceful_shutdown(stopping.cancelled_owned());
        tokio::spawn(async move {
            let _ = serving.await;
        })
    }
}
