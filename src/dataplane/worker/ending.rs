//! The end of a session, and how it is signalled to each side.

use std::time::Duration;

use mio::net::TcpStream;
use socket2::SockRef;

use super::Worker;
use super::session::{Phase, Session, Why};
use crate::dataplane::counters::count;

impl Worker {
    /// Ends a session: counts it, and signals the kind of end to each side. Dropping the session
    /// closes its sockets and returns its place at the server (`Lease`, which may serve a waiting
    /// client), in the process and in the frontend (`Admission`).
    pub(super) fn end(&mut self, session: Box<Session>, why: Why) {
        self.timers.disarm(session.index);
        self.places.vacate(session.index);
        if matches!(session.phase, Phase::Waiting) {
            session.backend.leave(self.number, session.serial);
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
        let backend = &session.backend.tally;
        let took = self.now.saturating_sub(session.began);
        backend.total_time.add(took);
        if let Phase::Connecting { server, lease, .. } | Phase::Relaying { server, lease } = &session.phase {
            let tally = &lease.server().tally;
            tally.total_time.add(took);
            match why {
                Why::Client => count(&tally.client_aborts),
                Why::Server => count(&tally.server_aborts),
                _ => {}
            }
            match why {
                // Each side gets what the other side did.
                Why::Server => reset(&session.client),
                // The client aborted, or the server may be stopped and never close its connection.
                Why::Client | Why::Ordered | Why::TooLong => reset(server),
                Why::Finished | Why::NoServer => {}
            }
        }
        match why {
            Why::Client => count(&backend.client_aborts),
            Why::Server => count(&backend.server_aborts),
            _ => {}
        }
        backend.sessions.down();
        drop(session);
    }
}

// Private

/// Makes closing the socket send a reset, so that the other side sees a broken connection.
fn reset(stream: &TcpStream) {
    // An error means that the connection is broken already.
    let _set = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
