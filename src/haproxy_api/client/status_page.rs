//! nginx's status page: the output of `ngx_http_stub_status_module`.

use std::path::PathBuf;
use std::time::Duration;

/// It is answered at once, unless every worker hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The page, served on a UNIX socket.
#[derive(Clone, Debug)]
pub struct StatusPage {
    socket: PathBuf,
}

/// Its figures, over all workers, including those that are shutting down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StubStatus {
    /// Open client connections, including those that only query this page, and TCP ones.
    pub active: u64,
    /// Connections accepted since nginx started.
    pub accepted: u64,
    /// How many of them were handled; the others were dropped because a limit was reached.
    pub handled: u64,
    /// HTTP requests since nginx started.
    pub requests: u64,
    /// Connections whose request is being read.
    pub reading: u64,
    /// Connections to which an answer is being written.
    pub writing: u64,
    /// Connections that wait for their next request.
    pub waiting: u64,
}

/// The figures cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StatusPageError {
    /// There is no answer, or not in time.
    #[error("`{}` does not answer: {why}", .socket.display())]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// The reason.
        why: String,
    },
    /// The answer is something else.
    #[error("`{}` does not answer like nginx: `{text}`", .socket.display())]
    Strange {
        /// The socket.
        socket: PathBuf,
        /// The beginning of the answer.
        text: String,
    },
}

impl StatusPage {
    /// The page behind `socket`.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> StatusPage {
        StatusPage {
            socket: socket.into(),
        }
    }

    /// Queries the page.
    ///
    /// # Errors
    /// If there is no answer, or the answer does not contain these figures.
    pub async fn read(&self) -> Result<StubStatus, StatusPageError> {
        /// The most characters that are shown of an unexpected answer.
        const MAX_SHOWN_CHARS: usize = 80;
        let text = self.text().await.map_err(|error| StatusPageError::Silent {
            socket: self.socket.clone(),
            why: innermost(&error),
        })?;
        StubStatus::parse(&text).ok_or_else(|| StatusPageError::Strange {
            socket: self.socket.clone(),
            text: text.chars().take(MAX_SHOWN_CHARS).collect(),
        })
    }

    // Private

    async fn text(&self) -> reqwest::Result<String> {
        let http = reqwest::Client::builder()
            .unix_socket(self.socket.clone())
            .no_proxy()
            .timeout(ANSWER_TIMEOUT)
            .build()?;
        let answer = http.get("http://nginx/nginx_status").send().await?;
        answer.error_for_status()?.text().await
    }
}

impl StubStatus {
    /// Parses the text of the page.
    #[must_use]
    pub fn parse(text: &str) -> Option<StubStatus> {
        let mut lines = text.lines();
        let active = lines.next()?.trim().strip_prefix("Active connections:")?;
        lines
            .next()?
            .trim()
            .strip_prefix("server accepts handled requests")?;
        let [accepted, handled, requests] = numbers(lines.next()?)?;
        let words: Vec<&str> = lines.next()?.split_whitespace().collect();
        let ["Reading:", read, "Writing:", written, "Waiting:", idle] = words[..] else {
            return None;
        };
        Some(StubStatus {
            active: active.trim().parse().ok()?,
            accepted,
            handled,
            requests,
            reading: read.parse().ok()?,
            writing: written.parse().ok()?,
            waiting: idle.parse().ok()?,
        })
    }
}

// Private

fn numbers<const N: usize>(line: &str) -> Option<[u64; N]> {
    let numbers: Option<Vec<u64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// The innermost error, which is the most specific one.
fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_nginx_is_parsed() {
        // As nginx 1.22.1 writes it, including blanks at the ends of lines.
        let text = "Active connections: 291 \nserver accepts handled requests\n 16630948 16630947 31070465 \n\
                    Reading: 6 Writing: 179 Waiting: 106 \n";
        let expected = StubStatus {
            active: 291,
            accepted: 16_630_948,
            handled: 16_630_947,
            requests: 31_070_465,
            reading: 6,
            writing: 179,
            waiting: 106,
        };
        assert_eq!(StubStatus::parse(text), Some(expected));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "<html>",
            "Active connections: 1\n",
            "Active connections: x\nserver accepts handled requests\n 1 2 3\nReading: 0 Writing: 1 Waiting: 0\n",
            "Active connections: 1\nserver accepts handled requests\n 1 2\nReading: 0 Writing: 1 Waiting: 0\n",
        ] {
            assert_eq!(StubStatus::parse(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_missing_socket_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = StatusPage::new(directory.path().join("none"))
            .read()
            .await
            .unwrap_err();
        assert!(error.to_string().contains("none` does not answer: "), "{error}");
    }
}
