//! A program to run to its end, or as a supervised process.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::inherited::Inherited;
use super::process::Process;
use super::reaper::Watched;
use super::self_exe;

/// Variables that a service manager sets for one process only, not for its children.
const OF_SERVICE_MANAGER: [&str; 10] = [
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "MAINPID",
    "MANAGERPID",
    "NOTIFY_SOCKET",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];
/// What our own variables begin with.
const OWN: &str = "CLUSTERCTL_";
/// The one that our own programs inherit.
const LOG: &str = "CLUSTERCTL_LOG";

/// A program and how to run it.
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its name in `ps`; by default its path.
    pub name: Option<OsString>,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to its environment.
    pub env: Vec<(OsString, OsString)>,
    /// Variables of our own environment that it does not inherit.
    pub unset: Vec<OsString>,
    /// Its working directory; by default our own.
    pub directory: Option<PathBuf>,
    /// Its `RLIMIT_NOFILE`, soft and hard; by default inherited.
    pub nofile: Option<u64>,
    /// The file by which it enters a control group; if that is not permitted, it stays in our own
    /// group.
    pub control_group: Option<PathBuf>,
    /// The listeners that it inherits.
    pub inherited: Inherited,
}

impl Program {
    /// The program at `path`, without arguments.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Program {
        Program {
            path: path.into(),
            name: None,
            args: Vec::new(),
            env: Vec::new(),
            unset: Vec::new(),
            directory: None,
            nofile: None,
            control_group: None,
            inherited: Inherited::default(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Program {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Program {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds variables to its environment.
    #[must_use]
    pub fn with(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Program {
        self.env.extend(variables);
        self
    }

    /// Lets it inherit `listeners`, as descriptors 3, 4, .. in this order; more calls continue the
    /// numbers. They share their state with ours, also whether they block.
    #[must_use]
    pub fn inherit(mut self, listeners: impl IntoIterator<Item = Arc<TcpListener>>) -> Program {
        self.inherited.extend(listeners);
        self
    }

    /// Keeps the variables from it that are meant for this process alone: those of a service manager,
    /// and our own.
    #[must_use]
    pub fn without_own_variables(mut self) -> Program {
        let is_ours = self.path == self_exe();
        let names = std::env::vars_os().map(|(name, _)| name).filter(|name| {
            let name = name.to_string_lossy();
            OF_SERVICE_MANAGER.contains(&&*name) || (name.starts_with(OWN) && !(is_ours && name == LOG))
        });
        self.unset.extend(names);
        self
    }

    /// Lets its C library request huge pages from the kernel.
    ///
    /// A process that gets tens of thousands of connections within seconds then has one page fault
    /// for every 2 MB of them instead of every 4 kB; in a virtual machine a fault takes about 10
    /// µs, because its host has to find the page too. Tunables that are set in our own environment
    /// take precedence.
    #[must_use]
    pub fn with_huge_pages(mut self) -> Program {
        const TUNABLES: &str = "GLIBC_TUNABLES";
        if std::env::var_os(TUNABLES).is_none() {
            self.env.push((TUNABLES.into(), "glibc.malloc.hugetlb=1".into()));
        }
        self
    }

    /// Runs the program to its end, with closed input and captured output.
    ///
    /// # Errors
    /// When it cannot be started, or does not end within `limit`; it is killed then, with all
    /// processes that it has started.
    pub async fn output(&self, limit: Duration) -> io::Result<Output> {
        let mut command = tokio::process::Command::from(self.command()?);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let (child, _watched) = Watched::start(|| {
            let child = command.spawn()?;
            let pid = child.id().unwrap_or_default();
            Ok((child, pid))
        })?;
        let group = Group(child.id());
        match tokio::time::timeout(limit, child.wait_with_output()).await {
            Ok(output) => {
                group.dismiss();
                output
            }
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("not done after {limit:?}"),
            )),
        }
    }

    /// Starts it in its own process group. Its output is appended to the file `log`, which outlives
    /// both processes.
    pub fn spawn(&self, log: &Path) -> io::Result<Process> {
        let log = OpenOptions::new().append(true).create(true).open(log)?;
        let mut command = self.command()?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        Process::start(&mut command)
    }

    /// Starts it in its own session, without a terminal. It reads `input`, and its output is
    /// appended to the file `log`.
    #[expect(unsafe_code, reason = "a new session begins between fork and exec")]
    pub fn spawn_detached(&self, input: &[u8], log: &Path) -> io::Result<Process> {
        let stdin = memory_file(input)?;
        let log = OpenOptions::new().append(true).create(true).open(log)?;
        let mut command = self.command()?;
        command
            .stdin(stdin)
            .stdout(log.try_clone()?)
            .stderr(log)
            .current_dir("/");
        // SAFETY: setsid is async-signal-safe and touches no memory of this process.
        unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from)) };
        Process::start(&mut command)
    }

