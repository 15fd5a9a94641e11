//! Ranges of ports, one for each test, and unused addresses.

use std::fs::File;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;

use socket2::{Domain, SockRef, Socket, Type};

use super::eventually;

/// The distance between the ports of two tests; those of a cluster of BEAM nodes go from 8000 to
/// 9104.
const STEP: u16 = 1_110;
/// More ranges would reach into the ephemeral ports.
const SLOTS: u16 = 21;

/// A range of ports that no other test uses as long as a copy of this lives.
#[derive(Clone)]
#[must_use]
pub struct Ports {
    offset: u16,
    /// Locks the range.
    _lock: Arc<File>,
}

impl Ports {
    pub fn new() -> Ports {
        let (offset, lock) = eventually("a free range of ports", free_slot);
        Ports {
            offset,
            _lock: Arc::new(lock),
        }
    }

    /// The number of the range.
    pub fn slot(&self) -> u8 {
        u8::try_from(self.offset / STEP).unwrap()
    }

    /// The port that is `base` in an unshifted profile.
    pub fn port(&self, base: u16) -> u16 {
        base + self.offset
    }
}

/// An address that nothing listens on: this one, or the one with a free port if its port is 0.
///
/// The socket that finds this out does not listen. A program that another test starts at this moment
/// has a copy of each socket until its `exec`, and a copy that listens would keep the port taken.
///
/// # Errors
/// If something listens there.
pub fn unused(address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket.local_addr()?.as_socket().unwrap())
}

/// Closes a listener together with the copies that programs have which other tests start at this
/// moment.
pub fn close(listener: impl AsFd) {
    SockRef::from(&listener).shutdown(Shutdown::Both).unwrap();
}

// Private

/// A range of ports that no other test uses: the tests of one run may be separate processes.
fn free_slot() -> Option<(u16, File)> {
    let dir = std::env::temp_dir().join("clusterctl-test-ports");
    std::fs::create_dir_all(&dir).unwrap();
    (1..=SLOTS).find_map(|slot| {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(slot.to_string()))
            .unwrap();
        file.try_lock().is_ok().then_some((slot * STEP, file))
    })
}
