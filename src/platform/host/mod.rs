//! What this host allows: the facts that planning starts from.

mod cgroup;
mod text;

use std::fs;
use std::net::{Ipv6Addr, UdpSocket};
use std::ops::RangeInclusive;
use std::path::Path;

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use super::sysctl::read_parameter;

/// The limits and resources of this host, as read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Processors this process may run on.
    pub cpus: u16,
    /// Memory in bytes; the limit of the control group is taken into account.
    pub memory_total: u64,
    /// Memory in bytes that is available without swapping.
    pub memory_available: u64,
    /// The highest `RLIMIT_NOFILE` that our children can get: the hard limit, or `fs.nr_open` when
    /// this process can raise it.
    pub nofile: u64,
    /// `RLIMIT_NPROC`: processes and threads of this user. `None` when unlimited.
    pub nproc: Option<u64>,
    /// `net.core.somaxconn`: the longest accept queue.
    pub somaxconn: u32,
    /// `net.ipv4.ip_local_port_range`.
    pub ephemeral: RangeInclusive<u16>,
    /// `net.ipv4.ip_local_reserved_ports`.
    pub reserved: Vec<RangeInclusive<u16>>,
    /// The connection tracking table; `None` when the kernel tracks nothing.
    pub conntrack: Option<Conntrack>,
    /// Whether sockets can be bound to IPv6 addresses.
    pub ipv6: bool,
    /// Whether this process runs as root.
    pub root: bool,
}

/// The connection tracking table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conntrack {
    /// Entries at most.
    pub max: u64,
    /// Entries now.
    pub count: u64,
}

impl Host {
    /// Reads this host. A fact that cannot be read gets the default value of Linux.
    #[must_use]
    pub fn read() -> Host {
        let memory = Memory::read();
        Host {
            cpus: cpus(),
            memory_total: memory.total,
            memory_available: memory.available,
            nofile: nofile(),
            nproc: nproc(),
            somaxconn: fact("net/core/somaxconn", text::number).unwrap_or(4096),
            ephemeral: fact("net/ipv4/ip_local_port_range", text::port_range).unwrap_or(32768..=60999),
            reserved: fact("net/ipv4/ip_local_reserved_ports", text::port_list).unwrap_or_default(),
            conntrack: conntrack(),
            ipv6: UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok(),
            root: nix::unistd::geteuid().is_root(),
        }
    }

    /// This host for a user other than root that has this process's limits.
    ///
    /// Where even root cannot raise limits there is no difference: the limit is the host's or the
    /// container's.
    #[must_use]
    pub fn for_user(self) -> Host {
        if !may_raise_limits() {
            return self;
        }
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
        Host {
            nofile: self.nofile.min(hard),
            root: false,
            ..self
        }
    }

    /// Whether the kernel may give `port` to any outgoing connection.
    #[must_use]
    pub fn is_ephemeral(&self, port: u16) -> bool {
        self.ephemeral.contains(&port) && !self.reserved.iter().any(|range| range.contains(&port))
    }

    /// Connections that one source address can have to one address and port.
    #[must_use]
    pub fn ephemeral_ports(&self) -> u32 {
        // The kernel's lists are sorted and do not overlap.
        let reserved = self.reserved.iter().map(|range| {
            let from = *range.start().max(self.ephemeral.start());
            let to = *range.end().min(self.ephemeral.end());
            length(&(from..=to))
        });
        length(&self.ephemeral).saturating_sub(reserved.sum())
    }
}

/// The release of the kernel, such as `6.18.0`; empty when it is unknown.
#[must_use]
pub fn kernel_release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    release.unwrap_or_default().trim().to_owned()
}

// Private

/// Memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Memory {
    total: u64,
    available: u64,
}

impl Memory {
    /// The memory of the machine, or less where a control group allows less.
    fn read() -> Memory {
        let machine = fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| text::meminfo(&text))
            .unwrap_or(Memory {
                total: 1 << 30,
                available: 1 << 29,
            });
        cgroup::memory_limits()
            .into_iter()
            .fold(machine, |least, limit| Memory {
                total: least.total.min(limit.total),
                available: least.available.min(limit.available),
            })
    }
}

/// The processors that CPU affinity and the quota of the control group leave to this process.
fn cpus() -> u16 {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cpus).unwrap_or(u16::MAX)
}

fn nofile() -> u64 {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let most = fact("fs/nr_open", text::number).unwrap_or(1 << 20);
    if may_raise_limits() {
        most
    } else {
        // A hard limit can be above `fs.nr_open`; it cannot be requested then.
        hard.min(most)
    }
}

fn nproc() -> Option<u64> {
    let limit = match getrlimit(Resource::RLIMIT_NPROC) {
        // The kernel does not apply it to root.
        Ok((soft, _)) if soft != RLIM_INFINITY && !nix::unistd::geteuid().is_root() => Some(soft),
        _ => None,
    };
    limit.into_iter().chain(cgroup::pids_limit()).min()
}

/// Whether hard limits can be raised. This needs `CAP_SYS_RESOURCE` in the first user namespace: in
/// any other namespace the capability is shown but has no effect.
fn may_raise_limits() -> bool {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    text::has_sys_resource(&read("status")) && text::is_first_user_namespace(&read("uid_map"))
}

fn conntrack() -> Option<Conntrack> {
    Some(Conntrack {
        max: fact("net/netfilter/nf_conntrack_max", text::number)?,
        count: fact("net/netfilter/nf_conntrack_count", text::number).unwrap_or(0),
    })
}

/// The kernel's setting `name`, a path below `/proc/sys`.
fn fact<T>(name: &str, parse: fn(&str) -> Option<T>) -> Option<T> {
    parse(&read_parameter(&Path::new("/proc/sys").join(name)).ok()?)
}

fn length(range: &RangeInclusive<u16>) -> u32 {
    (u32::from(*range.end()) + 1).saturating_sub(u32::from(*range.start()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Program;
    use super::*;

    #[test]
    fn this_host_has_plausible_values() {
        let host = Host::read();
        assert!(host.cpus > 0 && host.nofile >= 256 && host.somaxconn > 0);
        assert!(host.memory_total >= host.memory_available && host.memory_available > 0);
        assert!(host.ephemeral_ports() > 0);
    }

    #[test]
    fn reserved_ports_are_not_ephemeral() {
        let host = Host {
            ephemeral: 10_000..=10_099,
            reserved: vec![9_000..=10_009, 10_050..=10_050, 10_098..=20_000],
            ..Host::read()
        };
        assert_eq!(host.ephemeral_ports(), 100 - 10 - 1 - 2);
        let ephemeral: Vec<_> = [9_999, 10_009, 10_010, 10_050, 10_051, 10_098]
            .into_iter()
            .filter(|port| host.is_ephemeral(*port))
            .collect();
        assert_eq!(ephemeral, [10_010, 10_051]);
    }

    #[tokio::test]
    async fn the_reported_descriptor_limit_can_be_reached() {
        let promised = Host::read().nofile;
        let mut shell = Program::new("/bin/sh").args(["-c", "ulimit -n"]);
        shell.nofile = Some(promised);
        let output = shell.output(Duration::from_secs(30)).await.unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap().trim(),
            promised.to_string()
        );
    }
}
