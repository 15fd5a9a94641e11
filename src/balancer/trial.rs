//! A balancer's files, written where nothing else is touched, for its binary to check them.

use crate::platform::atomic_file;
use std::fs;
use std::io;

use super::check::CheckError;
use super::scratch::Scratch;
use super::{Balancer, Deployment};
use crate::platform::RunDir;

/// The files in a private directory, which is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Trial {
    _scratch: Scratch,
    there: RunDir,
    /// The directory that the files are meant for.
    meant: String,
}

impl Trial {
    /// Writes the files of `balancer` for `deployment`, as they are in a directory of their own: so they refer to one another there.
    pub(super) fn of(balancer: &dyn Balancer, deployment: Deployment<'_>) -> Result<Trial, CheckError> {
        let not_run = |source| not_run(balancer, source);
        let scratch = Scratch::new().map_err(not_run)?;
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

    /// Where they are.
    pub(super) fn run_dir(&self) -> &RunDir {
        &self.there
    }

    /// What the binary said, as if the files were where they are meant to be.
    pub(super) fn said(&self, words: &str) -> String {
        words.replace(&self.there.path().display().to_string(), &self.meant)
    }

    /// The refusal of `balancer`, which calls itself `program`, in its `words`.
    pub(super) fn refused(&self, balancer: &dyn Balancer, program: &dyn ToString, words: &str) -> CheckError {
        CheckError::Refused {
            kind: balancer.kind(),
            program: program.to_string(),
            words: self.said(words),
        }
    }
}

/// The binary of `balancer` could not be asked.
pub(super) fn not_run(balancer: &dyn Balancer, source: io::Error) -> CheckError {
    CheckError::NotRun {
        program: balancer.path().display().to_string(),
        source,
    }
}
