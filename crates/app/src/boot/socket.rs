//! The server's socket: who may reach it, and that a dead one never stands in the way.
//!
//! Only the owner of the state folder may use it. With `--socket-group` the members of that group may too: the folder
//! then lets them pass (and not look around), and the socket lets them in. Whoever may use it is as powerful as
//! whoever may use the Docker engine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::Gid;
use tokio::net::UnixListener;

use crate::problem::Problem;

/// The longest path that a unix socket can have.
const LONGEST_PATH: usize = 107;

/// Listens on `path`. Only called while the state folder's lock is held: what lies there is then nobody's.
///
/// # Errors
/// When the group does not exist or the folder does not allow it.
pub fn listen(path: &Path, group: Option<&str>) -> Result<UnixListener, Problem> {
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(Problem::usage("socket-path", format!("the path of the socket `{}` is too long", path.display()))
            .hint(format!("a unix socket's path has {LONGEST_PATH} bytes at most: choose a shorter `--state-dir`")));
    }
    let trouble = |error: &std::io::Error| {
        Problem::world("socket", format!("the socket `{}` could not be made", path.display())).caused_by(error)
    };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(trouble(&error)),
        _ => {}
    }
    // From the first moment nobody else may connect; the group is let in below.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = listener.map_err(|error| trouble(&error))?;
    if let Some(group) = group {
        let folder = path.parent().unwrap_or(path);
        let gid = group_id(group)?;
        for (place, mode) in [(path, 0o660), (folder, 0o710)] {
            rustix::fs::chown(place, None, Some(gid)).map_err(|error| trouble(&error.into()))?;
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(place, permissions).map_err(|error| trouble(&error))?;
        }
    }
    Ok(listener)
}

fn group_id(name: &str) -> Result<Gid, Problem> {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    find_group(&groups, name)
        .map(Gid::from_raw)
        .ok_or_else(|| Problem::usage("no-such-group", format!("there is no group `{name}` on this machine")))
}

fn find_group(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next() == Some(name);
        if found { fields.nth(1)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_must_be_found_by_its_whole_name() {
        let groups = "root:x:0:\ndocker-users:x:7:ada\ndocker:x:998:ada,bob\n";
        assert_eq!(find_group(groups, "docker"), Some(998));
        assert_eq!(find_group(groups, "dock"), None);
    }

    #[tokio::test]
    async fn a_socket_must_be_its_owners_alone_and_replace_a_dead_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s.sock");
        drop(listen(&path, None).expect("a socket"));
        assert!(path.exists(), "a dead socket lies there");
        let _listener = listen(&path, None).expect("a socket again");
        let mode = std::fs::metadata(&path).expect("the socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_must_be_refused_in_words() {
        let path = Path::new("/tmp").join("x".repeat(120));
        assert_eq!(listen(&path, None).map(|_| ()).expect_err("too long").code, "socket-path");
    }
}
