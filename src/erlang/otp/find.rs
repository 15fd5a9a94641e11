//! Finds the installed Erlang.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::Program;
use crate::platform::executable::{self, Missing};
use crate::profile::Binaries;

/// The difference between the release of OTP and the version of its emulator: 13 is that of OTP 25.
const AHEAD: u32 = 12;
/// An emulator prints its version within milliseconds.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// An installed Erlang.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otp {
    /// The path of `erl`, absolute.
    pub erl: PathBuf,
    /// The release of OTP, such as 25.
    pub release: u32,
    /// The version of its emulator, such as 13.1.5.
    pub version: String,
}

/// There is no Erlang, or none that is suitable.
#[derive(Debug, thiserror::Error)]
pub enum OtpError {
    /// The file does not exist.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// It cannot be run.
    #[error("cannot run `{}`: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It runs, but is not Erlang.
    #[error("`{}` is not Erlang", .0.display())]
    Stranger(PathBuf),
    /// It is too old for the nodes' code.
    #[error("`{}` is OTP {release}, but OTP {oldest} or newer is required", .path.display())]
    TooOld {
        /// The file.
        path: PathBuf,
        /// The oldest suitable release.
        release: u32,
        /// The oldest that will do.
        oldest: u32,
    },
    /// Its compiler is missing.
    #[error("cannot find `erlc` beside `{}`", .0.display())]
    NoCompiler(PathBuf),
}

impl OtpError {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> String {
        const NAME_IT: &str = "set its path with `--set binaries.erl=PATH`";
        match self {
            OtpError::Missing(missing) => missing.hint("erlang-base"),
            OtpError::Unusable { .. } | OtpError::Stranger(_) => {
                format!("if it is the wrong file, {NAME_IT}")
            }
            OtpError::TooOld { .. } => format!("install a newer Erlang, and {NAME_IT}"),
            OtpError::NoCompiler(_) => "install all of Erlang: `apt-get install -y erlang-base`".to_owned(),
        }
    }
}

impl Otp {
    /// Finds the `erl` that the profile names, otherwise the first in PATH.
    ///
    /// # Errors
    /// If there is none.
    pub async fn find(binaries: &Binaries) -> Result<Otp, OtpError> {
        let erl = executable::locate("erl", binaries.erl.as_deref())?;
        let version = version(&erl).await?;
        let release = release(&version).ok_or_else(|| OtpError::Stranger(erl.clone()))?;
        Ok(Otp {
            erl,
            release,
            version,
        })
    }

    /// Checks that it is release `oldest` or newer.
    pub fn at_least(self, oldest: u32) -> Result<Otp, OtpError> {
        if self.release < oldest {
            return Err(OtpError::TooOld {
                path: self.erl,
                release: self.release,
                oldest,
            });
        }
        Ok(self)
    }

    /// Its compiler, which is beside `erl`, or beside the target of that link.
    pub fn compiler(&self) -> Result<PathBuf, OtpError> {
        let real = self.erl.canonicalize().ok();
        [Some(self.erl.as_path()), real.as_deref()]
            .into_iter()
            .flatten()
            .map(|erl| erl.with_file_name("erlc"))
            .find(|erlc| erlc.exists())
            .ok_or_else(|| OtpError::NoCompiler(self.erl.clone()))
    }
}

/// One of its programs, without the user's settings for interactive shells.
#[must_use]
pub fn undisturbed(program: &Path) -> Program {
    let mut program = Program::new(program);
    let names = std::env::vars_os().map(|(name, _)| name);
    program.unset = names.filter(|name| is_erlangs(name)).collect();
    program
}

// Private

/// Whether this variable changes what Erlang does, such as `ERL_FLAGS`, `ERL_OTP25_FLAGS`,
/// `ERL_LIBS`.
fn is_erlangs(name: &OsStr) -> bool {
    ["ERL_", "ERLC_"]
        .iter()
        .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// The emulator's version in its output:
/// `Erlang (SMP,ASYNC_THREADS) (BEAM) emulator version 13.1.5`.
async fn version(erl: &Path) -> Result<String, OtpError> {
    let output = undisturbed(erl)
        .arg("+V")
        .output(VERSION_TIMEOUT)
        .await
        .map_err(|source| OtpError::Unusable {
            path: erl.to_owned(),
            source,
        })?;
    let output = [output.stderr, output.stdout].concat();
    let output = String::from_utf8_lossy(&output);
    let version = output
        .split_once("emulator version ")
        .and_then(|(before, after)| before.contains("Erlang").then(|| after.split_whitespace().next()));
    version
        .flatten()
        .map(str::to_owned)
        .ok_or_else(|| OtpError::Stranger(erl.to_owned()))
}

fn release(version: &str) -> Option<u32> {
    let major: u32 = version.split('.').next()?.parse().ok()?;
    major.checked_add(AHEAD)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn found(erl: &Path) -> Result<Otp, OtpError> {
        let binaries = Binaries {
            erl: Some(erl.to_owned()),
            ..Binaries::default()
        };
        Otp::find(&binaries).await
    }

    /// A program that prints `words` for any arguments.
    fn saying(words: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("erl");
        std::fs::write(&path, format!("#!/bin/sh\necho '{words}' >&2\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (directory, path)
    }

    #[tokio::test]
    async fn installed_erlang_is_found() {
        let otp = Otp::find(&Binaries::default()).await.unwrap();
        let otp = otp.at_least(20).unwrap();
        assert!(
            otp.erl.is_absolute() && otp.compiler().unwrap().exists(),
            "{otp:?}"
        );
    }

    #[tokio::test]
    async fn an_unsuitable_erlang_is_reported_with_its_reason() {
        let missing = found(Path::new("/nonexistent")).await.unwrap_err();
        assert_eq!(
            missing.to_string(),
            "cannot find `/nonexistent`, which the profile names as `binaries.erl`"
        );
        assert!(matches!(
            found(Path::new("/bin/true")).await,
            Err(OtpError::Stranger(_))
        ));
        let (_directory, path) = saying("Erlang (SMP) (BEAM) emulator version 12.3.2");
        let old = found(&path).await.unwrap();
        let text = old.clone().at_least(25).unwrap_err().to_string();
        assert!(
            text.ends_with("is OTP 24, but OTP 25 or newer is required"),
            "{text}"
        );
        assert!(matches!(old.compiler(), Err(OtpError::NoCompiler(_))));
        let (_directory, path) = saying("Erlang (SMP) (BEAM) emulator version new");
        assert!(matches!(found(&path).await, Err(OtpError::Stranger(_))));
    }
}
