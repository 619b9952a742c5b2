//! Certificates of both sides: one of its own that the server makes once, and by which a client knows it again.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
};
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;

/// How a fingerprint begins, so that it says what it is.
const ALGORITHM: &str = "sha256:";

/// What identifies a server: the hash of its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{ALGORITHM}{}", self.0)
    }
}

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Fingerprint {
        Fingerprint(Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Fingerprint, Problem> {
        let digits = text.trim().to_ascii_lowercase();
        let digits = digits.strip_prefix(ALGORITHM).unwrap_or(&digits).replace(':', "");
        if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Fingerprint(digits));
        }
        Err(Problem::usage("bad-fingerprint", format!("`{text}` is no fingerprint of a certificate"))
            .hint("it is what `mainstay serve --listen` prints: `sha256:` and 64 digits"))
    }
}

/// The server's side, with the certificate in these files, or one of its own in the state folder. Gives its fingerprint
/// where nobody else vouches for it.
///
/// # Errors
/// When the files cannot be read, or no certificate can be made.
pub fn serving(
    state_dir: &Path,
    given: Option<(&Path, &Path)>,
) -> Result<(ServerConfig, Option<Fingerprint>), Problem> {
    let own = state_dir.join("tls");
    let (certificate, key) = match given {
        Some((certificate, key)) => (certificate.to_owned(), key.to_owned()),
        None => {
            make_once(&own)?;
            (own.join("certificate.pem"), own.join("key.pem"))
        }
    };
    let unreadable = |path: &Path, error: &dyn std::error::Error| {
        Problem::world("tls", format!("`{}` could not be read as PEM", path.display())).caused_by(error)
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(&certificate, &error))?;
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| unreadable(&key, &error))?;
    let fingerprint = chain.first().map(Fingerprint::of).filter(|_| given.is_none());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| unusable(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((config, fingerprint))
}

fn unusable(error: &dyn std::error::Error) -> Problem {
    Problem::world("tls", "the certificate and its key cannot be used").caused_by(error)
}

/// A key and a certificate that is signed by nobody else: the client compares its fingerprint.
fn make_once(folder: &Path) -> Result<(), Problem> {
    if folder.join("key.pem").exists() && folder.join("certificate.pem").exists() {
        return Ok(());
    }
    let trouble = |error: &dyn std::error::Error| {
        Problem::world("tls", format!("no certificate could be made in `{}`", folder.display())).caused_by(error)
    };
    let made = rcgen::generate_simple_self_signed(vec!["mainstay".to_owned()]).map_err(|error| trouble(&error))?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| trouble(&error))?;
    for (name, text) in [("key.pem", made.signing_key.serialize_pem()), ("certificate.pem", made.cert.pem())] {
        let file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(folder.join(name));
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.map_err(|error| trouble(&error))?;
    }
    Ok(())
}

/// Judges the server's certificate: by the fingerprint that is known, or as a browser would.
#[derive(Debug)]
pub struct Judge {
    provider: Arc<CryptoProvider>,
    pinned: Option<Fingerprint>,
    system: Option<Arc<WebPkiServerVerifier>>,
    seen: Mutex<Option<Fingerprint>>,
}

impl Judge {
    pub fn new(pinned: Option<Fingerprint>) -> Arc<Judge> {
        let provider = Arc::new(ring::default_provider());
        let system = match pinned {
            Some(_) => None,
            None => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().ok()
            }
        };
        Arc::new(Judge { provider, pinned, system, seen: Mutex::new(None) })
    }

    /// What the server showed.
    pub fn seen(&self) -> Option<Fingerprint> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// # Errors
    /// When the library has no protocol version in common with itself, which is a bug.
    pub fn config(self: &Arc<Judge>) -> Result<ClientConfig, Error> {
        let builder =
            ClientConfig::builder_with_provider(self.provider.clone()).with_safe_default_protocol_versions()?;
        let mut config = builder.dangerous().with_custom_certificate_verifier(self.clone()).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Fingerprint::of(end_entity);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown.clone());
        match (&self.pinned, &self.system) {
            (Some(pinned), _) if *pinned == shown => Ok(ServerCertVerified::assertion()),
            (Some(_), _) | (None, None) => Err(CertificateError::UnknownIssuer.into()),
            (None, Some(system)) => {
                system.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_certificate_must_stay_the_same_and_be_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let (_, first) = serving(folder.path(), None).expect("a certificate");
        let (_, second) = serving(folder.path(), None).expect("a certificate");
        assert_eq!(first.as_ref().expect("a fingerprint"), second.as_ref().expect("a fingerprint"));
        let mode = fs::metadata(folder.path().join("tls/key.pem")).expect("the key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let shown = first.expect("a fingerprint").to_string();
        assert_eq!(Fingerprint::parse(&shown).expect("it is one").to_string(), shown);
        assert!(Fingerprint::parse("sha256:12").is_err());
    }
}
