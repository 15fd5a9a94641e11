//! The environment of nodes that run a program, as found on this host: their variables, and the
//! directory that they run in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::secret::Secret;
use crate::base::units::excerpt;
use crate::platform::private_file::{self, NotPrivate};
use crate::profile::{Cluster, LineError, Node, parse_environment_file};

/// The variables of `nodes.environment_file`, as they were when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeEnvironment {
    variables: BTreeMap<String, Secret>,
    /// Whether nodes that run have other values, which are not known any more.
    is_newer: bool,
}

/// An environment in which nodes cannot run. No message contains a value.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The file is not read.
    #[error("`{}`, which the profile names as `nodes.environment_file`, {why}", shown(.path))]
    File {
        /// The file.
        path: PathBuf,
        /// Why it is not read.
        why: NotPrivate,
    },
    /// A line of the file cannot be understood.
    #[error("{}:{}: the line {}", shown(.path), .error.line, .error.what)]
    Line {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: LineError,
    },
    /// A node has no directory to run in.
    #[error("{node} cannot run: `{}`, which the profile names as `nodes.directory`, {why}", shown(.path))]
    Directory {
        /// The first node that cannot run.
        node: String,
        /// Its directory.
        path: PathBuf,
        /// Why that is none.
        why: String,
        /// What to do.
        hint: String,
    },
}

impl EnvironmentError {
    /// A command or a change that helps.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            EnvironmentError::File {
                path,
                why: NotPrivate::Open(_),
            } => format!("`chmod 600 {}`", shown(path)),
            EnvironmentError::File {
                why: NotPrivate::NotUtf8(_),
                ..
            } => "save it as UTF-8".to_owned(),
            EnvironmentError::File { .. } => "correct `nodes.environment_file`".to_owned(),
            EnvironmentError::Line { error, .. } => error.hint.to_owned(),
            EnvironmentError::Directory { hint, .. } => hint.clone(),
        }
    }
}

impl NodeEnvironment {
    /// Reads the file of `cluster`, if it has one, and checks that the directory of each node
    /// exists.
    ///
    /// # Errors
    /// When the nodes cannot run so.
    pub fn read(cluster: &Cluster) -> Result<NodeEnvironment, EnvironmentError> {
        let variables = match &cluster.environment_file {
            None => BTreeMap::new(),
            Some(path) => read(path)?,
        };
        let environment = NodeEnvironment {
            variables,
            is_newer: false,
        };
        environment.checked(cluster)
    }

    /// Checks that the directory of each node of `cluster` exists.
    ///
    /// # Errors
    /// When one does not.
    pub fn checked(self, cluster: &Cluster) -> Result<NodeEnvironment, EnvironmentError> {
        if let Some(directory) = &cluster.directory {
            for node in &cluster.nodes {
                check_directory(node, Path::new(&node.fill(directory)))?;
            }
        }
        Ok(self)
    }

    /// What the file has now, in place of former variables of nodes that run.
    pub(super) fn newer(self) -> NodeEnvironment {
        NodeEnvironment {
            is_newer: true,
            ..self
        }
    }

    /// Whether nodes that run have other values, which are not known any more.
    pub(super) const fn is_newer(&self) -> bool {
        self.is_newer
    }

    /// The variables of `node`: those of the file, with those of the profile over them.
    #[must_use]
    pub fn of(&self, cluster: &Cluster, node: &Node) -> Vec<(OsString, OsString)> {
        let file = self
            .variables
            .iter()
            .map(|(name, value)| (name, value.expose().to_owned()));
        let profile = cluster.environment.iter();
        let profile = profile.map(|(name, value)| (name, node.fill(value.expose())));
        let variables: BTreeMap<_, _> = file.chain(profile).collect();
        let variables = variables.into_iter();
        variables
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }
}

// Private

fn read(path: &Path) -> Result<BTreeMap<String, Secret>, EnvironmentError> {
    let text = private_file::read(path).map_err(|why| EnvironmentError::File {
        path: path.to_owned(),
        why,
    })?;
    parse_environment_file(&text).map_err(|error| EnvironmentError::Line {
        path: path.to_owned(),
        error,
    })
}

fn check_directory(node: &Node, path: &Path) -> Result<(), EnvironmentError> {
    let correct = || "correct `nodes.directory`".to_owned();
    let (why, hint) = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => ("is not a directory".to_owned(), correct()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (
            "does not exist".to_owned(),
            format!("`mkdir -p {}`, or correct `nodes.directory`", shown(path)),
        ),
        Err(error) => (format!("cannot be used: {error}"), correct()),
    };
    Err(EnvironmentError::Directory {
        node: node.name.clone(),
        path: path.to_owned(),
        why,
        hint,
    })
}

fn shown(path: &Path) -> String {
    excerpt(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::platform::mark;
    use crate::profile::{Source, load};

    fn source(sets: &[String]) -> Source {
        let command = ["nodes.runtime=command", "nodes.command=[sh]"].map(str::to_owned);
        Source {
            sets: [&command, sets].concat(),
            ..Source::read("default").unwrap()
        }
    }

    fn read(sets: &[String]) -> Result<Vec<(String, String)>, (String, String)> {
        let cluster = load(&source(sets)).unwrap();
        let environment =
            NodeEnvironment::read(&cluster).map_err(|error| (error.to_string(), error.hint()))?;
        let variables = environment.of(&cluster, &cluster.nodes[1]).into_iter();
        let text = |text: OsString| text.into_string().unwrap();
        Ok(variables.map(|(name, value)| (text(name), text(value))).collect())
    }

    #[test]
    fn the_profile_is_laid_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("nodes.env");
        fs::write(&file, "PORT=1\nKEY='{n}'\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let sets = [
            format!("nodes.environment_file={}", file.display()),
            "nodes.environment.PORT={http_port}".to_owned(),
        ];
        let variables = read(&sets).unwrap();
        assert_eq!(
            variables,
            [("KEY", "{n}"), ("PORT", "8082")].map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let (error, hint) = read(&sets).unwrap_err();
        assert!(error.ends_with("other users: its mode is 0640"), "{error}");
        assert_eq!(hint, format!("`chmod 600 {}`", file.display()));
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "PORT=1\ns3cret\n").unwrap();
        let (error, _) = read(&sets).unwrap_err();
        assert_eq!(error, format!("{}:2: the line has no `=`", file.display()));
    }

    #[test]
    fn a_directory_has_to_exist_for_every_node() {
        let dir = tempfile::tempdir().unwrap();
        let set = |end: &str| [format!("nodes.directory={}/{end}", dir.path().display())];
        fs::create_dir(dir.path().join("erlmcp1")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let (error, hint) = read(&set("{name}")).unwrap_err();
        assert!(
            error.starts_with("erlmcp2 cannot run") && error.ends_with("does not exist"),
            "{error}"
        );
        assert!(hint.starts_with("`mkdir -p /"), "{hint}");
        let (error, _) = read(&set("file")).unwrap_err();
        assert!(error.ends_with("is not a directory"), "{error}");
        assert_eq!(read(&set("erlmcp1")).unwrap(), []);
    }

    #[test]
    fn the_mark_of_a_node_cannot_be_set() {
        for name in [mark::CHILD, mark::RUN, mark::RUN_DIR, mark::INSTANCE] {
            let set = format!("nodes.environment.{name}=1");
            let error = load(&source(&[set])).unwrap_err().to_string();
            assert!(error.contains("is set by clusterctl itself"), "{error}");
        }
    }
}
