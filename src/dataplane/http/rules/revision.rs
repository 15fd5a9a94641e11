//! Which requests are of a revision of MCP without sessions.

/// The first revision without sessions.
const FIRST_WITHOUT_SESSIONS: &[u8] = b"2026-07-28";

/// Whether an `MCP-Protocol-Version` is a revision without sessions: the decisions of
/// [`crate::render::revision::WITHOUT_SESSIONS`] without a regular expression. Anything that does
/// not look like a date is a revision with sessions.
pub(super) fn has_no_sessions(version: &[u8]) -> bool {
    is_date(version) && version >= FIRST_WITHOUT_SESSIONS
}

// Private

/// Whether a text has the form `YYYY-MM-DD`.
fn is_date(text: &[u8]) -> bool {
    let has_form = |(at, byte): (usize, &u8)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == FIRST_WITHOUT_SESSIONS.len() && text.iter().enumerate().all(has_form)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::render::revision::WITHOUT_SESSIONS;

    fn matches(version: &str) -> bool {
        Regex::new(WITHOUT_SESSIONS).unwrap().is_match(version)
    }

    #[test]
    fn revisions_are_recognised_as_by_haproxy() {
        for version in [
            "",
            "2025-11-25",
            "2026-07-27",
            "2026-07-28",
            "2026-07-29",
            "2026-07-30",
            "2026-07-99",
            "2026-06-30",
            "2026-08-01",
            "2026-09-00",
            "2026-10-10",
            "2026-99-99",
            "2027-00-00",
            "2027-01-01",
            "2030-01-01",
            "9999-12-31",
            "1999-12-31",
            "2026-07-28 ",
            "2026-7-28",
            "2026-07-2x",
            "DRAFT-2026-v1",
            "20260728",
        ] {
            assert_eq!(has_no_sessions(version.as_bytes()), matches(version), "{version}");
        }
    }

    proptest! {
        #[test]
        fn any_date_is_recognised_as_by_haproxy(version in "[1239]0[1239][0-9]-[019][0-9]-[0-9]{2}") {
            prop_assert_eq!(has_no_sessions(version.as_bytes()), matches(&version), "{}", version);
        }
    }
}
