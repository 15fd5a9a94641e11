//! Connections that are opened, used once, and then only held.

use std::net::{SocketAddr, TcpStream};

use super::{Sources, connected, echo_once};

/// Connections that are held until this is dropped.
pub(crate) struct Held(Vec<TcpStream>);

impl Held {
    /// Opens `count` connections, each from the next address, until one fails.
    pub(crate) fn open(count: usize, target: SocketAddr, sources: &mut Sources) -> Held {
        let opened = sources.take(count).map_while(|source| {
            let mut stream = connected(source, target).ok()?;
            echo_once(&mut stream).ok()?;
            Some(stream)
        });
        Held(opened.collect())
    }

    /// The number of connections that still answer.
    pub(crate) fn alive(&mut self) -> usize {
        let answers = self.0.iter_mut().map(echo_once);
        answers.flatten().count()
    }
}
