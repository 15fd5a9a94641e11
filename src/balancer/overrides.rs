//! Overrides: settings of a node at a balancer that neither an order to this cluster nor a probe
//! explains. They are made at the balancer by other means: hatop, socat, a script.
//!
//! The comparison is pure: it compares the lines of `show servers state` with what the supervisor
//! wants.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::orders::Orders;
use crate::haproxy_api::{Flag, Row, RuntimeError, ServerLine, Socket};
use crate::render::{Server, backend_behind};

/// One setting of a node at a balancer, in one of its backends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Override {
    /// The setting that was changed.
    pub setting: Setting,
    /// The backend; for nginx, the upstream.
    pub backend: String,
    /// Whether the server only follows the one that it tracks, in another backend.
    pub inherited: bool,
    /// The node.
    pub node: String,
}

/// A setting that was changed. Ordered by strictness, the strictest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Setting {
    /// The server is down, although the node answers our probes.
    Down {
        /// The result of the balancer's own last check, if that failed; `None` when the health was
        /// set by a command.
        check: Option<String>,
    },
    /// `del server`: the server is no longer in the backend.
    Deleted,
    /// `disable server`, `set server .. state maint`.
    Maintenance,
    /// The configuration file was edited: it no longer contains the node as a server, or contains
    /// it as a server that is down.
    Unlisted {
        /// The file's name.
        file: String,
        /// Whether the upstream is one for TCP; else it is for HTTP.
        tcp: bool,
    },
    /// `set server .. addr`: its clients are sent to another address.
    Address {
        /// The address that the balancer connects to.
        is: SocketAddr,
        /// The address of the node.
        planned: SocketAddr,
    },
    /// `set server .. state drain`.
    Drain,
    /// `set server .. health stopping`.
    Stopping,
    /// `set weight .. 0`.
    NoWeight,
    /// `set server .. state ready` on a node that an order to this cluster drained.
    Undrained,
    /// `set weight`: its share differs from the profile's.
    Weight {
        /// Its weight now.
        is: u32,
        /// Its weight in the configuration.
        planned: u32,
    },
}

/// The state of a node that the supervisor wants at a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Whether an order drained it.
    pub drained: bool,
    /// Whether the balancer was set to up; false when nothing was sent yet, or that the node is
    /// down.
    pub up: bool,
}

/// The servers and frontends of a balancer process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    servers: Vec<ServerLine>,
    /// The rows of `show stat` for frontends and servers.
    rows: Vec<Row>,
}

impl Inspection {
    /// Queries the process behind `socket`.
    ///
    /// # Errors
    /// When it cannot be reached, or its answer is invalid.
    pub async fn read(socket: &Socket) -> Result<Inspection, RuntimeError> {
        Ok(Inspection {
            servers: socket.servers().await?,
            rows: socket.stat().await?,
        })
    }

    /// The frontends that accept no connections: those that `disable frontend` paused, and of the
    /// `frontends` in the configuration also those that `shutdown frontend` ended.
    pub fn closed_frontends(&self, frontends: impl IntoIterator<Item = &'static str>) -> BTreeSet<String> {
        let is_open = |frontend: &str| {
            let row = self.row(frontend, "FRONTEND");
            row.is_some_and(|row| row.state() == "OPEN")
        };
        let ended = frontends.into_iter().filter(|frontend| !is_open(frontend));
        let rows = self.rows.iter().filter(|row| row.name() == "FRONTEND");
        let paused = rows.filter(|row| row.state() == "PAUSED").map(Row::proxy);
        ended
            .map(str::to_owned)
            .chain(paused.map(str::to_owned))
            .collect()
    }

    // Private

    fn row(&self, proxy: &str, name: &str) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.proxy() == proxy && row.name() == name)
    }

    pub(super) fn line(&self, backend: &str, server: &str) -> Option<&ServerLine> {
        let mut lines = self.servers.iter();
        lines.find(|line| line.backend == backend && line.server == server)
    }

    /// The result of the balancer's own check of the server, if it failed: `L4CON`, `L7TOUT`,
    /// `L7STS/500`.
    fn failed_check(&self, backend: &str, server: &str) -> Option<String> {
        let row = self.row(backend, server)?;
        let status = row.text("check_status").trim_start_matches("* ");
        let failed = !matches!(status, "" | "UNK" | "INI" | "L4OK" | "L6OK" | "L7OK" | "L7OKC");
        failed.then(|| match row.text("check_code") {
            "" | "0" => status.to_owned(),
            code => format!("{status}/{code}"),
        })
    }
}

