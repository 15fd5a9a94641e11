//! Cookies, limited to what balancers use: names and values.

/// The longest `Cookie` header that a client sends, in bytes.
const MAX_COOKIE_BYTES: usize = 1024;

/// Merges a `Set-Cookie` header into the `Cookie` header. A value that is not a cookie, or is too
/// long, is ignored.
pub(super) fn keep(cookie: &mut Option<Box<str>>, set_cookie: &str) {
    let pair = set_cookie.split(';').next().unwrap_or_default().trim();
    let known = cookie.as_deref().unwrap_or_default();
    let Some((name, _)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return;
    };
    if known == pair || !pair.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
        return;
    }
    let others = known
        .split("; ")
        .filter(|other| other.split_once('=').is_some_and(|(other, _)| other != name));
    let all = others.chain([pair]).collect::<Vec<_>>().join("; ");
    if all.len() <= MAX_COOKIE_BYTES {
        *cookie = Some(all.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_each_name_is_kept() {
        let mut cookie = None;
        for set in [
            "SERVERID=n1; path=/",
            "a=b=c",
            "SERVERID=n2; path=/",
            "no",
            "=x",
            "x=a b",
            "x=a\x7f",
        ] {
            keep(&mut cookie, set);
        }
        assert_eq!(cookie.as_deref(), Some("a=b=c; SERVERID=n2"));
        keep(&mut cookie, &format!("long={}", "x".repeat(MAX_COOKIE_BYTES)));
        assert_eq!(cookie.as_deref(), Some("a=b=c; SERVERID=n2"));
    }
}
