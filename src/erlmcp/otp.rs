//! The Erlang that runs nodes.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::checkout::Checkout;
use super::home::Home;
use crate::platform::executable::{self, Missing};
use crate::platform::{Program, RunDir};
use crate::profile::Binaries;

/// It starts, compiles one small file and ends, also on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// The listener in front of erlmcp.
const DOOR: &str = include_str!("clusterctl_door.erl");
/// What Erlang is asked, in its directory, with the checkout's code on its path. Each answer is a line of two words.
const QUESTION: &str = r#"
    Say = fun(What, Answer) -> io:format("~s ~0tp~n", [What, Answer]) end,
    Say(otp, list_to_integer(erlang:system_info(otp_release))),
    Say(door, try compile:file("clusterctl_door") of {ok, _} -> ok; _ -> error catch error:undef -> no_compiler end),
    Say(server, case code:ensure_loaded(erlmcp_server) of {module, _} -> ok; {error, Why} -> Why end),
    halt(0).
"#;

/// An Erlang that can run a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otp {
    /// Its `erl`.
    pub erl: PathBuf,
    /// The number of its release.
    pub release: u32,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum OtpError {
    /// It is not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// It does not run.
    #[error("cannot run `{}`: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It runs, and answers as no Erlang does.
    #[error("`{}` does not answer as Erlang does: {said}", .path.display())]
    Stranger {
        /// The file.
        path: PathBuf,
        /// What it said.
        said: String,
    },
    /// It came without its compiler.
    #[error("`{}` has no compiler", .0.display())]
    NoCompiler(PathBuf),
    /// It is older than the checkout.
    #[error("erlmcp in `{}` needs a newer Erlang than OTP {release}, which `{}` is", .checkout.path.display(), .erl.display())]
    TooOld {
        /// The file.
        erl: PathBuf,
        /// The number of its release.
        release: u32,
        /// What is to be run.
        checkout: Checkout,
    },
    /// The checkout has no such thing as `erlmcp_server`.
    #[error("erlmcp in `{}` has no `erlmcp_server` that can be loaded", .0.display())]
    NoServer(PathBuf),
}

impl OtpError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        const NAME_IT: &str = "name it with `--set binaries.erl=PATH`";
        match self {
            OtpError::Missing(missing) => missing.hint("erlang-base"),
            OtpError::Unusable { .. } | OtpError::Stranger { .. } | OtpError::NoCompiler(_) => {
                format!("is it the right file? If not, {NAME_IT}")
            }
            OtpError::TooOld { checkout, .. } => match checkout.oldest {
                Some(oldest) => {
                    format!("its rebar.config wants OTP {oldest} or newer: install that, and {NAME_IT}")
                }
                None => format!(
                    "install the one that it was compiled by, and {NAME_IT}; or compile it anew by this one"
                ),
            },
            OtpError::NoServer(path) => {
                format!(
                    "`cd {} && rebar3 compile`; or open a listener of yours in `nodes.eval`",
                    path.display()
                )
            }
        }
    }
}

impl Otp {
    /// The Erlang that the profile names, else the one in PATH.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(binaries: &Binaries) -> Result<PathBuf, OtpError> {
        Ok(executable::locate("erl", binaries.erl.as_deref())?)
    }

    /// Asks `erl` who it is, whether it can load what is in `checkout`, and has it compile the listener, in `home`. An
    /// `erlmcp_server` is only `wanted` where that listener is.
    pub(super) async fn ask(
        erl: PathBuf,
        checkout: &Checkout,
        home: &Home,
        wanted: bool,
    ) -> Result<Otp, OtpError> {
        let unusable = |source| OtpError::Unusable {
            path: erl.clone(),
            source,
        };
        let source = home.path().join("clusterctl_door.erl");
        RunDir::replace(&source, DOOR.as_bytes()).map_err(unusable)?;
        let mut asking = Program::new(&erl)
            .args(["-noinput", "-pa"])
            .args(&checkout.libs)
            .args(["-eval", QUESTION]);
        asking.directory = Some(home.path().to_owned());
        asking.env = vec![("HOME".into(), home.user().into())];
        let output = asking.output(PATIENCE).await.map_err(unusable)?;
        let said = String::from_utf8_lossy(&output.stdout);
        judge(erl, &said, checkout, wanted)
    }
}

