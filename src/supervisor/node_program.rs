//! The program of nodes with runtime `command`, as found on this host.

use std::path::{Path, PathBuf};

use super::node_environment::NodeEnvironment;

use crate::base::units::excerpt;
use crate::platform::executable::{self, Unusable};
use crate::profile::{Cluster, Runtime};

/// A node's program that cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("{node} cannot run: `{}`, which the profile names as `nodes.command`, {why}", excerpt(.program))]
pub struct CommandError {
    /// The first node that cannot run.
    node: String,
    /// Its program, with placeholders filled in.
    program: String,
    /// Whether it was searched for in our own PATH.
    is_own_path: bool,
    /// Why it does not run.
    why: Unusable,
}

impl CommandError {
    /// A command or a change to the profile that helps.
    #[must_use]
    pub fn hint(&self) -> String {
        let program = excerpt(&self.program);
        match &self.why {
            Unusable::NotInPath if !self.is_own_path => {
                "its environment in the profile has a `PATH`, which replaces ours: add the directory to it"
                    .to_owned()
            }
            Unusable::NotInPath => {
                format!("install it, or name it by its path: `./{program}` is one beside the profile")
            }
            Unusable::NotThere | Unusable::Directory => {
                "correct the first word of `nodes.command`".to_owned()
            }
            Unusable::NotExecutable => format!("`chmod +x {program}`"),
            Unusable::NoInterpreter(_) => format!("correct the first line of `{program}`"),
        }
    }
}

/// The program of the first node, if every node of `cluster` has a program that runs; `None` if the
/// nodes have another runtime.
///
/// # Errors
/// When the program of a node cannot be run.
pub fn find(cluster: &Cluster, environment: &NodeEnvironment) -> Result<Option<PathBuf>, CommandError> {
    let is_named = cluster.runtime == Runtime::Command && cluster.erlmcp.is_none();
    let Some(program) = cluster.command.first().filter(|_| is_named) else {
        return Ok(None);
    };
    let mut first = None;
    for node in &cluster.nodes {
        let program = node.fill(program);
        let variables = environment.of(cluster, node);
        let search_path = variables.iter().rfind(|(name, _)| name == "PATH");
        let search_path = search_path.map(|(_, value)| value.as_os_str());
        let directory = cluster.directory.as_ref().map(|directory| node.fill(directory));
        let directory = directory.as_ref().map(Path::new);
        let found = executable::find(&program, search_path, directory).map_err(|why| CommandError {
            node: node.name.clone(),
            program,
            is_own_path: search_path.is_none(),
            why,
        })?;
        first.get_or_insert(found);
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Source, load};

    fn found(command: &str) -> Result<Option<PathBuf>, (String, String)> {
        let sets = [
            "nodes.runtime=command".to_owned(),
            format!("nodes.command={command}"),
        ]
        .to_vec();
        let source = Source {
            sets,
            ..Source::read("default").unwrap()
        };
        let cluster = load(&source).unwrap();
        find(&cluster, &NodeEnvironment::default()).map_err(|error| (error.to_string(), error.hint()))
    }

    #[test]
    fn a_program_that_does_not_run_is_named_with_its_node() {
        assert!(found("[sh, -c, exit]").unwrap().unwrap().is_absolute());
        let (error, hint) = found("[no-such-program, a]").unwrap_err();
        assert_eq!(
            error,
            "erlmcp1 cannot run: `no-such-program`, which the profile names as `nodes.command`, is not in PATH"
        );
        assert_eq!(
            hint,
            "install it, or name it by its path: `./no-such-program` is one beside the profile"
        );
        let (error, _) = found("['/nonexistent/{name}']").unwrap_err();
        assert!(
            error.contains("`/nonexistent/erlmcp1`") && error.ends_with("does not exist"),
            "{error}"
        );
        let (error, _) = found("[/usr]").unwrap_err();
        assert!(error.ends_with("is a directory"), "{error}");
        let (error, hint) = found("[./Cargo.toml]").unwrap_err();
        assert!(
            error.ends_with("is not executable") && hint.starts_with("`chmod +x /"),
            "{error} {hint}"
        );
    }

    #[test]
    fn other_runtimes_have_no_program_to_check() {
        let cluster = load(&Source::read("default").unwrap()).unwrap();
        assert_eq!(find(&cluster, &NodeEnvironment::default()).unwrap(), None);
    }
}
