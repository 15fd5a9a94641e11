//! Kernel parameters: their current values, and the files in `/etc` that set them at boot and the
//! limits of users at login.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::atomic_file;

/// Our own file of parameters to set at every boot, next to those of other packages.
const SYSCTLS: &str = "etc/sysctl.d/60-clusterctl.conf";
/// Our own file of limits to set at every login, next to those of other packages.
const LIMITS: &str = "etc/security/limits.d/60-clusterctl.conf";

/// The longest value: a port list that names every other port.
const MAX_VALUE: usize = 256 << 10;

/// Where a host keeps its settings.
#[derive(Clone, Debug)]
pub struct Sysctl {
    root: PathBuf,
}

impl Default for Sysctl {
    /// The settings of this host.
    fn default() -> Sysctl {
        Sysctl::below("/")
    }
}

impl Sysctl {
    /// The settings below `root`, which is `/` except in tests.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Sysctl {
        Sysctl { root: root.into() }
    }

    /// The value of the parameter `key`, with single spaces.
    ///
    /// # Errors
    /// When this kernel does not have the parameter, or it cannot be read.
    pub fn get(&self, key: &str) -> io::Result<String> {
        let text = read_parameter(&self.parameter(key))?;
        Ok(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Sets the parameter `key` until the next boot.
    ///
    /// # Errors
    /// When this kernel does not have the parameter, rejects the value, or does not permit setting
    /// it in this container.
    pub fn set(&self, key: &str, value: &str) -> io::Result<()> {
        let mut parameter = OpenOptions::new().write(true).open(self.parameter(key))?;
        // In one write: the kernel takes each write for a complete value.
        parameter.write_all(format!("{value}\n").as_bytes())
    }

    /// The file of the parameter `key`.
    #[must_use]
    pub fn parameter(&self, key: &str) -> PathBuf {
        self.root.join("proc/sys").join(key.replace('.', "/"))
    }

    /// Our own file of parameters for every boot.
    #[must_use]
    pub fn sysctls_file(&self) -> PathBuf {
        self.root.join(SYSCTLS)
    }

    /// Our own file of limits for every login.
    #[must_use]
    pub fn limits_file(&self) -> PathBuf {
        self.root.join(LIMITS)
    }

    /// The content of the file at `path`, if it exists.
    ///
    /// # Errors
    /// When it cannot be read, or is not text.
    pub fn read(path: &Path) -> io::Result<Option<String>> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the file at `path` whole; every user can read it.
    ///
    /// # Errors
    /// When it cannot be written, for example because its directory is missing.
    pub fn replace(path: &Path, content: &str) -> io::Result<()> {
        // The programs that read these directories ignore names that do not end with `.conf`.
        atomic_file::replace(path, content.as_bytes(), atomic_file::READABLE)
    }
}

/// The parameter's text in the file at `path`, unchanged.
///
/// # Errors
/// When it cannot be read, or is not text.
pub(super) fn read_parameter(path: &Path) -> io::Result<String> {
    in_one_read(fs::File::open(path)?)
}

// Private

/// The result of the first read. The kernel gives nothing to a second read of a list of numbers or
/// ports, so a reader that begins with a small buffer, as [`fs::read_to_string`] does, gets only
/// the list's first 32 bytes.
fn in_one_read(mut file: impl Read) -> io::Result<String> {
    let mut buffer = vec![0; MAX_VALUE];
    let length = file.read(&mut buffer)?;
    buffer.truncate(length);
    String::from_utf8(buffer).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn parameters_are_read_and_set() {
        let root = tempfile::tempdir().unwrap();
        let settings = Sysctl::below(root.path());
        let range = root.path().join("proc/sys/net/ipv4/ip_local_port_range");
        fs::create_dir_all(range.parent().unwrap()).unwrap();
        fs::write(&range, "32768\t60999\n").unwrap();
        let key = "net.ipv4.ip_local_port_range";
        assert_eq!(settings.get(key).unwrap(), "32768 60999");
        fs::write(&range, "").unwrap();
        assert_eq!(settings.get(key).unwrap(), "");
        settings.set(key, "14000 65535").unwrap();
        assert_eq!(fs::read_to_string(range).unwrap(), "14000 65535\n");
        // A parameter that the kernel does not have is not created.
        assert!(settings.set("net.core.nothing", "1").is_err());
        assert!(settings.get("net.core.nothing").is_err());
    }

    #[test]
    fn a_list_is_read_in_one_read() {
        struct Kernel(Option<String>);
        impl Read for Kernel {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let text = self.0.take().unwrap_or_default();
                text.as_bytes().read(buffer)
            }
        }
        let list = "8000-8002,8080-8084,8404-8405,8888,9001-9004\n".repeat(1_000);
        assert_eq!(in_one_read(Kernel(Some(list.clone()))).unwrap(), list);
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("60-clusterctl.conf");
        assert_eq!(Sysctl::read(&path).unwrap(), None);
        Sysctl::replace(&path, "old").unwrap();
        Sysctl::replace(&path, "new").unwrap();
        assert_eq!(Sysctl::read(&path).unwrap().as_deref(), Some("new"));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert!(Sysctl::replace(&root.path().join("no/such"), "").is_err());
    }
}
