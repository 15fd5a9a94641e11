//! The run directory: everything that a running cluster keeps on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::config_path::inexpressible;
use crate::base::units::excerpt;

/// HAProxy refuses longer socket paths (`sun_path` less what it appends while binding).
const MAX_SOCKET_PATH: usize = 97;

/// A cluster's run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir(PathBuf);

/// Which of the processes that share a program's work a file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instance {
    /// There is but one.
    Only,
    /// One of several; they are counted from 1.
    Numbered(u16),
}

/// A directory that cannot serve as run directory.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The balancers' configurations cannot name files in it.
    #[error("run directory `{}` has {what} in its path: {why}", shown(.path))]
    Inexpressible {
        /// The directory.
        path: PathBuf,
        /// What it has.
        what: String,
        /// Why that cannot be.
        why: &'static str,
    },
    /// It cannot be made or written.
    #[error("cannot use run directory `{}`: {source}", shown(.path))]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could put files into it, and so have programs run as this user.
    #[error("run directory `{}` belongs to another user, or everybody can write to it", shown(.0))]
    Strange(PathBuf),
    /// Socket paths in it would be too long.
    #[error(
        "run directory `{}` is too long: its socket paths would have {length} bytes, more than {MAX_SOCKET_PATH}",
        shown(.path)
    )]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// Of the longest socket path.
        length: usize,
    },
}

