//! The rules by which requests are routed and messages are written, as rendered for HAProxy.
//!
//! | a request | file |
//! | --- | --- |
//! | its path and headers decide on the backend, or it is refused | `routes` |
//! | a trusted proxy names its client | `forwarding` |
//! | its session or its cookie names its node | `affinity`, `cookies` |
//! | its head, as the node gets it | `to_node` |
//!
//! | an answer | file |
//! | --- | --- |
//! | its head, as the client gets it | `to_client`, `redirects` |
//! | whether it is compressed | `compression` |
//! | an error of the balancer itself | `errors` |
//!
//! Nothing here allocates for a message, and no path or header is matched by a regular expression.

mod affinity;
mod ambiguity;
mod compression;
mod cookies;
mod errors;
mod forwarding;
mod headers;
mod numbers;
mod redirects;
mod revision;
mod routes;
#[cfg(test)]
mod tests;
mod to_client;
mod to_node;

pub use affinity::{Affinity, affinity};
pub use compression::{Compression, accepts_gzip, compression};
pub use errors::{write_error, write_refusal};
pub use forwarding::Forwarding;
pub use redirects::NodeAddresses;
pub use routes::{Destination, Refusal, Routes};
pub use to_client::{ClientConnection, ClientFraming, ToClient, write_interim, write_response};
pub use to_node::{ToNode, write_request};
