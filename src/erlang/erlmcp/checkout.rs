//! An erlmcp on disk: a checkout that `rebar3` has compiled, or a release.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::words::in_shell;

/// The default build profile of rebar3, followed by the one that releases are built with.
const PROFILES: &[&str] = &["default", "prod"];
/// The most applications that are searched, including dependencies.
const MOST_LIBS: usize = 1_000;
/// The longest `rebar.config` that is read, in bytes.
const LONGEST_CONFIG: u64 = 1 << 20;

/// An erlmcp that can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Its directory.
    pub path: PathBuf,
    /// Its directories with compiled code, including those of its dependencies.
    pub libs: Vec<PathBuf>,
    /// The oldest OTP that its `rebar.config` allows, if it has a limit.
    pub oldest: Option<u32>,
}

/// The reason why there is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckoutError {
    /// The directory does not exist.
    #[error("directory `{}` does not exist", .0.display())]
    Missing(PathBuf),
    /// It is a file.
    #[error("`{}` is not a directory", .0.display())]
    NoDirectory(PathBuf),
    /// The directory contains something else.
    #[error("`{}` is neither a checkout nor a release of erlmcp", .0.display())]
    Stranger(PathBuf),
    /// It is not compiled.
    #[error("erlmcp in `{}` is not compiled", .path.display())]
    NotCompiled {
        /// The checkout.
        path: PathBuf,
        /// The oldest OTP that its `rebar.config` allows.
        oldest: Option<u32>,
    },
    /// It is only partly compiled: the code of a dependency is missing.
    #[error("erlmcp in `{}` is compiled, but its dependency `{lib}` is not", .path.display())]
    Incomplete {
        /// The checkout.
        path: PathBuf,
        /// The application.
        lib: &'static str,
    },
    /// The release contains its own Erlang.
    #[error("the release in `{}` contains its own Erlang", .0.display())]
    Closed(PathBuf),
}

impl CheckoutError {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            CheckoutError::Missing(_) | CheckoutError::NoDirectory(_) | CheckoutError::Stranger(_) => {
                "set the path of erlmcp: `--set nodes.path=DIR`".to_owned()
            }
            CheckoutError::NotCompiled { path, oldest } => {
                let by = oldest.map_or(String::new(), |oldest| format!(", with OTP {oldest} or newer"));
                format!("`cd {} && rebar3 compile`{by}", in_shell(path))
            }
            CheckoutError::Incomplete { path, .. } => format!("`cd {} && rebar3 compile`", in_shell(path)),
            CheckoutError::Closed(_) => {
                "build it with `{include_erts, false}`, or name its start script in `nodes.command`"
                    .to_owned()
            }
        }
    }
}

impl Checkout {
    /// Examines the directory at `path`.
    pub fn examine(path: &Path) -> Result<Checkout, CheckoutError> {
        if !path.is_dir() {
            let error = if path.exists() {
                CheckoutError::NoDirectory
            } else {
                CheckoutError::Missing
            };
            return Err(error(path.to_owned()));
        }
        let oldest = rebar_config(path).and_then(|text| oldest(&text));
        let release = path.join("releases").is_dir();
        if release && entries(path).iter().any(|entry| name(entry).starts_with("erts-")) {
            return Err(CheckoutError::Closed(path.to_owned()));
        }
        let Some(libs) = builds(path)
            .into_iter()
            .find(|libs| libs.iter().any(|lib| is_erlmcp(lib)))
        else {
            return Err(if release || !is_source(path) {
                CheckoutError::Stranger(path.to_owned())
            } else {
                CheckoutError::NotCompiled {
                    path: path.to_owned(),
                    oldest,
                }
            });
        };
        match ["gproc"]
            .into_iter()
            .find(|needed| !libs.iter().any(|lib| is_of(lib, needed)))
        {
            Some(lib) => Err(CheckoutError::Incomplete {
                path: path.to_owned(),
                lib,
            }),
            None => Ok(Checkout {
                path: path.to_owned(),
                libs,
                oldest,
            }),
        }
    }
}

// Private

/// The compiled code of each build that exists, the most likely one first.
fn builds(path: &Path) -> Vec<Vec<PathBuf>> {
    let built = path.join("_build");
    let first = PROFILES.iter().map(|profile| built.join(profile));
    let others = entries(&built)
        .into_iter()
        .filter(|other| !PROFILES.contains(&name(other)));
    let profiles = first.chain(others);
    profiles
        .map(|profile| [libs(&profile.join("lib")), libs(&profile.join("checkouts"))].concat())
        .chain([libs(&path.join("lib"))])
        .collect()
}

/// The `ebin` of each application in `directory` that has compiled code.
fn libs(directory: &Path) -> Vec<PathBuf> {
    let applications = entries(directory).into_iter().take(MOST_LIBS);
    applications
        .map(|application| application.join("ebin"))
        .filter(|ebin| ebin.is_dir())
        .collect()
}

/// Whether it belongs to one of erlmcp's own applications, and is compiled.
fn is_erlmcp(ebin: &Path) -> bool {
    ["erlmcp_core", "erlmcp"].iter().any(|own| is_of(ebin, own))
}

