//! The web pages that may use a node.
//!
//! Any page on the web can make its reader's browser send requests to 127.0.0.1, or to a host name
//! that suddenly resolves to it (DNS rebinding). Browsers send the origin of the page in `Origin`,
//! and MCP requires that servers check it.

use std::net::IpAddr;

use hyper::Uri;

/// Whether a request with this `Origin` is allowed: pages of this machine and of the `allowed`
/// hosts, on any port.
pub(super) fn may_ask(origin: &str, allowed: &[String]) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else {
        return false;
    };
    if origin.scheme().is_none() {
        return false;
    }
    origin
        .host()
        .is_some_and(|host| is_loopback(host) || allowed.iter().any(|name| name.eq_ignore_ascii_case(host)))
}

// Private

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_and_allowed_origins_are_accepted() {
        let allowed = ["mcp.example.org".to_owned()];
        for (origin, may) in [
            ("http://localhost:3000", true),
            ("http://LOCALHOST", true),
            ("https://127.0.0.1:8080", true),
            ("http://127.8.9.1", true),
            ("http://[::1]:6274", true),
            ("https://mcp.example.org", true),
            ("https://MCP.example.org:8443", true),
            ("https://evil.example", false),
            ("http://localhost.evil.example", false),
            ("http://127.0.0.1.evil.example", false),
            ("https://mcp.example.org.evil.example", false),
            ("http://localhost@evil.example", false),
            ("null", false),
            ("localhost", false),
            ("", false),
            ("::::", false),
        ] {
            assert_eq!(may_ask(origin, &allowed), may, "{origin}");
        }
    }
}
