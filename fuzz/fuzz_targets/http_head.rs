//! Heads of requests and of answers.
//!
//! The first byte gives the size of each read.

#![no_main]

use clusterctl::dataplane::http::{
    Framing, HeadLimits, HeadScan, header_room, parse_request, parse_response,
};
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 2048,
    lines: 32,
};

fuzz_target!(|input: &[u8]| {
    let Some((read, bytes)) = input.split_first() else {
        return;
    };
    let read = usize::from(*read) + 1;
    let mut cut = HeadScan::default();
    let once = HeadScan::default().request(bytes, LIMITS);
    assert_eq!(scan(bytes, read, |bytes| cut.request(bytes, LIMITS)), once);
    if let Ok(Some(end)) = once {
        check_request(&bytes[..end]);
    }
    let mut cut = HeadScan::default();
    let once = HeadScan::default().response(bytes, LIMITS);
    assert_eq!(scan(bytes, read, |bytes| cut.response(bytes, LIMITS)), once);
    if let Ok(Some(end)) = once {
        for is_head in [false, true] {
            if let Ok(response) = parse_response(&bytes[..end], &mut header_room(), is_head) {
                assert!((100..=999).contains(&response.status));
                assert!(!is_head || response.framing == Framing::Empty);
            }
        }
    }
});

/// The result of a search, where each read adds `read` bytes.
fn scan<E>(
    bytes: &[u8],
    read: usize,
    mut scan: impl FnMut(&[u8]) -> Result<Option<usize>, E>,
) -> Result<Option<usize>, E> {
    for arrived in (0..bytes.len()).step_by(read) {
        match scan(&bytes[..arrived]) {
            Ok(None) => {}
            done => return done,
        }
    }
    scan(bytes)
}

/// A request that is accepted can be written again, and then reads the same.
fn check_request(head: &[u8]) {
    let mut room = header_room();
    let Ok(request) = parse_request(head, &mut room) else {
        return;
    };
    assert!(request.framing != Framing::UntilClose);
    assert!(!request.target.is_empty());
    assert!(
        request
            .target
            .bytes()
            .all(|byte| matches!(byte, b'!'..=b'~') && byte != b'#')
    );
    let mut again = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    for header in request.headers {
        assert!(
            header
                .value
                .iter()
                .all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f))
        );
        again.extend_from_slice(header.name.as_bytes());
        again.extend_from_slice(b":");
        again.extend_from_slice(header.value);
        again.extend_from_slice(b"\r\n");
    }
    if !request
        .headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case("host"))
    {
        again.extend_from_slice(b"Host:\r\n");
    }
    again.extend_from_slice(b"\r\n");
    // Only the target in absolute form differs: its authority is gone, and `Host` has it.
    let mut room = header_room();
    let repeated = parse_request(&again, &mut room).unwrap();
    assert_eq!(repeated.method, request.method);
    assert_eq!(repeated.target, request.target);
    assert_eq!(repeated.framing, request.framing);
    assert_eq!(repeated.connection, request.connection);
}
