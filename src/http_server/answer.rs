//! The body of an answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};

use super::client::Request;

/// The body of an answer. The request lasts as long as it.
#[derive(Debug)]
pub struct Answer<B> {
    body: B,
    /// `None` for a request that lasts longer than its answer.
    _request: Option<Request>,
}

impl<B> Answer<B> {
    /// The answer to `request`.
    pub const fn new(body: B, request: Request) -> Answer<B> {
        Answer {
            body,
            _request: Some(request),
        }
    }

    /// The answer to a request that is held elsewhere, and lasts longer than its answer.
    pub const fn of_lasting_request(body: B) -> Answer<B> {
        Answer { body, _request: None }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
