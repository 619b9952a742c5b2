//! Looks at the certificate of one connection: is it valid, and for how long yet.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstay_model::smoke::{Certificate, Flaw};
use rustls::client::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::trust::Verifier;

/// Whoever renews by himself has done so long before.
const SOON: Duration = Duration::from_secs(7 * 86_400);
/// Certificates of a few days are renewed in their last third: less than a quarter of the time left is late for any.
const LATE: u32 = 4;

/// Judges a certificate by the library's rules and remembers what is worth a warning.
#[derive(Debug)]
pub(super) struct Watch {
    provider: Arc<CryptoProvider>,
    /// `None`: whatever is shown is taken.
    judge: Option<Verifier>,
    seen: Mutex<Option<Certificate>>,
}

impl Watch {
    pub(super) fn new(provider: Arc<CryptoProvider>, judge: Option<Verifier>) -> Arc<Watch> {
        Arc::new(Watch { provider, judge, seen: Mutex::new(None) })
    }

    /// What was seen of an accepted certificate.
    pub(super) fn seen(&self) -> Option<Certificate> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A configuration for one connection that asks this watch.
    ///
    /// # Errors
    /// When the library has no protocol version in common with itself, which is a bug.
    pub(super) fn config(self: &Arc<Watch>) -> Result<ClientConfig, Error> {
        let builder =
            ClientConfig::builder_with_provider(self.provider.clone()).with_safe_default_protocol_versions()?;
        let mut config = builder.dangerous().with_custom_certificate_verifier(self.clone()).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ServerCertVerifier for Watch {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(judge) = &self.judge else { return Ok(ServerCertVerified::assertion()) };
        let Some(judge) = judge else { return Err(CertificateError::UnknownIssuer.into()) };
        let at = |time| judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, time);
        let verified = at(now)?;
        let certificate = Certificate { ends_in: ends_in(at, now) };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
        Ok(verified)
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

/// What is left of a valid certificate's time, where that is late to renew it.
///
/// The dates are learnt from the judge: asked about a moment before or after them, it names them. So nothing else has
/// to take certificates apart.
fn ends_in(at: impl Fn(UnixTime) -> Result<ServerCertVerified, Error>, now: UnixTime) -> Option<Duration> {
    let now = Duration::from_secs(now.as_secs());
    let Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) =
        at(UnixTime::since_unix_epoch(now + SOON))
    else {
        return None;
    };
    let not_after = Duration::from_secs(not_after.as_secs());
    let left = not_after.saturating_sub(now);
    let begun = at(UnixTime::since_unix_epoch(Duration::ZERO));
    if let Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) = begun {
        let whole = not_after.saturating_sub(Duration::from_secs(not_before.as_secs()));
        return (left * LATE < whole).then_some(left);
    }
    Some(left)
}

/// What is wrong with a certificate, in the model's words.
pub(super) fn flaw(error: &CertificateError) -> Flaw {
    let between = |one: &UnixTime, other: &UnixTime| Duration::from_secs(one.as_secs().abs_diff(other.as_secs()));
    match error {
        CertificateError::ExpiredContext { time, not_after } => Flaw::Ended(between(time, not_after)),
        CertificateError::NotValidYetContext { time, not_before } => Flaw::Begins(between(time, not_before)),
        CertificateError::NotValidForNameContext { presented, .. } => {
            Flaw::OtherName(presented.iter().map(|name| plain(name).to_owned()).collect())
        }
        CertificateError::UnknownIssuer => Flaw::UnknownIssuer,
        other => Flaw::Other(other.to_string()),
    }
}

/// The library writes `DnsName("a.example")`.
fn plain(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}
