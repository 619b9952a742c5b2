//! What of the host could make a release fail: its ports and its disks, as far as they can be seen from here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mainstay_model::plan::preflight::{Disk, DiskOf, Holder, HostPort, Questions, Seen, TakenPort};
use procfs::net::TcpState;
use procfs::process::{FDTarget, Process, all_processes};
use rustix::fs::statvfs;

use super::Machine;
use crate::world::WorldError;

/// Processes whose socket is the engine's: its own, and of a socket that an init system made for it.
const ENGINES: &[&str] = &["dockerd", "podman", "systemd", "init"];
/// Processes that hold a port for a container.
const FOR_CONTAINERS: &[&str] = &["docker-proxy", "rootlesskit", "rootlessport"];

/// A socket that waits for somebody, with its number in the kernel.
type Listening = BTreeSet<(HostPort, u64)>;

impl Machine {
    pub(super) async fn look_around(&self, questions: &Questions) -> Result<Seen, WorldError> {
        let mut seen = Seen { images: self.image_sizes(questions.images.iter().cloned()).await?, ..Seen::default() };
        let engine = self.process().await.filter(|pid| is_engine(*pid));
        if !questions.ports.is_empty() {
            seen.taken = self.ports(questions, engine).await?;
        }
        if !questions.networks.is_empty() {
            // What cannot be read stays out of it.
            seen.members = self.members_of(questions.networks.clone(), &[], &questions.declared).await.0;
        }
        if questions.disks {
            seen.disks.extend(disk(DiskOf::State, &existing(&self.state_dir), &self.state_dir));
            if let (Some(pid), Some(folder)) = (engine, self.root_folder().await) {
                seen.disks.extend(engine_disk(pid, Path::new(&folder)));
            }
        }
        Ok(seen)
    }

    /// Who has the ports. A process counts when it was there before and after the containers were listed: in between,
    /// a container may have come or gone whose port the engine holds by a process of its own.
    async fn ports(&self, questions: &Questions, engine: Option<i32>) -> Result<Vec<TakenPort>, WorldError> {
        let before = listening(engine, questions).await;
        let mut taken = self.taken_ports().await?;
        taken.retain(|taken| questions.ports.iter().any(|asked| is_same(asked, &taken.port)));
        let after = listening(engine, questions).await;
        let has = |port: &HostPort| taken.iter().any(|taken| is_same(&taken.port, port));
        let open: Listening = before.intersection(&after).filter(|(port, _)| !has(port)).cloned().collect();
        if !open.is_empty() {
            taken.extend(tokio::task::spawn_blocking(move || held_by(&open)).await.unwrap_or_default());
        }
        Ok(taken)
    }
}

fn is_same(one: &HostPort, other: &HostPort) -> bool {
    (one.port, &one.protocol) == (other.port, &other.protocol)
}

fn name_of(pid: i32) -> Option<String> {
    Some(Process::new(pid).ok()?.stat().ok()?.comm)
}

/// A forwarded socket is made by the one who forwards.
fn is_engine(pid: i32) -> bool {
    name_of(pid).is_some_and(|name| ENGINES.contains(&name.as_str()))
}

/// What listens in the network that the engine publishes in, at the ports in question.
async fn listening(engine: Option<i32>, questions: &Questions) -> Listening {
    let Some(pid) = engine else { return Listening::new() };
    let asked = questions.ports.clone();
    let read = move || {
        let all = sockets(pid).unwrap_or_default();
        all.into_iter().filter(|(port, _)| asked.iter().any(|asked| is_same(asked, port))).collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

fn sockets(pid: i32) -> procfs::ProcResult<Vec<(HostPort, u64)>> {
    let process = Process::new(pid)?;
    let mut found = Vec::new();
    // A machine without IPv6 has no such tables.
    let tcp = process.tcp()?.into_iter().chain(process.tcp6().unwrap_or_default());
    for entry in tcp.filter(|entry| entry.state == TcpState::Listen) {
        found.push((port_at(entry.local_address.ip(), entry.local_address.port(), "tcp"), entry.inode));
    }
    let udp = process.udp()?.into_iter().chain(process.udp6().unwrap_or_default());
    for entry in udp.filter(|entry| entry.remote_address.port() == 0) {
        found.push((port_at(entry.local_address.ip(), entry.local_address.port(), "udp"), entry.inode));
    }
    Ok(found)
}

fn port_at(ip: IpAddr, port: u16, protocol: &str) -> HostPort {
    HostPort { ip: Some(ip.to_canonical()), port, protocol: protocol.to_owned() }
}

/// Finds the processes that hold these sockets. Those of other users are seen by root only.
fn held_by(open: &Listening) -> Vec<TakenPort> {
    let inodes: BTreeSet<u64> = open.iter().map(|(_, inode)| *inode).collect();
    let mut holders: BTreeMap<u64, (i32, String)> = BTreeMap::new();
    for process in all_processes().into_iter().flatten().flatten() {
        let Ok(fds) = process.fd() else { continue };
        for fd in fds.flatten() {
            if let FDTarget::Socket(inode) = fd.target
                && inodes.contains(&inode)
                && let Ok(stat) = process.stat()
            {
                holders.entry(inode).or_insert((stat.pid, stat.comm));
            }
        }
    }
    let taken = open.iter().filter_map(|(port, inode)| {
        let holder = holders.get(inode);
        if holder.is_some_and(|(_, name)| FOR_CONTAINERS.contains(&name.as_str())) {
            return None;
        }
        let (pid, name) = (holder.map(|(pid, _)| *pid), holder.map(|(_, name)| name.clone()));
        Some(TakenPort { port: port.clone(), holder: Holder::Process { pid, name } })
    });
    taken.collect()
}

/// The engine's folder, by way of the engine's own view of the files: it may have another one than we have.
fn engine_disk(pid: i32, folder: &Path) -> Option<Disk> {
    let inside = PathBuf::from(format!("/proc/{pid}/root")).join(folder.strip_prefix("/").ok()?);
    disk(DiskOf::Engine, &inside, folder).or_else(|| disk(DiskOf::Engine, folder, folder))
}

/// The nearest folder that is there: the state folder is made by the first order.
fn existing(folder: &Path) -> PathBuf {
    folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn disk(of: DiskOf, at: &Path, folder: &Path) -> Option<Disk> {
    let stat = statvfs(at).ok()?;
    let (free, total) = (stat.f_bavail.checked_mul(stat.f_frsize)?, stat.f_blocks.checked_mul(stat.f_frsize)?);
    // Some file systems do not count.
    (total > 0).then(|| Disk { of, folder: folder.display().to_string(), free, total })
}
