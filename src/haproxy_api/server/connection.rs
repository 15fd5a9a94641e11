//! One conversation on the runtime API's socket.
//!
//! Without `prompt` it ends when all commands are answered; each answer is followed by an empty
//! line. With `prompt` it lasts until `quit` or until the client is idle for too long.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Level, Severity, SeverityOutput};
use super::commands::{carry_out, strtol};
use super::help::help;
use super::line::{InputBuffer, Words};
use super::subject::Subject;
use super::vocabulary::{Command, Verb};
use crate::haproxy_api::listeners;

/// The answer to a client without permission.
pub(super) const DENIED: &str = "Permission denied\n";
/// The idle time that ends a conversation, unless `set timeout cli` changes it.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// The longest timeout that can be set; HAProxy's limit.
const MAX_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// Serves one client until the conversation ends.
pub(super) async fn serve_connection<S: Subject>(
    mut stream: UnixStream,
    subject: &Arc<S>,
    granted: Level,
    path: &Path,
    shutdown: &CancellationToken,
) {
    let mut session = Session::new(subject, granted, path);
    // A client that leaves while it is answered is not an error.
    let _gone = session.run(&mut stream, shutdown).await;
    finish(stream).await;
}

// Private

/// The state of a conversation.
struct Session<'a, S> {
    subject: &'a Arc<S>,
    path: &'a Path,
    /// The socket's level.
    granted: Level,
    /// The client's own, which it can lower.
    level: Level,
    severity: SeverityOutput,
    idle_timeout: Duration,
    interactive: bool,
    modes: Modes,
    over: bool,
}

/// HAProxy's modes that guard some commands; none of the commands here need them.
#[derive(Default)]
struct Modes {
    expert: bool,
    experimental: bool,
}

impl<'a, S: Subject> Session<'a, S> {
    fn new(subject: &'a Arc<S>, granted: Level, path: &'a Path) -> Session<'a, S> {
        Session {
            subject,
            path,
            granted,
            level: granted,
            severity: SeverityOutput::None,
            idle_timeout: IDLE_TIMEOUT,
            interactive: false,
            modes: Modes::default(),
            over: false,
        }
    }

    async fn run(&mut self, stream: &mut UnixStream, shutdown: &CancellationToken) -> io::Result<()> {
        let mut buffer = InputBuffer::default();
        let mut piece = [0; 4_096];
        let mut answered = false;
        loop {
            while let Some(words) = buffer.next_command() {
                if self.requests_listeners(&words) {
                    return hand_over(stream, self.subject.listeners()).await;
                }
                let answer = self.execute(&words).await.render(self.severity);
                if self.over {
                    return Ok(());
                }
                let end = if self.interactive { "\n> " } else { "\n" };
                self.write(stream, &answer).await?;
                self.write(stream, end).await?;
                answered = true;
            }
            let room = buffer.room().min(piece.len());
            if room == 0 {
                return Ok(());
            }
            let asked_all = answered && !self.interactive && buffer.is_empty();
            let read = if asked_all {
                // More may have arrived in the meantime; this does not wait for it.
                stream.try_read(&mut piece[..room]).unwrap_or(0)
            } else {
                tokio::select! {
                    read = timeout(self.idle_timeout, stream.read(&mut piece[..room])) => read??,
                    () = shutdown.cancelled() => return Ok(()),
                }
            };
            if read == 0 {
                return Ok(());
            }
            buffer.feed(&piece[..read]);
        }
    }

    async fn write(&self, stream: &mut UnixStream, text: &str) -> io::Result<()> {
        // While the client reads parts of a large answer, it is alive.
        for piece in text.as_bytes().chunks(64 * 1_024) {
            timeout(self.idle_timeout, stream.write_all(piece)).await??;
        }
        Ok(())
    }

    async fn execute(&mut self, words: &Words) -> Answer {
        let Some(command) = Command::find(words) else {
            return help(words);
        };
        if self.level < command.level {
            return Answer::refusal(DENIED);
        }
        let from_subject = carry_out(command.verb, words, self.granted, self.level, self.subject).await;
        from_subject.unwrap_or_else(|| self.change_mode(command.verb, words))
    }

    fn requests_listeners(&self, words: &Words) -> bool {
        Command::find(words)
            .is_some_and(|command| command.verb == Verb::GetSockets && self.level >= command.level)
    }

    /// Executes a command about the conversation itself.
    fn change_mode(&mut self, verb: Verb, words: &Words) -> Answer {
        match verb {
            Verb::Help => return help(words),
            Verb::Prompt => self.interactive = !self.interactive,
            Verb::Quit => self.over = true,
            Verb::Operator => self.lower_level(Level::Operator),
            Verb::User => self.lower_level(Level::User),
            Verb::Expert => return switch(&mut self.modes.expert, "expert-mode", words.at(1)),
            Verb::Experimental => {
                return switch(&mut self.modes.experimental, "experimental-mode", words.at(1));
            }
            Verb::ShowCliLevel => {
                return Answer::message(Severity::Info, format!("{}\n", self.level.name()));
            }
            Verb::ShowCliSockets => {
                let (path, level) = (self.path.display(), self.granted.name());
                return Answer::figures(format!("# socket lvl processes\nunix@{path} {level} all\n"));
            }
            Verb::SetSeverityOutput => match words.at(2) {
                "none" => self.severity = SeverityOutput::None,
                "number" => self.severity = SeverityOutput::Number,
                "string" => self.severity = SeverityOutput::Word,
                _ => return Answer::refusal("one of 'none', 'number', 'string' is a required argument\n"),
            },
            Verb::SetTimeout => match idle_timeout(words) {
                Ok(idle_timeout) => self.idle_timeout = idle_timeout,
                Err(why) => return Answer::refusal(why),
            },
            _ => {}
        }
        Answer::done()
    }

    fn lower_level(&mut self, level: Level) {
        self.level = level;
        self.modes = Modes::default();
    }
}

