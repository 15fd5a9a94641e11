//! Where text goes: data to stdout, everything else to stderr; coloured only where somebody sees it.

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use serde::Serialize;

use super::failure::{Failure, NotWritten};
use crate::platform::terminal;
use crate::report::paint;
use crate::units::readable;

/// The only thing that prints.
#[derive(Clone, Debug)]
pub(super) struct Printer {
    /// Whether stdout is a terminal.
    pub(super) on_terminal: bool,
    /// Whether stderr is a terminal, on which progress can be shown.
    pub(super) shows_progress: bool,
    colour: bool,
}

impl Printer {
    /// The printer of this process; colourless if not `colour`, whatever the terminal says.
    pub(super) fn new(colour: bool) -> Printer {
        Printer {
            on_terminal: io::stdout().is_terminal(),
            shows_progress: io::stderr().is_terminal(),
            colour,
        }
    }

    /// Data, to stdout. A last line feed is added where it is missing.
    ///
    /// # Errors
    /// When it cannot be written, or nobody reads it.
    pub(super) fn data(&self, text: &str) -> Result<(), NotWritten> {
        let mut out = AutoStream::new(io::stdout().lock(), self.choice(&io::stdout()));
        let end = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        write!(out, "{text}{end}")?;
        Ok(out.flush()?)
    }

    /// Data that somebody else has made up, to stdout: what would steer a terminal is left out.
    ///
    /// # Errors
    /// When it cannot be written, or nobody reads it.
    pub(super) fn foreign(&self, text: &str) -> Result<(), NotWritten> {
        self.data(&anstream::adapter::strip_str(text).to_string())
    }

    /// An object on one line, to stdout.
    ///
    /// # Errors
    /// When it cannot be written, or nobody reads it.
    pub(super) fn json(&self, object: &impl Serialize) -> Result<(), Failure> {
        Ok(self.data(&serde_json::to_string(object).map_err(Failure::new)?)?)
    }

    /// An object for people and programs, to stdout.
    ///
    /// # Errors
    /// When it cannot be written, or nobody reads it.
    pub(super) fn pretty_json(&self, object: &impl Serialize) -> Result<(), Failure> {
        Ok(self.data(&serde_json::to_string_pretty(object).map_err(Failure::new)?)?)
    }

    /// What goes on, to stderr.
    pub(super) fn note(&self, text: &str) {
        let mut err = AutoStream::new(io::stderr().lock(), self.choice(&io::stderr()));
        // There is nobody to tell that nobody can be told.
        let _unheard = writeln!(err, "{text}");
    }

    /// What the user should know although it went well, to stderr.
    pub(super) fn warning(&self, text: &str) {
        self.note(&format!("{} {text}", paint::yellow("warning:")));
    }

    /// Why it did not go well, to stderr.
    pub(super) fn failure(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        if failure.speaks_for_itself() {
            self.note(&readable(&failure.text()));
        } else {
            self.note(&format!("{} {}", paint::red("error:"), readable(&failure.text())));
        }
        if let Some(hint) = &failure.hint {
            self.note(&format!("{} {}", paint::cyan("hint:"), readable(hint)));
        }
    }

    /// Draws over what stood in the terminal from its first corner on: what fits, the rest is cut off.
    ///
    /// # Errors
    /// When it cannot be written, or nobody sees it.
    pub(super) fn redraw(&self, text: &str) -> Result<(), NotWritten> {
        // A terminal that does not tell its size gets everything. The last line is left for the cursor.
        let shown = terminal::lines(&io::stdout()).map_or(usize::MAX, |lines| lines.saturating_sub(1));
        // Without wrapping, a line is a line. Each is erased just before it is drawn, and what is below at the end:
        // nothing flickers.
        raw("\x1b[?7l\x1b[H")?;
        for line in text.lines().take(shown) {
            raw("\x1b[K")?;
            self.data(&format!("{line}\n"))?;
        }
        raw("\x1b[J\x1b[?7h")
    }

    // Private

    fn choice(&self, stream: &impl anstream::stream::RawStream) -> anstream::ColorChoice {
        if self.colour {
            // Knows of terminals, NO_COLOR, CLICOLOR and CLICOLOR_FORCE.
            AutoStream::choice(stream)
        } else {
            anstream::ColorChoice::Never
        }
    }
}

// Private

/// What a colourless terminal has to get too.
fn raw(text: &str) -> Result<(), NotWritten> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
