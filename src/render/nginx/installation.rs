//! The nginx that is installed on this host.

use std::path::PathBuf;

use super::build::NginxBuild;

/// A binary, and what the configuration depends on besides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxInstallation {
    /// Its version and features.
    pub build: NginxBuild,
    /// How it balances TCP.
    pub stream: StreamModule,
    /// The user and group of its workers, such as `nobody nogroup`; `None` when nginx is not
    /// started by root, because they then run as the user that starts it.
    pub user: Option<String>,
}

/// The code that balances TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamModule {
    /// It is part of the binary.
    BuiltIn,
    /// It is a module that the binary loads.
    Loaded(PathBuf),
    /// It is missing: there is no module at this path.
    Missing(PathBuf),
}
