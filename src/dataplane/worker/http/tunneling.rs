//! Passes bytes after the protocol was switched.

use super::client::{Client, Phase, Stage, Tunnel};
use super::outbox::Outbox;
use super::{Next, ROUNDS, ServerConnection, read};
use crate::dataplane::relay::{InputState, OpenGate, Relay, Side, Step};
use crate::dataplane::worker::Worker;
use crate::dataplane::worker::session::{EndReason, Socket};

impl Worker {
    /// Switches protocols; `early` came after the answer's head.
    pub(super) fn switch(
        &mut self,
        client: &mut Client,
        mut connection: Box<ServerConnection>,
        early: &[u8],
    ) -> Next {
        let Phase::Exchanging(active) = std::mem::replace(&mut client.phase, Phase::Lingering) else {
            return Next::End(EndReason::Server);
        };
        if let Some(record) = &mut client.record {
            record.exchanged(&active);
            record.passed((client.input.len() as u64, early.len() as u64));
        }
        let Stage::Connected { server, lease } = active.stage else {
            return Next::End(EndReason::Server);
        };
        if !connection.has_nodelay {
            connection.has_nodelay = true;
            // This fails only on a broken connection, and the next use reports that.
            let _set = connection.stream.set_nodelay(true);
        }
        let sent = client
            .output
            .send(&client.stream, &mut client.readiness, early, &[]);
        let tunnel = Tunnel {
            relay: Relay::default(),
            request: Outbox::of(std::mem::take(&mut client.input)),
            server,
            lease,
            backend: active.backend,
            client_has_ended: false,
            began: active.began,
            counted: (0, 0),
        };
        // What came with the heads may not be all that is there.
        client.readiness.readable = true;
        connection.readiness.readable = true;
        client.enter(Phase::Tunnel(Box::new(tunnel)), self.now);
        self.rest_server(connection);
        match sent {
            Ok(()) => Next::Again,
            Err(_) => Next::End(EndReason::Client),
        }
    }

    /// Passes bytes in both directions.
    pub(super) fn pass_tunnel(&mut self, client: &mut Client) -> Next {
        let Client {
            phase: Phase::Tunnel(tunnel),
            stream,
            readiness,
            output,
            admission,
            ..
        } = client
        else {
            return Next::Wait;
        };
        if tunnel.client_has_ended {
            return self.drop_from_server(tunnel.server);
        }
        let Some(mut connection) = self.http.servers.take(tunnel.server) else {
            return Next::End(EndReason::Server);
        };
        let flushed = output
            .flush(stream, readiness)
            .map_err(|_| EndReason::Client)
            .and_then(|()| {
                let request = &mut tunnel.request;
                let flushed = request.flush(&connection.stream, &mut connection.readiness);
                flushed.map_err(|_| EndReason::Server)
            });
        let next = match flushed {
            Err(why) => Next::End(why),
            Ok(()) if !output.is_empty() || !tunnel.request.is_empty() => Next::Wait,
            Ok(()) => {
                tunnel.relay.client = *readiness;
                tunnel.relay.server = connection.readiness;
                let (mut up, mut down) = (Socket(Some(stream)), Socket(Some(&connection.stream)));
                let step = tunnel
                    .relay
                    .transfer(&mut up, &mut down, &mut self.buffer, &mut OpenGate);
                *readiness = tunnel.relay.client;
                connection.readiness = tunnel.relay.server;
                match step {
                    Step::Broken(Side::Client, _) => Next::End(EndReason::Client),
                    Step::Broken(Side::Server, _) => Next::End(EndReason::Server),
                    // The client has ended it. Neither side has a use for the other half.
                    _ if tunnel.relay.is_closed_by_client() && readiness.input != InputState::Open => {
                        tunnel.client_has_ended = true;
                        client.since = self.now;
                        // An error means that the connection is broken.
                        let _broken = stream.shutdown(std::net::Shutdown::Write);
                        Next::Later
                    }
                    // It is finished below.
                    _ if tunnel.relay.is_closed_by_server() => Next::Again,
                    Step::More => Next::Later,
                    Step::Waits | Step::Held | Step::Done => Next::Wait,
                }
            }
        };
        let moved = (tunnel.relay.bytes_up(), tunnel.relay.bytes_down());
        let (up, down) = (moved.0 - tunnel.counted.0, moved.1 - tunnel.counted.1);
        if up + down > 0 {
            tunnel.counted = moved;
            tunnel.lease.server().bytes.add(self.number, up, down);
            admission.frontend().bytes.add(self.number, up, down);
            client.last_active = self.now;
        }
        self.rest_server(connection);
        match next {
            Next::Again => self.finish_tunnel(client),
            next => next,
        }
    }

    // Private

    /// Drops what the server of a tunnel sends after its client has ended it: closing the connection
    /// would reset it, and the last bytes of the client with it.
    fn drop_from_server(&mut self, server: u32) -> Next {
        let Some(mut connection) = self.http.servers.take(server) else {
            return Next::End(EndReason::Finished);
        };
        let mut next = Next::Later;
        for _ in 0..ROUNDS {
            next = match read(&connection.stream, &mut connection.readiness, &mut self.buffer) {
                Ok(Some(0)) | Err(_) => Next::End(EndReason::Finished),
                Ok(None) => Next::Wait,
                Ok(Some(_)) => Next::Later,
            };
            if next != Next::Later {
                break;
            }
        }
        self.rest_server(connection);
        next
    }
}