/// Hands `listeners` over to the client, which ends the conversation as in HAProxy.
async fn hand_over(stream: &UnixStream, listeners: Vec<Arc<TcpListener>>) -> io::Result<()> {
    let copy = net::UnixStream::from(stream.as_fd().try_clone_to_owned()?);
    let given = tokio::task::spawn_blocking(move || {
        let given = listeners::send(&copy, &listeners);
        // Both descriptors are of the same socket.
        copy.set_nonblocking(true)?;
        given
    });
    given.await?
}

/// `expert-mode on`.
fn switch(mode: &mut bool, name: &str, wanted: &str) -> Answer {
    if wanted.is_empty() {
        let state = if *mode { "ON" } else { "OFF" };
        return Answer::message(Severity::Info, format!("{name} is {state}\n"));
    }
    *mode = wanted == "on";
    Answer::done()
}

/// `set timeout cli DELAY`: seconds, or another unit of HAProxy's. It counts whole seconds, and
/// less than one is zero.
fn idle_timeout(words: &Words) -> Result<Duration, &'static str> {
    const INVALID: &str = "Invalid timeout value.\n";
    if words.at(2) != "cli" {
        return Err("'set timeout' only supports 'cli'.\n");
    }
    if words.at(3).is_empty() {
        return Err("Expects an integer value.\n");
    }
    let (number, unit) = strtol(words.at(3)).ok_or(INVALID)?;
    let number = u64::try_from(number).map_err(|_| INVALID)?;
    let seconds = match unit {
        "us" => number / 1_000_000,
        "ms" => number / 1_000,
        "" | "s" => number,
        "m" => number.saturating_mul(60),
        "h" => number.saturating_mul(3_600),
        "d" => number.saturating_mul(86_400),
        _ => return Err(INVALID),
    };
    match seconds {
        0 => Err(INVALID),
        seconds => Ok(Duration::from_secs(seconds).min(MAX_TIMEOUT)),
    }
}

/// Closes the connection cleanly. Unread input is read first: otherwise the kernel would report an
/// error to the client, and the end of the answer would be lost.
async fn finish(mut stream: UnixStream) {
    let _gone = stream.shutdown().await;
    let mut piece = [0; 4_096];
    while matches!(stream.try_read(&mut piece), Ok(1..)) {}
}
