//! A configuration that the running process reads again. HAProxy's master answers the same command
//! in the same words.

use std::time::Duration;

use super::answer::Refused;
use super::error::RuntimeError;
use super::socket::Socket;

/// Listeners are opened and tables made while it is waited for.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);

impl Socket {
    /// Lets the process read its configuration again. When it does not like it, it goes on with the
    /// old one.
    ///
    /// # Errors
    /// When it cannot be asked, does not answer within 30 seconds, or refuses.
    pub async fn reload(&self) -> Result<(), RuntimeError> {
        let command = "reload";
        let answer = self.ask_within(command, RELOAD_TIMEOUT).await?;
        reloaded(&answer).map_err(|source| RuntimeError::refused(command, source))
    }
}

// Private

/// `Success=1`, or `Success=0`, a line of two dashes, and why.
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
