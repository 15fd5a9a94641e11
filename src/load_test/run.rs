//! One test, from its first client to its results.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use super::conversation::Site;
use super::crew::CrewError;
use super::director::Director;
use super::error::{Kind, Trouble};
use super::memory::Meter;
use super::order::Order;
use super::preflight;
use super::progress::Glance;
use super::protocol::Protocol;
use super::results::Results;
use crate::base::shutdown::Shutdown;
use crate::base::units::excerpt;
use crate::platform::{descriptors, thread};

/// Why a test could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The first client was not served, so there is nothing to test.
    #[error("{target} is no MCP server over {protocol}{}: {source}", at(*.protocol, .path))]
    NotServed {
        /// Where it connected.
        target: SocketAddr,
        /// What it spoke.
        protocol: Protocol,
        /// Where its requests went.
        path: String,
        /// Why not.
        source: Trouble,
    },
    /// Somebody has ended it before anything was found.
    #[error("interrupted")]
    Interrupted,
    /// This process gets not what it needs.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// Workers have died.
    #[error(transparent)]
    Crew(#[from] CrewError),
}

impl RunError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let RunError::NotServed { protocol, source, .. } = self else {
            return None;
        };
        let hint = match source.kind {
            Kind::Refused => "nobody listens there: is the port right, and does the server run?".to_owned(),
            Kind::ConnectTimeout | Kind::AnswerTimeout => {
                "is it overloaded, or waiting for another protocol? `--timeout` gives it longer".to_owned()
            }
            Kind::NoPort => "`--sources` says how many addresses clients connect from".to_owned(),
            Kind::NoDescriptor => "`clusterctl doctor --connections N` shows what a test takes".to_owned(),
            Kind::HttpStatus if source.detail.contains("HTTP status 404") => {
                "is it served at another path? `--target http://HOST:PORT/PATH`".to_owned()
            }
            _ => format!("`--protocol` says what it speaks; this was {protocol}"),
        };
        Some(hint)
    }
}

/// Tests as `order` says, and tells `glances` how far it is. When `stop` is ordered it ends with
/// what it has found so far.
///
/// # Errors
/// When there is nothing to test, or nothing to test with.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn run(
    order: &Order,
    glances: &watch::Sender<Option<Glance>>,
    stop: &Shutdown,
) -> Result<Results, RunError> {
    let began = SystemTime::now();
    thread::survive_large_files().map_err(RunError::Start)?;
    descriptors::raise_limit().map_err(RunError::Start)?;
    let site = Arc::new(Site {
        protocol: order.protocol,
        authority: order.authority.clone(),
        path: order.path.clone(),
    });
    let greeted = tokio::select! {
        greeted = preflight::greet(&site, order.target, order.sources.of(0), order.patience) => greeted,
        () = stop.ordered() => return Err(RunError::Interrupted),
    };
    greeted.map_err(|source| RunError::NotServed {
        target: order.target,
        protocol: order.protocol,
        path: order.path.clone(),
        source,
    })?;
    let meter = Meter::new();
    let found = Director::start(order, glances, stop)?.direct(meter).await?;
    Ok(found.results(order, began))
}

// Private

/// The path of requests, where the protocol has one.
fn at(protocol: Protocol, path: &str) -> String {
    match protocol {
        Protocol::Tcp => String::new(),
        _ => format!(" at `{}`", excerpt(path)),
    }
}
