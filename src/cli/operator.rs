//! The operator who runs a command.

use nix::unistd::{User, geteuid};

/// The user and the process, for operators whose orders are refused meanwhile: `root (pid 4711)`.
pub(super) fn operator() -> String {
    let user = geteuid();
    let name = User::from_uid(user).ok().flatten().map(|user| user.name);
    let name = name.unwrap_or_else(|| format!("user {user}"));
    format!("{name} (pid {})", std::process::id())
}
