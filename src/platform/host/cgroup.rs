//! What control groups allow, versions 1 and 2: a limit holds for a group and for every group below
//! it.

use std::fs;
use std::path::{Path, PathBuf};

use super::Memory;
use super::text;

/// Where the hierarchies are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// The names of the same files in one of the versions.
struct Names {
    limit: &'static str,
    usage: &'static str,
    /// The field of `memory.stat` that counts page cache; the kernel drops it first.
    reclaimable: &'static str,
}

const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file ",
};
const V2: Names = Names {
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: "inactive_file ",
};

/// The memory limits on this process: those of its own group and of the groups above.
pub(super) fn memory_limits() -> Vec<Memory> {
    let (v1, v2) = groups("memory");
    let v1 = v1.iter().filter_map(|group| memory_limit(group, &V1));
    let v2 = v2.iter().filter_map(|group| memory_limit(group, &V2));
    v1.chain(v2).collect()
}

/// The number of processes and threads that this process's group can have.
pub(super) fn pids_limit() -> Option<u64> {
    let (v1, v2) = groups("pids");
    v1.iter()
        .chain(&v2)
        .filter_map(|group| read(group, "pids.max"))
        .min()
}

fn memory_limit(group: &Path, names: &Names) -> Option<Memory> {
    let total: u64 = read(group, names.limit)?;
    let usage: u64 = read(group, names.usage).unwrap_or(0);
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let reclaimable = text::field(&stat, names.reclaimable)
        .and_then(text::number::<u64>)
        .unwrap_or(0);
    Some(Memory {
        total,
        available: total.saturating_sub(usage.saturating_sub(reclaimable)),
    })
}

/// The directories of this process's groups and of those above, in `controller`'s hierarchy of
/// version 1 and in the unified one of version 2.
fn groups(controller: &str) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let (v1, v2) = text::cgroup_paths(&text, controller);
    let root = Path::new(ROOT);
    (
        v1.map(|path| upwards(&root.join(controller), path))
            .unwrap_or_default(),
        v2.map(|path| upwards(root, path)).unwrap_or_default(),
    )
}

/// The directories from `root` joined with `path` up to `root` itself. In a container the path can
/// be the host's, of which only the root is readable.
fn upwards(root: &Path, path: &str) -> Vec<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    relative.ancestors().map(|group| root.join(group)).collect()
}

fn read(group: &Path, name: &str) -> Option<u64> {
    text::number(&fs::read_to_string(group.join(name)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_below_all_of_its_ancestors() {
        let groups = upwards(Path::new("/cg"), "/a/b");
        assert_eq!(groups, ["/cg/a/b", "/cg/a", "/cg/"].map(PathBuf::from));
    }

    #[test]
    fn page_cache_that_can_be_dropped_is_available() {
        let group = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(group.path().join(name), text).unwrap();
        assert_eq!(memory_limit(group.path(), &V2), None);
        write("memory.max", "max\n");
        assert_eq!(memory_limit(group.path(), &V2), None);
        write("memory.max", "1000\n");
        write("memory.current", "700\n");
        write("memory.stat", "anon 5\ninactive_file 300\nactive_file 100\n");
        let limit = memory_limit(group.path(), &V2).unwrap();
        assert_eq!((limit.total, limit.available), (1000, 600));
    }
}
