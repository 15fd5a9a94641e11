//! Clients that never read.

use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::Sources;
use super::client::connected;

/// The size of a write.
const CHUNK: usize = 64 * 1024;
/// Time between two attempts to write.
const PAUSE: Duration = Duration::from_millis(100);
/// So many attempts in a row in which no client could write: all is full.
const FULL: usize = 5;

/// Clients that are held until this is dropped.
pub(crate) struct Stuck(Vec<TcpStream>);

impl Stuck {
    /// Over TCP: `count` clients that send to nodes that echo, until nothing fits any more.
    pub(crate) fn tcp(count: usize, target: SocketAddr, sources: &mut Sources) -> io::Result<Stuck> {
        let mut stuck = Stuck::connect(count, target, sources)?;
        let chunk = vec![b's'; CHUNK];
        let mut in_vain = 0;
        while in_vain < FULL {
            let mut moved = 0;
            for stream in &mut stuck.0 {
                moved += match stream.write(&chunk) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                    written => written?,
                };
            }
            in_vain = if moved == 0 { in_vain + 1 } else { 0 };
            if moved == 0 {
                thread::sleep(PAUSE);
            }
        }
        Ok(stuck)
    }

    /// Over HTTP: `count` clients that send `request`, whose answer is endless.
    pub(crate) fn http(
        count: usize,
        target: SocketAddr,
        request: &[u8],
        sources: &mut Sources,
    ) -> io::Result<Stuck> {
        let mut stuck = Stuck::connect(count, target, sources)?;
        for stream in &mut stuck.0 {
            stream.write_all(request)?;
        }
        Ok(stuck)
    }

    // Private

    fn connect(count: usize, target: SocketAddr, sources: &mut Sources) -> io::Result<Stuck> {
        let streams = sources.take(count).map(|source| {
            let stream = connected(source, target)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        Ok(Stuck(streams.collect::<io::Result<_>>()?))
    }
}
