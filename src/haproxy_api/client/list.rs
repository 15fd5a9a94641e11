//! Lists that the configuration reads from a file (`-f FILE`), changed at run time. The file itself
//! is not changed: a new process reads the file. A list that the configuration does not use is
//! skipped.

use std::path::Path;

use super::error::RuntimeError;
use super::socket::Socket;

impl Socket {
    /// The entries of the list that was read from `file`; `None` if the configuration reads no such
    /// file.
    pub async fn list(&self, file: &Path) -> Result<Option<Vec<String>>, RuntimeError> {
        let answer = self.question(&format!("show acl {}", word(file))).await?;
        Ok(entries(&answer))
    }

    /// Adds `entry` to the list that was read from `file`, unless it is there.
    ///
    /// # Errors
    /// If the command fails, or entries have another type.
    pub async fn put_on_list(&self, file: &Path, entry: &str) -> Result<(), RuntimeError> {
        match self.list(file).await? {
            // Adding it twice would create two entries.
            Some(held) if !held.iter().any(|held| held == entry) => {
                self.order(&format!("add acl {} {entry}", word(file))).await
            }
            _ => Ok(()),
        }
    }

    /// Removes `entry` from the list that was read from `file`, if it is there.
    pub async fn take_from_list(&self, file: &Path, entry: &str) -> Result<(), RuntimeError> {
        match self.list(file).await? {
            Some(held) if held.iter().any(|held| held == entry) => {
                self.order(&format!("del acl {} {entry}", word(file))).await
            }
            _ => Ok(()),
        }
    }
}

// Private

/// A path as one word of a command.
fn word(path: &Path) -> String {
    let mut word = String::new();
    for c in path.display().to_string().chars() {
        if matches!(c, ' ' | '\\') {
            word.push('\\');
        }
        word.push(c);
    }
    word
}

/// Each line is an internal address and an entry.
fn entries(answer: &str) -> Option<Vec<String>> {
    if answer.starts_with("Unknown ACL identifier") {
        return None;
    }
    let lines = answer.lines().filter_map(|line| line.split_once(' '));
    Some(lines.map(|(_, entry)| entry.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_after_their_addresses() {
        let answer = "0x7efc240ece30 erlmcp1\n0x55ab1204e920 2\n\n";
        assert_eq!(entries(answer).unwrap(), ["erlmcp1", "2"]);
        assert!(entries("\n").unwrap().is_empty());
        let unknown = "Unknown ACL identifier. Please use #<id> or <file>.\n\n";
        assert_eq!(entries(unknown), None);
    }

    #[test]
    fn blanks_in_paths_are_escaped() {
        assert_eq!(word(Path::new("/my clusters/a\\b")), "/my\\ clusters/a\\\\b");
    }
}
