//! Descriptor tables: how large they may grow, and how a thread gets its own.
//!
//! `RLIMIT_NOFILE` bounds a table, not a process. Threads share one table unless they leave it, so
//! a process of n threads with separate tables can hold n times the limit.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, SockRef};

/// Raises this process's soft `RLIMIT_NOFILE` to the hard limit, and returns that.
pub fn raise_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// Gives the calling thread its own copy of the descriptor table that it shares with the other
/// threads. The copy has no network sockets (if `/proc` lists them): otherwise closing them in
/// another thread would never end their connections.
///
/// From here on the same number means different descriptors in this thread and in the others. The
/// thread must neither use nor drop a network socket that was opened before. All other descriptors
/// (standard output, epoll instances, the wakers of runtimes) are in both tables under the same
/// number.
///
/// # Errors
/// When neither `close_range` nor `unshare` is allowed; the table stays shared then.
pub fn leave_shared_table() -> io::Result<()> {
    // Docker's default seccomp profile allows the first and forbids the second; old kernels have
    // only the second.
    close_nothing_unshared()
        .or_else(|_| nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).map_err(io::Error::from))?;
    close_network_sockets();
    Ok(())
}

/// Keeps the descriptors that this process has inherited from the programs that it starts: sockets
/// of a service manager, files that a shell left open. Those that it opens itself are kept from
/// them anyway.
pub fn keep_inherited() {
    for fd in open().into_iter().filter(|fd| *fd > libc::STDERR_FILENO) {
        // SAFETY: no other thread exists yet, and a number that is not open only causes an error.
        #[expect(unsafe_code, reason = "a descriptor of the table is borrowed by its number")]
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let _open_or_not = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}

// Private

/// Closes the empty range at the end of the table; the kernel unshares the table first.
#[expect(unsafe_code, reason = "glibc's wrapper is younger than the systems we run on")]
fn close_nothing_unshared() -> io::Result<()> {
    // SAFETY: the call takes three numbers, and closes nothing, because a descriptor cannot have
    // the number 2^32 - 1.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            libc::c_uint::MAX,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_UNSHARE,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn close_network_sockets() {
    for fd in open() {
        if is_network_socket(fd) {
            // The descriptor is closed even when `close` fails (`man 2 close`).
            let _closed = nix::unistd::close(fd);
        }
    }
}

/// The descriptors of this thread's table. They are collected before any is closed, because closing
/// while listing would skip some. The listing's own descriptor is closed by then.
fn open() -> Vec<RawFd> {
    fs::read_dir("/proc/thread-self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

#[expect(unsafe_code, reason = "a descriptor of the table is borrowed by its number")]
fn is_network_socket(fd: RawFd) -> bool {
    // SAFETY: `fd` is not -1. The borrow ends here, and a number that is no longer open only causes
    // an error.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    matches!(SockRef::from(&fd).domain(), Ok(Domain::IPV4 | Domain::IPV6))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_connection_ends_although_a_thread_copied_the_table() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let (left, when_left) = mpsc::channel();
        let (end, when_ended) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            left.send(leave_shared_table().is_ok()).unwrap();
            let _disconnected = when_ended.recv();
        });
        assert!(when_left.recv().unwrap(), "this host allows neither call");
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(end);
        thread.join().unwrap();
    }

    #[test]
    fn numbers_mean_different_things_in_different_tables() {
        let (left, when_left) = mpsc::channel();
        let (opened, when_opened) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            leave_shared_table().unwrap();
            left.send(()).unwrap();
            when_opened.recv().unwrap();
            let own: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null").unwrap()).collect();
            drop(own);
        });
        when_left.recv().unwrap();
        let shared: Vec<_> = (0..50).map(|_| fs::File::open("/dev/zero").unwrap()).collect();
        opened.send(()).unwrap();
        thread.join().unwrap();
        for mut file in shared {
            file.read_exact(&mut [1]).unwrap();
        }
    }
}
