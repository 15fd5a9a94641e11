//! A balancer's files, written to a separate directory for its binary to check.

use crate::platform::atomic_file;
use std::fs;
use std::io;

use super::check::CheckError;
use super::scratch::Scratch;
use super::{Balancer, Deployment};
use crate::platform::RunDir;

/// The files in a private directory, which is removed when this value is dropped.
#[derive(Debug)]
pub(super) struct Trial {
    _scratch: Scratch,
    there: RunDir,
    /// The directory that the files are intended for.
    meant: String,
}

impl Trial {
    /// Writes the files of `balancer` for `deployment` to a separate directory, in which they refer
    /// to one another.
    pub(super) fn of(balancer: &dyn Balancer, deployment: Deployment<'_>) -> Result<Trial, CheckError> {
        let not_run = |source| not_run(balancer, source);
        let scratch = Scratch::new(deployment.run_dir.path()).map_err(not_run)?;
        let there = RunDir::at(scratch.path());
        fs::create_dir(there.logs()).map_err(not_run)?;
        let scratched = Deployment {
            run_dir: &there,
            ..deployment
        };
        for file in balancer.files(scratched)? {
            atomic_file::replace(&file.path, file.content.as_bytes(), atomic_file::PRIVATE)
                .map_err(not_run)?;
        }
        Ok(Trial {
            _scratch: scratch,
            meant: deployment.run_dir.path().display().to_string(),
            there,
        })
    }

    /// The directory of the files.
    pub(super) fn run_dir(&self) -> &RunDir {
        &self.there
    }

    /// The binary's output, with the paths that the files are intended for.
    pub(super) fn readable(&self, words: &str) -> String {
        words.replace(&self.there.path().display().to_string(), &self.meant)
    }

    /// The error for a rejection by `balancer`: `program` with its messages, `words`.
    pub(super) fn refused(&self, balancer: &dyn Balancer, program: &dyn ToString, words: &str) -> CheckError {
        CheckError::Refused {
            kind: balancer.kind(),
            program: program.to_string(),
            words: self.readable(words),
        }
    }
}

/// The error for a binary of `balancer` that could not be run.
pub(super) fn not_run(balancer: &dyn Balancer, source: io::Error) -> CheckError {
    CheckError::NotRun {
        program: balancer.path().display().to_string(),
        source,
    }
}
