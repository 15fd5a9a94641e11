//! Checks that an Erlang can load an erlmcp.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::checkout::Checkout;
use super::words::in_shell;
use crate::erlang::otp::{Otp, undisturbed};

/// Erlang starts, loads one module and ends within this time, even on a busy machine.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The program that Erlang runs, with the checkout's code on its path, and with a configuration if
/// there is one. Each answer is a line.
const QUESTION: &str = r#"
    Server = case code:ensure_loaded(erlmcp_server) of
        {module, _} -> ok;
        {error, badfile} ->
            case beam_lib:version(code:where_is_file("erlmcp_server.beam")) of {ok, _} -> newer; _ -> broken end;
        {error, _} -> none
    end,
    Config = case init:get_plain_arguments() of
        [] -> "ok";
        [Path | _] ->
            case file:consult(Path) of
                {ok, [List]} when is_list(List) -> "ok";
                {ok, _} -> "not one list";
                {error, Why} -> file:format_error(Why)
            end
    end,
    io:format("server ~s~nconfig ~ts~n", [Server, Config]),
    halt(0).
"#;

/// The reason why it cannot.
#[derive(Debug, thiserror::Error)]
pub enum LoadingError {
    /// It cannot be run.
    #[error("cannot run `{}`: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It runs, but its output is unexpected.
    #[error("unexpected output of `{}`: {output}", .path.display())]
    Stranger {
        /// The file.
        path: PathBuf,
        /// Its output.
        output: String,
    },
    /// It is older than the checkout.
    #[error("erlmcp in `{}` needs a newer Erlang than OTP {}, which `{}` is", .checkout.path.display(), .otp.release, .otp.erl.display())]
    TooOld {
        /// The Erlang.
        otp: Otp,
        /// The checkout.
        checkout: Checkout,
    },
    /// The compiled file is damaged.
    #[error("erlmcp in `{}` has an `erlmcp_server.beam` that is broken", .0.display())]
    Broken(PathBuf),
    /// The configuration is not valid.
    #[error("`{}`, which the profile names as `nodes.config`, is not a configuration: {why}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The checkout has no usable `erlmcp_server`.
    #[error("erlmcp in `{}` has no `erlmcp_server` that can be loaded", .0.display())]
    NoServer(PathBuf),
}

impl LoadingError {
    /// A hint for the user.
    #[must_use]
    pub fn hint(&self) -> String {
        const NAME_IT: &str = "set its path with `--set binaries.erl=PATH`";
        match self {
            LoadingError::Unusable { .. } | LoadingError::Stranger { .. } => {
                format!("if it is the wrong file, {NAME_IT}")
            }
            LoadingError::TooOld { checkout, otp } => match checkout.oldest {
                Some(oldest) if oldest > otp.release => {
                    format!("its rebar.config requires OTP {oldest} or newer: install that, and {NAME_IT}")
                }
                _ => {
                    format!("install the one that compiled it, and {NAME_IT}; or recompile it with this one")
                }
            },
            LoadingError::Broken(path) => {
                let path = in_shell(path);
                format!("recompile it: `cd {path} && rm -r _build && rebar3 compile`")
            }
            LoadingError::Config { .. } => {
                "it must be one list of applications, followed by a full stop: `[{erlmcp_core, []}].`"
                    .to_owned()
            }
            LoadingError::NoServer(path) => {
                let path = in_shell(path);
                format!("`cd {path} && rebar3 compile`; or open your own listener in `nodes.eval`")
            }
        }
    }
}