impl RunDir {
    /// The run directory at `path`, which need not exist. Made absolute, because daemons change their directory.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> RunDir {
        RunDir(std::path::absolute(path.as_ref()).unwrap_or_else(|_| path.as_ref().to_owned()))
    }

    /// Where the cluster called `name` runs unless told: `/run/clusterctl/NAME` as root, else
    /// `$XDG_RUNTIME_DIR/clusterctl/NAME`, else a directory of this user's under the temporary directory.
    #[must_use]
    pub fn default_for(name: &str) -> RunDir {
        let uid = nix::unistd::geteuid();
        let base = match std::env::var_os("XDG_RUNTIME_DIR") {
            _ if uid.is_root() => PathBuf::from("/run/clusterctl"),
            Some(runtime) if !runtime.is_empty() => Path::new(&runtime).join("clusterctl"),
            // Not nested: of a directory in between somebody else might be the owner.
            _ => return RunDir::at(std::env::temp_dir().join(format!("clusterctl-{uid}-{name}"))),
        };
        RunDir::at(base.join(name))
    }

    /// Tries that any balancer could run in it, whether it exists or not.
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

    /// Makes the directory, for this user only, and tries that it can be written.
    ///
    /// # Errors
    /// When it cannot be made or written, others could write to it, or no balancer could run in it.
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
        // Of this process alone: another one may try at the same time.
        let trial = self.0.join(format!(".trial-{}", std::process::id()));
        fs::write(&trial, "")
            .and_then(|()| fs::remove_file(&trial))
            .map_err(unusable)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The supervisor's UNIX socket.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// What a new supervisor needs to adopt a dead one's children.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// Held locked by the one supervisor.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Where children and the supervisor write their logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The log of the child called `name`, or of `supervisor`.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.0.join("logs").join(format!("{name}.log"))
    }

    /// HAProxy's configuration.
    #[must_use]
    pub fn haproxy_config(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, ".cfg")
    }

    /// HAProxy's runtime API.
    #[must_use]
    pub fn haproxy_socket(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, ".sock")
    }

    /// Where HAProxy's stick tables pass from an old process to a new one.
    #[must_use]
    pub fn haproxy_peers_socket(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, "-peers.sock")
    }

    /// Where one HAProxy of several gets its listeners.
    #[must_use]
    pub fn haproxy_listeners_socket(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, "-listen.sock")
    }

    /// HAProxy's server states, read by a new process.
    #[must_use]
    pub fn haproxy_state(&self, instance: Instance) -> PathBuf {
        self.of_haproxy(instance, ".state")
    }

    /// Names of the drained nodes, one a line: sessions and cookies with one of them do not count. Read by HAProxy when it starts.
    #[must_use]
    pub fn haproxy_drained_names(&self) -> PathBuf {
        self.0.join("haproxy-drained.names")
    }

    /// Server ids of the drained nodes, one a line: stick-table entries with one of them do not count.
    #[must_use]
    pub fn haproxy_drained_ids(&self) -> PathBuf {
        self.0.join("haproxy-drained.ids")
    }

    /// The built-in balancer's configuration.
    #[must_use]
    pub fn dataplane_config(&self) -> PathBuf {
        self.0.join("dataplane.yaml")
    }

    /// The built-in balancer's runtime API.
    #[must_use]
    pub fn dataplane_socket(&self) -> PathBuf {
        self.0.join("dataplane.sock")
    }

    /// Where the built-in balancer keeps who is sticky to whom, for the process that follows it.
    #[must_use]
    pub fn dataplane_memory(&self) -> PathBuf {
        self.0.join("dataplane.memory")
    }

    /// Names of the drained nodes, one a line. Read by the built-in balancer when it starts.
    #[must_use]
    pub fn dataplane_drained(&self) -> PathBuf {
        self.0.join("dataplane.drained")
    }

    /// Names of the nodes that do not answer, one a line. Read by the built-in balancer when it starts.
    #[must_use]
    pub fn dataplane_down(&self) -> PathBuf {
        self.0.join("dataplane.down")
    }

    /// nginx's configuration.
    #[must_use]
    pub fn nginx_config(&self) -> PathBuf {
        self.0.join("nginx.conf")
    }

    /// nginx's status page, for us.
    #[must_use]
    pub fn nginx_socket(&self) -> PathBuf {
        self.0.join("nginx.sock")
    }

    /// The pid of nginx's master process, written by it.
    #[must_use]
    pub fn nginx_pid(&self) -> PathBuf {
        self.0.join("nginx.pid")
    }

    /// Where nginx could keep what does not fit into memory; always empty.
    #[must_use]
    pub fn nginx_temp(&self) -> PathBuf {
        self.0.join("nginx-temp")
    }

    /// Who the BEAM nodes are, for `erl -config`.
    #[must_use]
    pub fn erlang_config(&self) -> PathBuf {
        self.0.join("cluster.config")
    }

    /// What BEAM nodes run.
    #[must_use]
    pub fn erlang(&self) -> PathBuf {
        self.0.join("erlang")
    }

    /// The home directory of BEAM nodes.
    #[must_use]
    pub fn erlang_home(&self) -> PathBuf {
        self.erlang().join("home")
    }

    /// The cookie by which BEAM nodes know one another.
    #[must_use]
    pub fn erlang_cookie(&self) -> PathBuf {
        self.erlang_home().join(".erlang.cookie")
    }

    /// Certificate chain and private key in one PEM file, as HAProxy wants them.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.0.join("tls.pem")
    }

    /// Whether nothing is in it that only a running cluster has.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.lock_file().exists() && !self.transient().iter().any(|path| path.exists())
    }

    /// Removes what only a running cluster has: sockets and states. Logs and rendered configurations stay, and the lock
    /// is its holder's.
    ///
    /// # Errors
    /// When something cannot be removed; the rest is removed nevertheless.
    pub fn clean(&self) -> io::Result<()> {
        let mut outcome = Ok(());
        for path in self.transient() {
            // Whoever was killed while he replaced a file has left the new one.
            for path in [new_of(&path), path] {
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

    /// Replaces the file at `path` whole, so that no reader and no crash ever sees half of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
        let new = new_of(path);
        let replaced = Self::write_new(&new, content).and_then(|()| fs::rename(&new, path));
        if replaced.is_err() {
            // Half a file, on a full disk, helps nobody.
            let _gone_or_not = fs::remove_file(&new);
        }
        replaced
    }

    // Private

    fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file: File = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(content)?;
        file.sync_data()
    }

    /// What only a running cluster has.
    fn transient(&self) -> Vec<PathBuf> {
        let mut paths = vec![
            self.control_socket(),
            self.haproxy_socket(Instance::Only),
            self.haproxy_peers_socket(Instance::Only),
            self.haproxy_state(Instance::Only),
            self.haproxy_drained_names(),
            self.haproxy_drained_ids(),
            self.dataplane_socket(),
            self.dataplane_memory(),
            self.dataplane_drained(),
            self.dataplane_down(),
            self.nginx_socket(),
            self.nginx_pid(),
            self.certificate(),
            self.erlang_cookie(),
        ];
        paths.extend(self.of_instances());
        // Last: as long as it is there, somebody may look for children.
        paths.push(self.state_file());
        paths
    }

    /// Sockets and states of several processes of `HAProxy`, however many there were.
    fn of_instances(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| {
                let is_transient = path
                    .extension()
                    .is_some_and(|kind| kind == "sock" || kind == "state");
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let number = name.strip_prefix("haproxy-");
                is_transient && number.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
            })
            .collect()
    }

    fn of_haproxy(&self, instance: Instance, what: &str) -> PathBuf {
        self.0.join(match instance {
            Instance::Only => format!("haproxy{what}"),
            Instance::Numbered(number) => format!("haproxy-{number}{what}"),
        })
    }

    /// Whether only this user decides what is in it: the directory, and the link to it if it is one, are this user's.
    fn is_ours(&self) -> io::Result<bool> {
        let own = nix::unistd::geteuid().as_raw();
        let (entry, directory) = (fs::symlink_metadata(&self.0)?, fs::metadata(&self.0)?);
        Ok(entry.uid() == own && directory.uid() == own && directory.mode() & 0o002 == 0)
    }

    fn longest_socket(&self) -> PathBuf {
        self.haproxy_listeners_socket(Instance::Numbered(99))
    }
}

// Private

fn shown(path: &Path) -> String {
    excerpt(&path.to_string_lossy())
}

/// Where what is to replace the file at `path` is written.
fn new_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
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
        assert!(error.contains("has `$` in its path: nginx takes"), "{error}");
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
    fn replacing_a_file_leaves_only_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        RunDir::replace(&path, b"old").unwrap();
        RunDir::replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_only_a_running_cluster_has_is_removed_half_written_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(dir.path());
        fs::write(run_dir.dataplane_memory(), "").unwrap();
        fs::write(new_of(&run_dir.dataplane_memory()), "").unwrap();
        let config = run_dir.haproxy_config(Instance::Numbered(12));
        for path in [
            config.clone(),
            run_dir.haproxy_socket(Instance::Numbered(12)),
            run_dir.haproxy_peers_socket(Instance::Numbered(1)),
            run_dir.haproxy_state(Instance::Numbered(2)),
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

    #[test]
    fn a_file_that_cannot_be_replaced_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        fs::create_dir(&path).unwrap();
        assert!(RunDir::replace(&path, b"new").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
