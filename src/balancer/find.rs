//! Finds a balancer's binary, and queries its version and features.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use super::Balancer;
use super::builtin::Builtin;
use super::haproxy::{self, Haproxy};
use super::nginx::{self, Nginx};
use crate::platform::Program;
use crate::platform::executable::{self, Missing};
use crate::profile::{BalancerKind, Binaries};
use crate::render::{HaproxyBuild, NginxBuild};

/// Printing a version takes milliseconds.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// A balancer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The binary is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The binary cannot be executed.
    #[error("cannot run `{}`: {source}", .path.display())]
    Unusable {
        /// The balancer.
        kind: BalancerKind,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The binary is another program.
    #[error("`{}` is not {kind}", .path.display())]
    Stranger {
        /// The balancer.
        kind: BalancerKind,
        /// The file.
        path: PathBuf,
    },
    /// The binary is too old for the configuration.
    #[error("`{}` is version {version}, and at least {}.{} is needed", .path.display(), .oldest.0, .oldest.1)]
    TooOld {
        /// The balancer.
        kind: BalancerKind,
        /// The file.
        path: PathBuf,
        /// Its version.
        version: String,
        /// The oldest supported branch.
        oldest: (u16, u16),
    },
    /// The binary lacks a module that the configuration needs.
    #[error("`{}` was built without {module}", .path.display())]
    Lacking {
        /// The balancer.
        kind: BalancerKind,
        /// The file.
        path: PathBuf,
        /// What is missing.
        module: &'static str,
    },
}

impl FindError {
    /// How to fix it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let name_it = |kind: &BalancerKind| format!("set its path with `--set binaries.{kind}=PATH`");
        Some(match self {
            FindError::Missing(missing) => {
                let (Missing::NotFound(package)
                | Missing::NotThere { name: package, .. }
                | Missing::Unusable { name: package, .. }) = missing;
                missing.hint(package)
            }
            FindError::Unusable { kind, .. } | FindError::Stranger { kind, .. } => {
                format!("if it is the wrong file, {}", name_it(kind))
            }
            FindError::TooOld { kind, .. } => format!("install a newer {kind}, and {}", name_it(kind)),
            FindError::Lacking { kind, .. } => format!("install a complete {kind}, and {}", name_it(kind)),
        })
    }
}

/// Finds the binary of the balancer `kind`: the one that the profile names, else the first in PATH,
/// `/usr/sbin` or `/usr/local/sbin`. The built-in balancer is this very binary.
///
/// # Errors
/// If no usable binary is found.
pub async fn find(kind: BalancerKind, binaries: &Binaries) -> Result<Box<dyn Balancer>, FindError> {
    match kind {
        BalancerKind::Builtin => Ok(Box::new(Builtin::new())),
        BalancerKind::Haproxy => Ok(Box::new(haproxy(binaries).await?)),
        BalancerKind::Nginx => Ok(Box::new(nginx(binaries).await?)),
    }
}

// Private

async fn haproxy(binaries: &Binaries) -> Result<Haproxy, FindError> {
    let kind = BalancerKind::Haproxy;
    let path = executable::locate(kind.name(), binaries.haproxy.as_deref())?;
    let output = ask(kind, &path, "-vv").await?;
    let build =
        HaproxyBuild::parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| FindError::Stranger {
            kind,
            path: path.clone(),
        })?;
    if build.branch < haproxy::OLDEST {
        return Err(FindError::TooOld {
            kind,
            path,
            version: build.version,
            oldest: haproxy::OLDEST,
        });
    }
    Ok(Haproxy::new(path, build))
}

async fn nginx(binaries: &Binaries) -> Result<Nginx, FindError> {
    let kind = BalancerKind::Nginx;
    let path = executable::locate(kind.name(), binaries.nginx.as_deref())?;
    let output = ask(kind, &path, "-V").await?;
    let build =
        NginxBuild::parse(&String::from_utf8_lossy(&output.stderr)).ok_or_else(|| FindError::Stranger {
            kind,
            path: path.clone(),
        })?;
    let (major, minor, _) = build.release;
    if (major, minor) < nginx::OLDEST {
        return Err(FindError::TooOld {
            kind,
            path,
            version: build.version,
            oldest: nginx::OLDEST,
        });
    }
    if !build.status {
        // The status page shows that workers answer, and how many clients they have.
        return Err(FindError::Lacking {
            kind,
            path,
            module: "ngx_http_stub_status_module",
        });
    }
    Ok(Nginx::new(path, build))
}