impl Orders {
    /// The settings of `node` in the process of `inspection` beyond what is `expected`.
    #[must_use]
    pub fn overrides(&self, inspection: &Inspection, node: &str, expected: Expected) -> BTreeSet<Override> {
        let Some(known) = self.known(node) else {
            return BTreeSet::new();
        };
        let found = known.servers.iter().filter_map(|server| {
            let line = inspection.line(server.backend, node);
            let (setting, inherited) = match line {
                None => (Setting::Deleted, false),
                Some(line) => compare(line, server, expected, || {
                    inspection.failed_check(server.backend, node)
                })?,
            };
            Some(Override {
                setting,
                backend: server.backend.to_owned(),
                inherited,
                node: node.to_owned(),
            })
        });
        found.collect()
    }
}

impl Override {
    /// Whether it concerns the traffic of `backend`, which is a name of HAProxy's configuration.
    #[must_use]
    pub fn is_in(&self, backend: &str) -> bool {
        match self.setting {
            Setting::Unlisted { tcp, .. } => tcp == (backend == backend_behind("tcp")),
            _ => self.backend == backend,
        }
    }
}

impl Setting {
    /// Whether it keeps new connections away from the node.
    #[must_use]
    pub const fn takes_out(&self) -> bool {
        !matches!(self, Setting::Undrained | Setting::Weight { .. })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Down { check: None } => f.write_str("health down"),
            Setting::Down { check: Some(check) } => write!(f, "down, {check} by the balancer's own check"),
            Setting::Deleted => f.write_str("deleted"),
            Setting::Maintenance => f.write_str("maintenance"),
            Setting::Unlisted { file, .. } => write!(f, "taken out in the edited {file}"),
            Setting::Address { is, planned } => write!(f, "address {is} instead of {planned}"),
            Setting::Drain => f.write_str("drain"),
            Setting::NoWeight => f.write_str("weight 0"),
            Setting::Stopping => f.write_str("health stopping"),
            Setting::Undrained => f.write_str("ready"),
            Setting::Weight { is, planned } => write!(f, "weight {is} instead of {planned}"),
        }
    }
}

// Private

