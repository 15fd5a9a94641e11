//! What nodes are made of, as it was found on this host.

use super::node_program;
use super::prepare::PrepareError;
use crate::erlang::beam;
use crate::erlang::erlmcp::Installation;
use crate::erlang::otp::Otp;
use crate::platform::RunDir;
use crate::profile::{Cluster, Runtime};

/// What nodes are made of.
pub(super) enum Makings {
    /// The node inside this binary.
    Embedded,
    /// A program that the profile names.
    Command,
    /// BEAM nodes of ours, on this Erlang.
    Beam(Otp),
    /// An erlmcp.
    Erlmcp(Box<Installation>),
    /// They run elsewhere.
    Elsewhere,
}

impl Makings {
    /// Finds what the profile asks for.
    ///
    /// # Errors
    /// When it is not there, or will not do.
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

    /// Puts into the run directory what nodes need before they can be started.
    ///
    /// # Errors
    /// When that cannot be made.
    pub(super) async fn install(&self, run_dir: &RunDir) -> Result<(), PrepareError> {
        match self {
            Makings::Beam(otp) => Ok(beam::install(otp, run_dir).await?),
            Makings::Erlmcp(erlmcp) => Ok(erlmcp.install().await?),
            _ => Ok(()),
        }
    }

    /// What is not as it should be, and does.
    pub(super) fn warning(&self) -> Option<String> {
        match self {
            Makings::Erlmcp(erlmcp) => erlmcp.warning(),
            _ => None,
        }
    }
}