    /// Becomes the program, in this process. With `input`, that is its standard input. Returns only
    /// if that fails.
    #[must_use]
    pub fn replace_self(&self, input: Option<&[u8]>) -> io::Error {
        let prepared = self.command().and_then(|mut command| {
            if let Some(input) = input {
                command.stdin(memory_file(input)?);
            }
            Ok(command)
        });
        prepared.map_or_else(|error| error, |mut command| command.exec())
    }

    // Private

    #[expect(unsafe_code, reason = "limits and groups are set between fork and exec")]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that starts programs"
    )]
    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(&self.path);
        if let Some(name) = &self.name {
            command.arg0(name);
        }
        command.args(&self.args);
        for key in &self.unset {
            command.env_remove(key);
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let members = self.control_group.as_ref();
        if let Some(members) = members.and_then(|path| OpenOptions::new().write(true).open(path).ok()) {
            // SAFETY: write is async-signal-safe, and the bytes are constant.
            unsafe {
                command.pre_exec(move || {
                    let _entered_or_not = nix::unistd::write(&members, b"0");
                    Ok(())
                });
            }
        }
        self.inherited.pass_to(&mut command)?;
        if let Some(nofile) = self.nofile {
            // SAFETY: setrlimit is async-signal-safe and touches no memory of this process.
            unsafe {
                command.pre_exec(move || {
                    setrlimit(Resource::RLIMIT_NOFILE, nofile, nofile).map_err(io::Error::from)
                });
            }
        }
        Ok(command)
    }
}

impl fmt::Debug for Program {
    /// Without its environment, which may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("path", &self.path)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

/// A program and all processes that it has started; they are killed together when this value is
/// dropped before the program has ended.
struct Group(Option<u32>);

impl Group {
    /// The program has ended and was waited for, so its number can belong to another process now.
    fn dismiss(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0.and_then(|pid| i32::try_from(pid).ok()) {
            let _gone_or_not = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

/// A file in memory with this content: unlike a pipe it accepts any length at once, unlike a file on
/// disk it leaves nothing behind.
fn memory_file(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"input", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_is_captured_and_limits_hold() {
        let mut program = Program::new("/bin/sh").args(["-c", "ulimit -n; exit 3"]);
        program.nofile = Some(123);
        let output = program.output(Duration::from_secs(10)).await.unwrap();
        assert_eq!(
            (output.stdout.as_slice(), output.status.code()),
            (b"123\n".as_slice(), Some(3))
        );
    }

    #[tokio::test]
    async fn a_detached_program_reads_its_input() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let program = Program::new("/bin/cat");
        let mut process = program.spawn_detached(b"what to run", &log).unwrap();
        assert!(process.ended().await.unwrap().unwrap().success());
        assert_eq!(std::fs::read(&log).unwrap(), b"what to run");
    }

    #[tokio::test]
    async fn unset_variables_are_not_inherited() {
        let mut program = Program::new("/bin/sh").args(["-c", "echo ${HOME-none}${PATH:+ some}"]);
        program.unset = vec!["HOME".into()];
        let output = program.output(Duration::from_secs(10)).await.unwrap();
        assert_eq!(output.stdout, b"none some\n");
    }

    #[tokio::test]
    async fn processes_that_a_program_started_are_ended_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; wait", pid.display());
        let program = Program::new("/bin/sh").args(["-c", &script]);
        program.output(Duration::from_millis(500)).await.unwrap_err();
        let pid: u32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        // The process that adopts it may take a while to reap it.
        let is_over = |stat: String| stat.contains(") Z ") || stat.contains(") X ");
        for _ in 0..1_000 {
            if std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, is_over) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{stat:?}");
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_ended() {
        let error = Program::new("/bin/sleep")
            .arg("60")
            .output(Duration::from_millis(50))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
