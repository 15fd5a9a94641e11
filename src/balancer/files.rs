//! The files that a balancer reads.

use std::io;
use std::path::PathBuf;

use crate::render::RenderError;

/// A file that a balancer reads. Only this user can read it, because it may contain keys.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Its path.
    pub path: PathBuf,
    /// Its content.
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
    /// The profile has no listener that the balancer can serve.
    #[error("no listener is left to serve: the cluster has neither a TCP nor an HTTP listener")]
    NothingServed,
    /// nginx cannot balance TCP.
    #[error("`{}` has no stream module, which `listen.tcp` needs: it is not built in, and `{}` is not there", .program.display(), .module.display())]
    NoStreamModule {
        /// The binary.
        program: PathBuf,
        /// The module that was searched for.
        module: PathBuf,
    },
    /// A certificate cannot be made.
    #[error("cannot make a self-signed certificate: {0}")]
    SelfSigned(#[from] rcgen::Error),
}

impl FilesError {
    /// How to fix it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            FilesError::Render(error) => error.hint(),
            FilesError::Certificate { .. } => {
                Some("`tls.certificate` and `tls.key` name PEM files that this user can read".to_owned())
            }
            FilesError::NothingServed => Some(
                "set `listen.tcp` and `nodes.tcp_port`, or `listen.http` and `nodes.http_port`".to_owned(),
            ),
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
    /// Without the content, which can be a private key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
