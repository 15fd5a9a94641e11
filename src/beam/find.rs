//! The Erlang that is installed.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::Program;
use crate::platform::executable::{self, Missing};
use crate::profile::Binaries;

/// The oldest OTP that runs our nodes.
const OLDEST: u16 = 25;
/// OTP's releases are so much ahead of the versions of its emulator: 13 is that of OTP 25.
const AHEAD: u16 = 12;
/// Saying its version takes an emulator milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// An Erlang.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erlang {
    /// `erl`, absolute.
    pub erl: PathBuf,
    /// `erlc`, which is beside it.
    pub erlc: PathBuf,
    /// The release of OTP, such as 25.
    pub release: u16,
    /// The version of its emulator, such as 13.1.5.
    pub version: String,
}

/// There is no Erlang, or none that will do.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
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
    #[error("`{}` is of OTP {release}, and at least OTP {OLDEST} is needed", .path.display())]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its release.
        release: u16,
    },
    /// It has no compiler.
    #[error("cannot find `erlc` beside `{}`", .0.display())]
    NoCompiler(PathBuf),
}

impl FindError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        const NAME_IT: &str = "name it with `--set binaries.erl=PATH`";
        Some(match self {
            FindError::Missing(missing) => missing.hint("erlang-base"),
            FindError::Unusable { .. } | FindError::Stranger(_) => {
                format!("is it the right file? If not, {NAME_IT}")
            }
            FindError::TooOld { .. } => format!("install a newer Erlang, and {NAME_IT}"),
            FindError::NoCompiler(_) => "install all of Erlang: `apt-get install -y erlang-base`".to_owned(),
        })
    }
}

impl Erlang {
    /// Finds the `erl` that the profile names, else the first in PATH.
    ///
    /// # Errors
    /// When there is none, or none that will do.
    pub async fn find(binaries: &Binaries) -> Result<Erlang, FindError> {
        let erl = executable::locate("erl", binaries.erl.as_deref())?;
        let version = version(&erl).await?;
        let release = release(&version).ok_or_else(|| FindError::Stranger(erl.clone()))?;
        if release < OLDEST {
            return Err(FindError::TooOld { path: erl, release });
        }
        let erlc = compiler(&erl).ok_or_else(|| FindError::NoCompiler(erl.clone()))?;
        Ok(Erlang {
            erl,
            erlc,
            release,
            version,
        })
    }
}

// Private

/// The emulator's version, from what it says: `Erlang (SMP,ASYNC_THREADS) (BEAM) emulator version 13.1.5`.
async fn version(erl: &Path) -> Result<String, FindError> {
    let output = Program::new(erl)
        .arg("+V")
        .output(PATIENCE)
        .await
        .map_err(|source| FindError::Unusable {
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
        .ok_or_else(|| FindError::Stranger(erl.to_owned()))
}

fn release(version: &str) -> Option<u16> {
    let major: u16 = version.split('.').next()?.parse().ok()?;
    major.checked_add(AHEAD)
}

/// The compiler that belongs to `erl`, which may be a link to where both are.
fn compiler(erl: &Path) -> Option<PathBuf> {
    let real = erl.canonicalize().ok();
    [Some(erl), real.as_deref()]
        .into_iter()
        .flatten()
        .map(|erl| erl.with_file_name("erlc"))
        .find(|erlc| erlc.exists())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn error(erl: &Path) -> FindError {
        let binaries = Binaries {
            erl: Some(erl.to_owned()),
            ..Binaries::default()
        };
        Erlang::find(&binaries).await.unwrap_err()
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
    async fn the_installed_one_is_found() {
        let erlang = Erlang::find(&Binaries::default()).await.unwrap();
        assert!(erlang.release >= OLDEST, "{erlang:?}");
        assert!(erlang.erl.is_absolute() && erlang.erlc.exists(), "{erlang:?}");
    }

    #[tokio::test]
    async fn what_will_not_do_is_told_with_its_reason() {
        let missing = error(Path::new("/nonexistent")).await;
        assert_eq!(
            missing.to_string(),
            "cannot find `/nonexistent`, which the profile names as `binaries.erl`"
        );
        assert!(matches!(
            error(Path::new("/bin/true")).await,
            FindError::Stranger(_)
        ));
        let (_directory, path) = saying("Erlang (SMP) (BEAM) emulator version 12.3.2");
        let old = error(&path).await;
        let text = old.to_string();
        assert!(
            text.ends_with("is of OTP 24, and at least OTP 25 is needed"),
            "{text}"
        );
        let (_directory, path) = saying("Erlang (SMP) (BEAM) emulator version 15.0");
        assert!(matches!(error(&path).await, FindError::NoCompiler(_)));
        let (_directory, path) = saying("Erlang (SMP) (BEAM) emulator version new");
        assert!(matches!(error(&path).await, FindError::Stranger(_)));
    }
}