/// Whether `ebin` has the compiled code of the application: in a release the directory's name
/// includes the version.
fn is_of(ebin: &Path, application: &str) -> bool {
    let directory = ebin.parent().map_or("", name);
    let (bare, _version) = directory.split_once('-').unwrap_or((directory, ""));
    bare == application
        && entries(ebin)
            .iter()
            .any(|file| file.extension().is_some_and(|kind| kind == "beam"))
}

fn is_source(path: &Path) -> bool {
    path.join("apps/erlmcp_core").is_dir() || path.join("src/erlmcp.app.src").is_file()
}

/// The content, unless it is too long.
fn rebar_config(path: &Path) -> Option<String> {
    let file = File::open(path.join("rebar.config")).ok()?;
    let mut text = String::new();
    file.take(LONGEST_CONFIG).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The number in `{minimum_otp_vsn, "27"}`, on a line that is not a comment.
fn oldest(rebar_config: &str) -> Option<u32> {
    let output = rebar_config
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("{minimum_otp_vsn"))?;
    let digits = output.split('"').nth(1)?.split('.').next()?;
    digits.parse().ok()
}

/// The entries of a directory, by name; empty if the directory does not exist.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with these empty files.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    fn verdict(files: &[&str]) -> Result<Vec<String>, CheckoutError> {
        let dir = tree(files);
        let relative = |lib: &PathBuf| lib.strip_prefix(dir.path()).unwrap().display().to_string();
        Checkout::examine(dir.path()).map(|found| found.libs.iter().map(relative).collect())
    }

    #[test]
    fn every_lib_of_a_checkout_or_a_release_is_found() {
        let checkout = [
            "apps/erlmcp_core/src/erlmcp_core.app.src",
            "_build/default/lib/erlmcp_core/ebin/erlmcp_server.beam",
            "_build/default/lib/gproc/ebin/gproc.beam",
            "_build/default/checkouts/jsx/ebin/jsx.beam",
            "_build/default/plugins/rebar3_lint/ebin/lint.beam",
            "_build/test/lib/erlmcp_core/ebin/erlmcp_server.beam",
        ];
        let libs = [
            "_build/default/lib/erlmcp_core/ebin",
            "_build/default/lib/gproc/ebin",
            "_build/default/checkouts/jsx/ebin",
        ];
        assert_eq!(verdict(&checkout).unwrap(), libs);
        let release = [
            "releases/3.0.0/sys.config",
            "lib/erlmcp_core-2.1.0/ebin/erlmcp_server.beam",
            "lib/gproc-0.9.0/ebin/gproc.beam",
        ];
        let libs = ["lib/erlmcp_core-2.1.0/ebin", "lib/gproc-0.9.0/ebin"];
        assert_eq!(verdict(&release).unwrap(), libs);
        // A build for tests only counts as compiled, too.
        let tested = [
            "_build/test/lib/erlmcp/ebin/a.beam",
            "_build/test/lib/gproc/ebin/a.beam",
        ];
        assert_eq!(verdict(&tested).unwrap().len(), 2);
    }

    #[test]
    fn each_problem_has_its_message() {
        for (files, message) in [
            (
                &["README.md"][..],
                "is neither a checkout nor a release of erlmcp",
            ),
            (&["apps/erlmcp_core/src/a.erl"], "is not compiled"),
            (
                &["src/erlmcp.app.src", "_build/default/lib/erlmcp/ebin/erlmcp.app"],
                "is not compiled",
            ),
            (
                &[
                    "_build/default/lib/erlmcp_core/ebin/a.beam",
                    "_build/default/lib/gproc/ebin/gproc.app",
                ],
                "is compiled, but its dependency `gproc` is not",
            ),
            (
                &["releases/1/a.boot", "erts-16.0/bin/erl"],
                "contains its own Erlang",
            ),
        ] {
            let error = verdict(files).unwrap_err();
            assert!(error.to_string().ends_with(message), "{error}");
            assert!(!error.hint().is_empty());
        }
        let file = Checkout::examine(Path::new("/dev/null")).unwrap_err();
        assert_eq!(file.to_string(), "`/dev/null` is not a directory");
        let missing = Checkout::examine(Path::new("/nonexistent")).unwrap_err();
        assert_eq!(missing.to_string(), "directory `/nonexistent` does not exist");
    }

    #[test]
    fn the_oldest_otp_is_read_from_rebar_config() {
        for (text, expected) in [
            ("{minimum_otp_vsn, \"27\"}.\n", Some(27)),
            ("{deps, []}.\n{minimum_otp_vsn,\"28.3.1\"}.", Some(28)),
            ("%% {minimum_otp_vsn, \"27\"}.", None),
            ("{minimum_otp_vsn, soon}.", None),
            ("", None),
        ] {
            assert_eq!(oldest(text), expected, "{text}");
        }
        let dir = tree(&["apps/erlmcp_core/src/a.erl"]);
        fs::write(dir.path().join("rebar.config"), "{minimum_otp_vsn, \"27\"}.").unwrap();
        let hint = Checkout::examine(dir.path()).unwrap_err().hint();
        assert!(hint.ends_with("rebar3 compile`, with OTP 27 or newer"), "{hint}");
    }
}
