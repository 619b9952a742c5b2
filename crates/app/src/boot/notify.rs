//! Tells systemd how the server is, when systemd asked to be told.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::config::Environment;

/// Sends a state such as `READY=1`. Where nobody listens, or sending fails, nothing happens: it is only news.
pub fn tell(environment: &Environment, state: &str) {
    let Some(place) = environment.get("NOTIFY_SOCKET") else { return };
    let address = match place.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(place),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_must_reach_who_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let variables = [("NOTIFY_SOCKET".to_owned(), path.display().to_string())].into();
        tell(&Environment { variables, working_directory: "/".into(), is_root: false, carried: None }, "READY=1");
        let mut heard = [0; 16];
        let length = socket.recv(&mut heard).expect("a message");
        assert_eq!(&heard[..length], b"READY=1");
    }
}
