//! Which process holds a port.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::sock_diag::{Listener, listeners};

/// The most descriptors that one search looks at; a holder that is not found by then has no name.
const MAX_LINKS: usize = 1_000_000;

/// A listener, and the process that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// What it listens on.
    pub address: SocketAddr,
    /// Its process; `None` when this user is not permitted to see it.
    pub pid: Option<u32>,
    /// The name of that process.
    pub name: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.pid, &self.name) {
            (Some(pid), Some(name)) => write!(f, "{name} (pid {pid})"),
            (Some(pid), None) => write!(f, "pid {pid}"),
            (None, _) => f.write_str("a process of another user"),
        }
    }
}

/// The listener that keeps `address` from being bound.
#[must_use]
pub fn holder_of(address: SocketAddr) -> Option<Holder> {
    holders(&[address], &BTreeSet::new())
        .into_iter()
        .next()
        .map(|(_, holder)| holder)
}

/// For each of `addresses` that cannot be bound, a listener that is in the way: preferably one that
/// none of the processes `ours` has.
///
/// With `SO_REUSEPORT` a bind would succeed and take half of the listener's connections, so this
/// reads the kernel's list instead of trying `bind`. IPv6 addresses are assumed to be bound for
/// IPv6 only. If the kernel does not give the list, every port counts as free.
#[must_use]
pub fn holders(addresses: &[SocketAddr], ours: &BTreeSet<u32>) -> Vec<(SocketAddr, Holder)> {
    let collisions = collisions(addresses);
    if collisions.is_empty() {
        return Vec::new();
    }
    let listeners: Vec<Listener> = collisions.iter().map(|(_, listener)| *listener).collect();
    let pids = processes_with(&listeners);
    let is_ours = |pid: Option<u32>| pid.is_some_and(|pid| ours.contains(&pid));
    let mut held: BTreeMap<SocketAddr, Holder> = BTreeMap::new();
    for (address, listener) in collisions {
        let pids = pids.get(&listener.inode).map_or(&[][..], Vec::as_slice);
        let own = pids.iter().find(|pid| ours.contains(pid));
        let pid = own.or(pids.first()).copied();
        let is_known = held.get(&address).is_some_and(|holder| !is_ours(holder.pid));
        if !is_known {
            held.insert(address, Holder::of(&listener, pid));
        }
    }
    held.into_iter().collect()
}

/// Whether all of `addresses` can be bound. Reads only the kernel's list and searches no processes.
#[must_use]
pub fn are_free(addresses: &[SocketAddr]) -> bool {
    collisions(addresses).is_empty()
}

/// The listeners that keep `address` from being bound, `SO_REUSEPORT` aside.
pub(super) fn listeners_that_collide(address: SocketAddr) -> Vec<Listener> {
    let collisions = collisions(&[address]).into_iter();
    collisions.map(|(_, listener)| listener).collect()
}

/// The listeners that a connection to `address` can reach: those on exactly that address, else
/// those on a wildcard.
#[must_use]
pub fn listeners_for(address: SocketAddr) -> Vec<Listener> {
    most_specific(address, &listeners().unwrap_or_default())
}

/// The processes that have each of `listeners`, by its inode, as far as this user is permitted to
/// see them.
#[must_use]
pub fn processes_with(listeners: &[Listener]) -> HashMap<u64, Vec<u32>> {
    Search::new(listeners).run(&numbers(Path::new("/proc")))
}

/// Those of the `processes` that have each of `listeners`, by its inode.
#[must_use]
pub fn processes_among(processes: &[u32], listeners: &[Listener]) -> HashMap<u64, Vec<u32>> {
    Search::new(listeners).run(processes)
}

/// Whether the process has one of the sockets with these inodes.
#[must_use]
pub fn has_any(process: u32, inodes: &BTreeSet<u64>) -> bool {
    !Search::of(inodes).run(&[process]).is_empty()
}

/// The processes that have one of the sockets with these inodes.
#[must_use]
pub fn processes_with_any(inodes: &BTreeSet<u64>) -> BTreeSet<u32> {
    let found = Search::of(inodes).run(&numbers(Path::new("/proc")));
    found.into_values().flatten().collect()
}

/// Those of the sockets with these inodes that the processes have.
#[must_use]
pub fn sockets_of(processes: &[u32], inodes: &BTreeSet<u64>) -> BTreeSet<u64> {
    Search::of(inodes).run(processes).into_keys().collect()
}

impl Holder {
    /// The holder of `listener`, which is process `pid` if that is known.
    #[must_use]
    pub fn of(listener: &Listener, pid: Option<u32>) -> Holder {
        Holder {
            address: listener.address,
            pid,
            name: pid.and_then(name),
        }
    }
}

// Private

/// Every pair of an address and a listener that keeps it from being bound.
fn collisions(addresses: &[SocketAddr]) -> Vec<(SocketAddr, Listener)> {
    let listeners = listeners().unwrap_or_default();
    let of_one = |address: &SocketAddr| {
        let (address, listeners) = (*address, listeners.iter().copied());
        let collide = listeners.filter(move |listener| collides(address, listener));
        collide
            .map(move |listener| (address, listener))
            .collect::<Vec<_>>()
    };
    addresses.iter().flat_map(of_one).collect()
}

