//! Ctrl-C in a command that waits.

use std::io;
use std::sync::LazyLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;

/// Cancelled by the first Ctrl-C after [`catch`].
static PRESSED: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

/// From now on Ctrl-C does not end this process: each [`pressed`] returns instead, also one that is
/// called later.
///
/// A handler that is installed where a command waits would be too late: until then, Ctrl-C would end
/// the command without a word about what it has begun.
///
/// # Panics
/// Outside of a tokio runtime.
pub(super) fn catch() -> io::Result<()> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        if interrupts.recv().await.is_some() {
            PRESSED.cancel();
        }
    });
    Ok(())
}

/// Waits until Ctrl-C was pressed.
pub(super) async fn pressed() {
    PRESSED.cancelled().await;
}

/// Waits until Ctrl-C was pressed, which does not end a `verb` that the supervisor has begun; `hint`
/// names what shows more of it.
pub(super) async fn leaves_running(verb: &str, hint: &str) -> Failure {
    pressed().await;
    Failure::because(format!("interrupted, but the {verb} continues"))
        .exit(Exit::Interrupted)
        .hint(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[tokio::test]
    async fn what_was_pressed_before_a_command_waits_is_known_when_it_waits() {
        catch().unwrap();
        raise(Signal::SIGINT).unwrap();
        // Several places of a command may wait, one after another.
        pressed().await;
        pressed().await;
    }
}
