//! The head of a request, read strictly.

use super::headers::{self, Announced, FramingHeaders, HeaderRoom, Known};
use super::target::{Target, is_authority, is_same_authority, read_target};
use super::{Connection, Framing, Rejection, Request, Version};

/// Reads the head of a request: all of the bytes that [`HeadScan::request`] found.
///
/// [`HeadScan::request`]: super::HeadScan::request
pub fn parse_request<'h, 'b: 'h>(
    head: &'b [u8],
    room: &'h mut HeaderRoom<'b>,
) -> Result<Request<'h>, Rejection> {
    let mut parsed = httparse::Request::new(&mut []);
    let status = parsed
        .parse_with_uninit_headers(head, room)
        .map_err(|error| rejection(error, head))?;
    let httparse::Request {
        method: Some(method),
        path: Some(target),
        version: Some(version),
        headers,
    } = parsed
    else {
        return Err(INCOMPLETE);
    };
    if status != httparse::Status::Complete(head.len()) {
        return Err(INCOMPLETE);
    }
    let headers: &'h [httparse::Header<'b>] = headers;
    let version = match version {
        0 => Version::Http10,
        _ => Version::Http11,
    };
    let target = read_target(method, target).map_err(Rejection::Malformed)?;
    let seen = Seen::read(headers).map_err(Rejection::Malformed)?;
    check_host(seen.host, &target, version).map_err(Rejection::Malformed)?;
    let framing = match seen.framing.announced(version)? {
        Announced::Nothing | Announced::Length(0) => Framing::Empty,
        Announced::Length(length) => Framing::Length(length),
        Announced::Chunked => Framing::Chunked,
    };
    let is_current = version == Version::Http11;
    Ok(Request {
        method,
        target: target.origin,
        version,
        headers,
        framing,
        connection: seen.connection,
        upgrades: is_current
            && method == "GET"
            && framing == Framing::Empty
            && seen.connection.upgrade
            && seen.upgrade == Upgrade::WebSocket,
        expects_continue: is_current && seen.expects_continue,
    })
}

// Private

const INCOMPLETE: Rejection = Rejection::Malformed("the head is not complete");

/// What the headers say that the codec reads.
#[derive(Default)]
struct Seen<'b> {
    host: Option<&'b [u8]>,
    framing: FramingHeaders,
    connection: Connection,
    upgrade: Upgrade,
    expects_continue: bool,
}

/// The protocols of the `Upgrade` headers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Upgrade {
    #[default]
    None,
    WebSocket,
    Other,
}

impl<'b> Seen<'b> {
    fn read(headers: &[httparse::Header<'b>]) -> Result<Seen<'b>, &'static str> {
        let mut seen = Seen::default();
        for header in headers {
            match headers::known(header.name) {
                Some(Known::Imitation) => return Err(headers::IMITATION),
                None | Some(Known::KeepAlive) => {}
                Some(Known::Host) if seen.host.is_some() => return Err("it has more than one `Host`"),
                Some(Known::Host) if !is_authority(header.value) => return Err("`Host` is invalid"),
                Some(Known::Host) => seen.host = Some(header.value),
                Some(Known::Connection) => seen.connection.add(header.value)?,
                Some(Known::ContentLength) => seen.framing.add_length(header.value)?,
                Some(Known::TransferEncoding) => seen.framing.add_coding(header.value),
                Some(Known::Upgrade) => seen.upgrade = seen.upgrade.and(header.value),
                Some(Known::Expect) => {
                    seen.expects_continue |= header.value.eq_ignore_ascii_case(b"100-continue");
                }
            }
        }
        Ok(seen)
    }
}

impl Upgrade {
    fn and(self, value: &[u8]) -> Upgrade {
        if self == Upgrade::None && value.eq_ignore_ascii_case(b"websocket") {
            Upgrade::WebSocket
        } else {
            Upgrade::Other
        }
    }
}

fn check_host(host: Option<&[u8]>, target: &Target, version: Version) -> Result<(), &'static str> {
    match (host, target.authority) {
        (None, None) if version == Version::Http10 => Ok(()),
        (None, _) => Err("it has no `Host`"),
        (Some(host), Some((authority, port))) if !is_same_authority(host, authority.as_bytes(), port) => {
            Err("the target names another host than `Host`")
        }
        (Some(_), _) => Ok(()),
    }
}

/// Why a head was refused that `httparse` cannot read.
fn rejection(error: httparse::Error, head: &[u8]) -> Rejection {
    match headers::broken_rule(error) {
        None => Rejection::HeadTooLarge,
        Some(_) if error == httparse::Error::Version && names_other_version(head) => {
            Rejection::UnknownVersion
        }
        Some(rule) => Rejection::Malformed(rule),
    }
}

/// Whether the request line has three words, the last of which is a version.
fn names_other_version(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\r').next();
    let mut words = line.unwrap_or_default().split(|byte| *byte == b' ');
    let version = words.nth(2).filter(|_| words.next().is_none());
    matches!(version, Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor])
        if major.is_ascii_digit() && minor.is_ascii_digit())
}
