//! What the nodes of a cluster run, as found on this host.

use super::node_program;
use super::prepare::PrepareError;
use crate::erlang::beam;
use crate::erlang::erlmcp::Installation;
use crate::erlang::otp::Otp;
use crate::platform::RunDir;
use crate::profile::{Cluster, Runtime};

/// What the nodes of a cluster run.
pub(super) enum Makings {
    /// The node that is part of this binary.
    Embedded,
    /// A program that the profile names.
    Command,
    /// This binary's own BEAM nodes, on this Erlang installation.
    Beam(Otp),
    /// An installed erlmcp.
    Erlmcp(Box<Installation>),
    /// Nothing: the nodes are external.
    Elsewhere,
}

impl Makings {
    /// Finds what the profile asks for.
    ///
    /// # Errors
    /// When it is not installed, or cannot be used.
    pub(super) async fn find(cluster: &Cluster, run_dir: &RunDir) -> Result<Makings, PrepareError> {
        let binaries = &cluster.binaries;
        Ok(match (cluster.runtime, &cluster.erlmcp) {
            (Runtime::Embedded, _) => Makings::Embedded,
            (Runtime::Erlang, _) => Makings::Beam(beam::find(binaries).await?),
            (Runtime::Command, None) => {
                node_program::find(cluster)?;
                Makings::Command
            }
            (Runtime::Command, Some(wanted)) => {
                Makings::Erlmcp(Box::new(Installation::find(wanted, binaries, run_dir).await?))
            }
            (Runtime::External, _) => Makings::Elsewhere,
        })
    }

    /// Writes the files into the run directory that nodes need before they can be started.
    pub(super) async fn install(&self, run_dir: &RunDir) -> Result<(), PrepareError> {
        match self {
            Makings::Beam(otp) => Ok(beam::install(otp, run_dir).await?),
            Makings::Erlmcp(erlmcp) => Ok(erlmcp.install().await?),
            _ => Ok(()),
        }
    }

    /// A defect that does not keep nodes from running.
    pub(super) fn warning(&self) -> Option<String> {
        match self {
            Makings::Erlmcp(erlmcp) => erlmcp.warning(),
            _ => None,
        }
    }
}