fn most_specific(address: SocketAddr, listeners: &[Listener]) -> Vec<Listener> {
    let ip = address.ip().to_canonical();
    let specificity = |listener: &Listener| {
        let held = listener.address.ip();
        match () {
            () if listener.address.port() != address.port() => None,
            () if held == ip => Some(2),
            () if held.is_unspecified() && held.is_ipv4() == ip.is_ipv4() => Some(1),
            () if held.is_unspecified() && held.is_ipv6() && !listener.v6_only => Some(0),
            () => None,
        }
    };
    let most = listeners.iter().filter_map(specificity).max();
    let reached = listeners.iter().filter(|listener| specificity(listener) == most);
    reached.filter(|_| most.is_some()).copied().collect()
}

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

/// A search through the descriptors of processes for the sockets of some inodes.
struct Search {
    wanted: HashSet<u64>,
    found: HashMap<u64, Vec<u32>>,
    links: usize,
}

impl Search {
    fn new(listeners: &[Listener]) -> Search {
        Search::of(&listeners.iter().map(|listener| listener.inode).collect())
    }

    fn of(inodes: &BTreeSet<u64>) -> Search {
        Search {
            wanted: inodes.iter().copied().collect(),
            found: HashMap::new(),
            links: 0,
        }
    }

    /// The processes that have each inode. A thread can have a separate descriptor table, which its
    /// process does not show; so threads are searched for the inodes that no process has.
    fn run(mut self, pids: &[u32]) -> HashMap<u64, Vec<u32>> {
        for pid in pids {
            self.look(*pid, format!("/proc/{pid}/fd").into());
        }
        let found: Vec<u64> = self.found.keys().copied().collect();
        self.wanted.retain(|inode| !found.contains(inode));
        for pid in pids {
            if self.wanted.is_empty() {
                break;
            }
            let tasks = PathBuf::from(format!("/proc/{pid}/task"));
            for task in numbers(&tasks).into_iter().filter(|task| task != pid) {
                self.look(*pid, tasks.join(format!("{task}/fd")));
            }
        }
        self.found
    }

    fn look(&mut self, pid: u32, table: PathBuf) {
        // Processes end, and those of other users cannot be read.
        for entry in fs::read_dir(table).into_iter().flatten().flatten() {
            if self.links >= MAX_LINKS {
                return;
            }
            self.links += 1;
            let Some(inode) = fs::read_link(entry.path())
                .ok()
                .and_then(|link| socket_inode(&link))
            else {
                continue;
            };
            if self.wanted.contains(&inode) {
                let pids = self.found.entry(inode).or_default();
                if !pids.contains(&pid) {
                    pids.push(pid);
                }
            }
        }
    }
}

/// The inode in a link such as `socket:[4711]`.
pub(super) fn socket_inode(link: &Path) -> Option<u64> {
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
            user: 0,
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
    fn a_connection_reaches_the_most_specific_listener() {
        let held = [
            listener("0.0.0.0:80", false),
            listener("[::]:80", false),
            listener("127.0.0.1:80", false),
            listener("[::]:81", false),
            listener("[::]:82", true),
        ];
        for (address, expected) in [
            ("127.0.0.1:80", &[2][..]),
            ("127.0.0.2:80", &[0]),
            ("[::1]:80", &[1]),
            ("127.0.0.1:81", &[3]),
            ("127.0.0.1:82", &[]),
            ("127.0.0.1:83", &[]),
        ] {
            let expected: Vec<Listener> = expected.iter().map(|index| held[*index]).collect();
            assert_eq!(
                most_specific(address.parse().unwrap(), &held),
                expected,
                "{address}"
            );
        }
    }

    #[test]
    fn every_process_that_shares_a_port_is_found() {
        let open = || {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket
        };
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (one, other) = (open(), open());
        one.bind(&any.into()).unwrap();
        let address = one.local_addr().unwrap();
        other.bind(&address).unwrap();
        one.listen(1).unwrap();
        other.listen(1).unwrap();
        let address = address.as_socket().unwrap();
        let listeners = listeners_for(address);
        assert_eq!((listeners.len(), are_free(&[address])), (2, false));
        let own = std::process::id();
        for found in [processes_with(&listeners), processes_among(&[own], &listeners)] {
            assert!(
                listeners
                    .iter()
                    .all(|listener| found[&listener.inode].contains(&own))
            );
        }
        assert!(processes_among(&[u32::MAX], &listeners).is_empty());
        drop((one, other));
    }

    #[test]
    fn the_holder_of_a_port_is_found_with_its_name() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let wildcard = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
        for wanted in [address, wildcard] {
            let holder = holder_of(wanted).unwrap();
            assert_eq!((holder.address, holder.pid), (address, Some(std::process::id())));
            let name = holder.name.clone().unwrap();
            assert_eq!(holder.to_string(), format!("{name} (pid {})", std::process::id()));
        }
        drop(server);
        // A child that another test has just forked has a copy of the listener until it executes
        // its program.
        let deadline = Instant::now() + Duration::from_secs(30);
        while holder_of(address).is_some() {
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
        let holder = holder_of(address.recv().unwrap());
        drop(end);
        thread.join().unwrap();
        assert_eq!(holder.unwrap().pid, Some(std::process::id()));
    }
}
