//! The file that a report is written to: tried before the test, and there only when it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// A file beside the wanted one, which gets its name when it is written. It goes away if it is not.
#[derive(Debug)]
pub(super) struct Paper {
    path: PathBuf,
    draft: PathBuf,
    file: File,
}

impl Paper {
    /// Sees to it that there can be a file at `path`.
    ///
    /// # Errors
    /// When there cannot.
    pub(super) fn ready(path: &Path) -> Result<Paper, Failure> {
        let cannot = |error: io::Error| not_written(path, error).exit(Exit::Unclear);
        if path.is_dir() {
            return Err(cannot(io::ErrorKind::IsADirectory.into()));
        }
        let name = path
            .file_name()
            .ok_or(io::ErrorKind::InvalidFilename)
            .map_err(|kind| cannot(kind.into()))?;
        let mut draft_name = OsString::from(".");
        draft_name.push(name);
        draft_name.push(format!(".{}", std::process::id()));
        let draft = path.with_file_name(draft_name);
        let file = File::create(&draft).map_err(cannot)?;
        Ok(Paper {
            path: path.to_owned(),
            draft,
            file,
        })
    }

    /// Writes the report; where it is.
    ///
    /// # Errors
    /// When it cannot be written: nothing is left of it then, and what was there before is as it was.
    pub(super) fn write(mut self, text: &str) -> Result<PathBuf, Failure> {
        let written = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_all())
            .and_then(|()| fs::rename(&self.draft, &self.path));
        match written {
            Ok(()) => Ok(self.path.clone()),
            Err(error) => Err(not_written(&self.path, error)),
        }
    }
}

impl Drop for Paper {
    fn drop(&mut self) {
        // Gone already when it has got its name.
        let _gone = fs::remove_file(&self.draft);
    }
}

// Private

fn not_written(path: &Path, error: io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "the directory has to be there",
        io::ErrorKind::IsADirectory => "`--report` takes the name of a file",
        io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge | io::ErrorKind::QuotaExceeded => {
            "a page takes up to a few hundred kilobytes"
        }
        _ => "`--report` takes a file in a directory that can be written to",
    };
    Failure::new(error)
        .context(format!("cannot write the report `{}`", path.display()))
        .hint(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.html");
        fs::write(&path, "before").unwrap();
        drop(Paper::ready(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        Paper::ready(&path).unwrap().write("after").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told_before() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("no/such/report.html")] {
            let failure = Paper::ready(&path).unwrap_err();
            assert!(
                failure.text().starts_with("cannot write the report"),
                "{}",
                failure.text()
            );
        }
    }
}
