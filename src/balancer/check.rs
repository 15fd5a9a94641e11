//! The real binary checks its configuration.

use std::io;
use std::process::Output;

use super::files::FilesError;
use crate::profile::BalancerKind;

/// A configuration that could not be checked, or was rejected.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The files could not be made.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The binary could not be run.
    #[error("cannot check the configuration with `{program}`: {source}")]
    NotRun {
        /// The binary.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The binary rejected the configuration.
    #[error("{program} rejects the configuration:\n{words}")]
    Refused {
        /// The balancer.
        kind: BalancerKind,
        /// The binary.
        program: String,
        /// Its messages.
        words: String,
    },
}

impl CheckError {
    /// How to fix it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            CheckError::Files(error) => error.hint(),
            CheckError::NotRun { .. } => None,
            CheckError::Refused { kind, .. } => {
                Some(format!("`clusterctl render {kind}` prints this configuration"))
            }
        }
    }
}

/// The meaning of HAProxy's output: `Ok` with its warnings, or its reasons for rejecting.
pub(super) fn verdict(output: &Output) -> Result<Vec<String>, String> {
    let words = String::from_utf8_lossy(&output.stderr);
    let lines = words.lines().filter(|line| !line.starts_with("[NOTICE]"));
    if output.status.success() {
        return Ok(lines
            .filter(|line| line.starts_with("[WARNING]"))
            .map(readable)
            .collect());
    }
    Err(reasons(
        &lines.map(readable).collect::<Vec<_>>().join("\n"),
        output,
    ))
}

/// The meaning of nginx's output: `Ok` with its warnings, or its reasons for rejecting.
pub(super) fn nginx_verdict(output: &Output) -> Result<Vec<String>, String> {
    let words = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<String> = words.lines().filter_map(nginx_message).collect();
    if output.status.success() {
        return Ok(lines);
    }
    if lines.is_empty() {
        return Err(reasons(&words, output));
    }
    Err(lines.join("\n"))
}

// Private

/// The reasons in `words`; how the program ended if it has printed none.
fn reasons(words: &str, output: &Output) -> String {
    match words.trim_end() {
        "" => format!("it printed no reason ({})", output.status),
        words => words.to_owned(),
    }
}

/// The message of a line `nginx: [warn] why`, or `2026/11/26 13:01:31 [warn] 104#104: why` when
/// nginx logs to stderr at once.
fn nginx_message(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('[')?;
    let (level, why) = rest.split_once("] ")?;
    let why = match why.split_once(": ") {
        Some((process, why)) if process.contains('#') && !process.contains(' ') => why,
        _ => why,
    };
    match level {
        "notice" | "info" => None,
        "warn" => Some(format!("warning: {why}")),
        "emerg" => Some(format!("error: {why}")),
        level => Some(format!("{level}: {why}")),
    }
}

/// A line `[WARNING]  (123) : config : why` without the pid, because that process has ended.
fn readable(line: &str) -> String {
    match line.split_once(" : ") {
        Some((level, why)) if level.starts_with('[') => {
            let level = level.split_once(']').map_or(level, |(level, _)| level);
            format!("{}: {why}", level.trim_start_matches('[').to_lowercase())
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn output(code: i32, words: &str) -> Output {
        Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: Vec::new(),
            stderr: words.into(),
        }
    }

    #[test]
    fn warnings_are_distinguished_from_notices() {
        let words =
            "[NOTICE]   (7) : haproxy version is 2.6.12\n[WARNING]  (7) : config : missing timeouts\n";
        assert_eq!(
            verdict(&output(0, words)).unwrap(),
            ["warning: config : missing timeouts"]
        );
        assert!(
            verdict(&output(0, "Configuration file is valid\n"))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn messages_of_nginx_are_read() {
        let fine = "nginx: the configuration file /x/nginx.conf syntax is ok\nnginx: configuration file /x/nginx.conf test is successful\n";
        assert!(nginx_verdict(&output(0, fine)).unwrap().is_empty());
        let warned = format!("nginx: [warn] 20000 worker_connections exceed the limit\n{fine}");
        assert_eq!(
            nginx_verdict(&output(0, &warned)).unwrap(),
            ["warning: 20000 worker_connections exceed the limit"]
        );
        let refused = "2026/11/26 13:01:31 [emerg] 104#104: unknown directive \"x\" in /x/nginx.conf:3\nnginx: configuration file /x/nginx.conf test failed\n";
        assert_eq!(
            nginx_verdict(&output(1, refused)).unwrap_err(),
            "error: unknown directive \"x\" in /x/nginx.conf:3"
        );
        assert_eq!(nginx_verdict(&output(1, "killed\n")).unwrap_err(), "killed");
    }

    #[test]
    fn a_check_that_prints_nothing_is_explained_by_its_end() {
        let died = Output {
            status: ExitStatus::from_raw(11),
            ..output(0, "[NOTICE]   (7) : haproxy version is 2.6.12\n")
        };
        assert_eq!(
            verdict(&died).unwrap_err(),
            "it printed no reason (signal: 11 (SIGSEGV))"
        );
        assert_eq!(
            nginx_verdict(&output(3, " \n")).unwrap_err(),
            "it printed no reason (exit status: 3)"
        );
    }

    #[test]
    fn a_rejection_keeps_all_its_messages() {
        let words = "[NOTICE]   (7) : haproxy version is 2.6.12\n[ALERT]    (7) : config : unknown keyword 'x'\nmore\n";
        assert_eq!(
            verdict(&output(1, words)).unwrap_err(),
            "alert: config : unknown keyword 'x'\nmore"
        );
    }
}
