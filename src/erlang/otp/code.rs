//! Code of ours: its source is part of this binary, and is compiled where it runs.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::find::{Otp, OtpError, undisturbed};
use crate::platform::RunDir;

/// Compiling takes a second or two, where nobody else wants the processors.
const COMPILE_TIMEOUT: Duration = Duration::from_mins(2);

/// How a directory is called that is being filled, after the process that fills it.
const NEW: &str = "new";

/// An application, or a part of one.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Code {
    /// What its directory is called.
    pub name: &'static str,
    /// Its resource file, `NAME.app`, if it is an application.
    pub resources: Option<&'static str>,
    /// Its modules: the name of each one's file, and the text.
    pub modules: &'static [(&'static str, &'static str)],
}

/// Code that cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// There is nothing to compile it with.
    #[error(transparent)]
    Otp(#[from] OtpError),
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", .path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The compiler does not run.
    #[error("cannot run `{}`: {source}", .path.display())]
    Unusable {
        /// The compiler.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The compiler refuses.
    #[error("`{}` cannot compile the node:\n{said}", .path.display())]
    Refused {
        /// The compiler.
        path: PathBuf,
        /// What it says.
        said: String,
    },
}

impl CodeError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            CodeError::Otp(error) => Some(error.hint()),
            CodeError::Unwritable { .. } => None,
            CodeError::Unusable { .. } | CodeError::Refused { .. } => {
                Some("is all of Erlang installed? `apt-get install -y erlang-base`".to_owned())
            }
        }
    }
}

impl Code {
    /// Where it is once it is compiled for `otp`.
    #[must_use]
    pub fn ebin(&self, otp: &Otp, run_dir: &RunDir) -> PathBuf {
        self.home(otp, run_dir).join("ebin")
    }

    /// Compiles it, unless that was done.
    ///
    /// # Errors
    /// When there is no compiler, when that refuses, or when there is no room. Nothing is half there then.
    pub async fn compile(&self, otp: &Otp, run_dir: &RunDir) -> Result<(), CodeError> {
        let home = self.home(otp, run_dir);
        if home.exists() {
            return Ok(());
        }
        let erlc = otp.compiler()?;
        sweep(&run_dir.erlang());
        // Of this process alone: another one may do the same at the same time.
        let new = home.with_extension(format!("{}.{NEW}", std::process::id()));
        let compiled = self.compile_in(&erlc, &new).await;
        let placed = compiled.and_then(|()| match fs::rename(&new, &home) {
            Err(_) if home.exists() => Ok(()),
            Err(source) => Err(CodeError::Unwritable {
                path: home.clone(),
                source,
            }),
            Ok(()) => Ok(()),
        });
        let _gone_or_not = fs::remove_dir_all(&new);
        placed
    }

    // Private

    /// Its directory. Other code, or another Erlang, has another one, so nodes that run keep what they have.
    fn home(&self, otp: &Otp, run_dir: &RunDir) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        (self, &otp.version).hash(&mut hasher);
        run_dir
            .erlang()
            .join(format!("{}-{:016x}", self.name, hasher.finish()))
    }

    async fn compile_in(&self, erlc: &Path, directory: &Path) -> Result<(), CodeError> {
        let (sources, ebin) = (directory.join("src"), directory.join("ebin"));
        let written = |path: &Path, outcome: io::Result<()>| {
            outcome.map_err(|source| CodeError::Unwritable {
                path: path.to_owned(),
                source,
            })
        };
        for path in [&sources, &ebin] {
            written(path, fs::create_dir_all(path))?;
        }
        for (name, text) in self.modules {
            let path = sources.join(name);
            written(&path, fs::write(&path, text))?;
        }
        if let Some(text) = self.resources {
            let path = ebin.join(format!("{}.app", self.name));
            written(&path, fs::write(&path, text))?;
        }

        let mut program = undisturbed(erlc).arg("+debug_info").arg("-o").arg(&ebin);
        program = program.args(self.modules.iter().map(|(name, _)| sources.join(name)));
        // From OTP 26 on `erlc` takes a working directory off the front of a path even where only the letters match.
        program.directory = Some(directory.to_owned());
        // Whose cookie it would make is nobody's business.
        program.env = vec![
            ("HOME".into(), directory.into()),
            ("ERL_CRASH_DUMP_SECONDS".into(), "0".into()),
        ];
        let output = program
            .output(COMPILE_TIMEOUT)
            .await
            .map_err(|source| CodeError::Unusable {
                path: erlc.to_owned(),
                source,
            })?;
        let is_there = |(name, _): &(&str, &str)| ebin.join(name).with_extension("beam").exists();
        if output.status.success() && self.modules.iter().all(is_there) {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim_end().to_owned();
        Err(CodeError::Refused {
            path: erlc.to_owned(),
            said: if said.is_empty() {
                "it ends without a word, and with nothing compiled".to_owned()
            } else {
                said
            },
        })
    }
}

/// Removes from `directory` what processes have left that were interrupted while they compiled.
fn sweep(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let whose = path
            .to_str()
            .and_then(|path| path.strip_suffix(NEW)?.strip_suffix('.')?.rsplit_once('.'));
        if let Some((_, pid)) = whose
            && let Ok(pid) = pid.parse::<u32>()
            && !Path::new("/proc").join(pid.to_string()).exists()
        {
            let _gone_or_not = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Binaries;

    const ONE: Code = Code {
        name: "one",
        resources: Some("{application, one, []}."),
        modules: &[("one.erl", "-module(one).\n-export([one/0]).\none() -> 1.\n")],
    };
    const WRONG: Code = Code {
        name: "wrong",
        resources: None,
        modules: &[("wrong.erl", "-module(wrong).\none( -> 1.\n")],
    };

    #[tokio::test]
    async fn installed_erlang_compiles_once_for_each_version() {
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(directory.path());
        let mut otp = Otp::find(&Binaries::default()).await.unwrap();
        ONE.compile(&otp, &run_dir).await.unwrap();
        let ebin = ONE.ebin(&otp, &run_dir);
        assert!(ebin.join("one.beam").exists() && ebin.join("one.app").exists());
        // Nothing would come of this one.
        otp.erl = PathBuf::from("/nonexistent/erl");
        ONE.compile(&otp, &run_dir).await.unwrap();
        otp.version.push_str("-other");
        let refused = ONE.compile(&otp, &run_dir).await;
        assert!(matches!(refused, Err(CodeError::Otp(_))), "{refused:?}");
        assert_eq!(fs::read_dir(run_dir.erlang()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn installed_erlang_reports_errors_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(directory.path());
        let otp = Otp::find(&Binaries::default()).await.unwrap();
        // One that was interrupted; no process has this number.
        fs::create_dir_all(run_dir.erlang().join("wrong-1.4294967295.new/src")).unwrap();
        let error = WRONG.compile(&otp, &run_dir).await.unwrap_err().to_string();
        assert!(
            error.contains("wrong.erl:2:6: syntax error before: '->'"),
            "{error}"
        );
        assert_eq!(fs::read_dir(run_dir.erlang()).unwrap().count(), 0);
    }
}
