//! Bodies, and chunks as they are written again.
//!
//! The first byte gives the size of each read, the second one the framing.

#![no_main]

use clusterctl::dataplane::http::{
    Body, Framing, HeadLimits, InvalidBody, Piece, write_chunk, write_last_chunk,
};
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits = HeadLimits { bytes: 512, lines: 8 };

/// Content, trailers, and the length of the whole body; `None` if it is truncated.
type Result = std::result::Result<Option<(Vec<u8>, Vec<u8>, usize)>, InvalidBody>;

fuzz_target!(|input: &[u8]| {
    let [read, framing, bytes @ ..] = input else {
        return;
    };
    let framing = match framing {
        0 => Framing::Empty,
        1 => Framing::UntilClose,
        2..=9 => Framing::Length((*framing).into()),
        _ => Framing::Chunked,
    };
    let result = read_body(framing, bytes, bytes.len().max(1));
    assert_eq!(read_body(framing, bytes, usize::from(*read) + 1), result);
    let Ok(Some((content, trailers, _))) = result else {
        return;
    };
    let mut again = Vec::new();
    content
        .chunks(usize::from(*read) + 1)
        .for_each(|chunk| write_chunk(chunk, &mut again));
    write_last_chunk(&trailers, &mut again);
    let (repeated, kept, length) = read_body(Framing::Chunked, &again, 7).unwrap().unwrap();
    assert_eq!(repeated, content);
    assert_eq!(length, again.len());
    assert!(kept.len() <= trailers.len());
});

/// Reads a body, where each read adds `read` bytes.
fn read_body(framing: Framing, input: &[u8], read: usize) -> Result {
    let mut body = Body::new(framing);
    let (mut content, mut from, mut arrived) = (Vec::new(), 0, 0);
    loop {
        match body.next(&input[from..arrived], LIMITS)? {
            Piece::Data { consumed, data } => {
                assert!(consumed > 0 && data.len() <= consumed);
                content.extend_from_slice(data);
                from += consumed;
            }
            Piece::End { consumed, trailers } => {
                assert!(body.is_done());
                return Ok(Some((content, trailers.to_vec(), from + consumed)));
            }
            Piece::Incomplete if arrived == input.len() => {
                assert!(!body.is_done());
                return Ok(None);
            }
            Piece::Incomplete => arrived = input.len().min(arrived + read),
        }
    }
}
