//! Small messages in both directions, each sent when the answer to the one before has arrived.

use std::io;

use mio::{Events, Token};

use super::{Clients, Sample, Service, Sources, Window};

/// Runs `connections` until `window` is over.
pub(crate) fn run(
    connections: usize,
    service: Service<'_>,
    sources: &mut Sources,
    mut window: Window,
) -> io::Result<Sample> {
    let mut clients = Clients::connect(connections, service, sources)?;
    for token in 0..connections {
        clients.send(token)?;
    }
    let mut events = Events::with_capacity(connections);
    loop {
        if let Some(sample) = window.tick() {
            return Ok(sample);
        }
        clients.wait(&mut events)?;
        for event in &events {
            let Token(token) = event.token();
            if clients.receive(token)? {
                window.count(1);
                clients.send(token)?;
            }
        }
    }
}
