//! The version and the compiled-in features of HAProxy.

use std::fmt;

/// The output of `haproxy -vv`, as far as the configuration depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaproxyBuild {
    /// The whole version, such as `2.6.12-1+deb12u4`.
    pub version: String,
    /// The first two numbers of the version, such as `(2, 6)`: the branch, which determines the
    /// features.
    pub branch: (u16, u16),
    /// Whether it has the Prometheus exporter.
    pub prometheus: bool,
    /// Whether it supports TLS.
    pub tls: bool,
}

impl HaproxyBuild {
    /// Reads the output of `haproxy -vv`; `None` when the output is not HAProxy's.
    #[must_use]
    pub fn parse(output: &str) -> Option<HaproxyBuild> {
        let first = output.lines().next()?;
        // Up to 2.3 its name was `HA-Proxy`.
        let rest = first
            .strip_prefix("HAProxy version ")
            .or_else(|| first.strip_prefix("HA-Proxy version "))?;
        let version = rest.split_whitespace().next()?.to_owned();
        let mut numbers = version.split(['.', '-']);
        let branch = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        let features = output
            .lines()
            .find_map(|line| line.strip_prefix("Feature list :"))
            .unwrap_or_default();
        let has = |feature: &str| features.split_whitespace().any(|word| word == feature);
        Some(HaproxyBuild {
            version,
            branch,
            prometheus: has("+PROMEX"),
            tls: has("+OPENSSL"),
        })
    }

    /// Whether a response rule can change the timeout for the rest of that response.
    pub(super) fn has_response_timeouts(&self) -> bool {
        self.branch >= (2, 9)
    }

    /// Whether its compressor passes each part of a response on completely; in older versions the
    /// last bytes of a part wait for the next part.
    pub(super) fn has_compression_flush(&self) -> bool {
        self.branch >= (2, 9)
    }
}

impl fmt::Display for HaproxyBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HAProxy {}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_version_and_features() {
        let build = HaproxyBuild::parse(
            "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\n\
             Status: long-term supported branch\n\
             \n\
             Feature list : -51DEGREES +EPOLL +OPENSSL -PCRE +PROMEX -QUIC\n",
        )
        .unwrap();
        assert_eq!(build.to_string(), "HAProxy 2.6.12-1+deb12u4");
        assert_eq!((build.branch, build.prometheus, build.tls), ((2, 6), true, true));
    }

    #[test]
    fn a_development_version_and_one_without_features_are_read() {
        let build =
            HaproxyBuild::parse("HAProxy version 3.5-dev5-ac24b6 2026/08/01\nFeature list : -PROMEX\n")
                .unwrap();
        assert_eq!(
            (build.branch, build.prometheus, build.tls),
            ((3, 5), false, false)
        );
        let old = HaproxyBuild::parse("HA-Proxy version 1.8.19 2019/02/11\n").unwrap();
        assert_eq!(old.branch, (1, 8));
    }

    #[test]
    fn other_programs_are_not_haproxy() {
        for output in [
            "",
            "nginx version: nginx/1.22.1",
            "HAProxy version ",
            "HAProxy version x.y",
        ] {
            assert_eq!(HaproxyBuild::parse(output), None, "{output}");
        }
    }
}
