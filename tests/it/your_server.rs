//! The examples of docs/your-server.md that need nothing installed, word for word. `tests/outside`
//! runs all of them.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::harness::{TestCluster, behind_each_balancer};

/// More than one for each node.
const SESSIONS: usize = 8;

behind_each_balancer! {
    a_server_that_takes_only_port,
    a_server_that_npm_starts,
}

fn a_server_that_takes_only_port(balancer: &'static str) {
    Example::of_page("A server that takes only PORT").works_behind(balancer);
}

fn a_server_that_npm_starts(balancer: &'static str) {
    Example::of_page("npm run start").works_behind(balancer);
}

#[test]
fn a_server_that_needs_20_seconds_to_start() {
    let example = Example::of_page("A server that needs 20 seconds to start");
    example.edited("sleep 20\n", "sleep 4\n").works_behind("haproxy");
}

/// The files of a section, and the command line that starts them.
struct Example {
    files: Vec<(String, String)>,
    start: Vec<String>,
}

impl Example {
    /// The section below `heading`. It may use the files of those before it in its chapter.
    fn of_page(heading: &str) -> Example {
        let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/your-server.md")).unwrap();
        let end = page.find(&format!("### {heading}\n")).unwrap();
        let chapter = page[..end].rfind("\n## ").unwrap();
        let end = page[end + 1..]
            .find("\n##")
            .map_or(page.len(), |length| end + 1 + length);
        let section = &page[chapter..end];
        let files = section.split("ave this as `").skip(1).map(|after| {
            let (name, after) = after.split_once("`:\n\n```").unwrap();
            let (_language, after) = after.split_once('\n').unwrap();
            (name.to_owned(), after.split_once("```").unwrap().0.to_owned())
        });
        let start = section
            .lines()
            .rfind(|line| line.starts_with("clusterctl start "))
            .unwrap();
        Example {
            files: files.collect(),
            start: words(start),
        }
    }

    /// With text of its files replaced.
    fn edited(mut self, from: &str, to: &str) -> Example {
        let before = self.files.clone();
        for (_, content) in &mut self.files {
            *content = content.replace(from, to);
        }
        assert_ne!(self.files, before);
        self
    }

    fn works_behind(self, balancer: &'static str) {
        let cluster = TestCluster::behind(balancer);
        for (name, content) in &self.files {
            fs::write(cluster.dir().join(name), content).unwrap();
        }
        let options = self.start.iter().skip(2).filter(|word| *word != "haproxy");
        let mut start = cluster.command(&["start", balancer]);
        start.args(options).current_dir(cluster.dir()).assert().success();
        let status = cluster.status();
        assert_eq!(
            (&status["state"], status["nodes"].as_array().unwrap().len()),
            (&"healthy".into(), 4)
        );
        for _ in 0..SESSIONS {
            let answer = initialize(cluster.address(8080));
            assert_eq!(answer["result"]["serverInfo"]["name"], "tiny", "{answer}");
        }
    }
}

/// The words of a command line; single quotes keep spaces.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

fn initialize(address: SocketAddr) -> Value {
    let body = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
    }})
    .to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let response = std::io::read_to_string(stream).unwrap();
    let (start, end) = (response.find('{'), response.rfind('}'));
    let body = start.zip(end).and_then(|(start, end)| response.get(start..=end));
    body.and_then(|body| serde_json::from_str(body).ok())
        .unwrap_or_else(|| panic!("no JSON: {response}"))
}
