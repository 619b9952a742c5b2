//! From a host to a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mainstay_model::smoke::{Address, NoAnswer, Scheme, Whence};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::Ways;

/// An address that swallows packets must not use up the time of the next one.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// A connection, whatever leads there.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Connects to where a check is asked.
pub(super) async fn connect(ways: &Ways, url: &Address, from: Whence) -> Result<Box<dyn Wire>, NoAnswer> {
    if let (Whence::Edge, true, Some(edge)) = (from, ways.private.contains(url), &ways.probe) {
        let door = edge.preview_door();
        let connected = UnixStream::connect(door.path()).await;
        let unreached = |error| NoAnswer::Connect { to: "the edge's preview".to_owned(), why: words(&error) };
        return Ok(Box::new(connected.map_err(unreached)?));
    }
    Ok(Box::new(dial(ways, url, from).await?))
}

async fn dial(ways: &Ways, url: &Address, from: Whence) -> Result<TcpStream, NoAnswer> {
    let addresses = addresses(ways, url, from).await?;
    let mut failed = None;
    for address in &addresses {
        let connecting = TcpStream::connect(address);
        // The only one may take all the time that there is.
        let connected = match addresses.len() {
            1 => connecting.await,
            _ => tokio::time::timeout(CONNECT_WITHIN, connecting).await.unwrap_or_else(|_| Err(timed_out())),
        };
        match connected {
            Ok(stream) => {
                // A question is small and waits for its answer.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            // The first one says more: `::1` is refused wherever nobody listens on IPv6.
            Err(error) => drop(failed.get_or_insert((*address, error))),
        }
    }
    Err(match failed {
        Some((address, error)) => NoAnswer::Connect { to: address.to_string(), why: words(&error) },
        None => NoAnswer::Name { host: url.host.clone(), why: "it has no address".to_owned() },
    })
}

fn timed_out() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

async fn addresses(ways: &Ways, url: &Address, from: Whence) -> Result<Vec<SocketAddr>, NoAnswer> {
    if let (Whence::Edge, Some(door)) = (from, ways.edge) {
        return Ok(vec![match url.scheme {
            Scheme::Http => door.http,
            Scheme::Https => door.https,
        }]);
    }
    let (host, port) = (url.host_name(), url.port());
    // By RFC 6761; not every name server knows.
    if url.is_of_this_machine() {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(loopback.map(|address| SocketAddr::new(address, port)).to_vec());
    }
    match tokio::net::lookup_host((host, port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => {
            let text = error.to_string();
            let why = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned();
            Err(NoAnswer::Name { host: host.to_owned(), why })
        }
    }
}

/// What went wrong with a connection, in words without numbers of the operating system.
pub(super) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::Other => error.to_string(),
        kind if error.raw_os_error().is_some() || error.get_ref().is_none() => kind.to_string(),
        _ => error.to_string(),
    }
}
