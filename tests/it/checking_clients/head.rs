//! The head of an answer over HTTP.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The status and the header lines of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    lines: Vec<String>,
}

impl Head {
    /// Reads the head of the next answer, up to its body.
    pub(crate) async fn read(connection: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Head> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let status = lines
            .first()
            .and_then(|line: &String| line.split(' ').nth(1)?.parse().ok());
        Ok(Head {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            lines,
        })
    }

    /// The value of a header.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut headers = self.lines.iter().filter_map(|line| line.split_once(": "));
        headers
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The first line, with the status in words.
    pub(crate) fn first_line(&self) -> &str {
        &self.lines[0]
    }
}
