//! `show info`.

use std::time::Duration;

/// The figures of a process. Those that it does not report are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// `HAProxy`, even from processes that imitate it.
    pub name: String,
    /// Its version, as `2.6.12-1+deb12u4`.
    pub version: String,
    /// Its pid.
    pub pid: u32,
    /// Its age.
    pub uptime: Duration,
    /// Client connections now.
    pub curr_conns: u64,
    /// Client connections since the start.
    pub cum_conns: u64,
    /// The limit of client connections.
    pub maxconn: u64,
    /// New connections in the last second.
    pub conn_rate: u64,
    /// Its descriptor limit.
    pub nofile: u64,
    /// Whether it only waits for its last connections to end.
    pub stopping: bool,
}

impl Info {
    /// Parses the answer to `show info`; `None` without a pid or a version.
    pub(super) fn parse(answer: &str) -> Option<Info> {
        let field = |name: &str| {
            answer.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                (key == name).then(|| value.trim())
            })
        };
        let number = |name: &str| field(name).and_then(|value| value.parse().ok()).unwrap_or(0_u64);
        Some(Info {
            name: field("Name").unwrap_or_default().to_owned(),
            version: field("Version")?.to_owned(),
            pid: field("Pid")?.parse().ok()?,
            uptime: Duration::from_secs(number("Uptime_sec")),
            curr_conns: number("CurrConns"),
            cum_conns: number("CumConns"),
            maxconn: number("Maxconn"),
            conn_rate: number("ConnRate"),
            nofile: number("Ulimit-n"),
            stopping: number("Stopping") != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_answer_of_haproxy_2_6() {
        let info = Info::parse(include_str!("../../../tests/golden/haproxy-2.6.12/show_info.txt")).unwrap();
        assert_eq!(
            info,
            Info {
                name: "HAProxy".to_owned(),
                version: "2.6.12-1+deb12u4".to_owned(),
                pid: 1836,
                uptime: Duration::from_secs(2),
                curr_conns: 0,
                cum_conns: 107,
                maxconn: 100,
                conn_rate: 6,
                nofile: 4033,
                stopping: false,
            }
        );
    }

    #[test]
    fn missing_figures_are_zero_but_pid_and_version_are_required() {
        assert_eq!(
            Info::parse("Version: 3.0\nPid: 7\nCurrConns: many\n")
                .unwrap()
                .curr_conns,
            0
        );
        assert_eq!(Info::parse(""), None);
        assert_eq!(Info::parse("Pid: -1\nVersion: 3.0\n"), None);
    }
}
