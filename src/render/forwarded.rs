//! The `X-Forwarded-*` headers: which ones a balancer sets, and which ones pass from a trusted proxy.

use crate::base::units::Network;

/// The headers that balancers set themselves, unless a trusted proxy has set them.
pub(crate) const SET: [&str; 3] = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"];

/// Further headers of this kind. They pass from trusted proxies only.
pub(crate) const PASSED: [&str; 7] = [
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Real-IP",
    "Forwarded",
];

/// These headers with underscores instead of hyphens. CGI and WSGI cannot distinguish the two, so
/// these never pass.
pub(crate) fn with_underscores() -> Vec<String> {
    let all = SET.iter().chain(&PASSED);
    all.filter(|header| header.contains('-'))
        .map(|header| header.replace('-', "_"))
        .collect()
}

/// Networks in one rule of HAProxy, which accepts 64 words a line.
const NETWORKS_PER_RULE: usize = 16;

/// The networks for the lines of one access list of HAProxy.
pub(super) fn networks<'a>(trusted: impl IntoIterator<Item = &'a Network>) -> Vec<String> {
    let networks: Vec<String> = trusted.into_iter().map(ToString::to_string).collect();
    networks
        .chunks(NETWORKS_PER_RULE)
        .map(|networks| networks.join(" "))
        .collect()
}
