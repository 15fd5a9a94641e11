//! The file that a report is written to: checked before the test, and replaced only when the report
//! is complete. A file that is not regular, such as a device or a pipe, is not replaced but written
//! to.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

/// The file of a report.
#[derive(Debug)]
pub(super) struct ReportFile {
    path: PathBuf,
    file: File,
    /// The unfinished file next to the wanted one. It is renamed when the report is written, and
    /// removed if it is not. `None` where the wanted file itself is written to.
    draft: Option<PathBuf>,
}

impl ReportFile {
    /// Checks that the file at `path` can be written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn ready(path: &Path) -> Result<ReportFile, Failure> {
        let cannot = |error: io::Error| not_written(path, error).exit(Exit::Unclear);
        // The file is where a link leads to.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let draft = match fs::metadata(&path) {
            Ok(there) if there.is_dir() => return Err(cannot(io::ErrorKind::IsADirectory.into())),
            Ok(there) if !there.is_file() => None,
            Ok(_) => {
                // The directory may be writable while the file is not: a protected file is not
                // replaced.
                File::options().write(true).open(&path).map_err(cannot)?;
                Some(draft(&path).map_err(cannot)?)
            }
            Err(_) => Some(draft(&path).map_err(cannot)?),
        };
        let file = match &draft {
            Some(draft) => File::create(draft),
            // A pipe without a reader would block: it is an error.
            None => File::options()
                .write(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(&path),
        };
        let file = file.map_err(cannot)?;
        Ok(ReportFile { path, file, draft })
    }

    /// Writes the report, and returns its path.
    ///
    /// # Errors
    /// When it cannot be written: then no part of it is left, and the former file is unchanged.
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

impl Drop for ReportFile {
    fn drop(&mut self) {
        if let Some(draft) = &self.draft {
            // It no longer exists once it was renamed.
            let _gone = fs::remove_file(draft);
        }
    }
}

// Private

/// The name of a file next to `path`.
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
    fn a_report_is_complete_or_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.html");
        fs::write(&path, "before").unwrap();
        drop(ReportFile::ready(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        ReportFile::ready(&path).unwrap().write("after").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_regular_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        ReportFile::ready(&link).unwrap().write("after").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "after");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let null = dir.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        ReportFile::ready(&null).unwrap().write("anything").unwrap();
        let full = ReportFile::ready(Path::new("/dev/full")).unwrap();
        assert!(full.write("anything").is_err());
        for device in ["/dev/null", "/dev/full"] {
            assert!(!fs::metadata(device).unwrap().is_file(), "{device}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_written_is_refused_before_the_test() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("no/such/report.html")] {
            let failure = ReportFile::ready(&path).unwrap_err();
            assert!(
                failure.text().starts_with("cannot write the report"),
                "{}",
                failure.text()
            );
        }
    }
}
