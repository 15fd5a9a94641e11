//! `show info`.

use std::time::Duration;

/// What a process says about itself. Figures that it does not give are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// `HAProxy`, also from those who imitate it.
    pub name: String,
    /// Its version, as `2.6.12-1+deb12u4`.
    pub version: String,
    /// Its pid.
    pub pid: u32,
    /// Its age.
    pub uptime: Duration,
    /// Client connections now.
    pub curr_conns: u64,
    /// Client connections ever.
    pub cum_conns: u64,
    /// Client connections at most.
    pub maxconn: u64,
    /// New connections in the last second.
    pub conn_rate: u64,
    /// Its descriptor limit.
    pub nofile: u64,
    /// Whether it only waits for its last connections to end.
    pub stopping: bool,
}

impl Info {
    /// Reads the answer to `show info`; `None` without a pid or a version.
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
    fn reads_what_haproxy_2_6_says() {
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
    fn what_is_not_said_is_zero_but_who_it_is_must_be() {
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
