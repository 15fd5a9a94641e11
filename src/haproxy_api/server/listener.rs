//! The runtime API's UNIX socket, on which one process answers for its own user.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// A socket at a path, which is removed when this is dropped.
#[derive(Debug)]
pub struct ApiListener {
    listener: UnixListener,
    path: PathBuf,
    /// Identifies the socket, so that a successor's is not removed.
    inode: u64,
}

/// Where a socket was opened.
#[derive(Clone, Debug)]
pub struct ApiPlace {
    path: PathBuf,
    inode: u64,
}

impl ApiPlace {
    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether another file is there.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() != self.inode)
    }

    /// Whether the socket is not there any more, and no process answers there.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        !is_at(&self.path, self.inode) && !is_answered(&self.path)
    }
}

/// The socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ApiListenerError {
    /// Another process answers there.
    #[error("another process answers on `{}`", .0.display())]
    Taken(PathBuf),
    /// Another file is there, and is not removed.
    #[error("`{}` is not a socket", .0.display())]
    NoSocket(PathBuf),
    /// It cannot be created.
    #[error("cannot listen on `{}`: {source}", .path.display())]
    Listen {
        /// The path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl ApiListener {
    /// Listens at `path`, for this user and root only. Replaces the socket of a process that has
    /// ended.
    ///
    /// # Errors
    /// If another process answers there, another file is there, or the socket cannot be created.
    pub fn open(path: &Path) -> Result<ApiListener, ApiListenerError> {
        let is_socket = |found: fs::Metadata| found.file_type().is_socket();
        if fs::symlink_metadata(path).is_ok_and(is_socket) && is_answered(path) {
            return Err(ApiListenerError::Taken(path.to_owned()));
        }
        ApiListener::replace(path)
    }

    /// Listens at `path` as [`ApiListener::open`] does, also in place of a process that still answers
    /// there: it keeps its conversations, and gets no further ones.
    ///
    /// # Errors
    /// If another file is there, or the socket cannot be created.
    pub fn replace(path: &Path) -> Result<ApiListener, ApiListenerError> {
        if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
            return Err(ApiListenerError::NoSocket(path.to_owned()));
        }
        listen(path).map_err(|source| ApiListenerError::Listen {
            path: path.to_owned(),
            source,
        })
    }

    /// The path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it was opened, to be looked at later.
    #[must_use]
    pub fn place(&self) -> ApiPlace {
        ApiPlace {
            path: self.path.clone(),
            inode: self.inode,
        }
    }

    /// The listener for the current runtime.
    pub(in crate::haproxy_api) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.listener.try_clone()?)
    }
}

impl Drop for ApiListener {
    fn drop(&mut self) {
        if is_at(&self.path, self.inode) {
            // A socket that stays behind is replaced by the next process.
            let _stays = fs::remove_file(&self.path);
        }
    }
}

// Private

/// Created under another name and then renamed: it is never visible half-made, or open to all
/// users.
fn listen(path: &Path) -> io::Result<ApiListener> {
    let mut half = path.as_os_str().to_owned();
    half.push(format!(".{}", std::process::id()));
    let half = PathBuf::from(half);
    let _was_none = fs::remove_file(&half);
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.bind(&SockAddr::unix(&half)?)?;
    fs::set_permissions(&half, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    fs::rename(&half, path)?;
    Ok(ApiListener {
        listener: socket.into(),
        path: path.to_owned(),
        inode: fs::symlink_metadata(path)?.ino(),
    })
}

fn is_at(path: &Path, inode: u64) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.ino() == inode)
}

/// Whether a process listens: a full queue refuses too, but with another error than a dead socket.
fn is_answered(path: &Path) -> bool {
    let connected = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)
        .and_then(|socket| socket.connect(&SockAddr::unix(path)?));
    connected.map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let dead = UnixListener::bind(&path).unwrap();
        // A program that another test starts now may still have a copy of it.
        socket2::SockRef::from(&dead)
            .shutdown(std::net::Shutdown::Both)
            .unwrap();
        let listener = ApiListener::open(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = ApiListener::open(&path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("another process answers on `{}`", path.display())
        );
        drop(listener);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_file_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(
            ApiListener::open(&path),
            Err(ApiListenerError::NoSocket(_))
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_living_socket_can_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let old = ApiListener::open(&path).unwrap();
        let place = old.place();
        assert!(!place.is_abandoned());
        assert!(!place.is_replaced());
        let new = ApiListener::replace(&path).unwrap();
        assert!(place.is_replaced() && !place.is_abandoned());
        drop(old);
        let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        new.listener.accept().unwrap();
        drop(new);
        assert!(place.is_abandoned());
    }

    #[test]
    fn a_successors_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let old = ApiListener::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _new = ApiListener::open(&path).unwrap();
        drop(old);
        assert!(path.exists());
    }
}
