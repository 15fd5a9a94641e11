//! Parsers of the kernel's texts. Pure.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::Memory;

/// `CAP_SYS_RESOURCE` in a capability mask.
const SYS_RESOURCE: u64 = 1 << 24;

/// A number on its own line; `None` for `max` and other words.
pub(super) fn number<N: FromStr>(text: &str) -> Option<N> {
    text.trim().parse().ok()
}

/// Two ports separated by a tab.
pub(super) fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut ports = text.split_ascii_whitespace().map(str::parse);
    let (from, to) = (ports.next()?.ok()?, ports.next()?.ok()?);
    (from <= to).then_some(from..=to)
}

/// A list such as `8000-8002,9001`; it can be empty.
pub(super) fn port_list(text: &str) -> Option<Vec<RangeInclusive<u16>>> {
    text.trim()
        .split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some(number(from)?..=number(to)?)
        })
        .collect()
}

/// `MemTotal` and `MemAvailable` of `/proc/meminfo`.
pub(super) fn meminfo(text: &str) -> Option<Memory> {
    let total = field(text, "MemTotal:")?;
    // Kernels before 3.14 do not report the available memory.
    let available = field(text, "MemAvailable:").or_else(|| field(text, "MemFree:"))?;
    Some(Memory {
        total: kibibytes(total)?,
        available: kibibytes(available)?,
    })
}

/// Whether the effective capabilities of `/proc/PID/status` hold `CAP_SYS_RESOURCE`.
pub(super) fn has_sys_resource(status: &str) -> bool {
    field(status, "CapEff:")
        .and_then(|mask| u64::from_str_radix(mask, 16).ok())
        .is_some_and(|mask| mask & SYS_RESOURCE != 0)
}

/// Whether `/proc/PID/uid_map` maps every user to itself.
pub(super) fn is_first_user_namespace(uid_map: &str) -> bool {
    uid_map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

/// This process's control groups according to `/proc/self/cgroup`: the path in `controller`'s own
/// hierarchy (version 1) and the path in the unified one (version 2).
pub(super) fn cgroup_paths<'a>(text: &'a str, controller: &str) -> (Option<&'a str>, Option<&'a str>) {
    let (mut own, mut unified) = (None, None);
    for line in text.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if controllers.is_empty() {
            unified = Some(path);
        } else if controllers.split(',').any(|name| name == controller) {
            own = Some(path);
        }
    }
    (own, unified)
}

/// The first word after `name` at the start of a line.
pub(super) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_ascii_whitespace().next())
}

fn kibibytes(text: &str) -> Option<u64> {
    number::<u64>(text)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        assert_eq!(port_range("32768\t60999\n"), Some(32768..=60999));
        for text in ["", "1", "2 1", "a b", "1 70000"] {
            assert_eq!(port_range(text), None, "{text}");
        }
        assert_eq!(port_list("\n"), Some(vec![]));
        assert_eq!(
            port_list("8000-8002,9001\n"),
            Some(vec![8000..=8002, 9001..=9001])
        );
        assert_eq!(port_list("8000-,1"), None);
    }

    #[test]
    fn memory() {
        let text =
            "MemTotal:       24684196 kB\nMemFree:  1 kB\nMemAvailable:   23400000 kB\nBuffers: 8 kB\n";
        let memory = meminfo(text).unwrap();
        assert_eq!(
            (memory.total, memory.available),
            (24_684_196 * 1024, 23_400_000 * 1024)
        );
        assert_eq!(
            meminfo("MemTotal: 4 kB\nMemFree: 1 kB\n").unwrap().available,
            1024
        );
        for text in ["", "MemTotal:\nMemFree:\n", "MemTotal: 99999999999999999999 kB\n"] {
            assert_eq!(meminfo(text), None, "{text}");
        }
    }

    #[test]
    fn capabilities() {
        assert!(has_sys_resource("Name:\tx\nCapEff:\t000001ffffffffff\n"));
        for text in ["CapEff:\t000001fffeffffff\n", "CapEff:\t\n", ""] {
            assert!(!has_sys_resource(text), "{text}");
        }
        assert!(is_first_user_namespace("         0          0 4294967295\n"));
        assert!(!is_first_user_namespace("         0       1000          1\n"));
    }

    #[test]
    fn control_groups() {
        let text = "9:name=systemd:/\n4:cpu,memory:/a/b:c\n0::/unified\nnonsense\n";
        assert_eq!(cgroup_paths(text, "memory"), (Some("/a/b:c"), Some("/unified")));
        assert_eq!(cgroup_paths("0::/\n", "memory"), (None, Some("/")));
        assert_eq!(cgroup_paths("", "memory"), (None, None));
    }
}
