//! Visitors: threads that ask one address as fast as it answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

/// How it is asked.
#[derive(Clone, Copy)]
pub struct Way {
    pub tls: bool,
    /// One connection for all requests of a visitor, instead of one each.
    pub kept: bool,
}

pub struct Ask {
    pub host: String,
    pub seconds: Duration,
    pub connections: usize,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Ask {
    /// Requests a second of all visitors together. A request that is not answered as expected ends the bench: what fails
    /// quickly would count as fast.
    pub fn again_and_again(&self, port: u16, way: Way, span: Duration) -> f64 {
        let config = Arc::new(config());
        let answered = AtomicUsize::new(0);
        let began = Instant::now();
        thread::scope(|scope| {
            for _ in 0..self.connections {
                scope.spawn(|| {
                    let mut open = None;
                    while began.elapsed() < span {
                        let mut connection = open.take().unwrap_or_else(|| self.connect(port, way, &config));
                        self.one(&mut connection, way);
                        answered.fetch_add(1, Ordering::Relaxed);
                        open = way.kept.then_some(connection);
                    }
                });
            }
        });
        answered.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
    }

    fn connect(&self, port: u16, way: Way, config: &Arc<ClientConfig>) -> BufReader<Box<dyn Stream>> {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("the proxy listens");
        socket.set_nodelay(true).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        if !way.tls {
            return BufReader::new(Box::new(socket));
        }
        let name = ServerName::try_from(self.host.clone()).expect("a name");
        let tls = ClientConnection::new(config.clone(), name).expect("TLS");
        BufReader::new(Box::new(StreamOwned::new(tls, socket)))
    }

    /// Over plain HTTP both proxies lead to HTTPS.
    fn one(&self, connection: &mut BufReader<Box<dyn Stream>>, way: Way) {
        let end = if way.kept { "" } else { "Connection: close\r\n" };
        let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n{end}\r\n", self.host);
        connection.get_mut().write_all(request.as_bytes()).expect("the request is taken");
        let status = line(connection);
        let expected = if way.tls { "HTTP/1.1 200" } else { "HTTP/1.1 308" };
        assert!(status.starts_with(expected), "{status:?} instead of {expected}");
        let mut length = 0;
        loop {
            let header = line(connection).to_ascii_lowercase();
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).expect("the whole body");
    }
}

fn line(connection: &mut BufReader<Box<dyn Stream>>) -> String {
    let mut line = String::new();
    connection.read_line(&mut line).expect("an answer");
    line
}

/// Full handshakes, as of visitors who were never here. Who signed is not the question.
fn config() -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let verifier = Arc::new(Anybody(provider));
    let builder = builder.expect("versions of TLS").dangerous().with_custom_certificate_verifier(verifier);
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
