//! A running balancer.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use clusterctl::dataplane_config::Dataplane;
use clusterctl::platform::Program;

use super::{Contender, builtin};
use crate::meter::Meter;
use crate::process::Process;

/// A running balancer; dropping it stops it.
pub(crate) struct Running {
    /// Which balancer it is.
    pub(crate) contender: Contender,
    /// The address for clients.
    pub(crate) address: SocketAddr,
    process: Process,
}

impl Running {
    /// The built-in data plane with `config`, once `serves` returns true.
    pub(crate) fn builtin(
        config: &Dataplane,
        dir: &Path,
        serves: impl Fn() -> io::Result<()>,
    ) -> io::Result<Running> {
        let program = builtin::command(config, dir)?;
        Running::new(
            Contender::Builtin,
            config.frontends[0].listen[0],
            dir,
            serves,
            &program,
        )
    }

    /// A meter of its processes.
    pub(crate) fn meter(&self) -> Meter {
        Meter::new(self.process.all())
    }

    /// Starts `program` in `dir`, and waits until `serves` returns true.
    pub(super) fn new(
        contender: Contender,
        address: SocketAddr,
        dir: &Path,
        serves: impl Fn() -> io::Result<()>,
        program: &Program,
    ) -> io::Result<Running> {
        let mut process = Process::start(program, &dir.join("log"))?;
        process.wait_until(serves).map_err(|error| {
            io::Error::other(format!("{}: {error}; see {}", contender.name(), dir.display()))
        })?;
        Ok(Running {
            contender,
            address,
            process,
        })
    }
}
