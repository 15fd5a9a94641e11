//! The server for a new client: pure algorithms, one per module.

mod leastconn;
mod rendezvous;
mod roundrobin;
mod source;
mod uri;

use std::net::IpAddr;

use crate::profile::Algorithm;

use leastconn::Leastconn;
use roundrobin::Roundrobin;
pub(crate) use uri::path_digest;

/// The data of a server that an algorithm uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Share of the load relative to the others; a server with 0 is never chosen. Up to 256 * 256,
    /// because slowstart needs steps.
    pub(crate) weight: u32,
    /// Its sessions.
    pub(crate) sessions: u32,
    /// The server's id: remembered state and hashes use it, so that order does not matter.
    pub(crate) id: u32,
}

/// What an algorithm knows of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientKey {
    /// Its address.
    pub(crate) address: IpAddr,
    /// The digest of the path of its request, without the query, by [`path_digest`]; 0 where paths do
    /// not matter.
    pub(crate) path: u128,
}

/// An algorithm with its state. Picking takes time in proportion to the candidates, and allocates
/// only when it sees a server for the first time.
#[derive(Debug)]
pub(crate) enum Balance {
    /// Each server in turn.
    Roundrobin(Roundrobin),
    /// The least loaded server.
    Leastconn(Leastconn),
    /// By the client's address.
    Source,
    /// By the path of the request.
    Uri,
}

impl From<IpAddr> for ClientKey {
    fn from(address: IpAddr) -> ClientKey {
        ClientKey { address, path: 0 }
    }
}

impl Balance {
    /// An algorithm that has chosen nothing yet.
    pub(crate) fn new(algorithm: Algorithm) -> Balance {
        match algorithm {
            Algorithm::Roundrobin => Balance::Roundrobin(Roundrobin::default()),
            Algorithm::Leastconn => Balance::Leastconn(Leastconn::default()),
            Algorithm::Source => Balance::Source,
            Algorithm::Uri => Balance::Uri,
        }
    }

    /// The index in `candidates` of the server that `client` gets; `None` when no candidate has
    /// weight. Each call may pass other candidates or weights; their ids are unique.
    pub(crate) fn pick(&mut self, candidates: &[Candidate], client: ClientKey) -> Option<usize> {
        match self {
            Balance::Roundrobin(roundrobin) => roundrobin.pick(candidates),
            Balance::Leastconn(leastconn) => leastconn.pick(candidates),
            Balance::Source => source::pick(candidates, client.address),
            Balance::Uri => uri::pick(candidates, client.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_weight_no_server_is_chosen() {
        let client = ClientKey::from("10.0.0.1".parse::<IpAddr>().unwrap());
        let idle = |weight, id| Candidate {
            weight,
            sessions: 0,
            id,
        };
        for algorithm in Algorithm::ALL {
            let mut balance = Balance::new(algorithm);
            assert_eq!(balance.pick(&[], client), None);
            assert_eq!(balance.pick(&[idle(0, 1), idle(0, 2)], client), None);
            for _ in 0..10 {
                assert_eq!(
                    balance.pick(&[idle(0, 1), idle(1, 2), idle(0, 3)], client),
                    Some(1)
                );
            }
        }
    }
}
