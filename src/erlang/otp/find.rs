//! The Erlang that is installed.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::Program;
use crate::platform::executable::{self, Missing};
use crate::profile::Binaries;

/// OTP's releases are so much ahead of the versions of its emulator: 13 is that of OTP 25.
const AHEAD: u32 = 12;
/// Saying its version takes an emulator milliseconds.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// An Erlang.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otp {
    /// `erl`, absolute.
    pub erl: PathBuf,
    /// The release of OTP, such as 25.
    pub release: u32,
    /// The version of its emulator, such as 13.1.5.
    pub version: String,
}

/// There is no Erlang, or none that will do.
#[derive(Debug, thiserror::Error)]
pub enum OtpError {
    /// It is not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// It does not run.
    #[error("cannot run `{}`: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It runs, and is something else.
    #[error("`{}` is not Erlang", .0.display())]
    Stranger(PathBuf),
    /// It cannot run what we have for it.
    #[error("`{}` is of OTP {release}, and at least OTP {oldest} is needed", .path.display())]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its release.
        release: u32,
        /// The oldest that will do.
        oldest: u32,
    },
    /// It has no compiler.
    #[error("cannot find `erlc` beside `{}`", .0.display())]
    NoCompiler(PathBuf),
}

impl OtpError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        const NAME_IT: &str = "set its path with `--set binaries.erl=PATH`";
        match self {
            OtpError::Missing(missing) => missing.hint("erlang-base"),
            OtpError::Unusable { .. } | OtpError::Stranger(_) => {
                format!("is it the right file? If not, {NAME_IT}")
            }
            OtpError::TooOld { .. } => format!("install a newer Erlang, and {NAME_IT}"),
            OtpError::NoCompiler(_) => "install all of Erlang: `apt-get install -y erlang-base`".to_owned(),
        }
    }
}

impl Otp {
    /// Finds the `erl` that the profile names, else the first in PATH.
    ///
    /// # Errors
    /// When there is none.
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

    /// Sees that it is of release `oldest` or newer.
    ///
    /// # Errors
    /// When it is not.
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

    /// Its compiler, which is beside `erl`, or beside what that is a link to.
    ///
    /// # Errors
    /// When it came without.
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

/// One of its programs, without what a user has set for shells of his own.
#[must_use]
pub fn undisturbed(program: &Path) -> Program {
    let mut program = Program::new(program);
    let names = std::env::vars_os().map(|(name, _)| name);
    program.unset = names.filter(|name| is_erlangs(name)).collect();
    program
}

// Private

/// Whether it is a variable that changes what Erlang does, such as `ERL_FLAGS`, `ERL_OTP25_FLAGS`, `ERL_LIBS`.
fn is_erlangs(name: &OsStr) -> bool {
    ["ERL_", "ERLC_"]
        .iter()
        .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// The emulator's version, from what it says: `Erlang (SMP,ASYNC_THREADS) (BEAM) emulator version 13.1.5`.
async fn version(erl: &Path) -> Result<String, OtpError> {
    let output = undisturbed(erl)
        .arg("+V")
        .output(VERSION_TIMEOUT)
        .await
        .map_err(|source| OtpError::Unusable {
            path: erl.to_owned(),
            source,
        })?;
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let version = said
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

    /// A program that says `words`, whatever it is asked.
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
    async fn what_will_not_do_is_told_with_its_reason() {
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
            text.ends_with("is of OTP 24, and at least OTP 25 is needed"),
            "{text}"
        );
        assert!(matches!(old.compiler(), Err(OtpError::NoCompiler(_))));
        let (_directory, path) = saying("Erlang (SMP) (BEAM) emulator version new");
        assert!(matches!(found(&path).await, Err(OtpError::Stranger(_))));
    }
}