// Private

fn judge(erl: PathBuf, said: &str, checkout: &Checkout, wanted: bool) -> Result<Otp, OtpError> {
    let answer = |what: &str| {
        let mut answers = said.lines().filter_map(|line| line.split_once(' '));
        answers.find_map(|(word, answer)| (word == what).then_some(answer))
    };
    let release = answer("otp").and_then(|release| release.parse().ok());
    let (Some(release), Some(door), Some(server)) = (release, answer("door"), answer("server")) else {
        return Err(OtpError::Stranger {
            path: erl,
            said: said.lines().next_back().unwrap_or("nothing").to_owned(),
        });
    };
    match (door, server) {
        // It was compiled by a newer one.
        (_, "badfile") => Err(OtpError::TooOld {
            erl,
            release,
            checkout: checkout.clone(),
        }),
        ("no_compiler", _) if wanted => Err(OtpError::NoCompiler(erl)),
        (_, server) if wanted && server != "ok" => Err(OtpError::NoServer(checkout.path.clone())),
        ("ok", _) => Ok(Otp { erl, release }),
        _ if !wanted => Ok(Otp { erl, release }),
        _ => Err(OtpError::Stranger {
            path: erl,
            said: said.trim().to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout() -> Checkout {
        Checkout {
            path: "/srv/erlmcp".into(),
            libs: Vec::new(),
            oldest: Some(27),
        }
    }

    fn verdict(said: &str, wanted: bool) -> String {
        match judge("/usr/bin/erl".into(), said, &checkout(), wanted) {
            Ok(otp) => format!("OTP {}", otp.release),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn its_answers_are_understood() {
        let good = "otp 25\ndoor ok\nserver ok\n";
        assert_eq!(verdict(good, true), "OTP 25");
        let newer = "=ERROR REPORT====\nplease re-compile this module\notp 25\ndoor ok\nserver badfile\n";
        let too_old = "erlmcp in `/srv/erlmcp` needs a newer Erlang than OTP 25, which `/usr/bin/erl` is";
        assert_eq!(verdict(newer, true), too_old);
        assert_eq!(verdict(newer, false), too_old);
        let bare = "otp 27\ndoor no_compiler\nserver nofile\n";
        assert_eq!(verdict(bare, true), "`/usr/bin/erl` has no compiler");
        assert_eq!(verdict(bare, false), "OTP 27");
        let other = "otp 27\ndoor ok\nserver nofile\n";
        assert!(verdict(other, true).contains("no `erlmcp_server`"));
        assert_eq!(verdict(other, false), "OTP 27");
        assert_eq!(
            verdict("hello\n", true),
            "`/usr/bin/erl` does not answer as Erlang does: hello"
        );
    }

    #[tokio::test]
    async fn the_listener_is_compiled_by_the_real_one() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::in_run_dir(&RunDir::at(dir.path()));
        crate::erlang::settle(&home.user()).unwrap();
        let erl = Otp::find(&Binaries::default()).unwrap();
        let otp = Otp::ask(erl, &checkout(), &home, false).await.unwrap();
        assert!(otp.release >= 25, "{otp:?}");
        assert!(home.path().join("clusterctl_door.beam").exists());
    }

    #[test]
    fn a_missing_file_is_named_with_its_setting() {
        let binaries = Binaries {
            erl: Some("/nonexistent".into()),
            ..Binaries::default()
        };
        let error = Otp::find(&binaries).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("which the profile names as `binaries.erl`")
        );
        assert!(error.hint().contains("binaries.erl"));
    }
}
