//! Connections that are opened, used once, and then only held.

use super::{Client, Service, Sources};

/// Connections that are held until this is dropped.
pub(crate) struct Held(Vec<Client>);

impl Held {
    /// Opens `count` connections, each from the next address, until one fails.
    pub(crate) fn open(count: usize, service: Service<'_>, sources: &mut Sources) -> Held {
        let opened = sources.take(count).map_while(|source| {
            // What fails counts as not held.
            Client::connect(service.protocol, source, service.address).ok()
        });
        Held(opened.collect())
    }

    /// The number of connections that still answer.
    pub(crate) fn alive(&mut self) -> usize {
        let answers = self.0.iter_mut().map(Client::ask);
        answers.flatten().count()
    }
}
