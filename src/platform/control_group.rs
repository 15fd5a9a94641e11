//! Control groups of version 2 for children, so that no descendant of one is lost.
//!
//! A process stays in its group whatever it does: it may clear its environment and begin a new session. Groups are made
//! below this process's own one, and only where that is permitted: not on read-only file systems, not for users who do not
//! own the hierarchy, and under systemd only in a unit that it has delegated (`Delegate=yes`). No controller is
//! enabled, so nothing is limited or accounted by them.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::mark::RunId;

/// Where a process's number is written to move it into a group.
const MEMBERS: &str = "cgroup.procs";

/// The control groups of one run's children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlGroups(PathBuf);

impl ControlGroups {
    /// Makes them below this process's own group; `None` where that is not permitted.
    #[must_use]
    pub fn make(run: &RunId) -> Option<ControlGroups> {
        let own = own_group()?;
        if !run.is_known() || (is_run_by_systemd() && !is_delegated(&own)) {
            return None;
        }
        let groups = ControlGroups(own.join(name_of(run)));
        // A trial: only one that takes processes is of use.
        let trial = groups.join("trial")?;
        let takes_processes = fs::OpenOptions::new().write(true).open(trial).is_ok();
        let _removed = fs::remove_dir(groups.0.join("trial"));
        if !takes_processes {
            remove(&groups.0);
            return None;
        }
        Some(groups)
    }

    /// The file by which a process enters the group of the child called `name`; the group is made if need be.
    #[must_use]
    pub fn join(&self, name: &str) -> Option<PathBuf> {
        let group = self.0.join(name);
        fs::create_dir_all(&group).ok()?;
        Some(group.join(MEMBERS))
    }

    /// Their directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }
}

/// Removes the groups in `directory`, and then itself. What is still in them, such as a command that a child has started,
/// moves to the group above.
pub fn remove(directory: &Path) {
    let above = directory.parent().map(|above| above.join(MEMBERS));
    let groups = fs::read_dir(directory).into_iter().flatten().flatten();
    for group in groups.filter(|entry| entry.path().is_dir()) {
        let members = fs::read_to_string(group.path().join(MEMBERS)).unwrap_or_default();
        for (pid, above) in members.lines().zip(above.iter().cycle()) {
            let _moved_or_ended = fs::write(above, pid);
        }
        let _occupied = fs::remove_dir(group.path());
    }
    let _occupied = fs::remove_dir(directory);
}

/// The child of `run` to whose group the process with this `control_group` belongs.
#[must_use]
pub fn child_of<'a>(run: &RunId, control_group: &'a str) -> Option<&'a str> {
    let ours = name_of(run);
    let mut groups = control_group.split('/').skip_while(|group| *group != ours);
    groups.nth(1).filter(|_| run.is_known())
}

// Private

fn name_of(run: &RunId) -> String {
    format!("clusterctl-{run}")
}

/// The directory of this process's own group.
fn own_group() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    group_directory(&fs::read_to_string("/proc/self/mountinfo").ok()?, own)
}

/// Where the group at `path` in the hierarchy of version 2 is found, by `mounts` as in `proc_pid_mountinfo(5)`. A part of
/// the hierarchy only may be mounted.
fn group_directory(mounts: &str, path: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|mount| {
        let (place, kind) = mount.split_once(" - ")?;
        if kind.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut place = place.split(' ').skip(3);
        let (root, mounted_at) = (place.next()?, place.next()?);
        let below = Path::new(path).strip_prefix(root).ok()?;
        // A group outside of our namespace begins with `/..`.
        (!below.starts_with("..")).then(|| Path::new(mounted_at).join(below))
    })
}

/// See `sd_booted(3)`.
fn is_run_by_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether systemd leaves the groups below this one to the unit: it says so in an attribute of the directory.
fn is_delegated(group: &Path) -> bool {
    [c"user.delegate", c"trusted.delegate"]
        .into_iter()
        .any(|name| attribute(group, name).is_ok_and(|value| value == b"1"))
}

#[expect(unsafe_code, reason = "getxattr has no wrapper in nix or std")]
fn attribute(path: &Path, name: &std::ffi::CStr) -> io::Result<Vec<u8>> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut value = vec![0_u8; 16];
    // SAFETY: both strings end with a zero byte, and the kernel writes no more than the length that it is given.
    let length = unsafe {
        libc::getxattr(
            path.as_ptr(),
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    value.truncate(length);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_where_its_hierarchy_is_mounted() {
        let unified = "25 18 0:21 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let hybrid = "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      31 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let container = "40 39 0:21 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        for (mounts, path, expected) in [
            (unified, "/", Some("/sys/fs/cgroup")),
            (unified, "/a/b", Some("/sys/fs/cgroup/a/b")),
            (unified, "/../other", None),
            (hybrid, "/a", Some("/sys/fs/cgroup/unified/a")),
            (container, "/docker/abc/d", Some("/sys/fs/cgroup/d")),
            (container, "/system.slice", None),
            ("", "/", None),
        ] {
            assert_eq!(
                group_directory(mounts, path),
                expected.map(PathBuf::from),
                "{path}"
            );
        }
    }

    #[test]
    fn a_member_is_known_by_its_path() {
        let (run, other) = (RunId::random().unwrap(), RunId::random().unwrap());
        let path = format!("/system.slice/{}/erlmcp1/below", name_of(&run));
        assert_eq!(child_of(&run, &path), Some("erlmcp1"));
        assert_eq!(child_of(&other, &path), None);
        assert_eq!(child_of(&run, &format!("/{}", name_of(&run))), None);
        assert_eq!(child_of(&RunId::default(), "/clusterctl-/erlmcp1"), None);
    }

    #[test]
    fn where_groups_may_be_made_they_are_removed_again() {
        let Some(groups) = ControlGroups::make(&RunId::random().unwrap()) else {
            return;
        };
        assert!(groups.join("erlmcp1").unwrap().exists());
        remove(groups.directory());
        assert!(!groups.directory().exists());
    }
}
