//! The mark that identifies the descendants of a supervised child: variables in their environment.
//!
//! A process inherits its parent's environment, and `/proc/PID/environ` shows it to the same user
//! and to root, also after the parent has ended and in a new session. A process that clears or
//! overwrites its environment has no mark.
//!
//! A `clusterctl` command that such a process runs does not belong to the child: it renames the
//! variable in its own environment, and what it starts is not marked either.

use std::ffi::{CStr, OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Names the child: `CLUSTER/NODE`, or `CLUSTER/haproxy` for a balancer.
pub const CHILD: &str = "CLUSTERCTL_CHILD";
/// Distinguishes clusters of the same name: a [`RunId`].
pub const RUN: &str = "CLUSTERCTL_RUN_ID";
/// The run directory of the child's cluster. It differs from `CLUSTERCTL_RUN_DIR`, which commands
/// read: a command that a child runs must not act on the child's cluster unasked.
pub const RUN_DIR: &str = "CLUSTERCTL_CHILD_RUN_DIR";
/// The index of a balancer instance.
pub const INSTANCE: &str = "CLUSTERCTL_CHILD_INSTANCE";
/// The name that [`CHILD`] is changed to; it has the same length.
const APART: &str = "CLUSTERCTL_APART";

/// The number of one run of a cluster, from its start to its stop. A supervisor that adopts
/// children keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

/// What a child's descendants have in their environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The child: `CLUSTER/NODE`.
    pub child: String,
    /// The run of that cluster.
    pub run: RunId,
    /// The run directory of that cluster; earlier versions set none.
    pub run_dir: Option<PathBuf>,
    /// The index of a balancer instance.
    pub instance: Option<usize>,
}

/// What a process's environment shows about its origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// No mark, or the environment cannot be read.
    #[default]
    Unknown,
    /// The process descends from a supervised child.
    Child(Mark),
    /// The process is a `clusterctl` command, or was started by one.
    Apart,
}

impl RunId {
    /// A number that no other run has.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn random() -> io::Result<RunId> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(RunId(format!("{:016x}", u64::from_ne_bytes(bytes))))
    }

    /// Whether the number is known: state files of earlier versions have none.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.0.is_empty()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Mark {
    /// The variables that a child is started with.
    pub fn variables(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let always: [(OsString, OsString); 2] = [
            (CHILD.into(), self.child.clone().into()),
            (RUN.into(), self.run.0.clone().into()),
        ];
        let run_dir = self.run_dir.clone().map(|path| (RUN_DIR.into(), path.into()));
        let instance = self.instance.map(|it| (INSTANCE.into(), it.to_string().into()));
        always.into_iter().chain(run_dir).chain(instance)
    }

    /// The name of the child's cluster; `None` when it has none.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        let cluster = self.child.rsplit_once('/').map(|(cluster, _)| cluster);
        cluster.filter(|cluster| !cluster.is_empty())
    }

    /// The name of the child in its cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.child.rsplit_once('/');
        name.map_or(self.child.as_str(), |(_, name)| name)
    }
}

impl Origin {
    /// The origin of process `pid`, according to its environment.
    #[must_use]
    pub fn of(pid: u32) -> Origin {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        Origin::parse(&environment)
    }

    /// The origin according to an environment in the format of `/proc/PID/environ`.
    fn parse(environment: &[u8]) -> Origin {
        let value = |name: &str| {
            environment.split(|byte| *byte == 0).find_map(|variable| {
                let value = variable.strip_prefix(name.as_bytes())?;
                value.strip_prefix(b"=")
            })
        };
        let text = |name: &str| value(name).map(|value| String::from_utf8_lossy(value).into_owned());
        match text(CHILD) {
            Some(child) => Origin::Child(Mark {
                child,
                run: RunId(text(RUN).unwrap_or_default()),
                run_dir: value(RUN_DIR).map(|path| OsStr::from_bytes(path).into()),
                instance: text(INSTANCE).and_then(|index| index.parse().ok()),
            }),
            None if value(APART).is_some() => Origin::Apart,
            None => Origin::Unknown,
        }
    }
}

/// Takes this process, and everything that it starts from now on, out of the child that it descends
/// from. Must be called before other threads exist.
#[expect(unsafe_code, reason = "the environment that /proc shows is changed in place")]
pub fn set_apart() {
    unsafe extern "C" {
        static mut environ: *mut *mut libc::c_char;
    }
    let name = [CHILD, "="].concat();
    // SAFETY: `environ` is null or an array of strings that ends with null. No other thread exists
    // that could change it, and no reference to one of its strings is held. The bytes that are
    // written are within the string and do not include its end.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            if CStr::from_ptr(*next).to_bytes().starts_with(name.as_bytes()) {
                std::ptr::copy_nonoverlapping(APART.as_ptr(), (*next).cast(), APART.len());
            }
            next = next.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written() {
        let mark = Mark {
            child: "erlmcp/erlmcp1".into(),
            run: RunId::random().unwrap(),
            run_dir: Some("/run/clusterctl/erlmcp".into()),
            instance: Some(2),
        };
        let mut environment = b"PATH=/bin\0".to_vec();
        for (name, value) in mark.variables() {
            environment.extend(name.as_encoded_bytes());
            environment.push(b'=');
            environment.extend(value.as_encoded_bytes());
            environment.push(0);
        }
        assert_eq!((mark.cluster(), mark.name()), (Some("erlmcp"), "erlmcp1"));
        assert_eq!(Origin::parse(&environment), Origin::Child(mark));
    }

    #[test]
    fn other_environments_have_none() {
        for (environment, origin) in [
            (&b""[..], Origin::Unknown),
            (
                b"CLUSTERCTL_CHILDREN=1\0A=CLUSTERCTL_CHILD=a/b\0",
                Origin::Unknown,
            ),
            (b"CLUSTERCTL_APART=erlmcp/erlmcp1\0", Origin::Apart),
            (b"\xff\xfe\0=\0", Origin::Unknown),
        ] {
            assert_eq!(Origin::parse(environment), origin);
        }
        assert_eq!(CHILD.len(), APART.len());
        assert_eq!(Origin::of(u32::MAX), Origin::Unknown);
    }

    #[test]
    fn runs_differ() {
        assert_ne!(RunId::random().unwrap(), RunId::random().unwrap());
        assert!(RunId::random().unwrap().is_known() && !RunId::default().is_known());
    }
}
