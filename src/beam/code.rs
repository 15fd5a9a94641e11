//! The nodes' code: its source is part of this binary, and is compiled where it runs.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::find::Erlang;
use crate::platform::{Program, RunDir};

/// The application, as its resource file calls it.
const NAME: &str = "mcp_node";
/// Its resource file.
const RESOURCES: &str = include_str!("../../beam/src/mcp_node.app.src");
/// Its modules.
const MODULES: &[(&str, &str)] = &[
    (
        "mcp_acceptor.erl",
        include_str!("../../beam/src/mcp_acceptor.erl"),
    ),
    (
        "mcp_connection_sup.erl",
        include_str!("../../beam/src/mcp_connection_sup.erl"),
    ),
    ("mcp_epmd.erl", include_str!("../../beam/src/mcp_epmd.erl")),
    ("mcp_http.erl", include_str!("../../beam/src/mcp_http.erl")),
    ("mcp_json.erl", include_str!("../../beam/src/mcp_json.erl")),
    (
        "mcp_listener_sup.erl",
        include_str!("../../beam/src/mcp_listener_sup.erl"),
    ),
    ("mcp_mesh.erl", include_str!("../../beam/src/mcp_mesh.erl")),
    ("mcp_node.erl", include_str!("../../beam/src/mcp_node.erl")),
    (
        "mcp_node_sup.erl",
        include_str!("../../beam/src/mcp_node_sup.erl"),
    ),
    ("mcp_origin.erl", include_str!("../../beam/src/mcp_origin.erl")),
    ("mcp_places.erl", include_str!("../../beam/src/mcp_places.erl")),
    ("mcp_rpc.erl", include_str!("../../beam/src/mcp_rpc.erl")),
    (
        "mcp_sessions.erl",
        include_str!("../../beam/src/mcp_sessions.erl"),
    ),
    ("mcp_tcp.erl", include_str!("../../beam/src/mcp_tcp.erl")),
];
/// Compiling takes a second or two, where nobody else wants the processors.
const PATIENCE: Duration = Duration::from_mins(2);

/// Code that cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", .path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The compiler does not run.
    #[error("cannot run `{}`: {source}", .path.display())]
    Unusable {
        /// The compiler.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The compiler refuses.
    #[error("`{}` cannot compile the node:\n{said}", .path.display())]
    Refused {
        /// The compiler.
        path: PathBuf,
        /// What it says.
        said: String,
    },
}

impl CodeError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            CodeError::Unwritable { .. } => None,
            CodeError::Unusable { .. } | CodeError::Refused { .. } => {
                Some("is all of Erlang installed? `apt-get install -y erlang-base`".to_owned())
            }
        }
    }
}

/// Where the modules are once they are compiled for `erlang`.
pub(super) fn ebin(erlang: &Erlang, run_dir: &RunDir) -> PathBuf {
    home(erlang, run_dir).join("ebin")
}

/// Compiles the code, unless that was done.
///
/// # Errors
/// When the compiler refuses, or there is no room.
pub(super) async fn compile(erlang: &Erlang, run_dir: &RunDir) -> Result<(), CodeError> {
    let home = home(erlang, run_dir);
    if home.exists() {
        return Ok(());
    }
    // Of this process alone: another one may do the same at the same time.
    let new = home.with_extension(format!("{}.new", std::process::id()));
    let compiled = compile_in(erlang, &new).await;
    let placed = compiled.and_then(|()| match fs::rename(&new, &home) {
        Err(_) if home.exists() => Ok(()),
        Err(source) => Err(CodeError::Unwritable {
            path: home.clone(),
            source,
        }),
        Ok(()) => Ok(()),
    });
    let _gone_or_not = fs::remove_dir_all(&new);
    placed
}

// Private

/// The application's directory. Other code, or another Erlang, has another one, so nodes that run keep what they have.
fn home(erlang: &Erlang, run_dir: &RunDir) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (RESOURCES, MODULES, &erlang.version).hash(&mut hasher);
    run_dir.erlang().join(format!("{NAME}-{:016x}", hasher.finish()))
}

async fn compile_in(erlang: &Erlang, directory: &Path) -> Result<(), CodeError> {
    let (sources, ebin) = (directory.join("src"), directory.join("ebin"));
    let written = |path: &Path, outcome: io::Result<()>| {
        outcome.map_err(|source| CodeError::Unwritable {
            path: path.to_owned(),
            source,
        })
    };
    for path in [&sources, &ebin] {
        written(path, fs::create_dir_all(path))?;
    }
    for (name, text) in MODULES {
        let path = sources.join(name);
        written(&path, fs::write(&path, text))?;
    }
    let resources = ebin.join(format!("{NAME}.app"));
    written(&resources, fs::write(&resources, RESOURCES))?;

    let mut program = Program::new(&erlang.erlc).arg("+debug_info").arg("-o").arg(&ebin);
    program = program.args(MODULES.iter().map(|(name, _)| sources.join(name)));
    // Whose cookie it would make is nobody's business.
    program.env = vec![("HOME".into(), directory.into())];
    let output = program
        .output(PATIENCE)
        .await
        .map_err(|source| CodeError::Unusable {
            path: erlang.erlc.clone(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(CodeError::Refused {
        path: erlang.erlc.clone(),
        said: String::from_utf8_lossy(&said).trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::profile::Binaries;

    #[test]
    fn every_module_of_the_repository_is_in_this_binary() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("beam/src");
        let files = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let found: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
        let embedded = MODULES.iter().map(|(name, _)| (*name).to_owned());
        assert_eq!(found, embedded.chain([format!("{NAME}.app.src")]).collect());
        for (name, _) in MODULES {
            let module = name.trim_end_matches(".erl");
            assert!(RESOURCES.contains(module), "{module} is not in {NAME}.app.src");
        }
    }

    #[tokio::test]
    async fn it_compiles_once_and_without_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(directory.path());
        let mut erlang = Erlang::find(&Binaries::default()).await.unwrap();
        compile(&erlang, &run_dir).await.unwrap();
        let beams = fs::read_dir(ebin(&erlang, &run_dir)).unwrap().count();
        assert_eq!(beams, MODULES.len() + 1);
        // Nothing would come of this one.
        erlang.erlc = PathBuf::from("/bin/false");
        compile(&erlang, &run_dir).await.unwrap();
        erlang.version.push_str("-other");
        let refused = compile(&erlang, &run_dir).await;
        assert!(matches!(refused, Err(CodeError::Refused { .. })), "{refused:?}");
        assert_eq!(fs::read_dir(run_dir.erlang()).unwrap().count(), 1);

        let sources = home_of_sources(&run_dir);
        let erlang = Erlang::find(&Binaries::default()).await.unwrap();
        let strict = Program::new(erlang.erlc)
            .args(["-Werror", "-o"])
            .arg(directory.path())
            .args(MODULES.iter().map(|(name, _)| sources.join(name)));
        let output = strict.output(PATIENCE).await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn home_of_sources(run_dir: &RunDir) -> PathBuf {
        let mut homes = fs::read_dir(run_dir.erlang()).unwrap();
        homes.next().unwrap().unwrap().path().join("src")
    }
}
