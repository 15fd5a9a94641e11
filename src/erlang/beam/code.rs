//! The source code of BEAM nodes.

use crate::erlang::otp::{Code, mesh};

/// The source of one module.
macro_rules! module {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../beam/src/", $name)))
    };
}

/// The application.
pub(super) const NODE: Code = Code {
    name: "mcp_node",
    resources: Some(include_str!("../../../beam/src/mcp_node.app.src")),
    modules: &[
        mesh::MODULES[0],
        mesh::MODULES[1],
        mesh::MODULES[2],
        module!("mcp_acceptor.erl"),
        module!("mcp_connection_sup.erl"),
        module!("mcp_http.erl"),
        module!("mcp_json.erl"),
        module!("mcp_listener_sup.erl"),
        module!("mcp_node.erl"),
        module!("mcp_node_sup.erl"),
        module!("mcp_origin.erl"),
        module!("mcp_places.erl"),
        module!("mcp_request.erl"),
        module!("mcp_rpc.erl"),
        module!("mcp_sessions.erl"),
        module!("mcp_tcp.erl"),
    ],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::erlang::otp::Otp;
    use crate::mcp::GatewayError;
    use crate::platform::{Program, RunDir};
    use crate::profile::Binaries;

    #[test]
    fn every_module_of_the_repository_is_in_this_binary() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("beam/src");
        let files = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let found: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
        let embedded = NODE.modules.iter().map(|(name, _)| (*name).to_owned());
        assert_eq!(
            found,
            embedded.chain([format!("{}.app.src", NODE.name)]).collect()
        );
        for (name, _) in NODE.modules {
            let module = name.trim_end_matches(".erl");
            let resources = NODE.resources.unwrap();
            assert!(
                resources.contains(module),
                "{module} is not in the application's list"
            );
        }
    }

    #[test]
    fn a_full_node_answers_by_the_table_of_errors() {
        let source = |wanted: &str| {
            let mut modules = NODE.modules.iter();
            modules.find(|(name, _)| *name == wanted).unwrap().1
        };
        let status = GatewayError::Unavailable.status();
        assert!(source("mcp_rpc.erl").contains(&format!("code(unavailable) -> {status}.")));
        assert!(source("mcp_http.erl").contains(&format!("{{{status}, [{{\"Retry-After\", \"1\"}}]")));
    }

    #[tokio::test]
    async fn installed_erlang_compiles_it_without_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::at(directory.path());
        let otp = Otp::find(&Binaries::default()).await.unwrap();
        NODE.compile(&otp, &run_dir).await.unwrap();
        let ebin = NODE.ebin(&otp, &run_dir);
        assert_eq!(fs::read_dir(&ebin).unwrap().count(), NODE.modules.len() + 1);

        let sources = ebin.with_file_name("src");
        let strict = Program::new(otp.compiler().unwrap())
            .args(["-Werror", "-o"])
            .arg(directory.path())
            .args(NODE.modules.iter().map(|(name, _)| sources.join(name)));
        let output = strict.output(Duration::from_mins(2)).await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