async fn ask(kind: BalancerKind, path: &Path, what: &str) -> Result<Output, FindError> {
    let output = Program::new(path).arg(what).output(VERSION_TIMEOUT).await;
    output.map_err(|source| FindError::Unusable {
        kind,
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn error(haproxy: &Path) -> FindError {
        let binaries = Binaries {
            haproxy: Some(haproxy.to_owned()),
            ..Binaries::default()
        };
        match find(BalancerKind::Haproxy, &binaries).await {
            Ok(found) => panic!("found {}", found.version()),
            Err(error) => error,
        }
    }

    /// A program that prints `words`, whatever its arguments are.
    fn printing(words: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("haproxy");
        std::fs::write(&path, format!("#!/bin/sh\necho '{words}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (directory, path)
    }

    #[tokio::test]
    async fn installed_haproxy_is_found() {
        let found = find(BalancerKind::Haproxy, &Binaries::default()).await.unwrap();
        assert_eq!(found.kind(), BalancerKind::Haproxy);
        assert!(found.version().starts_with(|c: char| c.is_ascii_digit()));
    }

    #[tokio::test]
    async fn a_missing_file_is_named_with_its_setting() {
        let error = error(Path::new("/nonexistent")).await;
        assert_eq!(
            error.to_string(),
            "cannot find `/nonexistent`, which the profile names as `binaries.haproxy`"
        );
        assert!(error.hint().unwrap().contains("binaries.haproxy"));
        let hint = FindError::from(Missing::NotFound("haproxy")).hint().unwrap();
        assert!(hint.contains("apt-get install -y haproxy"), "{hint}");
        assert!(hint.contains("--set binaries.haproxy=PATH"), "{hint}");
    }

    #[tokio::test]
    async fn a_broken_binary_and_another_program_are_distinguished() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("text");
        std::fs::write(&text, "no program").unwrap();
        let not_executable = error(&text).await;
        assert!(
            not_executable.to_string().ends_with("is not executable"),
            "{not_executable}"
        );
        std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(error(&text).await, FindError::Unusable { .. }));
        assert!(
            error(directory.path())
                .await
                .to_string()
                .ends_with("is a directory")
        );
        assert!(matches!(
            error(Path::new("/bin/true")).await,
            FindError::Stranger { .. }
        ));
    }

    #[tokio::test]
    async fn an_old_version_is_refused_with_both_versions() {
        let (_directory, path) = printing("HA-Proxy version 2.2.9-2 2021/01/01");
        let error = error(&path).await;
        let text = error.to_string();
        assert!(
            text.ends_with("is version 2.2.9-2, and at least 2.4 is needed"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn the_built_in_balancer_is_this_binary() {
        let found = find(BalancerKind::Builtin, &Binaries::default()).await.unwrap();
        assert_eq!(
            (found.kind(), found.version()),
            (BalancerKind::Builtin, env!("CARGO_PKG_VERSION"))
        );
    }

    #[tokio::test]
    async fn installed_nginx_is_found_and_must_be_complete_and_new_enough() {
        let found = find(BalancerKind::Nginx, &Binaries::default()).await.unwrap();
        assert_eq!(found.kind(), BalancerKind::Nginx);
        let complaint = async |words: &str| {
            let (_directory, path) = printing(&format!("{words}' >&2 #'"));
            let binaries = Binaries {
                nginx: Some(path),
                ..Binaries::default()
            };
            find(BalancerKind::Nginx, &binaries)
                .await
                .err()
                .unwrap()
                .to_string()
        };
        let error = complaint("nginx version: nginx/1.14.2").await;
        assert!(
            error.ends_with("is version 1.14.2, and at least 1.18 is needed"),
            "{error}"
        );
        let error = complaint("nginx version: nginx/1.22.1").await;
        assert!(
            error.ends_with("was built without ngx_http_stub_status_module"),
            "{error}"
        );
        let error = complaint("HAProxy version 2.6.12").await;
        assert!(error.ends_with("is not nginx"), "{error}");
    }
}
