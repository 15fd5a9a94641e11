//! Erlang code of this project: its source is part of this binary, and is compiled on the host.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::find::{Otp, OtpError, undisturbed};
use crate::platform::RunDir;

/// Compiling takes a second or two on an idle machine.
const COMPILE_TIMEOUT: Duration = Duration::from_mins(2);

/// The extension of a directory that is being filled, after the id of the process.
const NEW: &str = "new";

/// An application, or a part of one.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Code {
    /// The name of its directory.
    pub name: &'static str,
    /// Its resource file, `NAME.app`, if it is an application.
    pub resources: Option<&'static str>,
    /// Its modules: the name of each file, and its text.
    pub modules: &'static [(&'static str, &'static str)],
}

/// The code cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// There is no compiler.
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
    /// The compiler cannot be run.
    #[error("cannot run `{}`: {source}", .path.display())]
    Unusable {
        /// The compiler.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The compiler reports errors.
    #[error("`{}` cannot compile the node:\n{output}", .path.display())]
    Refused {
        /// The compiler.
        path: PathBuf,
        /// Its output.
        output: String,
    },
}

impl CodeError {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            CodeError::Otp(error) => Some(error.hint()),
            CodeError::Unwritable { .. } => None,
            CodeError::Unusable { .. } | CodeError::Refused { .. } => {
                Some("install all of Erlang: `apt-get install -y erlang-base`".to_owned())
            }
        }
    }
}

impl Code {
    /// The directory of the code compiled for `otp`.
    #[must_use]
    pub fn ebin(&self, otp: &Otp, run_dir: &RunDir) -> PathBuf {
        self.home(otp, run_dir).join("ebin")
    }

    /// Compiles the code, unless that is done.
    ///
    /// # Errors
    /// If there is no compiler, if it reports errors, or if the disk is full. Then nothing is left
    /// half-written.
    pub async fn compile(&self, otp: &Otp, run_dir: &RunDir) -> Result<(), CodeError> {
        let home = self.home(otp, run_dir);
        if home.exists() {
            return Ok(());
        }
        let erlc = otp.compiler()?;
        sweep(&run_dir.erlang());
        // This name is unique: another process may compile at the same time.
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

    /// Its directory. Other code, and another Erlang, have another directory, so running nodes keep
    /// theirs.
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
        // From OTP 26 on, `erlc` removes the working directory from the front of a path even if
        // only the letters match.
        program.directory = Some(directory.to_owned());
        // It must not create a cookie in the user's home.
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
        let output = [output.stdout, output.stderr].concat();
        let output = String::from_utf8_lossy(&output).trim_end().to_owned();
        Err(CodeError::Refused {
            path: erlc.to_owned(),
            output: if output.is_empty() {
                "it ended without output, and compiled nothing".to_owned()
            } else {
                output
            },
        })
    }
}

/// Removes from `directory` the files of processes that were interrupted while they compiled.
fn sweep(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let owner = path
            .to_str()
            .and_then(|path| path.strip_suffix(NEW)?.strip_suffix('.')?.rsplit_once('.'));
        if let Some((_, pid)) = owner
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
        // This one could not compile.
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
        // The directory of an interrupted process; no process has this number.
        fs::create_dir_all(run_dir.erlang().join("wrong-1.4294967295.new/src")).unwrap();
        let error = WRONG.compile(&otp, &run_dir).await.unwrap_err().to_string();
        assert!(
            error.contains("wrong.erl:2:6: syntax error before: '->'"),
            "{error}"
        );
        assert_eq!(fs::read_dir(run_dir.erlang()).unwrap().count(), 0);
    }
}
