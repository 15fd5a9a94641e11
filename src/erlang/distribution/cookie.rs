//! The secret that the nodes of a cluster share.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The most bytes of a cookie: it is an atom in Erlang.
const MAX_COOKIE: usize = 255;

/// The secret that a node and its clients share. It is never displayed.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(Vec<u8>);

/// The file does not contain a cookie.
#[derive(Debug, thiserror::Error)]
pub enum CookieError {
    /// It cannot be read.
    #[error("cannot read the cookie in `{}`: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its content is not a cookie.
    #[error("`{}` does not contain a cookie: one word of at most {MAX_COOKIE} bytes", .0.display())]
    Strange(PathBuf),
}

impl Cookie {
    /// Makes a cookie, unless it is empty, too long or more than one word.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Cookie> {
        let is_word = !secret.iter().any(u8::is_ascii_whitespace);
        (is_word && (1..=MAX_COOKIE).contains(&secret.len())).then(|| Cookie(secret.to_vec()))
    }

    /// Reads the cookie in a file, with or without white space around it.
    ///
    /// # Errors
    /// If the file cannot be read, or does not contain a cookie.
    pub fn read(path: &Path) -> Result<Cookie, CookieError> {
        let text = std::fs::read(path).map_err(|source| CookieError::Read {
            path: path.to_owned(),
            source,
        })?;
        Cookie::new(text.trim_ascii()).ok_or_else(|| CookieError::Strange(path.to_owned()))
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_a_cookie_and_is_not_shown() {
        assert_eq!(format!("{:?}", Cookie::new(b"secret")), "Some(Cookie(..))");
        for none in [&b""[..], b"two words", b"line\nfeed", &[b'x'; 256]] {
            assert_eq!(Cookie::new(none), None);
        }
    }

    #[test]
    fn a_file_may_end_with_a_line_feed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".erlang.cookie");
        std::fs::write(&path, "secret\n").unwrap();
        assert_eq!(Cookie::read(&path).unwrap(), Cookie::new(b"secret").unwrap());
        std::fs::write(&path, "\n").unwrap();
        assert!(
            Cookie::read(&path)
                .unwrap_err()
                .to_string()
                .ends_with("does not contain a cookie: one word of at most 255 bytes")
        );
        let absent = dir.path().join("absent");
        assert!(
            Cookie::read(&absent)
                .unwrap_err()
                .to_string()
                .starts_with("cannot read the cookie in ")
        );
    }
}
