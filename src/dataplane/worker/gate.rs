//! The limit of messages per second, as a gate for a client's bytes.

use std::time::Instant;

use crate::dataplane::client_limits::ClientLease;
use crate::dataplane::lines::Lines;
use crate::dataplane::relay::Gate;

/// Admits as many lines as the client may send now.
pub(super) struct LineGate<'a> {
    client_lease: &'a ClientLease,
    lines: &'a mut Lines,
    now: Instant,
    again_at: Option<Instant>,
}

impl LineGate<'_> {
    pub(super) fn new<'a>(client_lease: &'a ClientLease, lines: &'a mut Lines, now: Instant) -> LineGate<'a> {
        LineGate {
            client_lease,
            lines,
            now,
            again_at: None,
        }
    }

    /// When to ask again, if bytes were held back.
    pub(super) const fn again_at(&self) -> Option<Instant> {
        self.again_at
    }
}

impl Gate for LineGate<'_> {
    fn admit(&mut self, bytes: &[u8]) -> usize {
        let mut again_at = None;
        let (client_lease, now) = (self.client_lease, self.now);
        let passed = self.lines.take(bytes, |lines| {
            let admitted = client_lease.admit(lines, now);
            again_at = admitted.again_at;
            admitted.passed
        });
        self.again_at = again_at.or(self.again_at);
        passed.bytes
    }
}
