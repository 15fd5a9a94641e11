//! An nginx as it is on this host.

use std::path::PathBuf;

use super::build::NginxBuild;

/// A binary, and what the configuration has to know of where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxInstallation {
    /// What it is.
    pub build: NginxBuild,
    /// How it balances TCP.
    pub stream: StreamModule,
    /// Whom its workers run as: `nobody nogroup`; as whoever starts it when that is not root.
    pub user: Option<String>,
}

/// What balances TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamModule {
    /// The binary itself.
    BuiltIn,
    /// A module that it loads.
    Loaded(PathBuf),
    /// Nothing: there is no module where it was looked for.
    Missing(PathBuf),
}
