//! Responses of one connection that take their time.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::answer::Later;

/// Responses that take their time; they come out as they are ready. Costs nothing while there are none.
#[derive(Default)]
pub(super) struct InFlight(Option<FuturesUnordered<Later<Vec<u8>>>>);

impl InFlight {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, FuturesUnordered::len)
    }

    /// Waits for one more.
    pub(super) fn push(&mut self, response: Later<Vec<u8>>) {
        self.0.get_or_insert_default().push(response);
    }

    /// The next one that is ready; never, when there are none.
    pub(super) async fn next(&mut self) -> Vec<u8> {
        let Some(responses) = &mut self.0 else {
            return std::future::pending().await;
        };
        let next = responses.next().await;
        if responses.is_empty() {
            self.0 = None;
        }
        match next {
            Some(response) => response,
            None => std::future::pending().await,
        }
    }
}