/// The strictest setting in a server's line that is not expected, and whether it comes from the
/// tracked server.
fn compare(
    line: &ServerLine,
    server: &Server,
    expected: Expected,
    failed_check: impl FnOnce() -> Option<String>,
) -> Option<(Setting, bool)> {
    if line.maintenance.is_set() {
        return Some((Setting::Maintenance, line.maintenance == Flag::Inherited));
    }
    if let (Some(is), Some(planned)) = (line.address, server.address)
        && is != planned
    {
        return Some((Setting::Address { is, planned }, false));
    }
    let has_no_weight = line.weight == 0 && line.initial_weight > 0;
    if expected.drained {
        let is_served = !line.drain.is_set() && !has_no_weight && !line.is_stopped && !line.is_stopping;
        return is_served.then_some((Setting::Undrained, server.tracks));
    }
    if line.is_stopped && expected.up {
        let check = failed_check();
        return Some((Setting::Down { check }, server.tracks));
    }
    if line.drain.is_set() {
        return Some((Setting::Drain, line.drain == Flag::Inherited));
    }
    if line.is_stopping && expected.up {
        return Some((Setting::Stopping, server.tracks));
    }
    if has_no_weight {
        return Some((Setting::NoWeight, false));
    }
    let (is, planned) = (line.weight, line.initial_weight);
    (is != planned).then_some((Setting::Weight { is, planned }, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Expected = Expected {
        drained: false,
        up: true,
    };
    const DRAINED: Expected = Expected {
        drained: true,
        up: true,
    };

    fn planned() -> Server {
        Server {
            backend: "tcp",
            server: "erlmcp1".to_owned(),
            address: Some("127.0.0.1:9001".parse().unwrap()),
            weight: 100,
            tracks: false,
        }
    }

    fn line(change: impl FnOnce(&mut ServerLine)) -> ServerLine {
        let mut line = ServerLine {
            backend: "tcp".to_owned(),
            server: "erlmcp1".to_owned(),
            address: planned().address,
            is_stopped: false,
            is_stopping: false,
            maintenance: Flag::Unset,
            drain: Flag::Unset,
            weight: 100,
            initial_weight: 100,
        };
        change(&mut line);
        line
    }

    fn setting(line: &ServerLine, expected: Expected) -> Option<Setting> {
        compare(line, &planned(), expected, || None).map(|(setting, _)| setting)
    }

    #[test]
    fn an_ordered_setting_is_not_an_override() {
        assert_eq!(setting(&line(|_| {}), UP), None);
        assert_eq!(setting(&line(|it| it.drain = Flag::Set), DRAINED), None);
        assert_eq!(setting(&line(|it| it.drain = Flag::Inherited), DRAINED), None);
        let set_down = Expected { up: false, ..UP };
        assert_eq!(setting(&line(|it| it.is_stopped = true), set_down), None);
        assert_eq!(setting(&line(|it| it.is_stopped = true), DRAINED), None);
    }

    #[test]
    fn other_settings_are_overrides_the_strictest_first() {
        let set = |change: fn(&mut ServerLine)| setting(&line(change), UP).unwrap();
        assert_eq!(set(|it| it.maintenance = Flag::Set), Setting::Maintenance);
        assert_eq!(set(|it| it.is_stopped = true), Setting::Down { check: None });
        assert_eq!(set(|it| it.drain = Flag::Set), Setting::Drain);
        assert_eq!(set(|it| it.weight = 0), Setting::NoWeight);
        assert_eq!(set(|it| it.is_stopping = true), Setting::Stopping);
        let lighter = set(|it| it.weight = 1);
        assert_eq!(lighter.to_string(), "weight 1 instead of 100");
        assert!(!lighter.takes_out());
        let moved = set(|it| it.address = Some("127.0.0.9:1".parse().unwrap()));
        assert_eq!(moved.to_string(), "address 127.0.0.9:1 instead of 127.0.0.1:9001");
        let both = set(|it| {
            it.maintenance = Flag::Set;
            it.drain = Flag::Set;
            it.is_stopped = true;
        });
        assert_eq!(both, Setting::Maintenance);
        let in_maintenance = setting(&line(|it| it.maintenance = Flag::Set), DRAINED);
        assert_eq!(in_maintenance, Some(Setting::Maintenance));
    }

    #[test]
    fn a_drained_node_that_is_ready_is_undrained() {
        assert_eq!(setting(&line(|_| {}), DRAINED), Some(Setting::Undrained));
        assert_eq!(setting(&line(|it| it.weight = 0), DRAINED), None);
        assert_eq!(setting(&line(|it| it.is_stopping = true), DRAINED), None);
    }

    #[test]
    fn a_tracking_server_is_reported_as_such() {
        let follower = Server {
            tracks: true,
            ..planned()
        };
        let inherited = |line: &ServerLine| compare(line, &follower, UP, || None).unwrap().1;
        assert!(inherited(&line(|it| it.maintenance = Flag::Inherited)));
        assert!(!inherited(&line(|it| it.maintenance = Flag::Set)));
        assert!(inherited(&line(|it| it.is_stopped = true)));
    }

    #[test]
    fn a_failed_check_is_named_and_a_passed_one_is_not() {
        let rows = |columns: &str| Inspection {
            servers: Vec::new(),
            rows: Row::parse(&format!(
                "# pxname,svname,status,check_status,check_code,\n{columns}\n"
            ))
            .unwrap(),
        };
        let check = |columns: &str| rows(columns).failed_check("tcp", "erlmcp1");
        assert_eq!(check("tcp,erlmcp1,DOWN,L7OK,,"), None);
        assert_eq!(check("tcp,erlmcp1,DOWN,L4CON,,").unwrap(), "L4CON");
        assert_eq!(check("tcp,erlmcp1,DOWN,* L7STS,500,").unwrap(), "L7STS/500");
        let closed = |columns: &str| rows(columns).closed_frontends(["mcp_frontend_tcp"]).len();
        assert_eq!(closed("mcp_frontend_tcp,FRONTEND,OPEN,,,"), 0);
        assert_eq!(closed("mcp_frontend_tcp,FRONTEND,PAUSED,,,"), 1);
        assert_eq!(closed("other,FRONTEND,OPEN,,,"), 1);
        let status = "mcp_frontend_tcp,FRONTEND,OPEN,,,\nmcp_status,FRONTEND,PAUSED,,,";
        assert_eq!(closed(status), 1);
    }
}
