//! The codec as a whole: text in, meaning out.

mod bodies;
mod exchanges;
mod forward;
mod requests;
mod responses;
mod smuggled_chunks;
mod smuggled_lines;
mod smuggling;
mod splits;
mod splitting;

use super::*;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4096,
    lines: 20,
};

/// The head of a request in `text`, and how many bytes it has.
fn request(text: &[u8]) -> Result<(Request<'static>, usize), Rejection> {
    let text: &'static [u8] = text.to_vec().leak();
    let length = HeadScan::default().request(text, LIMITS)?;
    let length = length.expect("the head has an end");
    let room = Box::leak(Box::new(header_room()));
    Ok((parse_request(&text[..length], room)?, length))
}

/// The head of an answer in `text`, and how many bytes it has.
fn response(text: &[u8], is_head: bool) -> Result<(Response<'static>, usize), InvalidAnswer> {
    let text: &'static [u8] = text.to_vec().leak();
    let length = HeadScan::default().response(text, LIMITS)?;
    let length = length.expect("the head has an end");
    let room = Box::leak(Box::new(header_room()));
    Ok((parse_response(&text[..length], room, is_head)?, length))
}

/// The content, the trailers and the length of a body; `None` if it is truncated.
type ReadBody = Result<Option<(Vec<u8>, Vec<u8>, usize)>, InvalidBody>;

/// The content and the trailers of a body in `input`, and how many bytes it has, where each read
/// adds one of `reads` bytes.
fn read_body(framing: Framing, input: &[u8], reads: impl IntoIterator<Item = usize>) -> ReadBody {
    let mut body = Body::new(framing);
    let (mut content, mut from, mut arrived) = (Vec::new(), 0, 0);
    let mut reads = reads.into_iter().chain(std::iter::repeat(usize::MAX));
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
            Piece::Incomplete => {
                arrived = input
                    .len()
                    .min(arrived.saturating_add(reads.next().unwrap_or(1).max(1)));
            }
        }
    }
}
