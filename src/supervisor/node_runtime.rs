//! What the nodes of a cluster run, as found on this host.

use super::node_environment::NodeEnvironment;
use super::node_program;
use super::prepare::PrepareError;
use crate::erlang::beam;
use crate::erlang::erlmcp::Installation;
use crate::erlang::otp::Otp;
use crate::platform::RunDir;
use crate::profile::{Cluster, Runtime};

/// What the nodes of a cluster run.
#[derive(Clone)]
pub(super) enum NodeRuntime {
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

impl NodeRuntime {
    /// Finds what the profile asks for.
    ///
    /// # Errors
    /// When it is not installed, or cannot be used.
    pub(super) async fn find(
        cluster: &Cluster,
        environment: &NodeEnvironment,
        run_dir: &RunDir,
    ) -> Result<NodeRuntime, PrepareError> {
        let binaries = &cluster.binaries;
        Ok(match (cluster.runtime, &cluster.erlmcp) {
            (Runtime::Embedded, _) => NodeRuntime::Embedded,
            (Runtime::Erlang, _) => NodeRuntime::Beam(beam::find(binaries).await?),
            (Runtime::Command, None) => {
                node_program::find(cluster, environment)?;
                NodeRuntime::Command
            }
            (Runtime::Command, Some(wanted)) => {
                NodeRuntime::Erlmcp(Box::new(Installation::find(wanted, binaries, run_dir).await?))
            }
            (Runtime::External, _) => NodeRuntime::Elsewhere,
        })
    }

    /// Writes the files into the run directory that nodes need before they can be started.
    pub(super) async fn install(&self, run_dir: &RunDir) -> Result<(), PrepareError> {
        match self {
            NodeRuntime::Beam(otp) => Ok(beam::install(otp, run_dir).await?),
            NodeRuntime::Erlmcp(erlmcp) => Ok(erlmcp.install().await?),
            _ => Ok(()),
        }
    }

    /// A defect that does not keep nodes from running.
    pub(super) fn warning(&self) -> Option<String> {
        match self {
            NodeRuntime::Erlmcp(erlmcp) => erlmcp.warning(),
            _ => None,
        }
    }
}
