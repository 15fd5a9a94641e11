//! Nodes that run erlmcp, from a checkout or a release on this host: which problems it has, and how
//! it is run.
//!
//! ```text
//!  profile ── nodes.path ──▶ Checkout ──┐                       ┌─▶ files: door, cookie, sys.config
//!                                       ├─▶ Installation ───────┤
//!  `erl` ──── binaries.erl ─▶ Otp ──────┘                       └─▶ Program of each node
//! ```
//!
//! All nodes share one cookie, which is also erlmcp's `cluster_cookie`. It is in files that only
//! the owner can read, and never on a command line. A node called `erlmcp1` is `erlmcp1@localhost`,
//! its distribution listens on loopback, and the nodes are a [mesh](crate::erlang::otp::mesh),
//! without epmd.

mod checkout;
mod config;
mod home;
mod installation;
mod loading;
mod words;

pub use checkout::{Checkout, CheckoutError};
pub use installation::{Installation, InstallationError};
pub use loading::LoadingError;
