//! What is typed on the terminal.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The next line that is typed; empty when the terminal has been closed.
///
/// It is waited for without a thread: a thread that reads keeps the process from ending after
/// Ctrl-C.
pub async fn typed_line() -> io::Result<String> {
    let terminal = watched(io::stdin().as_fd().try_clone_to_owned()?)?;
    let _readable = terminal.readable().await?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

// Private

#[expect(unsafe_code, reason = "tokio wants a promise that the descriptor stays open")]
fn watched(terminal: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: `OwnedFd` keeps its descriptor open and unchanged until it is dropped.
    Ok(unsafe { AsyncFd::register_with_interest(terminal, Interest::READABLE) }?)
}
