//! Log events for the journal of systemd, with a field of the journal for each of theirs.
//!
//! `node` becomes `NODE`, so that `journalctl NODE=erlmcp1` finds the events of a node. `MESSAGE` is
//! the line that a terminal would show, without its time: the journal has its own. The protocol is
//! that of <https://systemd.io/JOURNAL_NATIVE_PROTOCOL>.

use std::fmt::{self, Debug, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

const SOCKET: &str = "/run/systemd/journal/socket";
/// More of a value is cut off: a longer datagram would have to be passed as a file.
const MAX_VALUE_BYTES: usize = 32 << 10;

/// Sends log events to the journal.
pub(super) struct Journal(UnixDatagram);

impl Journal {
    /// The journal, if it is what this process's standard error goes to.
    pub(super) fn behind_stderr() -> Option<Journal> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned().ok()?);
        let stderr = stderr.metadata().ok()?;
        if stream != format!("{}:{}", stderr.dev(), stderr.ino()) {
            return None;
        }
        let socket = UnixDatagram::unbound().ok()?;
        socket.connect(SOCKET).ok()?;
        Some(Journal(socket))
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut entry = Entry::default();
        event.record(&mut entry);
        let priority = priority(*event.metadata().level());
        if self.0.send(&entry.datagram(priority)).is_err() {
            // The journal's own stream takes lines with a priority, also while it restarts.
            let _lost = writeln!(io::stderr(), "<{priority}>{}", entry.line());
        }
    }
}

// Private

/// The fields of one event.
#[derive(Default)]
struct Entry {
    message: String,
    /// The other fields as a line shows them.
    shown: String,
    /// The other fields by their names in the journal.
    fields: Vec<(String, String)>,
}

impl Entry {
    fn line(&self) -> String {
        // An event need not have a message.
        format!("{}{}", self.message, self.shown).trim_start().to_owned()
    }

    fn datagram(&self, priority: u8) -> Vec<u8> {
        let mut datagram = Vec::new();
        put(&mut datagram, "MESSAGE", &self.line());
        put(&mut datagram, "PRIORITY", &priority.to_string());
        put(&mut datagram, "SYSLOG_IDENTIFIER", "clusterctl");
        for (name, value) in &self.fields {
            put(&mut datagram, name, value);
        }
        datagram
    }

    fn add(&mut self, field: &Field, shown: &dyn Debug, value: String) {
        // Writing to a string does not fail.
        let _written = write!(self.shown, " {field}={shown:?}");
        if let Some(name) = name_in_journal(field.name()) {
            self.fields.push((name, value));
        }
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.add(field, &value, value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.add(field, value, format!("{value:?}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, &format_args!("{value}"), value.to_string());
    }
}

/// The levels of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// The journal takes capital letters, digits and underscores; names that begin with an underscore
/// are its own.
fn name_in_journal(name: &str) -> Option<String> {
    let capital = |byte: char| match byte {
        'a'..='z' | 'A'..='Z' | '0'..='9' => byte.to_ascii_uppercase(),
        _ => '_',
    };
    let name: String = name.chars().map(capital).collect();
    let name = name.trim_start_matches('_');
    (!name.is_empty() && name.len() <= 64 && !name.starts_with(|first: char| first.is_ascii_digit()))
        .then(|| name.to_owned())
}

/// Adds `NAME=value`; a value with a line end is preceded by its length instead.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    let value = &value.as_bytes()[..value.len().min(MAX_VALUE_BYTES)];
    datagram.extend(name.as_bytes());
    if value.contains(&b'\n') {
        datagram.push(b'\n');
        datagram.extend((value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend(value);
    datagram.push(b'\n');
}

impl Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What `log` sends.
    fn sent(log: impl FnOnce()) -> String {
        let (ours, journal) = UnixDatagram::pair().unwrap();
        let subscriber = tracing_subscriber::registry().with(Journal(ours));
        tracing::subscriber::with_default(subscriber, log);
        let mut datagram = vec![0; 4_096];
        let length = journal.recv(&mut datagram).unwrap();
        String::from_utf8_lossy(&datagram[..length]).into_owned()
    }

    #[test]
    fn fields_are_apart_and_in_the_message() {
        let datagram = sent(|| {
            let (node, state) = ("erlmcp1", "DOWN");
            tracing::warn!(node, %state, pid = 17, "state changed");
        });
        assert_eq!(
            datagram,
            "MESSAGE=state changed node=\"erlmcp1\" state=DOWN pid=17\n\
             PRIORITY=4\nSYSLOG_IDENTIFIER=clusterctl\nNODE=erlmcp1\nSTATE=DOWN\nPID=17\n"
        );
    }

    #[test]
    fn a_value_with_a_line_end_comes_with_its_length() {
        let datagram = sent(|| tracing::error!("one\ntwo"));
        assert!(
            datagram.starts_with("MESSAGE\n\u{7}\0\0\0\0\0\0\0one\ntwo\nPRIORITY=3\n"),
            "{datagram:?}"
        );
    }

    #[test]
    fn names_are_those_that_the_journal_takes() {
        assert_eq!(name_in_journal("node").as_deref(), Some("NODE"));
        assert_eq!(name_in_journal("_http.status").as_deref(), Some("HTTP_STATUS"));
        assert_eq!(name_in_journal("9lives"), None);
        assert_eq!(name_in_journal("é"), None);
    }
}
