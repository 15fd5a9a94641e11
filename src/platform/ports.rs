//! Who holds a port.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::sock_diag::{Listener, listeners};

/// Descriptors looked at in one search; what is not found by then stays unnamed.
const MAX_LINKS: usize = 1_000_000;

/// A listener, and the process that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// What it listens on.
    pub address: SocketAddr,
    /// Its process; `None` when it is not ours to see.
    pub pid: Option<u32>,
    /// The name of that process.
    pub name: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.pid, &self.name) {
            (Some(pid), Some(name)) => write!(f, "{name} (pid {pid})"),
            (Some(pid), None) => write!(f, "pid {pid}"),
            (None, _) => f.write_str("a process that is not ours to see"),
        }
    }
}

/// The listener that keeps `address` from being bound.
#[must_use]
pub fn who_holds(address: SocketAddr) -> Option<Holder> {
    holders(&[address]).pop().map(|(_, holder)| holder)
}

/// The listeners that keep any of `addresses` from being bound. With `SO_REUSEPORT` a bind would succeed and steal half
/// of their connections, so the kernel's list is asked and not `bind`. IPv6 addresses are taken to be bound for IPv6
/// only. Where the kernel does not tell, every port is free.
#[must_use]
pub fn holders(addresses: &[SocketAddr]) -> Vec<(SocketAddr, Holder)> {
    let listeners = listeners().unwrap_or_default();
    let collisions: Vec<(SocketAddr, Listener)> = addresses
        .iter()
        .filter_map(|address| {
            let holder = listeners.iter().find(|listener| collides(*address, listener))?;
            Some((*address, *holder))
        })
        .collect();
    if collisions.is_empty() {
        return Vec::new();
    }
    let inodes = collisions.iter().map(|(_, listener)| listener.inode).collect();
    let pids = Search::new(inodes).run();
    collisions
        .into_iter()
        .map(|(address, listener)| {
            let pid = pids.get(&listener.inode).copied();
            let holder = Holder {
                address: listener.address,
                pid,
                name: pid.and_then(name),
            };
            (address, holder)
        })
        .collect()
}

// Private

/// Whether the kernel refuses to bind `address` because of `listener`, `SO_REUSEPORT` aside.
fn collides(address: SocketAddr, listener: &Listener) -> bool {
    let (wanted, held) = (address.ip().to_canonical(), listener.address.ip());
    if address.port() != listener.address.port() {
        return false;
    }
    if wanted.is_ipv4() == held.is_ipv4() {
        wanted == held || wanted.is_unspecified() || held.is_unspecified()
    } else {
        held == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !listener.v6_only
    }
}

fn name(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// A search through the descriptors of every process for the sockets of some inodes.
struct Search {
    wanted: HashSet<u64>,
    found: HashMap<u64, u32>,
    links: usize,
}

impl Search {
    fn new(wanted: HashSet<u64>) -> Search {
        Search {
            wanted,
            found: HashMap::new(),
            links: 0,
        }
    }

    /// The process of each inode. A thread may have a descriptor table of its own, that its process does not show; so
    /// threads are looked through for what no process has.
    fn run(mut self) -> HashMap<u64, u32> {
        let pids = numbers(Path::new("/proc"));
        for pid in &pids {
            self.look(*pid, format!("/proc/{pid}/fd").into());
        }
        for pid in &pids {
            let tasks = PathBuf::from(format!("/proc/{pid}/task"));
            if self.is_over() {
                break;
            }
            for task in numbers(&tasks).into_iter().filter(|task| task != pid) {
                self.look(*pid, tasks.join(format!("{task}/fd")));
            }
        }
        self.found
    }

    fn look(&mut self, pid: u32, table: PathBuf) {
        // Processes end, and those of others are closed to us.
        for entry in fs::read_dir(table).into_iter().flatten().flatten() {
            if self.is_over() {
                return;
            }
            self.links += 1;
            let Some(inode) = fs::read_link(entry.path())
                .ok()
                .and_then(|link| socket_inode(&link))
            else {
                continue;
            };
            if self.wanted.remove(&inode) {
                self.found.insert(inode, pid);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.wanted.is_empty() || self.links >= MAX_LINKS
    }
}

/// `socket:[4711]`.
fn socket_inode(link: &Path) -> Option<u64> {
    link.to_str()?
        .strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// The entries of a directory whose names are numbers.
fn numbers(directory: &Path) -> Vec<u32> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use super::*;

    fn listener(address: &str, v6_only: bool) -> Listener {
        Listener {
            address: address.parse().unwrap(),
            inode: 1,
            v6_only,
        }
    }

    #[test]
    fn wildcards_collide_as_in_the_kernel() {
        let collides = |wanted: &str, held: &str, v6_only| {
            super::collides(wanted.parse().unwrap(), &listener(held, v6_only))
        };
        for (wanted, held) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("127.0.0.1:80", "0.0.0.0:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "[::]:80"),
            ("127.0.0.1:80", "[::]:80"),
            ("[::]:80", "[::1]:80"),
            ("[::1]:80", "[::]:80"),
        ] {
            assert!(collides(wanted, held, false), "{wanted} {held}");
        }
        for (wanted, held) in [
            ("127.0.0.1:80", "127.0.0.1:81"),
            ("127.0.0.1:80", "127.0.0.2:80"),
            ("127.0.0.1:80", "[::1]:80"),
            ("[::]:80", "0.0.0.0:80"),
        ] {
            assert!(!collides(wanted, held, false), "{wanted} {held}");
        }
        assert!(!collides("0.0.0.0:80", "[::]:80", true));
    }

    #[test]
    fn the_holder_of_a_port_is_named() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let wildcard = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
        for wanted in [address, wildcard] {
            let holder = who_holds(wanted).unwrap();
            assert_eq!((holder.address, holder.pid), (address, Some(std::process::id())));
            let name = holder.name.clone().unwrap();
            assert_eq!(holder.to_string(), format!("{name} (pid {})", std::process::id()));
        }
        drop(server);
        // A child that another test is just making has a copy of the listener until it executes its program.
        let deadline = Instant::now() + Duration::from_secs(30);
        while who_holds(address).is_some() {
            assert!(Instant::now() < deadline, "{address} is still held");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_listener_in_a_threads_own_table_is_found() {
        let (address_out, address) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).unwrap();
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            address_out.send(server.local_addr().unwrap()).unwrap();
            let _ = ended.recv();
        });
        let holder = who_holds(address.recv().unwrap());
        drop(end);
        thread.join().unwrap();
        assert_eq!(holder.unwrap().pid, Some(std::process::id()));
    }
}
