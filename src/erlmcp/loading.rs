//! Whether an Erlang can load an erlmcp.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checkout::Checkout;
use crate::otp::Otp;
use crate::platform::Program;

/// It starts, loads one module and ends, also on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// What Erlang is asked, with the checkout's code on its path. The answer is a line of two words.
const QUESTION: &str = r#"
    Answer = case code:ensure_loaded(erlmcp_server) of {module, _} -> ok; {error, Why} -> Why end,
    io:format("server ~0tp~n", [Answer]),
    halt(0).
"#;

/// Why it cannot.
#[derive(Debug, thiserror::Error)]
pub enum LoadingError {
    /// It does not run.
    #[error("cannot run `{}`: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It runs, and does not answer.
    #[error("`{}` does not answer as Erlang does: {said}", .path.display())]
    Stranger {
        /// The file.
        path: PathBuf,
        /// What it said.
        said: String,
    },
    /// It is older than the checkout.
    #[error("erlmcp in `{}` needs a newer Erlang than OTP {}, which `{}` is", .checkout.path.display(), .otp.release, .otp.erl.display())]
    TooOld {
        /// The Erlang.
        otp: Otp,
        /// What is to be run.
        checkout: Checkout,
    },
    /// The checkout has no such thing as `erlmcp_server`.
    #[error("erlmcp in `{}` has no `erlmcp_server` that can be loaded", .0.display())]
    NoServer(PathBuf),
}

impl LoadingError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        const NAME_IT: &str = "name it with `--set binaries.erl=PATH`";
        match self {
            LoadingError::Unusable { .. } | LoadingError::Stranger { .. } => {
                format!("is it the right file? If not, {NAME_IT}")
            }
            LoadingError::TooOld { checkout, .. } => match checkout.oldest {
                Some(oldest) => {
                    format!("its rebar.config wants OTP {oldest} or newer: install that, and {NAME_IT}")
                }
                None => format!(
                    "install the one that it was compiled by, and {NAME_IT}; or compile it anew by this one"
                ),
            },
            LoadingError::NoServer(path) => {
                format!(
                    "`cd {} && rebar3 compile`; or open a listener of yours in `nodes.eval`",
                    path.display()
                )
            }
        }
    }
}

/// Asks `otp` whether it can load what is in `checkout`. That there is an `erlmcp_server` is only `wanted` where our listener
/// stands in front of it.
///
/// # Errors
/// When it cannot.
pub(super) async fn ask(otp: &Otp, checkout: &Checkout, wanted: bool) -> Result<(), LoadingError> {
    let mut asking = Program::new(&otp.erl)
        .args(["-noinput", "-pa"])
        .args(&checkout.libs)
        .args(["-eval", QUESTION]);
    // Neither what a user has in his home for shells of his own, nor what lies about here, is to come between.
    asking.directory = Some("/".into());
    asking.env = vec![("HOME".into(), Path::new("/nonexistent").into())];
    let output = asking
        .output(PATIENCE)
        .await
        .map_err(|source| LoadingError::Unusable {
            path: otp.erl.clone(),
            source,
        })?;
    judge(otp, &String::from_utf8_lossy(&output.stdout), checkout, wanted)
}

// Private

fn judge(otp: &Otp, said: &str, checkout: &Checkout, wanted: bool) -> Result<(), LoadingError> {
    let answer = said.lines().find_map(|line| line.strip_prefix("server "));
    match answer {
        None => Err(LoadingError::Stranger {
            path: otp.erl.clone(),
            said: said.lines().next_back().unwrap_or("nothing").to_owned(),
        }),
        Some("badfile") => Err(LoadingError::TooOld {
            otp: otp.clone(),
            checkout: checkout.clone(),
        }),
        Some(answer) if wanted && answer != "ok" => Err(LoadingError::NoServer(checkout.path.clone())),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Binaries;

    fn checkout() -> Checkout {
        Checkout {
            path: "/srv/erlmcp".into(),
            libs: Vec::new(),
            oldest: Some(27),
        }
    }

    fn verdict(said: &str, wanted: bool) -> String {
        let otp = Otp {
            erl: "/usr/bin/erl".into(),
            release: 25,
            version: "13.1.5".to_owned(),
        };
        match judge(&otp, said, &checkout(), wanted) {
            Ok(()) => "well".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn its_answers_are_understood() {
        assert_eq!(verdict("server ok\n", true), "well");
        let newer = "=ERROR REPORT====\nplease re-compile this module\nserver badfile\n";
        let too_old = "erlmcp in `/srv/erlmcp` needs a newer Erlang than OTP 25, which `/usr/bin/erl` is";
        assert_eq!(verdict(newer, true), too_old);
        assert_eq!(verdict(newer, false), too_old);
        let other = "server nofile\n";
        assert!(verdict(other, true).contains("no `erlmcp_server`"));
        assert_eq!(verdict(other, false), "well");
        assert_eq!(
            verdict("hello\n", true),
            "`/usr/bin/erl` does not answer as Erlang does: hello"
        );
    }

    #[tokio::test]
    async fn the_real_one_answers() {
        let otp = Otp::find(&Binaries::default()).await.unwrap();
        ask(&otp, &checkout(), false).await.unwrap();
        let error = ask(&otp, &checkout(), true).await.unwrap_err();
        assert!(matches!(error, LoadingError::NoServer(_)), "{error}");
    }
}
