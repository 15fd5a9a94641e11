//! Sums over many lines of the log.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::entry::{Attempt, Entry};
use super::figures::Figures;
use super::kind::Kind;
use super::times::Times;

/// The most servers of one kind of traffic that are counted separately: more than any cluster had,
/// even after reloads that change its nodes.
const MOST_SERVERS: usize = 4_096;

/// All lines, summed up by kind of traffic.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    kinds: [Traffic; Kind::COUNT],
    strange: u64,
    since: f64,
}

/// One kind of traffic.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// The counts on the clients' side.
    pub front: Figures,
    /// The counts on the nodes' side.
    pub back: Figures,
    /// The time until the nodes' first byte.
    pub first_byte: Times,
    servers: BTreeMap<SocketAddr, Figures>,
}

impl Tally {
    /// Counts what has ended since `time`, in seconds since 1970. The file may begin with earlier
    /// lines.
    #[must_use]
    pub fn since(time: f64) -> Tally {
        Tally {
            since: time,
            ..Tally::default()
        }
    }

    /// Adds a line of the log, without its line feed.
    pub fn add_line(&mut self, line: &[u8]) {
        match Entry::parse(line) {
            Some(entry) => self.add(&entry),
            None => self.add_strange(),
        }
    }

    /// Adds a malformed line.
    pub fn add_strange(&mut self) {
        self.strange += 1;
    }

    /// Adds a request or session.
    pub fn add(&mut self, entry: &Entry) {
        if entry.time.is_some_and(|time| time < self.since) {
            return;
        }
        self.kinds[entry.kind as usize].add(entry);
    }

    /// The counts of `kind`.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> &Traffic {
        &self.kinds[kind as usize]
    }

    /// The number of malformed lines.
    #[must_use]
    pub const fn strange(&self) -> u64 {
        self.strange
    }
}

impl Traffic {
    /// The counts of the server at this address.
    #[must_use]
    pub fn server(&self, address: SocketAddr) -> Figures {
        self.servers.get(&address).copied().unwrap_or_default()
    }

    // Private

    fn add(&mut self, entry: &Entry) {
        let reached = !entry.attempts.is_empty();
        self.front.add(entry.time, entry.bytes_in, entry.bytes_out);
        self.front.denied += u64::from(entry.is_denied());
        self.front.errors += u64::from(entry.is_bad_request() || (entry.is_failed() && !reached));
        if let Some(took) = entry.first_byte {
            self.first_byte.add(took);
        }
        if let Some((last, before)) = entry.attempts.split_last() {
            self.back.add(entry.time, entry.bytes_in, entry.bytes_out);
            for attempt in before {
                self.gave_up(*attempt);
            }
            self.ended(*last, entry);
        }
    }

    /// Adds a node after which another one was tried.
    fn gave_up(&mut self, attempt: Attempt) {
        // If it was connected, it has failed to answer.
        let [connect_error, error] = [!attempt.connected, attempt.connected].map(u64::from);
        self.back.connect_errors += connect_error;
        self.back.errors += error;
        if let Some(server) = self.server_of(attempt) {
            server.connect_errors += connect_error;
            server.errors += error;
            server.sessions += error;
        }
    }

    /// Adds the node that was tried last: it has served, or no node has.
    fn ended(&mut self, attempt: Attempt, entry: &Entry) {
        // An upstream without a node left to try had none to connect to.
        let connect_error = u64::from(!attempt.connected && attempt.server.is_some());
        let error = u64::from(entry.is_failed());
        self.back.connect_errors += connect_error;
        self.back.errors += error;
        if let Some(server) = self.server_of(attempt) {
            server.connect_errors += connect_error;
            server.errors += error;
            if attempt.connected {
                server.add(entry.time, entry.bytes_in, entry.bytes_out);
                if let Some(took) = entry.first_byte {
                    server.first_byte.add(took);
                }
            }
        }
    }

    fn server_of(&mut self, attempt: Attempt) -> Option<&mut Figures> {
        let address = attempt.server?;
        let has_room = self.servers.len() < MOST_SERVERS || self.servers.contains_key(&address);
        has_room.then(|| self.servers.entry(address).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.add_line(line.as_bytes());
        }
        tally
    }

