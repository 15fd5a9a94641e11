//! Netlink messages of `sock_diag(7)`, written and read byte by byte. Fields are in this machine's
//! byte order, ports and addresses in network byte order.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A bit set that contains one state, as the kernel numbers them.
pub(super) const ESTABLISHED: u32 = 1 << 1;
pub(super) const SYN_SENT: u32 = 1 << 2;
pub(super) const FIN_WAIT: u32 = 1 << 4 | 1 << 5;
pub(super) const CLOSE_WAIT: u32 = 1 << 8;
pub(super) const LISTEN: u32 = 1 << 10;

pub(super) const INET: u8 = 2;
pub(super) const INET6: u8 = 10;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLM_F_REQUEST_ACK: u16 = 0x5;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQ_BYTECODE: u16 = 1;
const INFO: u16 = 2;
const SKV6ONLY: u16 = 11;
const TCP: u8 = 6;

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct inet_diag_req_v2`.
const REQUEST: usize = 56;
/// `struct inet_diag_msg`.
const MESSAGE: usize = 72;
/// `struct inet_diag_sockid`, the same in request and message.
const ID: usize = 48;
/// The length of header and request.
const LENGTH_WITHOUT_FILTER: u32 = 72;

/// One TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Its own end.
    pub local: SocketAddr,
    /// The other end; port 0 when it has none.
    pub peer: SocketAddr,
    /// Its inode; 0 when no process holds it.
    pub inode: u64,
    /// The user that has opened it.
    pub user: u32,
    /// Whether an IPv6 listener leaves IPv4 to other listeners.
    pub v6_only: bool,
    /// Its traffic so far, if that was requested.
    pub activity: Option<Activity>,
    /// What identifies the socket to the kernel.
    pub(super) handle: Handle,
}

/// The traffic of a connection so far: fields of `struct tcp_info`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The time since data was last sent, or since the connection was established.
    pub since_sent: Duration,
    /// The time since data was last received, or since the connection was established.
    pub since_received: Duration,
    /// The bytes that the peer has acknowledged. For the end that has opened the connection the
    /// kernel counts one more.
    pub acknowledged: u64,
    /// The bytes received.
    pub received: u64,
}

impl Activity {
    /// The time without data in either direction.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.since_sent.min(self.since_received)
    }
}

/// What identifies a socket to the kernel: addresses, and a cookie that no later socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    family: u8,
    id: [u8; ID],
}

/// A request for every TCP socket of `family` that is in one of `states` and passes `filter`, with
/// its activity if `wants_activity`.
pub(super) fn request(family: u8, states: u32, filter: &[u8], wants_activity: bool) -> io::Result<Vec<u8>> {
    let attribute = if filter.is_empty() { 0 } else { 4 + filter.len() };
    let length = u32::try_from(HEADER + REQUEST + attribute).map_err(io::Error::other)?;
    let mut bytes = header(length, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP);
    let extensions = if wants_activity { 1 << (INFO - 1) } else { 0 };
    bytes.extend([family, TCP, extensions, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.resize(HEADER + REQUEST, 0);
    if !filter.is_empty() {
        bytes.extend(u16::try_from(attribute).map_err(io::Error::other)?.to_ne_bytes());
        bytes.extend(REQ_BYTECODE.to_ne_bytes());
        bytes.extend(filter);
    }
    Ok(bytes)
}

/// A request to end one connection. The kernel confirms it with an answer that [`read`] takes for
/// an end.
pub(super) fn destruction(of: &Handle) -> Vec<u8> {
    let mut bytes = header(LENGTH_WITHOUT_FILTER, SOCK_DESTROY, NLM_F_REQUEST_ACK);
    bytes.extend([of.family, TCP, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(of.id);
    bytes
}

/// Reads one datagram of an answer. Returns whether more will come.
///
/// # Errors
/// The kernel's own error, or that the datagram is malformed.
pub(super) fn read(datagram: &[u8], mut each: impl FnMut(Socket)) -> io::Result<bool> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let length = u32_at(rest, 0).ok_or_else(nonsense)? as usize;
        let kind = u16_at(rest, 4).ok_or_else(nonsense)?;
        let payload = rest.get(HEADER..length).ok_or_else(nonsense)?;
        match kind {
            SOCK_DIAG_BY_FAMILY => each(socket(payload).ok_or_else(nonsense)?),
            // Both carry a negated error number; a dump that ends without error has none or zero.
            NLMSG_DONE | NLMSG_ERROR => {
                let errno = u32_at(payload, 0).unwrap_or(0).cast_signed();
                return match errno {
                    0 => Ok(false),
                    errno => Err(io::Error::from_raw_os_error(errno.wrapping_neg())),
                };
            }
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(true)
}

fn header(length: u32, kind: u16, flags: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes
}

fn socket(payload: &[u8]) -> Option<Socket> {
    let attributes = payload.get(MESSAGE..)?;
    let family = payload[0];
    Some(Socket {
        local: address(family, payload.get(4..6)?, payload.get(8..24)?)?,
        peer: address(family, payload.get(6..8)?, payload.get(24..40)?)?,
        inode: u32_at(payload, 68)?.into(),
        user: u32_at(payload, 64)?,
        v6_only: family == INET6 && flag(attributes, SKV6ONLY),
        activity: attribute(attributes, INFO).and_then(activity),
        handle: Handle {
            family,
            id: payload.get(4..4 + ID)?.try_into().ok()?,
        },
    })
}

/// IPv4-mapped addresses become IPv4 addresses.
fn address(family: u8, port: &[u8], ip: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(port.try_into().ok()?);
    let ip = if family == INET {
        IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(ip.get(..4)?).ok()?))
    } else {
        IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?)).to_canonical()
    };
    Some(SocketAddr::new(ip, port))
}

/// Whether the one-byte attribute `wanted` is present and not 0.
fn flag(attributes: &[u8], wanted: u16) -> bool {
    attribute(attributes, wanted).is_some_and(|value| value.first().is_some_and(|byte| *byte != 0))
}

/// The value of the attribute `wanted`.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (length, kind) = (u16_at(attributes, 0)?, u16_at(attributes, 2)?);
        let length = usize::from(length);
        if kind == wanted {
            return attributes.get(4..length);
        }
        // An attribute is at least as long as its own header; a shorter one would cause an endless
        // loop.
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

/// Reads a `struct tcp_info`; `None` for that of a kernel before 4.2, which lacks the bytes.
fn activity(info: &[u8]) -> Option<Activity> {
    let since = |at| Some(Duration::from_millis(u32_at(info, at)?.into()));
    Some(Activity {
        since_sent: since(44)?,
        since_received: since(52)?,
        acknowledged: u64_at(info, 120)?,
        received: u64_at(info, 128)?,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn nonsense() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "cannot parse the kernel's sock_diag answer",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn all(datagram: &[u8]) -> io::Result<(bool, Vec<Socket>)> {
        let mut sockets = Vec::new();
        let more = read(datagram, |socket| sockets.push(socket))?;
        Ok((more, sockets))
    }

    #[test]
    fn sockets_until_done() {
        let mut payload = vec![INET6, 10, 0, 0];
        payload.extend(8000_u16.to_be_bytes());
        payload.extend([0, 0]);
        payload.resize(64, 0);
        payload.extend(1000_u32.to_ne_bytes());
        payload.extend(4711_u32.to_ne_bytes());
        // First the attribute for shutdown, which was not requested, then the wanted one.
        for (length, kind, value) in [(5_u16, 8_u16, 1_u8), (5, SKV6ONLY, 1)] {
            payload.extend(length.to_ne_bytes());
            payload.extend(kind.to_ne_bytes());
            payload.extend([value, 0, 0, 0]);
        }
        let one = message(SOCK_DIAG_BY_FAMILY, &payload);
        let handle = Handle {
            family: INET6,
            id: payload[4..52].try_into().unwrap(),
        };
        let socket = Socket {
            local: "[::]:8000".parse().unwrap(),
            peer: "[::]:0".parse().unwrap(),
            inode: 4711,
            user: 1000,
            v6_only: true,
            activity: None,
            handle,
        };
        let order = destruction(&handle);
        assert_eq!(order.len(), LENGTH_WITHOUT_FILTER as usize);
        assert_eq!(&order[24..], &handle.id);
        assert_eq!(all(&one).unwrap(), (true, vec![socket]));
        let end = message(NLMSG_DONE, &[0; 4]);
        assert_eq!(
            all(&[one.clone(), one, end].concat()).unwrap(),
            (false, vec![socket; 2])
        );
    }

    #[test]
    fn the_kernels_error_is_returned() {
        let refused = message(NLMSG_ERROR, &(-libc::EPERM).to_ne_bytes());
        assert_eq!(all(&refused).unwrap_err().raw_os_error(), Some(libc::EPERM));
        let short = message(SOCK_DIAG_BY_FAMILY, &[0; 10]);
        assert_eq!(all(&short).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = all(&bytes);
            let _ = all(&message(SOCK_DIAG_BY_FAMILY, &bytes));
        }
    }
}
