//! One request to the kernel, and all of its answers.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::wire::{self, Handle, INET, INET6, Socket};

/// The kernel fills at most 32 kB at once.
const BUFFER: usize = 64 * 1024;
/// The kernel answers at once; a longer wait means that something is very wrong.
const PATIENCE_SECONDS: i64 = 5;

/// Passes every TCP socket, IPv4 and IPv6, that is in one of `states` and passes `filter` to
/// `each`.
pub(super) fn dump(states: u32, filter: &[u8], each: impl FnMut(Socket)) -> io::Result<()> {
    dump_all(states, filter, false, each)
}

/// Like [`dump`], with the activity of each socket.
pub(super) fn dump_with_activity(states: u32, filter: &[u8], each: impl FnMut(Socket)) -> io::Result<()> {
    dump_all(states, filter, true, each)
}

/// Ends the connections of `handles`. Returns how many of them still existed.
///
/// # Errors
/// When this is not permitted, or the kernel does not support it or does not answer.
pub(super) fn destroy(handles: &[Handle]) -> io::Result<u64> {
    let kernel = open()?;
    let mut buffer = vec![0; BUFFER];
    let mut destroyed = 0;
    for handle in handles {
        match ask(&kernel, &wire::destruction(handle), &mut buffer, &mut |_| {}) {
            Ok(()) => destroyed += 1,
            // The connection ended by itself.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(destroyed)
}

// Private

fn dump_all(
    states: u32,
    filter: &[u8],
    wants_activity: bool,
    mut each: impl FnMut(Socket),
) -> io::Result<()> {
    let kernel = open()?;
    let mut buffer = vec![0; BUFFER];
    for family in [INET, INET6] {
        let request = wire::request(family, states, filter, wants_activity)?;
        match ask(&kernel, &request, &mut buffer, &mut each) {
            // A kernel without IPv6.
            Err(error) if family == INET6 && error.raw_os_error() == Some(libc::ENOENT) => {}
            result => result?,
        }
    }
    Ok(())
}

fn open() -> io::Result<OwnedFd> {
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    setsockopt(
        &kernel,
        sockopt::ReceiveTimeout,
        &TimeVal::seconds(PATIENCE_SECONDS),
    )?;
    Ok(kernel)
}

fn ask(kernel: &OwnedFd, request: &[u8], buffer: &mut [u8], each: &mut impl FnMut(Socket)) -> io::Result<()> {
    send(kernel.as_raw_fd(), request, MsgFlags::empty())?;
    loop {
        let length = match recv(kernel.as_raw_fd(), buffer, MsgFlags::empty()) {
            Err(Errno::EINTR) => continue,
            result => result?,
        };
        if !wire::read(buffer.get(..length).unwrap_or_default(), &mut *each)? {
            return Ok(());
        }
    }
}
