//! The file in which a supervisor announces that it will stop the process.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::base::units::Period;

/// What the file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stopping {
    /// Whether `/ready` has to answer that the process will stop.
    pub(super) announced: bool,
    /// The time over which SIGTERM closes connections.
    pub(super) over: Duration,
}

impl Stopping {
    /// Reads the file at `path`; without one, nothing is announced.
    pub(super) fn read(path: Option<&Path>) -> Stopping {
        let Some(path) = path else {
            return Stopping::default();
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Stopping::parse(&text),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::error!(path = %path.display(), %error, "cannot read whether a stop is announced");
                }
                Stopping::default()
            }
        }
    }

    // Private

    /// Lines that are not understood are skipped.
    fn parse(text: &str) -> Stopping {
        let mut stopping = Stopping::default();
        for line in text.lines() {
            match line.trim().split_once(' ') {
                None if line.trim() == "stopping" => stopping.announced = true,
                Some(("over", over)) => {
                    stopping.over = over.parse::<Period>().map_or(Duration::ZERO, Period::duration);
                }
                _ => {}
            }
        }
        stopping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_announcement_and_the_time_for_closing() {
        for (text, announced, ms) in [
            ("", false, 0),
            ("# stopping\n", false, 0),
            ("# a comment\nstopping\n", true, 0),
            ("stopping\nover 1500ms\n", true, 1_500),
            ("over 30s\n", false, 30_000),
            ("over soon\nstopped\n", false, 0),
        ] {
            let over = Duration::from_millis(ms);
            assert_eq!(Stopping::parse(text), Stopping { announced, over }, "{text}");
        }
        assert_eq!(Stopping::read(None), Stopping::default());
        assert_eq!(
            Stopping::read(Some(Path::new("/nonexistent"))),
            Stopping::default()
        );
    }
}
