//! `show servers state`: the state of each server in one balancer process.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::error::RuntimeError;
use super::socket::Socket;

/// Bits of `srv_admin_state` that take a server out: set by a command, inherited from a tracked
/// server, set in the configuration, set by name resolution.
const MAINTENANCE: u32 = 0x01 | 0x02 | 0x04 | 0x20;
/// Of these, the bit that a server inherits from the one that it tracks.
const INHERITED_MAINTENANCE: u32 = 0x02;
/// Bits of `srv_admin_state` that drain a server: set by a command, and inherited.
const DRAIN: u32 = 0x08 | 0x10;
/// Of these, the inherited one.
const INHERITED_DRAIN: u32 = 0x10;

/// Values of `srv_op_state`: gets no clients, and gets no new clients.
const STOPPED: u32 = 0;
const STOPPING: u32 = 3;

/// One server of one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLine {
    /// The backend.
    pub backend: String,
    /// The server's name.
    pub server: String,
    /// Its address; `None` if the balancer reports something that is not an address.
    pub address: Option<SocketAddr>,
    /// Whether the balancer considers it unhealthy, or sends it no clients because of its
    /// administrative state.
    pub is_stopped: bool,
    /// Whether it gets only clients that are bound to it: `set server .. health stopping`.
    pub is_stopping: bool,
    /// Whether it is in maintenance.
    pub maintenance: Flag,
    /// Whether it is drained.
    pub drain: Flag,
    /// Its weight now, as set by the configuration or by a command.
    pub weight: u32,
    /// Its weight in the configuration.
    pub initial_weight: u32,
}

/// An administrative state, and its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// Not set.
    Unset,
    /// Set on the server that this one tracks.
    Inherited,
    /// Set on this server.
    Set,
}

impl Flag {
    /// Whether it is in force, whatever its origin.
    #[must_use]
    pub const fn is_set(self) -> bool {
        !matches!(self, Flag::Unset)
    }

    const fn of(state: u32, mask: u32, inherited: u32) -> Flag {
        match state & mask {
            0 => Flag::Unset,
            bits if bits == inherited => Flag::Inherited,
            _ => Flag::Set,
        }
    }
}

impl ServerLine {
    /// Parses the answer to `show servers state`. Columns are found by the header's names; lines
    /// that lack one are left out.
    ///
    /// `None` if there is no header.
    #[must_use]
    pub fn parse(answer: &str) -> Option<Vec<ServerLine>> {
        let mut lines = answer.lines();
        let header = lines.find_map(|line| line.strip_prefix("# "))?;
        let names: Vec<&str> = header.split_whitespace().collect();
        let parsed = lines.filter_map(|line| {
            let columns: BTreeMap<&str, &str> = names.iter().copied().zip(line.split_whitespace()).collect();
            ServerLine::of(&columns)
        });
        Some(parsed.collect())
    }

    fn of(columns: &BTreeMap<&str, &str>) -> Option<ServerLine> {
        let text = |name: &str| columns.get(name).copied();
        let number = |name: &str| text(name)?.parse::<u32>().ok();
        let address = || {
            let ip: IpAddr = text("srv_addr")?.parse().ok()?;
            Some(SocketAddr::new(ip, text("srv_port")?.parse().ok()?))
        };
        let admin = number("srv_admin_state")?;
        Some(ServerLine {
            backend: text("be_name")?.to_owned(),
            server: text("srv_name")?.to_owned(),
            address: address(),
            is_stopped: number("srv_op_state")? == STOPPED,
            is_stopping: number("srv_op_state")? == STOPPING,
            maintenance: Flag::of(admin, MAINTENANCE, INHERITED_MAINTENANCE),
            drain: Flag::of(admin, DRAIN, INHERITED_DRAIN),
            weight: number("srv_uweight")?,
            initial_weight: number("srv_iweight")?,
        })
    }
}

impl Socket {
    /// The state of each server of each backend.
    pub async fn servers(&self) -> Result<Vec<ServerLine>, RuntimeError> {
        let answer = self.servers_state().await?;
        ServerLine::parse(&answer).ok_or_else(|| RuntimeError::unreadable("show servers state"))
    }

    /// Sets a server's weight.
    pub async fn set_weight(&self, backend: &str, server: &str, weight: u32) -> Result<(), RuntimeError> {
        self.order(&format!("set weight {backend}/{server} {weight}"))
            .await
    }

    /// Sets a server's address. Its existing connections continue.
    pub async fn set_address(
        &self,
        backend: &str,
        server: &str,
        address: SocketAddr,
    ) -> Result<(), RuntimeError> {
        let (ip, port) = (address.ip(), address.port());
        self.order(&format!("set server {backend}/{server} addr {ip} port {port}"))
            .await
    }

    /// Enables a frontend that was paused by `disable frontend`.
    ///
    /// # Errors
    /// If the command fails, or is refused: a frontend that was shut down cannot be enabled.
    pub async fn enable_frontend(&self, frontend: &str) -> Result<(), RuntimeError> {
        match self.order(&format!("enable frontend {frontend}")).await {
            Err(RuntimeError::Refused { source, .. }) if source.0.contains("already enabled") => Ok(()),
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight \
                          srv_iweight srv_time_since_last_change srv_check_status srv_check_result \
                          srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id \
                          srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr \
                          srv_agent_port\n";

    fn line(text: &str) -> ServerLine {
        let mut lines = ServerLine::parse(&format!("{HEADER}{text}\n\n")).unwrap();
        assert_eq!(lines.len(), 1);
        lines.remove(0)
    }

    #[test]
    fn reads_lines_of_haproxy_2_6() {
        let up = line("8 tcp 2 erlmcp2 127.0.0.1 2 0 100 100 0 1 0 3 6 0 0 1 - 19002 - 0 0 - - 0");
        assert_eq!(up.address, Some("127.0.0.1:19002".parse().unwrap()));
        assert_eq!((up.backend.as_str(), up.server.as_str()), ("tcp", "erlmcp2"));
        assert!(!up.is_stopped && !up.maintenance.is_set() && !up.drain.is_set());
        assert_eq!((up.weight, up.initial_weight), (100, 100));
        let disabled = line("8 tcp 1 erlmcp1 ::1 0 1 100 100 0 15 3 0 14 0 0 1 - 19001 - 0 0 - - 0");
        assert_eq!((disabled.is_stopped, disabled.maintenance), (true, Flag::Set));
        assert_eq!(disabled.address, Some("[::1]:19001".parse().unwrap()));
        let tracking = line("10 ws 2 erlmcp2 127.0.0.1 0 2 100 100 0 1 0 0 0 0 0 1 - 18082 - 0 0 - - 0");
        assert_eq!(tracking.maintenance, Flag::Inherited);
        let drained = line("8 tcp 3 erlmcp3 127.0.0.1 2 8 0 100 0 1 0 3 6 0 0 1 - 19003 - 0 0 - - 0");
        assert_eq!((drained.drain, drained.weight), (Flag::Set, 0));
    }

    #[test]
    fn other_texts_are_refused_and_short_lines_are_left_out() {
        assert_eq!(ServerLine::parse("Permission denied\n\n"), None);
        assert_eq!(
            ServerLine::parse(&format!("{HEADER}8 tcp 1 erlmcp1\n")).unwrap(),
            []
        );
    }

    proptest! {
        #[test]
        fn any_text_is_handled(text in "(# )?[a-z_0-9 \\n.:-]{0,200}") {
            let _ = ServerLine::parse(&text);
        }
    }
}
