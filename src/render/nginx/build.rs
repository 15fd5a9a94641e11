//! The version and the compiled-in features of nginx.

use std::fmt;
use std::path::PathBuf;

/// The default prefix of nginx.
const PREFIX: &str = "/usr/local/nginx";

/// The output of `nginx -V`, as far as the configuration depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a part that a binary has or lacks"
)]
pub struct NginxBuild {
    /// The whole version, such as `1.22.1`.
    pub version: String,
    /// The first three numbers of the version, such as `(1, 22, 1)`, which determine the features.
    pub release: (u16, u16, u16),
    /// Whether the binary itself can balance TCP; if not, a module may be installed for it.
    pub stream: bool,
    /// The directory of its dynamic modules.
    pub modules: PathBuf,
    /// Whether it supports TLS.
    pub tls: bool,
    /// Whether it supports HTTP/2.
    pub http2: bool,
    /// Whether it has a status page.
    pub status: bool,
    /// Protocols of upstream servers that we do not use, but that need a directory nevertheless,
    /// such as `fastcgi`.
    pub gateways: Vec<&'static str>,
}

impl NginxBuild {
    /// Reads the output of `nginx -V`; `None` when the output is not nginx's.
    #[must_use]
    pub fn parse(output: &str) -> Option<NginxBuild> {
        let named = output
            .lines()
            .find_map(|line| line.strip_prefix("nginx version: "))?;
        // Derived programs have another name and the same numbers: `openresty/1.21.4.1`.
        let version = named.split_once('/')?.1.split_whitespace().next()?.to_owned();
        let mut numbers = version.split(['.', '-']).map(str::parse);
        let mut number = || numbers.next()?.ok();
        let release = (number()?, number()?, number().unwrap_or(0));
        let arguments: Vec<&str> = output
            .lines()
            .find_map(|line| line.strip_prefix("configure arguments:"))
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let has = |argument: &str| arguments.contains(&argument);
        let value = |key: &str| arguments.iter().find_map(|argument| argument.strip_prefix(key));
        Some(NginxBuild {
            version,
            release,
            stream: has("--with-stream"),
            modules: match value("--modules-path=") {
                Some(path) => path.into(),
                None => PathBuf::from(value("--prefix=").unwrap_or(PREFIX)).join("modules"),
            },
            tls: has("--with-http_ssl_module"),
            http2: has("--with-http_v2_module"),
            status: has("--with-http_stub_status_module"),
            gateways: ["fastcgi", "uwsgi", "scgi"]
                .into_iter()
                .filter(|gateway| !has(&format!("--without-http_{gateway}_module")))
                .collect(),
        })
    }

    /// Whether `-e` sets the log for errors that occur before the configuration is read.
    #[must_use]
    pub fn has_error_log_option(&self) -> bool {
        self.release >= (1, 19, 5)
    }

    /// Whether connections of clients can end by their age.
    pub(super) fn has_keepalive_time(&self) -> bool {
        self.release >= (1, 19, 10)
    }

    /// Whether one end of a TCP connection can be closed before the other.
    pub(super) fn has_half_close(&self) -> bool {
        self.release >= (1, 21, 4)
    }

    /// Whether HTTP/2 is a directive; in older versions it is a parameter of `listen`.
    pub(super) fn has_http2_directive(&self) -> bool {
        self.release >= (1, 25, 1)
    }
}

impl fmt::Display for NginxBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nginx {}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.22\nTLS SNI support enabled\n\
        configure arguments: --with-cc-opt='-g -O2 -fPIC' --prefix=/usr/share/nginx \
        --modules-path=/usr/lib/nginx/modules --with-http_ssl_module --with-http_stub_status_module \
        --with-http_v2_module --with-stream=dynamic --with-stream_ssl_module\n";

    #[test]
    fn reads_version_and_features() {
        let build = NginxBuild::parse(DEBIAN).unwrap();
        assert_eq!(build.to_string(), "nginx 1.22.1");
        assert_eq!(build.release, (1, 22, 1));
        assert!(!build.stream && build.tls && build.http2 && build.status);
        assert_eq!(build.modules, PathBuf::from("/usr/lib/nginx/modules"));
        assert_eq!(build.gateways, ["fastcgi", "uwsgi", "scgi"]);
    }

    #[test]
    fn custom_builds_and_derived_programs_are_read() {
        let build = NginxBuild::parse(
            "nginx version: nginx/1.31.5 (mine)\nconfigure arguments: --with-stream --without-http_scgi_module\n",
        )
        .unwrap();
        assert_eq!((build.version.as_str(), build.stream), ("1.31.5", true));
        assert_eq!(build.modules, PathBuf::from("/usr/local/nginx/modules"));
        assert_eq!(build.gateways, ["fastcgi", "uwsgi"]);
        let other = NginxBuild::parse("nginx version: openresty/1.21.4.1\n").unwrap();
        assert_eq!((other.release, other.tls), ((1, 21, 4), false));
    }

    #[test]
    fn features_depend_on_the_version() {
        let at = |version: &str| NginxBuild::parse(&format!("nginx version: nginx/{version}")).unwrap();
        let features = |version| {
            let build = at(version);
            (
                build.has_error_log_option(),
                build.has_keepalive_time(),
                build.has_half_close(),
                build.has_http2_directive(),
            )
        };
        assert_eq!(features("1.18.0"), (false, false, false, false));
        assert_eq!(features("1.22.1"), (true, true, true, false));
        assert_eq!(features("1.25.1"), (true, true, true, true));
    }

    #[test]
    fn other_programs_are_not_nginx() {
        for output in [
            "",
            "HAProxy version 2.6.12",
            "nginx version: ",
            "nginx version: nginx/x.y",
        ] {
            assert_eq!(NginxBuild::parse(output), None, "{output}");
        }
    }
}
