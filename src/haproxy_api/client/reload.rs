//! Makes the running process read its configuration again. HAProxy's master answers the same
//! command with the same sentences.

use std::time::Duration;

use super::answer::Refused;
use super::error::RuntimeError;
use super::socket::Socket;

/// The reload opens listeners and creates tables before it answers.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);

impl Socket {
    /// Makes the process read its configuration again. If the configuration is not valid, the
    /// process keeps the old one.
    ///
    /// # Errors
    /// If the command fails, is not answered within 30 seconds, or is refused.
    pub async fn reload(&self) -> Result<(), RuntimeError> {
        let command = "reload";
        let answer = self.ask_within(command, RELOAD_TIMEOUT).await?;
        reloaded(&answer).map_err(|source| RuntimeError::refused(command, source))
    }
}

// Private

/// `Success=1`, or `Success=0`, a line of two dashes, and the reason.
fn reloaded(answer: &str) -> Result<(), Refused> {
    let (verdict, why) = answer.split_once('\n').unwrap_or((answer, ""));
    match verdict.trim() {
        "Success=1" => Ok(()),
        "Success=0" => Err(Refused(why.trim().trim_start_matches("--").trim().to_owned())),
        _ => Err(Refused(verdict.trim().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_one() {
        assert_eq!(reloaded("Success=1\n\n"), Ok(()));
        assert_eq!(reloaded("Success=1\n--\nwell\n\n"), Ok(()));
        for (answer, why) in [
            (
                "Success=0\n--\ncannot bind 192.0.2.1:80: no such address\n\n",
                "cannot bind 192.0.2.1:80: no such address",
            ),
            ("Permission denied\n\n", "Permission denied"),
            ("Unknown command: 'reload'\n\n", "Unknown command: 'reload'"),
            ("", ""),
        ] {
            assert_eq!(reloaded(answer), Err(Refused(why.to_owned())), "{answer}");
        }
    }
}
