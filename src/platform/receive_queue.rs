//! Bytes that wait in a socket's receive queue.

use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

/// Takes the first bytes of a TCP socket's receive queue, as many as `scratch` has, without copying
/// them: the kernel drops them.
///
/// # Errors
/// When the connection is broken, or fewer bytes wait.
pub fn discard(stream: &impl AsRawFd, scratch: &mut [u8]) -> io::Result<()> {
    let mut taken = 0;
    while taken < scratch.len() {
        match recv(stream.as_raw_fd(), &mut scratch[taken..], MsgFlags::MSG_TRUNC) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => taken += more,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_next_read_begins_behind_the_discarded_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(b"abcdef").unwrap();
        drop(client);
        let mut seen = [0; 6];
        while server.peek(&mut seen).unwrap() < seen.len() {}
        let mut scratch = *b"1234";
        discard(&server, &mut scratch).unwrap();
        assert_eq!(&scratch, b"1234", "nothing is copied");
        let mut rest = String::new();
        server.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "ef");
        assert!(discard(&server, &mut scratch).is_err(), "no bytes wait");
    }
}
