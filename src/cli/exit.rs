//! How a command ends.

use std::process::ExitCode;

/// The exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// 0: done; what was examined is healthy.
    Done,
    /// 1: not done, or what was examined is not healthy.
    Failed,
    /// 2: the command line, or the profile's name, is wrong.
    Usage,
    /// 2: the answer could not be determined.
    Unclear,
    /// 130, the same as in a shell: Ctrl-C.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage | Exit::Unclear => 2,
            Exit::Interrupted => 130,
        })
    }
}
