//! The run directory: everything that a running cluster keeps on disk.

mod paths;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

pub use self::paths::Instance;
use super::atomic_file;
use super::config_path::inexpressible;
use crate::base::units::excerpt;

/// HAProxy refuses longer socket paths (`sun_path` minus what it appends while binding).
const MAX_SOCKET_PATH: usize = 97;

/// A cluster's run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir(PathBuf);

/// A directory that is not usable as a run directory.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The balancers' configurations cannot name files in it.
    #[error("run directory `{}` has {what} in its path: {why}", shown(.path))]
    Inexpressible {
        /// The directory.
        path: PathBuf,
        /// What the path contains.
        what: String,
        /// Why that is not possible.
        why: &'static str,
    },
    /// The directory cannot be made or written.
    #[error("cannot use run directory `{}`: {source}", shown(.path))]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another user could put files into it, and so have programs run as this user.
    #[error("run directory `{}` belongs to another user, or is writable by others", shown(.0))]
    Strange(PathBuf),
    /// Socket paths in it would be too long.
    #[error(
        "run directory `{}` is too long: its socket paths would have {length} bytes, more than {MAX_SOCKET_PATH}",
        shown(.path)
    )]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// The length of the longest socket path.
        length: usize,
    },
}

impl RunDir {
    /// The run directory at `path`, which need not exist. The path is made absolute, because
    /// daemons change their directory.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> RunDir {
        RunDir(std::path::absolute(path.as_ref()).unwrap_or_else(|_| path.as_ref().to_owned()))
    }

    /// The default directory of the cluster `name`: `/run/clusterctl/NAME` as root, else
    /// `$XDG_RUNTIME_DIR/clusterctl/NAME`, else a directory of this user under the temporary
    /// directory.
    #[must_use]
    pub fn default_for(name: &str) -> RunDir {
        let uid = nix::unistd::geteuid();
        let base = match std::env::var_os("XDG_RUNTIME_DIR") {
            _ if uid.is_root() => PathBuf::from("/run/clusterctl"),
            Some(runtime) if !runtime.is_empty() => Path::new(&runtime).join("clusterctl"),
            // Not nested: a directory in between could belong to another user.
            _ => return RunDir::at(std::env::temp_dir().join(format!("clusterctl-{uid}-{name}"))),
        };
        RunDir::at(base.join(name))
    }

    /// Checks that every balancer could run in it, whether the directory exists or not.
    ///
    /// # Errors
    /// When a configuration cannot name it, or socket paths in it would be too long.
    pub fn try_path(&self) -> Result<(), RunDirError> {
        if let Some((what, why)) = inexpressible(&self.0) {
            return Err(RunDirError::Inexpressible {
                path: self.0.clone(),
                what,
                why,
            });
        }
        let length = self.longest_socket().as_os_str().len();
        if length > MAX_SOCKET_PATH {
            return Err(RunDirError::TooLong {
                path: self.0.clone(),
                length,
            });
        }
        Ok(())
    }

    /// Makes the directory, for this user only, and checks that it can be written.
    ///
    /// # Errors
    /// When it cannot be made or written, others could write to it, or a balancer could not run in
    /// it.
    pub fn create(&self) -> Result<(), RunDirError> {
        self.try_path()?;
        let unusable = |source| RunDirError::Unusable {
            path: self.0.clone(),
            source,
        };
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(&self.0).map_err(unusable)?;
        if !self.is_ours().map_err(unusable)? {
            return Err(RunDirError::Strange(self.0.clone()));
        }
        private.create(self.logs()).map_err(unusable)?;
        // The name is unique to this process: another one may try at the same time.
        let trial = self.0.join(format!(".trial-{}", std::process::id()));
        fs::write(&trial, "")
            .and_then(|()| fs::remove_file(&trial))
            .map_err(unusable)
    }

    /// Checks that files with content can be written, which a full disk refuses.
    ///
    /// # Errors
    /// When they cannot.
    pub fn try_write(&self) -> io::Result<()> {
        /// As much as a log has after the start of a supervisor.
        const BYTES: usize = 4096;
        let trial = self.0.join(format!(".trial-{}", std::process::id()));
        let written = fs::write(&trial, [b'\n'; BYTES]);
        let removed = fs::remove_file(&trial);
        written.and(removed)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it has none of the files that only a running cluster has.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.lock_file().exists() && !self.transient().iter().any(|path| path.exists())
    }

    /// Removes the files that only a running cluster has: sockets and states. Logs and rendered
    /// configurations stay, and so does the lock, which belongs to its holder.
    ///
    /// # Errors
    /// When a file cannot be removed; the others are removed nevertheless.
    pub fn clean(&self) -> io::Result<()> {
        let mut outcome = Ok(());
        for path in self.transient() {
            // A process that was killed while it replaced a file has left the unfinished file.
            for path in [atomic_file::unfinished(&path), path] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => outcome = Err(error),
                    _ => {}
                }
            }
        }
        for removed in [
            fs::remove_dir(self.nginx_temp()),
            fs::remove_dir_all(self.erlang_home()),
        ] {
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => outcome = Err(error),
                _ => {}
            }
        }
        outcome
    }

    // Private

    /// Whether only this user can change what is in it: the directory, and the link to it if it is
    /// one, belong to this user.
    fn is_ours(&self) -> io::Result<bool> {
        let own = nix::unistd::geteuid().as_raw();
        let (entry, directory) = (fs::symlink_metadata(&self.0)?, fs::metadata(&self.0)?);
        Ok(entry.uid() == own && directory.uid() == own && directory.mode() & 0o002 == 0)
    }
}

// Private

fn shown(path: &Path) -> String {
    excerpt(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_too_long_for_sockets_is_refused_before_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path().join("x".repeat(100)));
        assert!(matches!(run_dir.create(), Err(RunDirError::TooLong { .. })));
        assert!(!run_dir.path().exists());
    }

    #[test]
    fn a_path_that_no_configuration_can_name_is_refused_before_it_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path().join("a$b"));
        let error = run_dir.create().unwrap_err().to_string();
        assert!(error.contains("has `$` in its path: nginx reads"), "{error}");
        assert!(!run_dir.path().exists());
    }

    #[test]
    fn a_directory_that_others_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path().join("run"));
        run_dir.create().unwrap();
        run_dir.create().unwrap();
        fs::set_permissions(run_dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(run_dir.create(), Err(RunDirError::Strange(_))));
    }

    #[test]
    fn files_of_a_running_cluster_are_removed_complete_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path());
        fs::write(run_dir.dataplane_memory(), "").unwrap();
        fs::write(atomic_file::unfinished(&run_dir.dataplane_memory()), "").unwrap();
        let config = run_dir.haproxy_config(Instance::Numbered(12));
        for path in [
            config.clone(),
            run_dir.haproxy_socket(Instance::Numbered(12)),
            run_dir.haproxy_peers_socket(Instance::Numbered(1)),
            run_dir.haproxy_state(Instance::Numbered(2)),
            run_dir.nginx_socket(0),
            run_dir.nginx_socket(3),
            run_dir.nginx_pid(12),
        ] {
            fs::write(path, "").unwrap();
        }
        assert!(!run_dir.is_clean());
        run_dir.clean().unwrap();
        let left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(left, [config]);
    }
}
