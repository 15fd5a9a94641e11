//! Listeners that a program inherits, as descriptors 3, 4, ..

use std::ffi::CString;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use rustix::io::fcntl_dupfd_cloexec;

/// The first number after standard input, output and error.
const FIRST: RawFd = 3;

/// The listeners that a program inherits, in the order of their descriptors. Two lists are equal if
/// they consist of the same open listeners.
#[derive(Clone, Default)]
pub struct Inherited(Vec<Arc<TcpListener>>);

impl Inherited {
    /// Adds listeners, for the next descriptors.
    pub(super) fn extend(&mut self, listeners: impl IntoIterator<Item = Arc<TcpListener>>) {
        self.0.extend(listeners);
    }

    /// The descriptors that the program has them under.
    #[must_use]
    pub fn descriptors(&self) -> Vec<RawFd> {
        (FIRST..).zip(&self.0).map(|(number, _)| number).collect()
    }

    /// Lets the program of `command` inherit them. Closures of `command` that use descriptors must
    /// be registered before, because any number from 3 on may get another meaning here.
    ///
    /// # Errors
    /// When this process can have no more descriptors: it takes two more for each listener.
    #[expect(unsafe_code, reason = "descriptors are numbered between fork and exec")]
    pub(super) fn pass_to(&self, command: &mut Command) -> io::Result<()> {
        let Some(any) = self.0.first() else {
            return Ok(());
        };
        let end = FIRST + RawFd::try_from(self.0.len()).map_err(io::Error::other)?;
        // The standard library opens a socket of its own when it forks, through which the child
        // reports that the program cannot be executed. With all the numbers taken that listeners
        // will get, that socket gets a higher one and is not overwritten. But another thread may
        // close such a number meanwhile. So the usual reasons are checked before numbers change;
        // for the others, such as a missing interpreter, the program then seems to end by SIGABRT.
        let program = checkable(command)?;
        let mut reserved: Vec<OwnedFd> = Vec::new();
        loop {
            let next = fcntl_dupfd_cloexec(any, FIRST)?;
            if next.as_raw_fd() >= end {
                break;
            }
            reserved.push(next);
        }
        let copies = self.0.iter().map(|listener| fcntl_dupfd_cloexec(listener, end));
        let copies: Vec<OwnedFd> = copies.collect::<Result<_, _>>()?;
        // SAFETY: access and dup2 are async-signal-safe, the path ends with a zero byte, and nothing
        // is allocated or freed.
        unsafe {
            command.pre_exec(move || {
                let _until_exec = &reserved;
                if let Some(program) = &program
                    && libc::access(program.as_ptr(), libc::X_OK) == -1
                {
                    return Err(io::Error::last_os_error());
                }
                for (number, copy) in (FIRST..).zip(&copies) {
                    // No copy has a number below `end`, so none is overwritten. The descriptor that
                    // results stays open in the program.
                    if libc::dup2(copy.as_raw_fd(), number) == -1 {
                        return Err(io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        Ok(())
    }
}

impl PartialEq for Inherited {
    fn eq(&self, other: &Inherited) -> bool {
        let same = |(one, other): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(one, other);
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

impl Eq for Inherited {}

impl fmt::Debug for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.descriptors()).finish()
    }
}

// Private

/// The path of the program; `None` for a name that is searched for in `PATH`.
fn checkable(command: &Command) -> io::Result<Option<CString>> {
    let program = command.get_program().as_bytes();
    if !program.contains(&b'/') {
        return Ok(None);
    }
    Ok(Some(CString::new(program)?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Duration;

    use super::super::{Process, Program};
    use super::*;

    fn listeners(count: usize) -> Vec<Arc<TcpListener>> {
        let open = |_| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            Arc::new(listener)
        };
        (0..count).map(open).collect()
    }

    /// What a descriptor refers to, as the kernel names it.
    fn target(listener: &TcpListener) -> String {
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd()));
        link.unwrap().to_str().unwrap().to_owned()
    }

    /// A program that lists its descriptors.
    fn lister(listeners: &[Arc<TcpListener>]) -> Program {
        Program::new("/bin/ls")
            .args(["-l", "/proc/self/fd"])
            .inherit(listeners.iter().cloned())
    }

    /// The sockets among the descriptors in the output of [`lister`].
    fn sockets(output: &[u8]) -> Vec<(RawFd, String)> {
        let output = String::from_utf8_lossy(output);
        let descriptor = |line: &str| {
            let (before, target) = line.split_once(" -> ")?;
            let number: RawFd = before.rsplit_once(' ')?.1.parse().ok()?;
            (number >= FIRST && target.starts_with("socket:")).then(|| (number, target.to_owned()))
        };
        let mut sockets: Vec<_> = output.lines().filter_map(descriptor).collect();
        sockets.sort();
        sockets
    }

    fn expected(listeners: &[Arc<TcpListener>]) -> Vec<(RawFd, String)> {
        (FIRST..)
            .zip(listeners.iter().map(|listener| target(listener)))
            .collect()
    }

    async fn written(log: &Path, mut process: Process) -> Vec<u8> {
        assert!(process.ended().await.unwrap().unwrap().success());
        fs::read(log).unwrap()
    }

    #[tokio::test]
    async fn a_program_has_the_listeners_in_order_and_no_other_sockets() {
        let directory = tempfile::tempdir().unwrap();
        // The test process itself uses descriptors from 3 on.
        for count in [1, 2, 200] {
            let listeners = listeners(count);
            let (program, expected) = (lister(&listeners), expected(&listeners));
            let output = program.output(Duration::from_secs(30)).await.unwrap();
            assert_eq!(sockets(&output.stdout), expected);
            let [attached, detached] = ["attached", "detached"].map(|name| {
                let name = format!("{name}-{count}");
                directory.path().join(name)
            });
            let process = program.spawn(&attached).unwrap();
            assert_eq!(sockets(&written(&attached, process).await), expected);
            let process = program.spawn_detached(b"", &detached).unwrap();
            assert_eq!(sockets(&written(&detached, process).await), expected);
            for listener in &listeners {
                let blocking = listener.accept().unwrap_err();
                assert_eq!(blocking.kind(), io::ErrorKind::WouldBlock);
            }
        }
    }

    #[tokio::test]
    async fn one_listener_can_be_inherited_twice_and_in_any_order() {
        let listeners = listeners(3);
        let [first, second, third] = [0, 1, 2].map(|index| Arc::clone(&listeners[index]));
        let mixed = [third, Arc::clone(&first), second, first];
        let output = lister(&mixed).output(Duration::from_secs(30)).await.unwrap();
        assert_eq!(sockets(&output.stdout), expected(&mixed));
        assert_eq!(lister(&mixed).inherited.descriptors(), [3, 4, 5, 6]);
    }

    #[tokio::test]
    async fn listeners_and_a_small_limit_go_together() {
        let listeners = listeners(20);
        let mut program = lister(&listeners);
        program.nofile = Some(30);
        let output = program.output(Duration::from_secs(30)).await.unwrap();
        assert_eq!(sockets(&output.stdout), expected(&listeners));
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_executed_is_an_error_while_descriptors_change() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Other threads close descriptors whose numbers the listeners get.
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Relaxed) {
                        let files: Vec<_> = (0..50).map(|_| fs::File::open("/dev/null")).collect();
                        drop(files);
                    }
                });
            }
            let errors: Vec<_> = ["/nonexistent/program", "/etc/passwd"]
                .repeat(5)
                .into_iter()
                .map(|path| Program::new(path).inherit(listeners(100)).spawn(&log).map(drop))
                .collect();
            is_over.store(true, Relaxed);
            for (index, result) in errors.into_iter().enumerate() {
                let expected = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied][index % 2];
                assert_eq!(result.unwrap_err().kind(), expected);
            }
        });
    }

    #[test]
    fn programs_with_the_same_listeners_are_equal() {
        let [some, others] = [listeners(2), listeners(2)];
        assert_eq!(lister(&some), lister(&some));
        assert_ne!(lister(&some), lister(&others));
        assert_ne!(lister(&some), lister(&some[..1]));
    }
}
