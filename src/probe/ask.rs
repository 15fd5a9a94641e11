//! Sends a check and reads the answer.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use super::{Answer, Failure, Probe, Question};
use crate::mcp::{DISCOVER, DISCOVER_HEADERS, Lines, Message, PING};
use crate::platform;

/// The time for the rest of an answer whose status is known.
const REST_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

impl Probe {
    /// Sends one check, and waits for its answer.
    pub async fn ask(&self) -> Result<Answer, Failure> {
        let began = Instant::now();
        let deadline = tokio::time::Instant::now() + self.timeout;
        let one = |question| self.ask_one(question, deadline);
        let (question, status) = match &self.question {
            Question::Either { get, mcp } => {
                let (get, mcp) = (Question::Get(get.clone()), Question::Discover(mcp.clone()));
                match one(&get).await {
                    Ok(status) => (get, status),
                    Err(failure) if failure.is_not_served() => {
                        let status = one(&mcp).await?;
                        (mcp, status)
                    }
                    Err(failure) => return Err(failure),
                }
            }
            question => {
                let status = one(question).await?;
                (question.clone(), status)
            }
        };
        Ok(Answer {
            took: began.elapsed(),
            question,
            status,
        })
    }

    // Private

    /// The HTTP status of a good answer, if the check is by HTTP.
    async fn ask_one(
        &self,
        question: &Question,
        deadline: tokio::time::Instant,
    ) -> Result<Option<u16>, Failure> {
        let target = self.target;
        let mut stream = timeout_at(deadline, platform::connect::connect(target, self.source))
            .await
            .map_err(|_| Failure::ConnectTimeout { target })?
            .map_err(|error| not_connected(target, &error))?;
        let answer = async {
            match question {
                Question::Tcp => Ok(None),
                Question::Mcp => mcp(&mut stream, target).await.map(|()| None),
                Question::Get(path) => get(&mut stream, target, path).await.map(Some),
                Question::Discover(path) | Question::Either { mcp: path, .. } => {
                    discover(&mut stream, target, path).await.map(Some)
                }
            }
        };
        let answered = timeout_at(deadline, answer)
            .await
            .map_err(|_| Failure::AnswerTimeout {
                target,
                question: question.clone(),
            })?;
        if question.http_check().is_some() {
            tokio::spawn(read_rest(stream));
        }
        answered
    }
}

// Private

fn not_connected(target: SocketAddr, error: &io::Error) -> Failure {
    let why = error.to_string();
    match error.raw_os_error() {
        _ if platform::connect::is_ours(error) => Failure::Local { target, why },
        Some(libc::ETIMEDOUT) => Failure::ConnectTimeout { target },
        _ => Failure::Connect { target, why },
    }
}

/// Any JSON-RPC line proves life: the result, an error (erlmcp wants `initialize` first), or a
/// notification.
async fn mcp(stream: &mut TcpStream, target: SocketAddr) -> Result<(), Failure> {
    let no_answer = |why: &str| Failure::Answer {
        target,
        why: why.to_owned(),
    };
    // A full node sends an error at once and closes, so an answer can be there although a write
    // failed.
    let _sent = stream.write_all(format!("{PING}\n").as_bytes()).await;
    let mut lines = Lines::default();
    let mut total = 0;
    loop {
        if let Ok(Some(line)) = lines.next_line() {
            return match Message::parse(&line) {
                Ok(_) => Ok(()),
                Err(_) => Err(no_answer("not JSON-RPC")),
            };
        }
        match stream.read_buf(&mut lines.room()).await {
            Ok(0) => return Err(no_answer("the connection was closed")),
            Ok(read) => total += read,
            Err(error) => return Err(no_answer(&error.to_string())),
        }
        if total > MAX_ANSWER {
            return Err(no_answer("too long"));
        }
    }
}

/// A 2xx is a good answer.
async fn get(stream: &mut TcpStream, target: SocketAddr, path: &str) -> Result<u16, Failure> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: clusterctl-check\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    match status_of(stream, target, &request).await? {
        status @ 200..=299 => Ok(status),
        status => Err(Failure::Status { target, status }),
    }
}