/// Checks whether `otp` can load the code in `checkout`, and read `config`. An `erlmcp_server` is
/// only `wanted` if the built-in listener stands in front of it.
pub(super) async fn ask(
    otp: &Otp,
    checkout: &Checkout,
    config: Option<&Path>,
    wanted: bool,
) -> Result<(), LoadingError> {
    let mut asking = undisturbed(&otp.erl)
        .args(["-noinput", "-pz"])
        .args(&checkout.libs)
        .args(["-eval", QUESTION]);
    if let Some(config) = config {
        let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
        asking = asking.arg("-extra").arg(config);
    }
    // Neither the user's files for interactive shells, nor files in the current directory, may
    // interfere.
    asking.directory = Some("/".into());
    asking.env = vec![
        ("HOME".into(), "/nonexistent".into()),
        ("ERL_CRASH_DUMP_SECONDS".into(), "0".into()),
    ];
    let output = asking
        .output(LOAD_TIMEOUT)
        .await
        .map_err(|source| LoadingError::Unusable {
            path: otp.erl.clone(),
            source,
        })?;
    let output = String::from_utf8_lossy(&output.stdout);
    check_server(otp, &output, checkout, wanted)?;
    let unexpected = || unexpected(otp, &output);
    match (config, answer(&output, "config ").ok_or_else(unexpected)?) {
        (Some(path), why) if why != "ok" => Err(LoadingError::Config {
            path: path.to_owned(),
            why: why.to_owned(),
        }),
        _ => Ok(()),
    }
}

// Private

fn check_server(otp: &Otp, output: &str, checkout: &Checkout, wanted: bool) -> Result<(), LoadingError> {
    let path = || checkout.path.clone();
    match answer(output, "server ").ok_or_else(|| unexpected(otp, output))? {
        "newer" => Err(LoadingError::TooOld {
            otp: otp.clone(),
            checkout: checkout.clone(),
        }),
        "broken" => Err(LoadingError::Broken(path())),
        "none" if wanted => Err(LoadingError::NoServer(path())),
        _ => Ok(()),
    }
}

fn answer<'a>(output: &'a str, to: &str) -> Option<&'a str> {
    output.lines().find_map(|line| line.strip_prefix(to))
}

fn unexpected(otp: &Otp, output: &str) -> LoadingError {
    LoadingError::Stranger {
        path: otp.erl.clone(),
        output: output.lines().next_back().unwrap_or("nothing").to_owned(),
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

    fn verdict(output: &str, wanted: bool) -> String {
        let otp = Otp {
            erl: "/usr/bin/erl".into(),
            release: 25,
            version: "13.1.5".to_owned(),
        };
        match check_server(&otp, output, &checkout(), wanted) {
            Ok(()) => "well".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn its_answers_are_understood() {
        assert_eq!(verdict("server ok\n", true), "well");
        let newer = "=ERROR REPORT====\nplease re-compile this module\nserver newer\n";
        let too_old = "erlmcp in `/srv/erlmcp` needs a newer Erlang than OTP 25, which `/usr/bin/erl` is";
        assert_eq!(verdict(newer, true), too_old);
        assert_eq!(verdict(newer, false), too_old);
        assert!(verdict("server broken\n", false).ends_with("is broken"));
        let other = "server none\n";
        assert!(verdict(other, true).contains("no `erlmcp_server`"));
        assert_eq!(verdict(other, false), "well");
        assert_eq!(
            verdict("hello\n", true),
            "unexpected output of `/usr/bin/erl`: hello"
        );
    }

    #[tokio::test]
    async fn installed_erlang_answers() {
        let otp = Otp::find(&Binaries::default()).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("it is mine.config");
        let mut checkout = checkout();
        checkout.libs.push(dir.path().to_owned());
        // A module with a name of OTP must not replace the one of OTP.
        std::fs::write(dir.path().join("lists.beam"), "").unwrap();
        for (text, expected) in [
            ("[{kernel, []}].", None),
            ("[].\n[].", Some("is not a configuration: not one list")),
            (
                "[{kernel, []}",
                Some("is not a configuration: 1: syntax error before: "),
            ),
        ] {
            std::fs::write(&config, text).unwrap();
            let output = ask(&otp, &checkout, Some(&config), false).await;
            let output = output.err().map(|error| error.to_string());
            assert_eq!(output.is_some(), expected.is_some(), "{output:?}");
            assert!(output.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
        let error = ask(&otp, &checkout, None, true).await.unwrap_err();
        assert!(matches!(error, LoadingError::NoServer(_)), "{error}");
        std::fs::write(dir.path().join("erlmcp_server.beam"), "FOR1").unwrap();
        let error = ask(&otp, &checkout, None, false).await.unwrap_err();
        assert!(matches!(error, LoadingError::Broken(_)), "{error}");
    }
}
