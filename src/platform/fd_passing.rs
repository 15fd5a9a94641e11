//! Passes descriptors from one process to another over a UNIX socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// The most descriptors that the kernel passes at once (`SCM_MAX_FD` is 253; HAProxy stays one
/// below it).
pub const MAX_DESCRIPTORS: usize = 252;

/// Sends `bytes` together with copies of the descriptors in `fds`.
///
/// # Errors
/// When the other end is closed, or there are more than [`MAX_DESCRIPTORS`].
pub fn send(stream: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let fds: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let with = [ControlMessage::ScmRights(&fds)];
    let control = if fds.is_empty() { &[][..] } else { &with };
    let sent = sendmsg::<()>(
        stream.as_raw_fd(),
        &[IoSlice::new(bytes)],
        control,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// Receives into `buffer`. Returns the number of bytes, which is 0 at the end of the stream, and
/// the descriptors that came with them.
///
/// # Errors
/// Also when nothing arrives within the read timeout of the stream.
#[expect(unsafe_code, reason = "descriptors come as numbers")]
pub fn receive(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    let mut bytes = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut bytes, Some(&mut control), flags)?;
    let mut fds = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            // SAFETY: the kernel has just made these descriptors for us, and nothing else owns
            // them.
            fds.extend(numbers.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok((message.bytes, fds))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn the_received_descriptor_is_the_same_socket() {
        let (here, there) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        send(&here, b"one", &[listener.as_fd()]).unwrap();
        let mut buffer = [0; 8];
        let (length, mut fds) = receive(&there, &mut buffer).unwrap();
        assert_eq!((&buffer[..length], fds.len()), (&b"one"[..], 1));
        let same = TcpListener::from(fds.remove(0));
        assert_eq!(same.local_addr().unwrap(), listener.local_addr().unwrap());
    }

    #[test]
    fn bytes_alone_and_the_end_bring_none() {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(b"words").unwrap();
        let mut buffer = [0; 8];
        let (length, fds) = receive(&there, &mut buffer).unwrap();
        assert_eq!((length, fds.len()), (5, 0));
        drop(here);
        assert_eq!(receive(&there, &mut buffer).unwrap().0, 0);
    }
}