/// Any 2xx, 3xx or 4xx is a sign of life.
async fn discover(stream: &mut TcpStream, target: SocketAddr, path: &str) -> Result<u16, Failure> {
    let headers = DISCOVER_HEADERS.map(|(name, value)| format!("{name}: {value}\r\n"));
    let headers = headers.concat();
    let length = DISCOVER.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: clusterctl-check\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{DISCOVER}"
    );
    match status_of(stream, target, &request).await? {
        status @ 200..=499 => Ok(status),
        status => Err(Failure::Status { target, status }),
    }
}

/// The status of the answer to `request`. Only the status line is read.
async fn status_of(stream: &mut TcpStream, target: SocketAddr, request: &str) -> Result<u16, Failure> {
    let no_answer = |why: &str| Failure::Answer {
        target,
        why: why.to_owned(),
    };
    let _sent = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < MAX_ANSWER {
        match stream.read_buf(&mut answer).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Err(no_answer(&error.to_string())),
        }
    }
    match status(&answer) {
        Some(status) => Ok(status),
        None if answer.is_empty() => Err(no_answer("the connection was closed")),
        None => Err(no_answer("not HTTP")),
    }
}

/// Reads the rest of an answer: a connection that is closed before is reset, which many servers log
/// as an error. An answer that does not end is cut.
async fn read_rest(mut stream: TcpStream) {
    let read = async {
        let mut buffer = [0; 4096];
        let mut total = 0;
        while total < MAX_ANSWER {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => total += read,
            }
        }
    };
    let _cut_if_late = timeout(REST_TIMEOUT, read).await;
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    words.next().filter(|protocol| protocol.starts_with("HTTP/1."))?;
    words.next().filter(|status| status.len() == 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::profile::HttpCheck;

    /// A server that reads something, sends `answer` and closes.
    async fn server(answer: &'static [u8]) -> SocketAddr {
        servers(vec![answer]).await
    }

    /// A server that does so with one answer for each connection, in order.
    async fn servers(answers: Vec<&'static [u8]>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
                stream.write_all(answer).await.unwrap();
            }
        });
        address
    }

    fn probe(target: SocketAddr, question: Question) -> Probe {
        Probe {
            target,
            question,
            source: None,
            timeout: Duration::from_secs(10),
        }
    }

    async fn verdict(question: Question, answer: &'static [u8]) -> &'static str {
        match probe(server(answer).await, question).ask().await {
            Ok(_) => "ok",
            Err(failure) => failure.word(),
        }
    }

    #[tokio::test]
    async fn any_json_rpc_line_is_a_sign_of_life() {
        for (answer, expected) in [
            (
                &b"{\"jsonrpc\":\"2.0\",\"id\":\"check\",\"result\":{}}\n"[..],
                "ok",
            ),
            (
                b"\r\n{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32005,\"message\":\"\"}}\r\n",
                "ok",
            ),
            (
                b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n",
                "ok",
            ),
            (b"{\"status\":\"ok\"}\n", "L7RSP"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "L7RSP"),
            (b"", "L7RSP"),
        ] {
            assert_eq!(
                verdict(Question::Mcp, answer).await,
                expected,
                "{}",
                answer.escape_ascii()
            );
        }
    }

    #[tokio::test]
    async fn only_2xx_is_healthy() {
        for (answer, expected) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], "ok"),
            (b"HTTP/1.0 204 No Content\r\n\r\n", "ok"),
            (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "L7STS"),
            (b"HTTP/1.1 20 OK\r\n\r\n", "L7RSP"),
            (b"\xff\n", "L7RSP"),
            (b"", "L7RSP"),
        ] {
            assert_eq!(
                verdict(Question::Get("/health".into()), answer).await,
                expected,
                "{}",
                answer.escape_ascii()
            );
        }
    }

    #[tokio::test]
    async fn every_status_below_500_is_a_sign_of_life_of_an_mcp_server() {
        for (answer, expected) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], "ok"),
            (b"HTTP/1.1 307 Temporary Redirect\r\n\r\n", "ok"),
            (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "ok"),
            (b"HTTP/1.0 404 Not Found\r\n\r\n", "ok"),
            (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", "L7STS"),
            (b"SSH-2.0-OpenSSH\r\n", "L7RSP"),
            (b"", "L7RSP"),
        ] {
            let discover = Question::Discover("/mcp".into());
            assert_eq!(
                verdict(discover, answer).await,
                expected,
                "{}",
                answer.escape_ascii()
            );
        }
    }

    #[tokio::test]
    async fn a_server_without_the_health_path_is_asked_by_mcp() {
        for (answers, expected) in [
            (vec![&b"HTTP/1.1 200 OK\r\n\r\n"[..]], Ok(HttpCheck::Get)),
            (
                vec![
                    b"HTTP/1.1 404 Not Found\r\n\r\n",
                    b"HTTP/1.1 400 Bad Request\r\n\r\n",
                ],
                Ok(HttpCheck::Mcp),
            ),
            (
                vec![
                    b"HTTP/1.1 501 Not Implemented\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\n\r\n",
                ],
                Ok(HttpCheck::Mcp),
            ),
            // The path is served, and the server is not well.
            (vec![b"HTTP/1.1 503 Service Unavailable\r\n\r\n"], Err("L7STS")),
            (vec![b"HTTP/1.1 404 Not Found\r\n\r\n", b""], Err("L7RSP")),
        ] {
            let either = Question::Either {
                get: "/health".into(),
                mcp: "/mcp".into(),
            };
            let asked = probe(servers(answers).await, either).ask().await;
            let found = asked.map(|answer| answer.question.http_check());
            assert_eq!(
                found.map_err(|failure| failure.word()),
                expected.map(Some),
                "{expected:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_answer_in_parts_is_read_to_its_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.write_all(b"x: y\r\n").await.unwrap();
            }
            stream.shutdown().await.unwrap();
            // The end of the connection, and not a reset.
            stream.read(&mut [0; 1024]).await
        });
        let get = Question::Get("/health".into());
        probe(target, get).ask().await.unwrap();
        assert_eq!(server.await.unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn an_endless_answer_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        });
        let failure = probe(target, Question::Mcp).ask().await.unwrap_err();
        assert_eq!(
            failure.to_string(),
            format!("no valid answer from {target}: too long")
        );
    }

    #[tokio::test]
    async fn a_refused_connection_differs_from_a_missing_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let hung = Probe {
            timeout: Duration::from_millis(50),
            ..probe(target, Question::Mcp)
        };
        let failure = hung.ask().await.unwrap_err();
        assert_eq!(
            failure.to_string(),
            format!("{target} accepts connections and never answers `ping`")
        );
        assert!(
            Probe {
                question: Question::Tcp,
                ..hung
            }
            .ask()
            .await
            .is_ok()
        );
        // A program that another test starts now may still have a copy of it.
        socket2::SockRef::from(&listener)
            .shutdown(std::net::Shutdown::Both)
            .unwrap();
        let failure = hung.ask().await.unwrap_err();
        assert_eq!((failure.word(), failure.blames_node()), ("L4CON", true));
    }

    #[tokio::test]
    async fn an_unreachable_address_is_the_nodes_failure() {
        // A link-local address without an interface.
        let failure = probe("[fe80::1]:9".parse().unwrap(), Question::Mcp).ask().await;
        let failure = failure.unwrap_err();
        assert_eq!((failure.word(), failure.blames_node()), ("L4CON", true));
    }

    #[tokio::test]
    async fn a_local_failure_is_not_the_nodes() {
        let foreign = Probe {
            source: Some("192.0.2.1".parse().unwrap()),
            ..probe("127.0.0.1:9".parse().unwrap(), Question::Tcp)
        };
        let failure = foreign.ask().await.unwrap_err();
        assert_eq!((failure.word(), failure.blames_node()), ("SOCKERR", false));
    }
}
