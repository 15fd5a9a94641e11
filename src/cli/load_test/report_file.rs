//! The file that a report is written to: tried before the test, and there only when it is whole. What is no regular file, such
//! as a device or a pipe, stays what it is and is written to.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// Where a report will be.
#[derive(Debug)]
pub(super) struct Paper {
    path: PathBuf,
    file: File,
    /// The file beside the wanted one, which gets its name when it is written, and goes away if it is not. `None` where the
    /// wanted one is written to.
    draft: Option<PathBuf>,
}

impl Paper {
    /// Sees to it that there can be a file at `path`.
    ///
    /// # Errors
    /// When there cannot.
    pub(super) fn ready(path: &Path) -> Result<Paper, Failure> {
        let cannot = |error: io::Error| not_written(path, error).exit(Exit::Unclear);
        // Where a link leads to, the file is.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let draft = match fs::metadata(&path) {
            Ok(there) if there.is_dir() => return Err(cannot(io::ErrorKind::IsADirectory.into())),
            Ok(there) if !there.is_file() => None,
            Ok(_) => {
                // Its directory may be writable where it is not: what is protected is not replaced.
                File::options().write(true).open(&path).map_err(cannot)?;
                Some(draft(&path).map_err(cannot)?)
            }
            Err(_) => Some(draft(&path).map_err(cannot)?),
        };
        let file = match &draft {
            Some(draft) => File::create(draft),
            // A pipe that nobody reads would make us wait: it is an error.
            None => File::options()
                .write(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(&path),
        };
        let file = file.map_err(cannot)?;
        Ok(Paper { path, file, draft })
    }

    /// Writes the report; where it is.
    ///
    /// # Errors
    /// When it cannot be written: nothing is left of it then, and what was there before is as it was.
    pub(super) fn write(mut self, text: &str) -> Result<PathBuf, Failure> {
        let written = self
            .file
            .write_all(text.as_bytes())
            .and_then(|()| match &self.draft {
                Some(draft) => self.file.sync_all().and_then(|()| fs::rename(draft, &self.path)),
                None => Ok(()),
            });
        match written {
            Ok(()) => Ok(self.path.clone()),
            Err(error) => Err(not_written(&self.path, error)),
        }
    }
}

impl Drop for Paper {
    fn drop(&mut self) {
        if let Some(draft) = &self.draft {
            // Gone already when it has got its name.
            let _gone = fs::remove_file(draft);
        }
    }
}

// Private

/// The name of a file beside `path`.
fn draft(path: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
    name.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(name))
}

fn not_written(path: &Path, error: io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "create the directory first",
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
    fn what_is_no_regular_file_stays_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Paper::ready(&link).unwrap().write("after").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "after");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let null = dir.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        Paper::ready(&null).unwrap().write("anything").unwrap();
        let full = Paper::ready(Path::new("/dev/full")).unwrap();
        assert!(full.write("anything").is_err());
        for device in ["/dev/null", "/dev/full"] {
            assert!(!fs::metadata(device).unwrap().is_file(), "{device}");
        }
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
