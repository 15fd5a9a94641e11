//! Control groups of version 2 for children, so that every descendant of a child is found.
//!
//! A process stays in its group whatever it does, even if it clears its environment and begins a
//! new session. The groups are made below this process's own one, and only where that is permitted:
//! not on read-only file systems, not for users who do not own the hierarchy, and under systemd
//! only in a unit that has `Delegate=yes`. No controller is enabled, so the groups neither limit
//! nor account anything.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::mark::RunId;

/// Writing a pid to this file moves the process into the group.
const MEMBERS: &str = "cgroup.procs";

/// The control groups of one run's children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlGroups(PathBuf);

impl ControlGroups {
    /// Makes the groups below this process's own group; `None` where that is not permitted.
    #[must_use]
    pub fn make(run: &RunId) -> Option<ControlGroups> {
        let own = own_group()?;
        if !run.is_known() || (is_run_by_systemd() && !is_delegated(&own)) {
            return None;
        }
        let groups = ControlGroups(own.join(name_of(run)));
        // A trial: the groups are only useful if they accept processes.
        let trial = groups.join("trial")?;
        let takes_processes = fs::OpenOptions::new().write(true).open(trial).is_ok();
        let _removed = fs::remove_dir(groups.0.join("trial"));
        if !takes_processes {
            remove(&groups.0);
            return None;
        }
        Some(groups)
    }

    /// The file by which a process enters the group of the child `name`; the group is made if
    /// necessary.
    #[must_use]
    pub fn join(&self, name: &str) -> Option<PathBuf> {
        let group = self.0.join(name);
        fs::create_dir_all(&group).ok()?;
        Some(group.join(MEMBERS))
    }

    /// The directory of the groups.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }
}

/// Removes the groups in `directory`, and then `directory` itself. Processes that are still in
/// them, such as a command that a child has started, move to the group above.
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

/// The directory of the groups of `run`, in one of which the process with this `control_group` is.
#[must_use]
pub fn directory_of(run: &RunId, control_group: &str) -> Option<PathBuf> {
    child_of(run, control_group)?;
    let ours = name_of(run);
    let (above, _) = control_group.split_once(&ours)?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    group_directory(&mounts, &format!("{above}{ours}"))
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

/// The directory of the group at `path` in the hierarchy of version 2, according to `mounts`, which
/// has the format of `proc_pid_mountinfo(5)`. It is possible that only a part of the hierarchy is
/// mounted.
fn group_directory(mounts: &str, path: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|mount| {
        let (place, kind) = mount.split_once(" - ")?;
        if kind.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut place = place.split(' ').skip(3);
        let (root, mounted_at) = (place.next()?, place.next()?);
        let below = Path::new(path).strip_prefix(root).ok()?;
        // A group outside our own namespace begins with `/..`.
        (!below.starts_with("..")).then(|| Path::new(mounted_at).join(below))
    })
}

/// Whether systemd is the init system, see `sd_booted(3)`.
fn is_run_by_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether systemd leaves the groups below this one to the unit: it marks the directory with an
/// attribute.
fn is_delegated(group: &Path) -> bool {
    [c"user.delegate", c"trusted.delegate"]
        .into_iter()
        .any(|name| attribute(group, name).is_ok_and(|value| value == b"1"))
}

#[expect(unsafe_code, reason = "getxattr has no wrapper in nix or std")]
fn attribute(path: &Path, name: &std::ffi::CStr) -> io::Result<Vec<u8>> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut value = vec![0_u8; 16];
    // SAFETY: both strings end with a zero byte, and the kernel writes at most the given length.
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
    fn a_member_is_recognised_by_its_path() {
        let (run, other) = (RunId::random().unwrap(), RunId::random().unwrap());
        let path = format!("/system.slice/{}/erlmcp1/below", name_of(&run));
        assert_eq!(child_of(&run, &path), Some("erlmcp1"));
        assert_eq!(child_of(&other, &path), None);
        assert_eq!(child_of(&run, &format!("/{}", name_of(&run))), None);
        assert_eq!(child_of(&RunId::default(), "/clusterctl-/erlmcp1"), None);
    }

    #[test]
    fn groups_that_were_made_are_removed_again() {
        let Some(groups) = ControlGroups::make(&RunId::random().unwrap()) else {
            return;
        };
        assert!(groups.join("erlmcp1").unwrap().exists());
        remove(groups.directory());
        assert!(!groups.directory().exists());
    }
}