    fn node(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    #[test]
    fn each_kind_and_node_has_its_own() {
        let all = tally(&[
            r#"{"kind":"http","status":200,"bytes_in":10,"bytes_out":20,"upstream":"127.0.0.1:8081","connect":"0.000","first_byte":"0.004"}"#,
            r#"{"kind":"http","status":200,"bytes_in":1,"bytes_out":2,"upstream":"127.0.0.1:8082","connect":"0.000","first_byte":"0.008"}"#,
            r#"{"kind":"tcp","status":200,"upstream":"127.0.0.1:9001","connect":"0.000"}"#,
        ]);
        let http = all.of(Kind::Http);
        assert_eq!(
            (http.front.sessions, http.front.bytes_in, http.front.bytes_out),
            (2, 11, 22)
        );
        assert_eq!((http.back.sessions, http.server(node(8081)).bytes_out), (2, 20));
        assert_eq!(http.first_byte.quantile(1.0), Some(8));
        assert_eq!(all.of(Kind::Tcp).server(node(9001)).sessions, 1);
        assert_eq!(all.of(Kind::Sse).front, Figures::default());
    }

    #[test]
    fn a_retry_counts_as_an_error_of_the_node_not_of_the_client() {
        let all = tally(&[
            r#"{"kind":"tcp","status":200,"bytes_out":5,"upstream":"127.0.0.1:9001, 127.0.0.1:9002","connect":"-, 0.001"}"#,
            r#"{"kind":"http","status":200,"upstream":"127.0.0.1:8081, 127.0.0.1:8082","connect":"0.000, 0.001"}"#,
        ]);
        let (tcp, http) = (all.of(Kind::Tcp), all.of(Kind::Http));
        let (refused, served) = (tcp.server(node(9001)), tcp.server(node(9002)));
        assert_eq!(
            (refused.sessions, refused.connect_errors, refused.bytes_out),
            (0, 1, 0)
        );
        assert_eq!(
            (served.sessions, served.connect_errors, served.bytes_out),
            (1, 0, 5)
        );
        assert_eq!(
            (tcp.back.sessions, tcp.back.connect_errors, tcp.back.errors),
            (1, 1, 0)
        );
        // It had connected, and did not answer.
        let silent = http.server(node(8081));
        assert_eq!((silent.sessions, silent.connect_errors, silent.errors), (1, 0, 1));
        assert_eq!((tcp.front.errors, http.front.errors), (0, 0));
    }

    #[test]
    fn an_upstream_without_a_node_has_the_error() {
        let all = tally(&[r#"{"kind":"http","status":502,"upstream":"erlmcp_http_cluster","connect":"-"}"#]);
        let http = all.of(Kind::Http);
        assert_eq!(
            (http.back.errors, http.back.connect_errors, http.front.errors),
            (1, 0, 0)
        );
    }

    #[test]
    fn a_refused_client_counts_at_no_node() {
        let all = tally(&[
            r#"{"kind":"http","status":429}"#,
            r#"{"kind":"tcp","status":503}"#,
            r#"{"kind":"http","status":400}"#,
        ]);
        let (http, tcp) = (all.of(Kind::Http), all.of(Kind::Tcp));
        assert_eq!(
            (http.front.denied, http.front.errors, http.back.sessions),
            (1, 1, 0)
        );
        assert_eq!((tcp.front.denied, tcp.front.errors), (1, 0));
    }

    #[test]
    fn malformed_lines_are_only_counted() {
        let all = tally(&["{\"kind\":\"ht", "", "{\"kind\":\"http\"}"]);
        assert_eq!((all.strange(), all.of(Kind::Http).front.sessions), (2, 1));
    }

    #[test]
    fn earlier_lines_do_not_count() {
        let mut all = Tally::since(1_000.5);
        for time in ["1000.499", "1000.500", "-"] {
            all.add_line(format!(r#"{{"kind":"tcp","time":"{time}"}}"#).as_bytes());
        }
        assert_eq!(all.of(Kind::Tcp).front.sessions, 2);
    }

    #[test]
    fn no_more_servers_are_kept_than_there_is_room_for() {
        let mut all = Tally::default();
        for number in 0..MOST_SERVERS + 10 {
            let [_, _, high, low] = u32::try_from(number).unwrap().to_be_bytes();
            all.add_line(format!(r#"{{"kind":"tcp","upstream":"127.1.{high}.{low}:1"}}"#).as_bytes());
        }
        let tcp = all.of(Kind::Tcp);
        assert_eq!(tcp.servers.len(), MOST_SERVERS);
        assert_eq!(tcp.back.sessions, u64::try_from(MOST_SERVERS).unwrap() + 10);
    }
}
