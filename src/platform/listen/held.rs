//! The listeners of another process.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, RawFd};
use std::path::Path;

use nix::sys::stat::fstat;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::SockRef;

use crate::platform::Identity;
use crate::platform::ports::socket_inode;
use crate::platform::sock_diag;

/// Copies of the sockets by which `process` listens on any of the `addresses`, each socket once, in
/// the order of their descriptors. The process keeps them, too. Those that only one of its threads
/// has are copied since Linux 6.9.
///
/// # Errors
/// `NotFound` when the process has ended, `PermissionDenied` when the kernel's rules for `ptrace`
/// forbid it, `Unsupported` when the kernel is too old.
pub fn held_by(process: Identity, addresses: &BTreeSet<SocketAddr>) -> io::Result<Vec<TcpListener>> {
    let failed = |error: io::Error| explained(process.pid, &error);
    let pid = Pid::from_raw(process.pid.cast_signed());
    let pid = pid.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| failed(errno.into()))?;
    // The number could have been that of another process before it was opened.
    if !process.is_alive() {
        return Err(failed(io::ErrorKind::NotFound.into()));
    }
    let wanted: BTreeSet<_> = addresses.iter().copied().map(comparable).collect();
    // A process can have many thousand connections, which are not copied. Without the kernel's list
    // they are.
    let listening: Option<BTreeSet<u64>> = sock_diag::listeners().ok().map(|all| {
        let here = all.iter().filter(|one| wanted.contains(&comparable(one.address)));
        here.map(|listener| listener.inode).collect()
    });
    let mut copies = Copies {
        wanted,
        listening,
        copied: BTreeSet::new(),
        listeners: Vec::new(),
    };
    copies
        .take(&pidfd, &format!("/proc/{}/fd", process.pid))
        .map_err(failed)?;
    if !copies.is_complete() {
        copies.take_of_threads(process.pid);
    }
    Ok(copies.listeners)
}

/// The inode of a socket. All copies of a socket have the same one, in all processes.
pub fn inode(socket: &impl AsFd) -> io::Result<u64> {
    Ok(fstat(socket)?.st_ino)
}

// Private

/// `PIDFD_THREAD`: the descriptor stands for one thread, and for its descriptor table.
const OF_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned());

/// What is copied of one process.
struct Copies {
    /// The addresses, in comparable form.
    wanted: BTreeSet<SocketAddr>,
    /// The inodes of all listeners at these addresses; `None` where the kernel does not list them.
    listening: Option<BTreeSet<u64>>,
    copied: BTreeSet<u64>,
    listeners: Vec<TcpListener>,
}

impl Copies {
    /// Whether there is a listener for each address.
    fn is_complete(&self) -> bool {
        let addresses = self.listeners.iter().filter_map(|it| it.local_addr().ok());
        let found: BTreeSet<SocketAddr> = addresses.map(comparable).collect();
        self.wanted.is_subset(&found)
    }

    /// Copies out of the descriptor table of `pidfd`, which `directory` lists.
    fn take(&mut self, pidfd: impl AsFd, directory: &str) -> io::Result<()> {
        for (number, inode_of_link) in sockets(directory)? {
            let is_known_other = |inodes: &BTreeSet<u64>| !inodes.contains(&inode_of_link);
            if self.copied.contains(&inode_of_link) || self.listening.as_ref().is_some_and(is_known_other) {
                continue;
            }
            let copy = match pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty()) {
                Ok(copy) => copy,
                // It was closed meanwhile.
                Err(rustix::io::Errno::BADF) => continue,
                Err(errno) => return Err(errno.into()),
            };
            // The number may have got another meaning meanwhile.
            let Ok(address) = SockRef::from(&copy).local_addr() else {
                continue;
            };
            let is_wanted = |address: SocketAddr| self.wanted.contains(&comparable(address));
            let listens = SockRef::from(&copy).is_listener().unwrap_or(false);
            if listens && address.as_socket().is_some_and(is_wanted) && self.copied.insert(inode(&copy)?) {
                self.listeners.push(copy.into());
            }
        }
        Ok(())
    }

    /// Copies out of the tables of threads that have left that of their process. What cannot be
    /// copied is left out: older kernels have no descriptors of threads.
    fn take_of_threads(&mut self, process: u32) {
        let entries = fs::read_dir(format!("/proc/{process}/task"))
            .into_iter()
            .flatten();
        let threads = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        for thread in threads.filter(|thread: &i32| thread.cast_unsigned() != process) {
            let pidfd = Pid::from_raw(thread).and_then(|thread| pidfd_open(thread, OF_THREAD).ok());
            if let Some(pidfd) = pidfd {
                let _copied_or_not = self.take(&pidfd, &format!("/proc/{process}/task/{thread}/fd"));
            }
        }
    }
}

/// The descriptors in this directory of `/proc` that are sockets, in order, each with its inode.
fn sockets(directory: &str) -> io::Result<Vec<(RawFd, u64)>> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let inode = fs::read_link(&path).ok().and_then(|link| socket_inode(&link));
        sockets.extend(number.zip(inode));
    }
    sockets.sort_unstable();
    Ok(sockets)
}

