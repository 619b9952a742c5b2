//! The way over HTTPS: one connection, the token in its first request, and then the same frames as over `ssh`.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use mainstay_model::declared::Hidden;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Link;
use super::address::Address;
use super::tls::{Fingerprint, Judge};
use crate::boot::Boot;
use crate::problem::Problem;
use crate::wire::ErrorBody;

/// What the connection becomes.
pub const UPGRADED: &str = "mainstay-commands";
pub const PATH: &str = "/v1/commands";
const CONNECTING: Duration = Duration::from_secs(15);
/// A refusal is one small object.
const LARGEST_REFUSAL: usize = 64 * 1024;

/// Connects, and shows the token.
///
/// # Errors
/// When nobody is there, it is somebody else, or the token is not taken.
pub async fn reach(boot: &Boot, address: &Address) -> Result<Link, Problem> {
    let (host, port, is_plain) = match address {
        Address::Https { host, port } => (host, *port, false),
        Address::Http { host, port } => (host, *port, true),
        Address::Ssh { .. } => return Err(Problem::usage("bad-host", format!("`{address}` is no way for HTTPS"))),
    };
    let token = token(boot)?;
    let connecting = tokio::time::timeout(CONNECTING, TcpStream::connect((host.as_str(), port))).await;
    let stream = connecting.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(|error| {
        Problem::world("host-unreachable", format!("`{address}` cannot be reached"))
            .caused_by(&error)
            .hint("does `mainstay serve --listen` run there, and does a firewall let that port through?")
    })?;
    let _ = stream.set_nodelay(true);
    if is_plain {
        return begin(address, stream, &token).await;
    }
    let judge = Judge::new(fingerprint(boot)?);
    let config = judge.config().map_err(|error| lost(address, &error))?;
    let name = ServerName::try_from(host.clone()).map_err(|error| lost(address, &error))?;
    let shaking = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let shaken = tokio::time::timeout(CONNECTING, shaking).await;
    let stream = shaken
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        .map_err(|error| untrusted(boot, address, &judge, &error))?;
    begin(address, stream, &token).await
}

/// From the environment or a file: an argument could be read by everybody on the machine.
fn token(boot: &Boot) -> Result<Hidden, Problem> {
    let file = boot.global.token_file.clone().or_else(|| boot.environment.get("MAINSTAY_TOKEN_FILE").map(Into::into));
    let text = match (&file, boot.environment.get("MAINSTAY_TOKEN")) {
        (Some(path), _) => {
            let path = boot.environment.working_directory.join(path);
            std::fs::read_to_string(&path).map_err(|error| {
                Problem::usage("no-token", format!("the token in `{}` could not be read", path.display()))
                    .caused_by(&error)
            })?
        }
        (None, Some(text)) => text.to_owned(),
        (None, None) => {
            return Err(Problem::usage("no-token", "over HTTPS a token says who asks, and there is none")
                .hint("set `MAINSTAY_TOKEN`, or name a file: `--token-file FILE`")
                .hint("on the server: `mainstay token create NAME --scope release:STACK`"));
        }
    };
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::usage("no-token", "what is given as the token is none"));
    }
    let token = Hidden::new(text);
    boot.ui.redactions.learn([&token]);
    Ok(token)
}

fn fingerprint(boot: &Boot) -> Result<Option<Fingerprint>, Problem> {
    boot.environment.get("MAINSTAY_HOST_FINGERPRINT").map(Fingerprint::parse).transpose()
}

/// Nobody vouches for the certificate, or it is another one than the one that is known.
fn untrusted(boot: &Boot, address: &Address, judge: &Judge, error: &std::io::Error) -> Problem {
    let is_refused = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)));
    let (true, Some(seen)) = (is_refused, judge.seen()) else { return lost(address, error) };
    match fingerprint(boot) {
        Ok(Some(pinned)) => Problem::world(
            "other-certificate",
            format!("`{address}` shows another certificate than the one that is known for it; nothing was sent"),
        )
        .hint(format!("known is {pinned}"))
        .hint(format!("shown is {seen}; `mainstay serve` prints which is right when it starts"))
        .hint("when the server was set up anew: set `MAINSTAY_HOST_FINGERPRINT` to the new one"),
        _ => Problem::world(
            "unknown-certificate",
            format!("nobody who is trusted here vouches for the certificate of `{address}`; nothing was sent"),
        )
        .caused_by(error)
        .hint(format!("it shows {seen}; compare that with what `mainstay serve` prints when it starts"))
        .hint("when it is the same: set `MAINSTAY_HOST_FINGERPRINT` to it"),
    }
}

fn lost(address: &Address, error: &dyn std::error::Error) -> Problem {
    Problem::world("host-lost", format!("`{address}` could not be talked with"))
        .caused_by(error)
        .hint("is it the port of `mainstay serve --listen`?")
}

/// The one request.
async fn begin<S>(address: &Address, stream: S, token: &Hidden) -> Result<Link, Problem>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: &dyn std::error::Error| lost(address, error);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    let place = address.to_string();
    let authority = place.split_once("://").map_or(place.as_str(), |(_, authority)| authority);
    let request = Request::get(PATH)
        .header(HOST, authority)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, UPGRADED)
        .header(AUTHORIZATION, format!("Bearer {}", token.reveal()))
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| failed(&error))?;
    let answering = tokio::time::timeout(CONNECTING, sender.send_request(request)).await;
    let response = match answering {
        Ok(answered) => answered.map_err(|error| failed(&error))?,
        Err(_) => return Err(lost(address, &std::io::Error::from(std::io::ErrorKind::TimedOut))),
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(address, response).await);
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| failed(&error))?;
    let (from, to) = tokio::io::split(TokioIo::new(upgraded));
    Ok(Link { from: Box::new(from), to: Box::new(to), ssh: None })
}

/// The server's own words, when they are the server's.
async fn refusal(address: &Address, response: Response<hyper::body::Incoming>) -> Problem {
    let status = response.status();
    let body = http_body_util::Limited::new(response.into_body(), LARGEST_REFUSAL).collect().await;
    let bytes = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match serde_json::from_slice::<ErrorBody>(&bytes) {
        Ok(body) => body.into(),
        Err(_) => Problem::world("host-lost", format!("`{address}` answers with {status}, and not as Mainstay does"))
            .hint("is it the port of `mainstay serve --listen`, and does a proxy in between let upgrades through?"),
    }
}
