//! A client's slot in the process and in its frontend, returned when it is dropped.

use std::sync::Arc;

use super::frontend::Frontend;
use super::process::Process;

/// A slot for one connection. It is taken before the connection is accepted, so that the limit is
/// never exceeded; a listener without a slot leaves its clients in the kernel's queue.
#[derive(Debug)]
pub(crate) struct Admission {
    process: Arc<Process>,
    frontend: Arc<Frontend>,
}

impl Admission {
    /// Takes a slot; `None` when the process or the frontend is full.
    pub(crate) fn take(process: &Arc<Process>, frontend: &Arc<Frontend>) -> Option<Admission> {
        if !process.reserve() {
            return None;
        }
        if !frontend.reserve() {
            process.release();
            return None;
        }
        Some(Admission {
            process: Arc::clone(process),
            frontend: Arc::clone(frontend),
        })
    }

    /// The frontend.
    pub(crate) const fn frontend(&self) -> &Arc<Frontend> {
        &self.frontend
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.frontend.release();
        self.process.release();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dataplane::backend::tests::backend;
    use crate::dataplane::frontend::Route;
    use crate::profile::PerIp;

    fn unlimited() -> PerIp {
        PerIp {
            connections: 0,
            connection_rate: 0,
            message_rate: 0,
            exempt: BTreeSet::new(),
        }
    }

    /// A frontend with a limit of this many connections.
    fn frontend(maxconn: u32) -> Arc<Frontend> {
        let route = Route {
            listen: Vec::new(),
            backend: backend(&[]),
            http: None,
        };
        Arc::new(Frontend::new("tcp", 2, route, maxconn, unlimited(), 1))
    }

    #[test]
    fn a_slot_is_taken_in_both_and_returned_to_both() {
        let process = Arc::new(Process::new(2));
        let (one, other) = (frontend(1), frontend(9));
        let first = Admission::take(&process, &one).unwrap();
        // The frontend is full, and the process keeps its second slot.
        assert!(Admission::take(&process, &one).is_none());
        let second = Admission::take(&process, &other).unwrap();
        // The process is full.
        assert!(Admission::take(&process, &other).is_none());
        assert_eq!((one.sessions.get(), other.sessions.get()), (1, 1));
        drop(first);
        assert_eq!((one.sessions.get(), process.connections.get()), (0, 1));
        drop(second);
        assert_eq!((other.sessions.get(), process.connections.get()), (0, 0));
    }
}
