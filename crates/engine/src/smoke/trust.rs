//! Whom a certificate may be signed by.

use std::sync::{Arc, OnceLock};

use mainstay_model::edge::Certificates;
use mainstay_model::smoke::{Address, Whence};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::world::WorldError;

/// The system's roots, and the edge's own.
#[derive(Debug)]
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    own: Vec<CertificateDer<'static>>,
    /// Reading the system's roots takes a while, and plain HTTP needs none.
    system: OnceLock<Verifier>,
    with_own: OnceLock<Verifier>,
}

/// `None`: nobody is trusted, because the system has no roots.
pub(super) type Verifier = Option<Arc<WebPkiServerVerifier>>;

impl Trust {
    pub(super) fn with(root: Option<&str>) -> Result<Trust, WorldError> {
        let own: Result<Vec<_>, _> =
            root.map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes()).collect()).unwrap_or(Ok(Vec::new()));
        let own = own.map_err(|error| {
            WorldError::new("the root certificate of the edge cannot be read").caused_by(error.to_string())
        })?;
        if root.is_some() && own.is_empty() {
            return Err(WorldError::new("the root certificate of the edge is no PEM file with a certificate"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(Trust { provider, own, system: OnceLock::new(), with_own: OnceLock::new() })
    }

    pub(super) fn provider(&self) -> Arc<CryptoProvider> {
        self.provider.clone()
    }

    /// Who is trusted for this host. The edge's own authority counts for what the edge answers, and for names that
    /// nobody else could sign: never for a public name that is asked as a visitor would.
    pub(super) fn verifier(&self, url: &Address, from: Whence) -> &Verifier {
        let is_own = from == Whence::Edge || Certificates::Auto.are_internal_for(url.host_name());
        if is_own && !self.own.is_empty() {
            return self.with_own.get_or_init(|| self.built(&self.own));
        }
        self.system.get_or_init(|| self.built(&[]))
    }

    fn built(&self, own: &[CertificateDer<'static>]) -> Verifier {
        let mut roots = RootCertStore::empty();
        // One that cannot be read is nobody who is trusted; what it signed is then told to be unknown.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(own.iter().cloned());
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider()).build().ok()
    }
}
