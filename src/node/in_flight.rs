//! Responses of one connection that take time.

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::answer::Later;

/// The most requests in progress.
const MAX_COUNT: usize = 64;
/// The most bytes of requests in progress: their memory is not larger. The last one may exceed it.
const MAX_BYTES: usize = 1024 * 1024;

/// Responses in progress; each is returned when it is ready. Uses no memory while there are none.
#[derive(Default)]
pub(super) struct InFlight {
    responses: Option<FuturesUnordered<Later<Measured>>>,
    bytes: usize,
}

/// A response, after the length of its request.
type Measured = (usize, Vec<u8>);

impl InFlight {
    /// Whether no response is in progress.
    pub(super) fn is_empty(&self) -> bool {
        self.responses.is_none()
    }

    /// Whether the limit is reached.
    pub(super) fn is_full(&self) -> bool {
        let count = self.responses.as_ref().map_or(0, FuturesUnordered::len);
        count >= MAX_COUNT || self.bytes >= MAX_BYTES
    }

    /// Adds the response to a request of this many bytes.
    pub(super) fn push(&mut self, request: usize, response: Later<Vec<u8>>) {
        self.bytes += request;
        let response = response.map(move |json| (request, json)).boxed();
        self.responses.get_or_insert_default().push(response);
    }

    /// The next response that is ready; waits forever if none is in progress.
    pub(super) async fn next(&mut self) -> Vec<u8> {
        let Some(responses) = &mut self.responses else {
            return std::future::pending().await;
        };
        let next = responses.next().await;
        if responses.is_empty() {
            self.responses = None;
        }
        match next {
            Some((request, json)) => {
                self.bytes -= request;
                json
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn many_or_large_requests_fill_it_and_answers_empty_it() {
        let mut in_flight = InFlight::default();
        in_flight.push(MAX_BYTES, ready(vec![1]).boxed());
        assert!(in_flight.is_full());
        assert_eq!(in_flight.next().await, [1]);
        assert!(in_flight.is_empty() && !in_flight.is_full());
        for _ in 0..MAX_COUNT {
            assert!(!in_flight.is_full());
            in_flight.push(1, pending().boxed());
        }
        assert!(in_flight.is_full());
        assert_eq!(in_flight.next().now_or_never(), None);
    }
}
