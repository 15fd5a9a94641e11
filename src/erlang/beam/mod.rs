//! BEAM nodes: MCP servers on Erlang, of our own making, that need nothing but OTP.
//!
//! Their source, in `beam/` of the repository, is part of this binary. The first start compiles it with the `erlc` that is
//! installed; later ones find it compiled. The nodes form a mesh of distributed Erlang on loopback: each listens for the others at
//! a fixed port, and a module of ours tells which has which, so there is no epmd. They know one another by a cookie
//! that was made for this cluster and that only its user can read.
//!
//! | in the run directory | what |
//! | --- | --- |
//! | `cluster.config` | who the nodes are, for `erl -config` |
//! | `erlang/mcp_node-HASH/ebin` | the application, compiled |
//! | `erlang/home/.erlang.cookie` | the cookie, while the cluster runs; the directory is the nodes' `HOME` |
//! | `logs/NODE.log`, `logs/NODE.crash.dump` | what a node says, and how it looked when it crashed |

mod code;
mod program;
mod target;

pub use program::Nodes;
pub use target::target;

use code::NODE;

use crate::erlang::otp::{CodeError, HomeError, Otp, OtpError, settle};
use crate::platform::RunDir;
use crate::profile::Binaries;

/// The oldest OTP that runs them.
const OLDEST: u32 = 25;

/// BEAM nodes that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Their code cannot be compiled.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// They cannot have a home.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl InstallError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            InstallError::Code(error) => error.hint(),
            InstallError::Home(_) => None,
        }
    }
}

/// The Erlang that runs them: the one that the profile names, else the first in PATH.
///
/// # Errors
/// When there is none, or none that will do.
pub async fn find(binaries: &Binaries) -> Result<Otp, OtpError> {
    let otp = Otp::find(binaries).await?.at_least(OLDEST)?;
    otp.compiler()?;
    Ok(otp)
}

/// Puts into the run directory what the nodes need to start and is not there: their code, compiled, and their cookie.
///
/// # Errors
/// When it cannot be compiled or written. Nothing is half there then.
pub async fn install(otp: &Otp, run_dir: &RunDir) -> Result<(), InstallError> {
    NODE.compile(otp, run_dir).await?;
    settle(&run_dir.erlang_home())?;
    Ok(())
}
