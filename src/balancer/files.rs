//! The files that a balancer reads.

use std::io;
use std::path::PathBuf;

use crate::render::RenderError;

/// A file that a balancer reads; for this user's eyes only, because keys may be in it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where it will be.
    pub path: PathBuf,
    /// What is in it.
    pub content: String,
}

/// Files that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A template cannot be filled.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A certificate or its key cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Certificate {
        /// The PEM file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The profile wants nothing that the balancer serves.
    #[error("no listener is left to serve: the built-in balancer serves TCP only, and `listen.tcp` is null")]
    NothingServed,
    /// nginx cannot balance TCP.
    #[error("`{}` has no stream module, which `listen.tcp` needs: it is not built in, and `{}` is not there", .program.display(), .module.display())]
    NoStreamModule {
        /// The binary.
        program: PathBuf,
        /// The module that was looked for.
        module: PathBuf,
    },
    /// No certificate can be made.
    #[error("cannot make a self-signed certificate: {0}")]
    SelfSigned(#[from] rcgen::Error),
}

impl FilesError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            FilesError::Render(error) => error.hint(),
            FilesError::Certificate { .. } => {
                Some("`tls.certificate` and `tls.key` name PEM files that this user can read".to_owned())
            }
            FilesError::NothingServed => Some("give `listen.tcp` a port, or use `haproxy`".to_owned()),
            FilesError::NoStreamModule { .. } => Some(
                "`apt-get install -y libnginx-mod-stream`, or disable TCP: `--set listen.tcp=null`"
                    .to_owned(),
            ),
            FilesError::SelfSigned(_) => {
                Some("create a certificate and key, and set `tls: {certificate: FILE, key: FILE}`".to_owned())
            }
        }
    }
}

impl std::fmt::Debug for ConfigFile {
    /// Without its content: that may be a private key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
