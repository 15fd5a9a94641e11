//! One test, from its first client to its results.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::director::Director;
use super::error::{Kind, LoadError};
use super::memory::Meter;
use super::order::Order;
use super::preflight;
use super::progress::Progress;
use super::protocol::Protocol;
use super::results::Results;
use super::worker_pool::WorkerPoolError;
use crate::base::units::excerpt;
use crate::mcp::Revision;
use crate::platform::{descriptors, thread};

/// Why a test could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The first client was not served, so there is nothing to test.
    #[error("{target} is not an MCP server over {protocol}{}: {source}", at(*.protocol, .path, *.revision))]
    NotServed {
        /// The target.
        target: SocketAddr,
        /// The protocol.
        protocol: Protocol,
        /// The path of requests.
        path: String,
        /// The revision of MCP.
        revision: Revision,
        /// The reason.
        source: LoadError,
    },
    /// The test was interrupted before anything was found.
    #[error("interrupted")]
    Interrupted,
    /// This process could not get the resources that it needs.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// Workers have died.
    #[error(transparent)]
    WorkerPool(#[from] WorkerPoolError),
}

impl RunError {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let RunError::NotServed {
            protocol,
            revision,
            source,
            ..
        } = self
        else {
            return None;
        };
        let hint = match source.kind {
            Kind::Refused => "check that the server runs and listens on this port".to_owned(),
            Kind::ConnectTimeout | Kind::AnswerTimeout => {
                "the server may be overloaded or expect another protocol; `--timeout` waits longer".to_owned()
            }
            Kind::NoPort => "`--sources` sets the number of addresses that clients connect from".to_owned(),
            Kind::NoDescriptor => "`clusterctl doctor --connections N` shows what a test takes".to_owned(),
            Kind::HttpStatus if source.detail.contains("HTTP status 404") => {
                "set the path: `--target http://HOST:PORT/PATH`".to_owned()
            }
            Kind::HttpStatus if !revision.has_sessions() => {
                "the server may only have revisions with sessions: leave `--mcp` out".to_owned()
            }
            _ => format!("check the protocol: this test used `--protocol {protocol}`"),
        };
        Some(hint)
    }
}

/// Runs the test that `order` describes, and sends its progress to `glances`. If `stop` is
/// requested, the test ends with what it has found so far.
///
/// # Errors
/// If there is nothing to test, or no resources to test with.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn run(
    order: &Order,
    glances: &watch::Sender<Option<Progress>>,
    stop: &CancellationToken,
) -> Result<Results, RunError> {
    let began = SystemTime::now();
    thread::survive_large_files().map_err(RunError::Start)?;
    descriptors::raise_limit().map_err(RunError::Start)?;
    let url = Arc::new(order.url());
    let greeted = tokio::select! {
        greeted = preflight::check(&url, order.target, order.sources.of(0), order.timeout) => greeted,
        () = stop.cancelled() => return Err(RunError::Interrupted),
    };
    greeted.map_err(|source| RunError::NotServed {
        target: order.target,
        protocol: order.protocol,
        path: order.path.clone(),
        revision: order.revision,
        source,
    })?;
    let meter = Meter::new();
    let found = Director::start(order, glances, stop)?.run(meter).await?;
    Ok(found.results(order, began))
}

// Private

/// The path of requests, if the protocol has one, and the revision, if it is one without sessions.
fn at(protocol: Protocol, path: &str, revision: Revision) -> String {
    match protocol {
        Protocol::Tcp => String::new(),
        _ if !revision.has_sessions() => format!(" at `{}` with MCP {revision}", excerpt(path)),
        _ => format!(" at `{}`", excerpt(path)),
    }
}
