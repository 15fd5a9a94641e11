//! BEAM nodes: MCP servers in Erlang that belong to this project and need nothing but OTP.
//!
//! Their source, in `beam/` of the repository, is part of this binary. The first start compiles it
//! with the installed `erlc`; later ones find it compiled. The nodes form a mesh of distributed
//! Erlang on loopback: each listens for the others at a fixed port, and our own module knows the
//! ports, so epmd is not needed. They authenticate by a cookie that is generated for this cluster
//! and that only its user can read.
//!
//! | in the run directory | what |
//! | --- | --- |
//! | `cluster.config` | the names of the nodes, for `erl -config` |
//! | `erlang/mcp_node-HASH/ebin` | the application, compiled |
//! | `erlang/home/.erlang.cookie` | the cookie, while the cluster runs; the directory is the nodes' `HOME` |
//! | `logs/NODE.log`, `logs/NODE.crash.dump` | a node's output, and its crash dump |

mod code;
mod program;
mod target;

pub use program::program;
pub use target::target;

use code::NODE;

use crate::erlang::otp::{CodeError, HomeError, Otp, OtpError, settle};
use crate::platform::RunDir;
use crate::profile::Binaries;

/// The oldest OTP release that can run them.
const OLDEST: u32 = 25;

/// BEAM nodes that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Their code cannot be compiled.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// Their home directory cannot be created.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl InstallError {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            InstallError::Code(error) => error.hint(),
            InstallError::Home(_) => None,
        }
    }
}

/// The Erlang that runs them: the one that the profile names, otherwise the first in PATH.
///
/// # Errors
/// If there is none, or it is too old.
pub async fn find(binaries: &Binaries) -> Result<Otp, OtpError> {
    let otp = Otp::find(binaries).await?.at_least(OLDEST)?;
    otp.compiler()?;
    Ok(otp)
}

/// Puts into the run directory what the nodes need to start and is missing: their compiled code and
/// their cookie.
///
/// # Errors
/// If it cannot be compiled or written. Then nothing is left half-written.
pub async fn install(otp: &Otp, run_dir: &RunDir) -> Result<(), InstallError> {
    NODE.compile(otp, run_dir).await?;
    settle(&run_dir.erlang_home())?;
    Ok(())
}
