//! The server side of the runtime API, on a UNIX socket and as HTTP pages.
//!
//! Its data comes from a [`Subject`]. Each figure is described once (`columns` and `info`), for all
//! outputs; each command is a line of the `vocabulary` and a function of its family.

mod answer;
mod columns;
mod commands;
mod connection;
mod figures;
mod help;
mod info;
mod line;
mod listener;
mod metric;
pub mod pages;
mod state;
mod subject;
mod totals;
mod value;
mod vocabulary;

use std::io;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use answer::Level;
pub use figures::{
    AdminState, BackendFigures, CheckFigures, CompressionFigures, FrontendFigures, FrontendState, Health,
    HttpFigures, ProcessFigures, Proxies, ServerFigures, SessionFigures, SessionRequests, TableEntry,
    TableFigures, TrackedFigures, Traffic,
};
pub use line::{Words, parse};
pub use listener::{ApiListener, ApiListenerError, ApiPlace};
pub use subject::{NewCheck, NewServer, Order, Refusal, ServerRef, Subject};
pub use totals::Totals;

use crate::platform::listen::{Slot, Slots, serve_each};

/// The most conversations at the same time; further clients wait.
const MAX_CONNECTIONS: usize = 64;
/// How long answers may still be sent after the shutdown began.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// Serves the socket until the shutdown. Clients have `level`, and can lower their own.
///
/// # Errors
/// If the current runtime cannot watch the socket.
pub async fn serve<S: Subject>(
    socket: ApiListener,
    subject: Arc<S>,
    level: Level,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let listener = socket.listener()?;
    let path: Arc<std::path::Path> = socket.path().into();
    let accept = |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(stream, _)| stream);
    let place = path.display().to_string();
    let slots = Slots::new(&place, MAX_CONNECTIONS);
    let serve = |stream, slot: Slot| {
        let (subject, path, shutdown) = (Arc::clone(&subject), Arc::clone(&path), shutdown.clone());
        async move {
            connection::serve_connection(stream, &subject, level, &path, &shutdown).await;
            drop(slot);
        }
    };
    let mut conversations = serve_each(&place, accept, &slots, &shutdown, serve).await;
    drop(socket);
    // They see the shutdown, too; a client that does not read its answer is dropped.
    let _left = tokio::time::timeout(SHUTDOWN_GRACE, async {
        while conversations.join_next().await.is_some() {}
    })
    .await;
    Ok(())
}
