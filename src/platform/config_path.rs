//! Which paths the configurations of all balancers can name.
//!
//! Tried with HAProxy 2.6 and nginx 1.22, with every character quoted as the rendered
//! configurations quote it. A path that one of them cannot name is refused for all of them, because
//! each balancer can replace the others.

use std::path::Path;

/// The first thing in `path` that quoting does not solve: what it is, and why it is not possible
/// there.
#[must_use]
pub fn inexpressible(path: &Path) -> Option<(String, &'static str)> {
    let Some(text) = path.to_str() else {
        return Some((
            "a byte that is not UTF-8".to_owned(),
            "configurations are written in UTF-8",
        ));
    };
    text.chars().find_map(|c| {
        let why = match c {
            '$' => "nginx reads the text after it as a variable name",
            ',' => "HAProxy reads the text after it as another address",
            ';' => "HAProxy's runtime API reads the text after it as another command",
            '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => "HAProxy ends a word there, quoted or not",
            _ => return None,
        };
        let name = match c {
            '\t' => "a tab".to_owned(),
            '\n' => "a line feed".to_owned(),
            '\r' => "a carriage return".to_owned(),
            '\u{b}' => "a vertical tab".to_owned(),
            '\u{c}' => "a form feed".to_owned(),
            c => format!("`{c}`"),
        };
        Some((name, why))
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn characters_that_cannot_be_quoted_are_named() {
        for (path, name) in [
            (&b"/run/a$b"[..], "`$`"),
            (b"/run/a,b", "`,`"),
            (b"/run/a;b", "`;`"),
            (b"/run/a\tb", "a tab"),
            (b"/run/a\nb", "a line feed"),
            (b"/run/a\rb", "a carriage return"),
            (b"/run/a\xffb", "a byte that is not UTF-8"),
        ] {
            let (found, why) = inexpressible(Path::new(OsStr::from_bytes(path))).unwrap();
            assert_eq!(found, name);
            assert!(!why.is_empty());
        }
    }

    #[test]
    fn characters_that_can_be_quoted_are_accepted() {
        let path = "/run/a b!\"#%&'()*+-.:<=>?@[\\]^_`{|}~\u{1}\u{1b}\u{7f}\u{e9}\u{1f600}";
        assert_eq!(inexpressible(Path::new(path)), None);
    }
}
