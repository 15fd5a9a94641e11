//! Paths that two servers could read in two ways.

/// Whether `path` is refused: the decisions of [`crate::render::paths::REFUSED`] without a regular
/// expression.
pub(super) fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'/' => is_ambiguous_slash(&bytes[at + 1..]),
        b'%' => is_ambiguous_escape(&bytes[at + 1..]),
        b';' | b'\\' | b'#' => true,
        _ => !byte.is_ascii_graphic(),
    })
}

// Private

/// Whether a slash before `rest` is followed by an empty segment, `.` or `..`.
fn is_ambiguous_slash(rest: &[u8]) -> bool {
    matches!(rest, [b'/', ..] | [b'.'] | [b'.', b'/' | b'.', ..]) && !is_longer_name(rest)
}

/// Whether `rest` is a segment that begins with two dots, and is not just these.
fn is_longer_name(rest: &[u8]) -> bool {
    matches!(rest, [b'.', b'.', next, ..] if *next != b'/')
}

/// Whether `%` before `rest` is not followed by two hexadecimal digits, or encodes a dot, a slash, a
/// backslash or NUL.
fn is_ambiguous_escape(rest: &[u8]) -> bool {
    match rest {
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            matches!((high, low | 0x20), (b'2', b'e' | b'f') | (b'5', b'c')) || (*high, *low) == (b'0', b'0')
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::RegexBuilder;

    use super::*;
    use crate::render::paths::REFUSED;

    fn is_refused(path: &str) -> bool {
        let mut pattern = RegexBuilder::new(REFUSED);
        pattern.case_insensitive(true).build().unwrap().is_match(path)
    }

    #[test]
    fn odd_paths_are_refused_as_by_haproxy() {
        for path in [
            "/",
            "/mcp",
            "/mcp/",
            "/mcp//",
            "//",
            "/.",
            "/..",
            "/./",
            "/../",
            "/a/./b",
            "/a/../b",
            "/a/.",
            "/a/..",
            "/.a",
            "/..a",
            "/...",
            "/.../",
            "/a.",
            "/a..",
            "/a../b",
            "/a;b",
            "/a\\b",
            "/a#",
            "/a b",
            "/é",
            "/%2e",
            "/%2E",
            "/%2f",
            "/%2F",
            "/%5c",
            "/%5C",
            "/%00",
            "/%0",
            "/%",
            "/%zz",
            "/%4",
            "/%41",
            "/%4g",
            "/%g4",
            "/%%41",
            "/~a!$&'()*+,=:@",
            "/\u{7f}",
            "/%01",
            "/%20",
            "/.well-known/x",
        ] {
            assert_eq!(is_ambiguous(path), is_refused(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_refused_as_by_haproxy(path in "/[/.;%a-fA-F025\\\\#é ~-]{0,8}") {
            prop_assert_eq!(is_ambiguous(&path), is_refused(&path), "{}", path);
        }
    }
}
