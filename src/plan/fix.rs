//! Shell commands that change the limits of this host.

use std::fmt::Write;
use std::ops::RangeInclusive;

use super::Remedy;
use crate::platform::Host;

/// The default of `fs.nr_open`: no limit on descriptors can be above it.
const NR_OPEN: u64 = 1 << 20;

/// Sets kernel parameters until the next boot.
pub(super) fn sysctl(host: &Host, settings: &[(&str, String)]) -> String {
    let mut command = format!("{}sysctl -w", sudo(host));
    for (name, value) in settings {
        let quote = if value.contains(' ') { "'" } else { "" };
        let _ = write!(command, " {quote}{name}={value}{quote}");
    }
    command
}

/// Raises the hard limit on descriptors to `wanted`, rounded up.
pub(super) fn nofile(host: &Host, wanted: u64) -> String {
    let wanted = wanted.next_multiple_of(1024);
    if host.root && host.nofile >= NR_OPEN {
        return sysctl(host, &[("fs.nr_open", wanted.to_string())]);
    }
    if host.root {
        // Root without the capability to raise limits is root in a container.
        return format!(
            "raise the limit where this container or service is defined: `docker run --ulimit nofile={wanted}:{wanted}`, \
             or `LimitNOFILE={wanted}` in the systemd unit"
        );
    }
    let ceiling = if wanted > NR_OPEN {
        format!("sudo sysctl -w fs.nr_open={wanted} && ")
    } else {
        String::new()
    };
    format!(
        "`{ceiling}sudo prlimit --pid $$ --nofile={wanted}:{wanted}` for this shell; permanently: \
         `{}` and log in again, or `LimitNOFILE={wanted}` in a systemd unit",
        limits_file("nofile", wanted)
    )
}

/// The remedy that raises the limit, where it helps and does no harm. If root cannot raise limits,
/// or for a limit above `fs.nr_open`, there is none: a configured limit would prevent all logins.
pub(super) fn nofile_remedy(host: &Host, wanted: u64) -> Option<Remedy> {
    let limit = wanted.next_multiple_of(1024);
    (!host.root && limit <= NR_OPEN).then_some(Remedy::Descriptors { limit })
}

/// Raises the limit on processes and threads to `wanted`.
pub(super) fn nproc(wanted: u64) -> String {
    format!(
        "`sudo prlimit --pid $$ --nproc={wanted}:{wanted}` for this shell; permanently: `{}` and log in again, or \
         `TasksMax={wanted}` in a systemd unit",
        limits_file("nproc", wanted)
    )
}

/// The kernel parameter that reserves `ports` in addition to the ports that are reserved already;
/// setting it replaces the whole list.
pub(super) fn reserved(host: &Host, ports: &[u16]) -> (&'static str, String) {
    let mut all: Vec<u16> = host.reserved.iter().cloned().flatten().collect();
    all.extend(ports);
    all.sort_unstable();
    all.dedup();
    let text = all
        .chunk_by(|one, next| one.checked_add(1) == Some(*next))
        .filter_map(|run| Some(range(&(*run.first()?..=*run.last()?))))
        .collect::<Vec<_>>()
        .join(",");
    ("net.ipv4.ip_local_reserved_ports", text)
}

/// `8000` or `8000-8002`.
pub(super) fn range(range: &RangeInclusive<u16>) -> String {
    match (range.start(), range.end()) {
        (from, to) if from == to => from.to_string(),
        (from, to) => format!("{from}-{to}"),
    }
}

// Private

fn sudo(host: &Host) -> &'static str {
    if host.root { "" } else { "sudo " }
}

fn limits_file(item: &str, wanted: u64) -> String {
    format!(
        "printf '* - {item} {wanted}\\nroot - {item} {wanted}\\n' | sudo tee /etc/security/limits.d/90-clusterctl-{item}.conf"
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::big_host;
    use super::*;

    #[test]
    fn kernel_parameters_are_quoted_where_the_shell_needs_it() {
        let settings = [("a.b", "1 2".to_owned()), ("c", "3".to_owned())];
        assert_eq!(sysctl(&big_host(), &settings), "sudo sysctl -w 'a.b=1 2' c=3");
        let root = Host {
            root: true,
            ..big_host()
        };
        assert_eq!(sysctl(&root, &settings[1..]), "sysctl -w c=3");
    }

    #[test]
    fn reserving_keeps_the_reserved_ports() {
        let host = Host {
            reserved: vec![5_000..=5_001, 9_000..=9_000],
            ..big_host()
        };
        let (_, list) = reserved(&host, &[9_002, 9_001, 65_535, 9_001]);
        assert_eq!(list, "5000-5001,9000-9002,65535");
    }

    #[test]
    fn descriptor_limits_are_raised_where_possible() {
        let fix = nofile(&big_host(), 200_001);
        assert!(fix.contains("prlimit --pid $$ --nofile=200704:200704") && !fix.contains("nr_open"));
        assert!(nofile(&big_host(), 2_000_000).contains("fs.nr_open=2000896"));
        assert_eq!(
            nofile_remedy(&big_host(), 200_001),
            Some(Remedy::Descriptors { limit: 200_704 })
        );
        assert_eq!(nofile_remedy(&big_host(), 2_000_000), None);
        let root = Host {
            root: true,
            ..big_host()
        };
        assert_eq!(nofile(&root, 2_000_000), "sysctl -w fs.nr_open=2000896");
        let container = Host {
            nofile: 20_000,
            ..root
        };
        assert!(nofile(&container, 200_001).contains("docker run --ulimit nofile=200704:200704"));
        assert_eq!(nofile_remedy(&container, 200_001), None);
    }
}
