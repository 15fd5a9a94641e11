//! The protocol by which a process hands its listeners over to another one, as HAProxy does on a
//! reload (`-x`, `expose-fd listeners`).
//!
//! ```text
//!  receiver                            owner
//!  "_getsocks\n"          ──────────▶
//!                         ◀──────────  their number: an `int` of the host
//!                         ◀──────────  for each: a namespace and an interface, here none, and an `int` of 0;
//!                                      the descriptors come beside it, 252 at most
//!  an `int`               ──────────▶
//!                         ◀──────────  the next ones, until all are sent
//! ```
//!
//! Source: `sock_get_old_sockets` in `src/sock.c` and `_getsocks` in `src/cli.c`, the same from 2.3
//! to 3.3. HAProxy hands over the listeners that it has bound or received this way, but not
//! inherited ones (`fd@`); without any, it closes the connection at once.

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::platform::fd_passing::{self, MAX_DESCRIPTORS};

/// The command that requests them.
pub(super) const COMMAND: &str = "_getsocks";
/// The longest wait for each message. HAProxy waits for one second.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// The options of each listener: no namespace, no interface, no flags.
const NO_OPTIONS: [u8; 6] = [0; 6];
/// The most bytes of options that are read at once. They are not used.
const OPTION_BYTES: usize = 64 * 1024;

/// Takes copies of the listeners that the process at the UNIX socket `path` hands over, in its
/// order. That process keeps them, too. Blocks the thread for some milliseconds; for some seconds
/// when the process does not answer.
///
/// # Errors
/// When no process listens at `path`, it does not answer in time, or its answer is not complete.
pub fn take_listeners(path: &Path) -> io::Result<Vec<TcpListener>> {
    receive(&connect(path)?)
}

/// Connects to the process that hands over its listeners at `path`.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // It limits the wait for a place in the queue, too.
    socket.set_write_timeout(Some(MESSAGE_TIMEOUT))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

/// Reads the command that requests listeners.
pub(super) fn read_command(stream: &UnixStream) -> io::Result<()> {
    in_time(stream)?;
    let mut command = [0; COMMAND.len() + 1];
    fd_passing::receive(stream, &mut command)?;
    if &command[..COMMAND.len()] != COMMAND.as_bytes() {
        return Err(invalid("an unknown command"));
    }
    Ok(())
}

/// Sends copies of the `listeners` to a process that has sent [`COMMAND`]. Blocks the thread.
pub(super) fn send(stream: &UnixStream, listeners: &[Arc<TcpListener>]) -> io::Result<()> {
    in_time(stream)?;
    let number = i32::try_from(listeners.len()).map_err(io::Error::other)?;
    fd_passing::send(stream, &number.to_ne_bytes(), &[])?;
    for some in listeners.chunks(MAX_DESCRIPTORS) {
        let fds: Vec<_> = some.iter().map(|listener| listener.as_fd()).collect();
        fd_passing::send(stream, &NO_OPTIONS.repeat(fds.len()), &fds)?;
        // Until the receiver has them, nothing may be lost.
        fd_passing::receive(stream, &mut [0; size_of::<i32>()])?;
    }
    Ok(())
}

/// Requests the listeners of the process at the other end, and receives them.
pub(super) fn receive(mut stream: &UnixStream) -> io::Result<Vec<TcpListener>> {
    in_time(stream)?;
    stream.write_all(format!("{COMMAND}\n").as_bytes())?;
    let mut number = [0; size_of::<i32>()];
    match fd_passing::receive(stream, &mut number)?.0 {
        0 => return Ok(Vec::new()),
        length if length == number.len() => {}
        _ => return Err(invalid("the answer is not the number of listeners")),
    }
    let number = usize::try_from(i32::from_ne_bytes(number)).map_err(io::Error::other)?;
    let mut fds = Vec::new();
    let mut options = vec![0; OPTION_BYTES];
    while fds.len() < number {
        let (length, more) = fd_passing::receive(stream, &mut options)?;
        if length == 0 {
            let got = fds.len();
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{got} of {number} listeners have arrived"),
            ));
        }
        fds.extend(more);
        // The other end may have closed the connection already.
        let _gone_or_not = fd_passing::send(stream, &0_i32.to_ne_bytes(), &[]);
    }
    Ok(fds.into_iter().filter_map(tcp_listener).collect())
}

// Private

fn in_time(stream: &UnixStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(MESSAGE_TIMEOUT))?;
    stream.set_write_timeout(Some(MESSAGE_TIMEOUT))
}

/// `None` for a UNIX socket: that of the runtime API is among them.
fn tcp_listener(fd: OwnedFd) -> Option<TcpListener> {
    let listener = TcpListener::from(fd);
    listener.local_addr().is_ok().then_some(listener)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::descriptors;

    #[test]
    fn any_number_of_listeners_arrives_in_order() {
        descriptors::raise_limit().unwrap();
        let two = ["127.0.0.1:0", "[::1]:0"].map(|address| Arc::new(TcpListener::bind(address).unwrap()));
        for number in [0, 1, MAX_DESCRIPTORS, MAX_DESCRIPTORS + 1, 600] {
            let all: Vec<_> = two.iter().cycle().take(number).cloned().collect();
            let (owner, receiver) = UnixStream::pair().unwrap();
            let given = std::thread::spawn({
                let all = all.clone();
                move || read_command(&owner).and_then(|()| send(&owner, &all))
            });
            let taken = receive(&receiver).unwrap();
            given.join().unwrap().unwrap();
            let addresses = |it: &TcpListener| it.local_addr().unwrap();
            assert!(taken.iter().map(addresses).eq(all.iter().map(|it| addresses(it))));
        }
    }

    #[test]
    fn an_answer_that_is_not_complete_is_an_error() {
        let answers: [(&[u8], &str); 3] = [
            (b"Unknown command\n", "0 of"),
            (b"\x02\0\0\0", "0 of 2 listeners have arrived"),
            (b"no", "not the number"),
        ];
        for (answer, why) in answers {
            let (mut owner, receiver) = UnixStream::pair().unwrap();
            owner.write_all(answer).unwrap();
            owner.shutdown(std::net::Shutdown::Write).unwrap();
            let error = receive(&receiver).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        // HAProxy without listeners.
        let (owner, receiver) = UnixStream::pair().unwrap();
        owner.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(receive(&receiver).unwrap().is_empty());
    }
}
