//! Why a command could not do its work.

use std::io;

use crate::api::ClientError;
use crate::balancer::{CheckError, FilesError, FindError};
use crate::base::units::excerpt;
use crate::erlang::distribution::{CookieError, EpmdError, Error as ErlangError};
use crate::erlang::erlmcp::InstallationError;
use crate::platform::run_dir::RunDirError;
use crate::profile::{Problems, SourceError};
use crate::supervisor::{PrepareError, PresenceError, SuperviseError};

use super::exit::Exit;

/// The result of a command.
pub(super) type Outcome = Result<Exit, Failure>;

/// An error, its hint, and the exit code that it causes.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: anyhow::Error,
    pub(super) hint: Option<String>,
    pub(super) exit: Exit,
}

/// Output that was not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the output")]
pub(super) struct NotWritten(#[from] io::Error);

impl NotWritten {
    /// Whether the reader has closed the pipe, as `head` does: that is not an error, and a message
    /// would have no reader.
    fn is_unwanted(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Failure {
    /// The work could not be done.
    pub(super) fn new(error: impl Into<anyhow::Error>) -> Failure {
        Failure {
            error: error.into(),
            hint: None,
            exit: Exit::Failed,
        }
    }

    /// The work could not be done, for a reason without an underlying error.
    pub(super) fn because(why: impl Into<String>) -> Failure {
        Failure::new(anyhow::Error::msg(why.into()))
    }

    /// The request is invalid.
    pub(super) fn usage(why: impl Into<String>) -> Failure {
        Failure::because(why).exit(Exit::Usage)
    }

    /// Adds a hint.
    pub(super) fn hint(mut self, hint: impl Into<Option<String>>) -> Failure {
        self.hint = hint.into();
        self
    }

    /// Ends with `exit`.
    pub(super) fn exit(mut self, exit: Exit) -> Failure {
        self.exit = exit;
        self
    }

    /// Adds what the command was doing.
    pub(super) fn context(mut self, doing: String) -> Failure {
        self.error = self.error.context(doing);
        self
    }

    /// Whether nothing is to be printed.
    pub(super) fn is_silent(&self) -> bool {
        self.error
            .downcast_ref::<NotWritten>()
            .is_some_and(NotWritten::is_unwanted)
    }

    /// What is wrong and why, each cause on its own line. A cause that its parent's text already
    /// contains is not repeated.
    pub(super) fn text(&self) -> String {
        self.error
            .chain()
            .skip(1)
            .fold(self.error.to_string(), |text, cause| {
                let cause = cause.to_string();
                if text.ends_with(&cause) {
                    text
                } else {
                    format!("{text}: {cause}")
                }
            })
    }

    /// Whether the text is a list that contains `error:` and `hint:` itself.
    pub(super) fn speaks_for_itself(&self) -> bool {
        self.error.is::<Problems>()
    }
}

impl From<NotWritten> for Failure {
    fn from(error: NotWritten) -> Failure {
        let exit = if error.is_unwanted() {
            Exit::Done
        } else {
            Exit::Failed
        };
        Failure::new(error).exit(exit)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Failure {
        Failure::new(problems)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Failure {
        let hint = match &error {
            SourceError::Unknown { near: Some(near), .. } => format!("did you mean `{near}`?"),
            SourceError::Unknown { near: None, .. } => {
                "`clusterctl profile list` shows the embedded ones; a file is given by its path".to_owned()
            }
            SourceError::Encoded { path, encoding } => {
                format!("`iconv -f {encoding} -t UTF-8 {} > utf-8.yaml`", excerpt(path))
            }
            SourceError::Read { .. } | SourceError::NotAFile { .. } | SourceError::NotUtf8 { .. } => {
                "`--profile` takes a name or the path of a readable YAML file".to_owned()
            }
        };
        Failure::new(error).exit(Exit::Usage).hint(hint)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::NotRunning(_) => {
                Failure::because("the cluster is not running").hint("`clusterctl start` starts it".to_owned())
            }
            ClientError::Forbidden(_) => Failure::new(error)
                .exit(Exit::Unclear)
                .hint("run this command as root or as the user that started the cluster".to_owned()),
            ClientError::Refused(refusal) | ClientError::UnknownCall(refusal) => {
                Failure::because(refusal.error).hint(refusal.hint)
            }
            ClientError::UnknownNode(refusal) => Failure::usage(refusal.error).hint(refusal.hint),
            ClientError::Ended | ClientError::Broken(_) => Failure::new(error)
                .exit(Exit::Unclear)
                .hint("`clusterctl logs supervisor` shows what it does".to_owned()),
        }
    }
}

impl From<RunDirError> for Failure {
    fn from(error: RunDirError) -> Failure {
        Failure::new(error).hint("choose another one with `--run-dir DIR`".to_owned())
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Failure {
        let hint = error.hint();
        Failure::new(error).hint(hint)
    }
}

impl From<FilesError> for Failure {
    fn from(error: FilesError) -> Failure {
        let hint = error.hint();
        Failure::new(error).hint(hint)
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Failure {
        let hint = error.hint();
        Failure::new(error).hint(hint)
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Failure {
        match error {
            PrepareError::Profile(problems) => problems.into(),
            error => {
                let hint = error.hint();
                Failure::new(error).hint(hint)
            }
        }
    }
}

impl From<InstallationError> for Failure {
    fn from(error: InstallationError) -> Failure {
        let hint = error.hint();
        Failure::new(error).hint(hint)
    }
}

impl From<PresenceError> for Failure {
    fn from(error: PresenceError) -> Failure {
        let hint = error.hint();
        match error {
            PresenceError::Supervisor(error) => error.into(),
            PresenceError::Lock(_) | PresenceError::Busy(_) => Failure::new(error).hint(hint),
        }
    }
}

impl From<ErlangError> for Failure {
    fn from(error: ErlangError) -> Failure {
        let hint = error.hint();
        Failure::new(error).hint(hint)
    }
}

impl From<EpmdError> for Failure {
    fn from(error: EpmdError) -> Failure {
        let hint = error.hint().to_owned();
        Failure::new(error).hint(hint)
    }
}

impl From<CookieError> for Failure {
    fn from(error: CookieError) -> Failure {
        Failure::new(error).hint("`--cookie-file FILE` names the file that has the node's cookie".to_owned())
    }
}

impl From<SuperviseError> for Failure {
    fn from(error: SuperviseError) -> Failure {
        match error {
            SuperviseError::Prepare(error) => error.into(),
            error => Failure::new(error),
        }
    }
}
