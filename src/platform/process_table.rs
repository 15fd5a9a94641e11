//! Every process of this host at one moment, as `/proc` shows it.

use std::fs;

use super::mark::Origin;
use super::process::{Identity, fields_after_name, stat};

/// One process that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The process.
    pub process: Identity,
    /// Its parent's pid.
    pub parent: u32,
    /// The number of its process group: its leader's pid.
    pub group: u32,
    /// The name of its command, at most 15 bytes.
    pub command: String,
    /// What its environment shows about its origin.
    pub origin: Origin,
    /// Its control group of version 2: the path in its hierarchy.
    pub control_group: String,
}

/// All processes; those that end in the meantime may be missing.
#[must_use]
pub fn process_table() -> Vec<Entry> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(entry)
        .collect()
}

/// The command line of process `pid`, its arguments separated by spaces; empty when it has ended.
#[must_use]
pub fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

// Private

fn entry(pid: u32) -> Option<Entry> {
    let origin = Origin::of(pid);
    let control_groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    parse(pid, &stat(pid)?, origin, &control_groups)
}

fn parse(pid: u32, stat: &str, origin: Origin, control_groups: &str) -> Option<Entry> {
    let command = stat.split_once('(')?.1.rsplit_once(')')?.0;
    let mut fields = fields_after_name(stat)?;
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let start_time = fields.nth(16)?.parse().ok()?;
    let unified = control_groups.lines().find_map(|line| line.strip_prefix("0::"));
    (!matches!(state, "Z" | "X")).then(|| Entry {
        process: Identity { pid, start_time },
        parent,
        group,
        command: command.to_owned(),
        origin,
        control_group: unified.unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "7 (a) b (c) S 3 5 5 0 -1 4 0 0 0 0 2 5 0 0 20 0 1 0 99 1000 25 0";

    #[test]
    fn fields_are_found_after_any_name() {
        let entry = parse(7, STAT, Origin::Unknown, "1:cpu:/a\n0::/b/c\n").unwrap();
        assert_eq!((entry.process.pid, entry.process.start_time), (7, 99));
        assert_eq!((entry.parent, entry.group), (3, 5));
        assert_eq!(
            (entry.command.as_str(), entry.control_group.as_str()),
            ("a) b (c", "/b/c")
        );
    }

    #[test]
    fn an_ended_process_is_not_listed() {
        assert_eq!(parse(7, &STAT.replace(" S ", " Z "), Origin::Unknown, ""), None);
        assert_eq!(parse(7, "7 (a) S 1", Origin::Unknown, ""), None);
        assert_eq!(parse(7, "", Origin::Unknown, ""), None);
    }

    #[test]
    fn this_process_is_listed() {
        let own = Identity::own();
        let table = process_table();
        let entry = table.iter().find(|entry| entry.process == own).unwrap();
        assert_eq!(entry.parent, std::os::unix::process::parent_id());
    }
}