/// IPv4-mapped addresses become IPv4 addresses; the numbers of interfaces are left out.
fn comparable(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn explained(pid: u32, error: &io::Error) -> io::Error {
    let (kind, reason) = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => (
            io::ErrorKind::PermissionDenied,
            format!("the kernel's rules for ptrace forbid it{}", restriction()),
        ),
        Some(libc::ENOSYS) => (
            io::ErrorKind::Unsupported,
            "the kernel lacks pidfd_getfd (Linux 5.6)".to_owned(),
        ),
        Some(libc::ESRCH | libc::ENOENT) => (io::ErrorKind::NotFound, "it has ended".to_owned()),
        None if error.kind() == io::ErrorKind::NotFound => (error.kind(), "it has ended".to_owned()),
        _ => (error.kind(), error.to_string()),
    };
    io::Error::new(
        kind,
        format!("cannot copy the listeners of process {pid}: {reason}"),
    )
}

/// What restricts `ptrace` on this host beyond its usual rules.
fn restriction() -> String {
    let usual = "; it takes the same user, or CAP_SYS_PTRACE";
    let scope = fs::read_to_string(Path::new("/proc/sys/kernel/yama/ptrace_scope"));
    match scope.as_deref().map(str::trim) {
        Ok("0") | Err(_) => usual.to_owned(),
        Ok(scope) => format!("{usual}, and `kernel.yama.ptrace_scope` is {scope} instead of 0"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nix::sys::signal::Signal;

    use super::*;
    use crate::platform::listen::Group;
    use crate::platform::{Process, Program};

    fn inodes<'a>(listeners: impl IntoIterator<Item = &'a TcpListener>) -> Vec<u64> {
        listeners
            .into_iter()
            .map(|listener| inode(listener).unwrap())
            .collect()
    }

    fn child(listeners: &[Arc<TcpListener>]) -> (tempfile::TempDir, Process) {
        let directory = tempfile::tempdir().unwrap();
        let program = Program::new("/bin/sleep")
            .arg("60")
            .inherit(listeners.iter().cloned());
        let process = program.spawn(&directory.path().join("log")).unwrap();
        (directory, process)
    }

    #[tokio::test]
    async fn the_listeners_of_a_child_are_copied_each_once_and_in_order() {
        let group = Group::open("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let other = Arc::new(TcpListener::bind("[::1]:0").unwrap());
        let [first, second, third] = [0, 1, 2].map(|member| group.listener(member).unwrap());
        let given = [third, Arc::clone(&other), first, second];
        let twice = [&given[..], &given[..2]].concat();
        let (_directory, mut process) = child(&twice);
        let address = other.local_addr().unwrap();
        let held = |addresses: &[SocketAddr]| {
            let addresses = addresses.iter().copied().collect();
            held_by(process.identity(), &addresses).unwrap()
        };
        let expected = inodes(given.iter().map(Arc::as_ref));
        assert_eq!(inodes(&held(&[group.address(), address])), expected);
        assert_eq!(inodes(&held(&[address])), [expected[1]]);
        let stranger: SocketAddr = "127.0.0.1:1".parse().unwrap();
        assert!(held(&[stranger]).is_empty() && held(&[]).is_empty());

        let copies = held(&[group.address()]);
        let clients: Vec<_> = (0..20)
            .map(|_| std::net::TcpStream::connect(group.address()))
            .collect();
        assert!(clients.iter().all(Result::is_ok));
        assert!(copies.iter().any(|copy| copy.accept().is_ok()));

        process.identity().signal_group(Signal::SIGKILL).unwrap();
        process.ended().await.unwrap();
        let error = held_by(process.identity(), &BTreeSet::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().ends_with("it has ended"), "{error}");
    }

    #[test]
    fn a_connection_of_a_process_is_not_a_listener() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        let _accepted = server.accept().unwrap();
        let held = held_by(Identity::own(), &BTreeSet::from([address])).unwrap();
        assert_eq!(inodes(&held), [inode(&server).unwrap()]);
    }

    #[test]
    fn errors_name_the_process_and_the_reason() {
        let reasons = [
            (libc::EPERM, io::ErrorKind::PermissionDenied, "CAP_SYS_PTRACE"),
            (libc::EACCES, io::ErrorKind::PermissionDenied, "the same user"),
            (libc::ENOSYS, io::ErrorKind::Unsupported, "Linux 5.6"),
            (libc::ESRCH, io::ErrorKind::NotFound, "it has ended"),
            (
                libc::EMFILE,
                io::Error::from_raw_os_error(libc::EMFILE).kind(),
                "Too many open files",
            ),
        ];
        for (errno, kind, reason) in reasons {
            let error = explained(4711, &io::Error::from_raw_os_error(errno));
            assert_eq!(error.kind(), kind);
            let text = error.to_string();
            assert!(text.contains("process 4711") && text.contains(reason), "{text}");
        }
    }
}
