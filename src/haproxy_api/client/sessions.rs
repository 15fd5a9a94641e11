//! Sessions of clients, ended one by one.

use std::net::{IpAddr, SocketAddr};

use super::error::RuntimeError;
use super::socket::Socket;

/// The command.
const COMMAND: &str = "show sess";

/// A session that has a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLine {
    /// What identifies it until it ends, as the process prints it.
    pub id: String,
    /// The client's address; an IPv4 address for an IPv4-mapped one.
    pub client: SocketAddr,
    /// The backend.
    pub backend: String,
    /// The server.
    pub server: String,
}

impl Socket {
    /// The sessions that have a server now.
    pub async fn sessions(&self) -> Result<Vec<SessionLine>, RuntimeError> {
        // Without any session, HAProxy's answer is empty.
        let answer = self.ask(COMMAND).await?;
        parse(&answer).ok_or_else(|| RuntimeError::unreadable(COMMAND))
    }

    /// Ends a session. Returns whether it still existed: HAProxy may have given its id to another
    /// client meanwhile, whose session stays.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn shutdown_session(&self, session: &SessionLine) -> Result<bool, RuntimeError> {
        let id = &session.id;
        let found = self.ask(&format!("show sess {id}")).await?;
        if client_of(&found) != Some(session.client) {
            return Ok(false);
        }
        match self.order(&format!("shutdown session {id}")).await {
            Ok(()) => Ok(true),
            Err(RuntimeError::Refused { source, .. })
                if source.to_string().starts_with("No such session") =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

// Private

/// Each line is `ID: NAME=VALUE ..`.
fn parse(answer: &str) -> Option<Vec<SessionLine>> {
    let mut sessions = Vec::new();
    for line in answer.lines().filter(|line| !line.is_empty()) {
        let (id, values) = line.split_once(": ")?;
        let value = |name: &str| {
            let mut words = values.split(' ').map_while(|word| word.split_once('='));
            words.find(|(found, _)| *found == name).map(|(_, value)| value)
        };
        // Sessions of the runtime API itself have no address, and those in a queue no server.
        let client = value("src").and_then(address);
        let server = value("srv").filter(|server| *server != "<none>");
        if let (Some(client), Some(server), Some(backend)) = (client, server, value("be")) {
            sessions.push(SessionLine {
                id: id.to_owned(),
                client,
                backend: backend.to_owned(),
                server: server.to_owned(),
            });
        }
    }
    Some(sessions)
}

/// The client of a session that is described in several lines.
fn client_of(answer: &str) -> Option<SocketAddr> {
    let mut words = answer.split_ascii_whitespace();
    words.find_map(|word| address(word.strip_prefix("source=")?))
}

/// An address without brackets, and a port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.rsplit_once(':')?;
    let ip: IpAddr = ip.parse().ok()?;
    Some(SocketAddr::new(ip.to_canonical(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_with_a_client_and_a_server_are_read() {
        let answer = "\
0x55b3: proto=tcpv4 src=127.0.0.9:39095 fe=f be=b srv=n1 ts=00 epoch=0 age=1s calls=3 rq[f=848000h,i=0]\n\
0x55b4: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1\n\
0x55b5: proto=tcpv6 src=::ffff:10.0.0.1:1 fe=f be=b srv=<none> ts=00\n\
0x55b6: proto=tcpv6 src=2001:db8::1:443 fe=f be=b srv=n2 ts=00\n\n";
        let read = parse(answer).unwrap();
        let shown: Vec<String> = read
            .iter()
            .map(|it| format!("{} {} {}/{}", it.id, it.client, it.backend, it.server))
            .collect();
        assert_eq!(
            shown,
            ["0x55b3 127.0.0.9:39095 b/n1", "0x55b6 [2001:db8::1]:443 b/n2"]
        );
        assert_eq!(parse("\n"), Some(Vec::new()));
        assert_eq!(parse("nonsense\n"), None);
    }

    #[test]
    fn the_client_of_one_session_is_read() {
        let answer =
            "0x55b3: [28/Nov/2026:16:00:00.0] id=1 proto=tcpv4 source=127.0.0.9:39095\n  flags=0xce\n\n";
        assert_eq!(client_of(answer), Some("127.0.0.9:39095".parse().unwrap()));
        assert_eq!(client_of("Session not found.\n\n"), None);
    }
}
