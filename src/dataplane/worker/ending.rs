//! The end of a session, and how it is signalled to each side.

use std::time::Duration;

use mio::net::TcpStream;
use socket2::SockRef;

use super::Worker;
use super::session::{EndReason, Phase, Session};
use crate::dataplane::counters::count;

impl Worker {
    /// Ends a session: counts it, and signals the kind of end to each side. Dropping the session
    /// closes its sockets and returns its place at the server (`Lease`, which may serve a waiting
    /// client), in the process and in the frontend (`Admission`).
    pub(super) fn end(&mut self, session: Box<Session>, why: EndReason) {
        self.timers.disarm(session.index);
        self.places.vacate(session.index);
        if matches!(session.phase, Phase::Waiting) {
            session.backend.remove_waiter(self.number, session.serial);
        }
        tracing::debug!(
            client = %session.from,
            frontend = session.frontend().name,
            server = session.lease().map(|lease| lease.server().name.as_str()),
            bytes_in = session.relay.bytes_up(),
            bytes_out = session.relay.bytes_down(),
            ?why,
            "session ended"
        );
        let backend = &session.backend.counters;
        let took = self.now.saturating_sub(session.began);
        backend.total_time.add(took);
        if let Phase::Connecting { server, lease, .. } | Phase::Relaying { server, lease } = &session.phase {
            let counters = &lease.server().counters;
            counters.total_time.add(took);
            match why {
                EndReason::Client => count(&counters.client_aborts),
                EndReason::Server => count(&counters.server_aborts),
                _ => {}
            }
            match why {
                // Each side gets what the other side did.
                EndReason::Server => reset(&session.client),
                // The client aborted, or the server may be stopped and never close its connection.
                EndReason::Client | EndReason::Ordered | EndReason::TooLong => reset(server),
                EndReason::Finished | EndReason::NoServer => {}
            }
        }
        match why {
            EndReason::Client => count(&backend.client_aborts),
            EndReason::Server => count(&backend.server_aborts),
            _ => {}
        }
        backend.sessions.down();
        drop(session);
    }
}

// Private

/// Makes closing the socket send a reset, so that the other side sees a broken connection.
pub(super) fn reset(stream: &TcpStream) {
    // An error means that the connection is broken already.
    let _set = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
