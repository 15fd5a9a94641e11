//! The balancer's cookie among a client's other cookies.

/// The value of the cookie `name` in a `Cookie` header.
pub(super) fn find<'b>(header: &'b [u8], name: &str) -> Option<&'b [u8]> {
    pairs(header).find_map(|pair| value_of(pair, name))
}

/// Whether a `Set-Cookie` header sets the cookie `name`.
pub(super) fn sets(header: &[u8], name: &str) -> bool {
    pairs(header)
        .next()
        .is_some_and(|pair| value_of(pair, name).is_some())
}

/// Writes the value of a `Cookie` header without the cookie `name`. Returns whether anything was
/// left.
pub(super) fn write_others(header: &[u8], name: &str, out: &mut Vec<u8>) -> bool {
    let mut any = false;
    for pair in pairs(header).filter(|pair| !pair.is_empty() && value_of(pair, name).is_none()) {
        if any {
            out.extend_from_slice(b"; ");
        }
        out.extend_from_slice(pair);
        any = true;
    }
    any
}

// Private

fn pairs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

fn value_of<'b>(pair: &'b [u8], name: &str) -> Option<&'b [u8]> {
    let rest = pair.strip_prefix(name.as_bytes())?.trim_ascii_start();
    rest.strip_prefix(b"=").map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_cookie_is_taken_out() {
        for (header, found, others) in [
            ("SERVERID=a", Some("a"), None),
            ("SERVERID=a; b=1", Some("a"), Some("b=1")),
            ("b=1; SERVERID=a", Some("a"), Some("b=1")),
            ("b=1;SERVERID=a;c=2", Some("a"), Some("b=1; c=2")),
            ("b=1; SERVERID=a; SERVERID=x; c", Some("a"), Some("b=1; c")),
            ("SERVERID=", Some(""), None),
            ("SERVERID = a", Some("a"), None),
            ("serverid=a", None, Some("serverid=a")),
            ("XSERVERID=a; SERVERIDX=b", None, Some("XSERVERID=a; SERVERIDX=b")),
            ("SERVERID", None, Some("SERVERID")),
            ("b=\"x,y\"", None, Some("b=\"x,y\"")),
            (" ;; ", None, None),
        ] {
            let mut out = Vec::new();
            let any = write_others(header.as_bytes(), "SERVERID", &mut out);
            let out = String::from_utf8(out).unwrap();
            assert_eq!(any.then_some(out.as_str()), others, "{header}");
            assert_eq!(
                find(header.as_bytes(), "SERVERID"),
                found.map(str::as_bytes),
                "{header}"
            );
        }
    }

    #[test]
    fn a_cookie_of_that_name_from_a_node_is_seen() {
        assert!(sets(b"SERVERID=x; path=/", "SERVERID"));
        assert!(!sets(b"a=SERVERID=x", "SERVERID") && !sets(b"a=b; SERVERID=x", "SERVERID"));
    }
}
