//! Prints text: data to stdout, everything else to stderr; in colour only on a terminal.

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;
use serde::Serialize;

use super::exit::Exit;
use super::failure::{Failure, NotWritten};
use crate::base::units::readable;
use crate::report::style;

/// The only type that prints.
#[derive(Clone, Debug)]
pub(super) struct Printer {
    /// Whether stdout is a terminal that supports cursor control.
    pub(super) on_terminal: bool,
    /// Whether stderr is such a terminal, so that progress can be shown.
    pub(super) shows_progress: bool,
    colour: bool,
}

impl Printer {
    /// The printer of this process; without `colour` it never prints colours, whatever the terminal
    /// supports.
    pub(super) fn new(colour: bool) -> Printer {
        // Such a terminal, for example in an editor, shows control sequences as text.
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Printer {
            on_terminal: !is_dumb && io::stdout().is_terminal(),
            shows_progress: !is_dumb && io::stderr().is_terminal(),
            colour,
        }
    }

    /// The number of columns of stdout, if it is a terminal that supports cursor control.
    pub(super) fn width(&self) -> Option<usize> {
        self.size().map(|(_, columns)| columns)
    }

    /// Prints data to stdout. Adds a line feed at the end if it is missing.
    ///
    /// # Errors
    /// When it cannot be written, or the reader has closed the pipe.
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

    /// Prints data from another program to stdout, without the characters that would control a
    /// terminal.
    ///
    /// # Errors
    /// When it cannot be written, or the reader has closed the pipe.
    pub(super) fn foreign(&self, text: &str) -> Result<(), NotWritten> {
        self.data(&anstream::adapter::strip_str(text).to_string())
    }

    /// Prints an object on one line to stdout.
    ///
    /// # Errors
    /// When it cannot be written, or the reader has closed the pipe.
    pub(super) fn json(&self, object: &impl Serialize) -> Result<(), Failure> {
        Ok(self.data(&serde_json::to_string(object).map_err(Failure::new)?)?)
    }

    /// Prints an object for people and programs to stdout.
    ///
    /// # Errors
    /// When it cannot be written, or the reader has closed the pipe.
    pub(super) fn pretty_json(&self, object: &impl Serialize) -> Result<(), Failure> {
        Ok(self.data(&serde_json::to_string_pretty(object).map_err(Failure::new)?)?)
    }

    /// Prints what happens to stderr.
    pub(super) fn note(&self, text: &str) {
        let mut err = AutoStream::new(io::stderr().lock(), self.choice(&io::stderr()));
        // A failed write to stderr cannot be reported anywhere.
        let _ignored = writeln!(err, "{text}");
    }

    /// Whether a person can answer: the question is shown, and the answer is typed, on a terminal.
    pub(super) fn can_ask(&self) -> bool {
        self.shows_progress && io::stdin().is_terminal()
    }

    /// Prints a question to stderr, and leaves the cursor behind it.
    pub(super) fn ask(&self, question: &str) {
        let mut err = AutoStream::new(io::stderr().lock(), self.choice(&io::stderr()));
        // A failed write to stderr cannot be reported anywhere.
        let _ignored = write!(err, "{question}").and_then(|()| err.flush());
    }

    /// Prints what the user should know although the command succeeded, to stderr.
    pub(super) fn warning(&self, text: &str) {
        self.note(&format!("{} {text}", style::yellow("warning:")));
    }

    /// Prints why the command failed to stderr.
    pub(super) fn failure(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        if failure.exit == Exit::Interrupted {
            self.end_interrupted_line();
        }
        if failure.speaks_for_itself() {
            self.note(&readable(&failure.text()));
        } else {
            self.note(&format!("{} {}", style::red("error:"), readable(&failure.text())));
        }
        if let Some(hint) = &failure.hint {
            self.note(&format!("{} {}", style::cyan("hint:"), readable(hint)));
        }
    }

    /// Ends the line on which the terminal has shown `^C`.
    pub(super) fn end_interrupted_line(&self) {
        if self.shows_progress {
            self.note("");
        }
    }

    /// Replaces the contents of the terminal, beginning in its upper left corner: prints what fits,
    /// and how much is left out.
    ///
    /// # Errors
    /// When it cannot be written, or the reader has closed the pipe.
    pub(super) fn redraw(&self, text: &str) -> Result<(), NotWritten> {
        // Each line is erased just before it is drawn, and the rest below at the end: this avoids
        // flicker.
        raw("\x1b[H")?;
        for line in fitted(text, self.size()) {
            raw("\x1b[K")?;
            self.data(&format!("{line}\n"))?;
        }
        raw("\x1b[J")
    }

    // Private

    /// Rows and columns of stdout, if it is a terminal that supports cursor control and reports its
    /// size.
    fn size(&self) -> Option<(usize, usize)> {
        let size = console::Term::stdout().size_checked()?;
        self.on_terminal.then_some((size.0.into(), size.1.into()))
    }

    fn choice(&self, stream: &impl anstream::stream::RawStream) -> anstream::ColorChoice {
        if self.colour {
            // Respects terminals, NO_COLOR, CLICOLOR and CLICOLOR_FORCE.
            AutoStream::choice(stream)
        } else {
            anstream::ColorChoice::Never
        }
    }
}

// Private

/// The lines of `text` that a terminal with this number of rows and columns shows: each line is cut
/// at the last column, and the last row is left to the cursor. For a terminal that does not report
/// its size it is the whole text.
fn fitted(text: &str, size: Option<(usize, usize)>) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let Some((rows, columns)) = size else {
        return lines.into_iter().map(str::to_owned).collect();
    };
    let room = rows.saturating_sub(1);
    let shown = if lines.len() <= room {
        lines.len()
    } else {
        room.saturating_sub(1)
    };
    let cut = |line: &&str| console::truncate_str(line, columns, "…").into_owned();
    let mut fitted: Vec<String> = lines[..shown].iter().map(cut).collect();
    match lines.len() - shown {
        0 => {}
        1 => fitted.push("… 1 more line".to_owned()),
        more => fitted.push(format!("… {more} more lines")),
    }
    fitted
}

/// Writes text that a terminal without colour needs too.
fn raw(text: &str) -> Result<(), NotWritten> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_does_not_fit_is_cut_and_counted() {
        let text = "one\ntwo is too long\n\x1b[31mthree is red\x1b[0m\nfour\nfive";
        assert_eq!(fitted(text, None).len(), 5);
        assert_eq!(fitted(text, Some((6, 40))).len(), 5);
        assert_eq!(
            fitted(text, Some((5, 8))),
            ["one", "two is …", "\x1b[31mthree i…\x1b[0m", "… 2 more lines"]
        );
        assert_eq!(fitted("a\nb", Some((0, 0))), ["… 2 more lines"]);
    }
}
