//! Configuration files that were edited after this supervisor wrote them, and the effect of an
//! edited nginx.conf on nodes.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::Finding;
use crate::balancer::{ConfigFile, Override, Setting};
use crate::platform::Identity;
use crate::profile::Cluster;
use crate::supervisor::balancer_link::config_files::is_written;
use crate::supervisor::balancer_link::worker_reload::is_in_force;

/// The `files` that were edited. For a balancer that reads its orders from files, `master` is its
/// process: it is then known whether an edit is in force, and what the edit does to the nodes of
/// `cluster`.
pub(super) fn edited(files: &[ConfigFile], master: Option<Identity>, cluster: &Cluster) -> BTreeSet<Finding> {
    let mut findings = BTreeSet::new();
    for file in files.iter().filter(|file| !is_written(file)) {
        let name = name(&file.path);
        let in_force = master.map(|master| is_in_force(master, &file.path));
        if in_force == Some(true)
            && let Ok(is) = fs::read_to_string(&file.path)
        {
            findings.extend(
                taken_out(&file.content, &is, &name, cluster)
                    .into_iter()
                    .map(Finding::Server),
            );
        }
        findings.insert(Finding::Edited { file: name, in_force });
    }
    findings
}

// Private

fn name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Nodes that are servers of an upstream in the `written` text, and not in the file's text now,
/// `is`.
fn taken_out(written: &str, is: &str, file: &str, cluster: &Cluster) -> Vec<Override> {
    let (planned, found) = (upstream_servers(written), upstream_servers(is));
    let missing = planned.iter().filter(|server| !found.contains(*server));
    let overrides = missing.filter_map(|(upstream, address)| {
        let mut nodes = cluster.nodes.iter();
        let node = nodes.find(|node| node.addresses().any(|at| at == *address))?;
        Some(Override {
            setting: Setting::Unlisted {
                file: file.to_owned(),
                tcp: node.tcp == Some(*address),
            },
            backend: upstream.clone(),
            inherited: false,
            node: node.name.clone(),
        })
    });
    overrides.collect()
}

/// The servers that take connections, by their upstream: not marked `down`, and not commented out.
fn upstream_servers(text: &str) -> BTreeSet<(String, SocketAddr)> {
    let mut servers = BTreeSet::new();
    let mut upstream = None;
    for line in text.lines() {
        let code = line.split('#').next().unwrap_or_default().trim();
        let text: Vec<&str> = code
            .split([' ', '\t', ';', '{'])
            .filter(|word| !word.is_empty())
            .collect();
        match (text.as_slice(), &upstream) {
            (["upstream", name, ..], _) => upstream = Some((*name).to_owned()),
            (["}"], _) => upstream = None,
            (["server", address, options @ ..], Some(name)) if !options.contains(&"down") => {
                if let Ok(address) = address.parse::<SocketAddr>() {
                    servers.insert((name.clone(), address));
                }
            }
            _ => {}
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "http {\n upstream a {\n  server 127.0.0.1:8081 weight=1; # n1\n  server 127.0.0.1:8082 backup; # n2\n }\n \
                           server {\n  listen 8080;\n }\n}\n";

    #[test]
    fn servers_are_found_in_their_upstreams() {
        let servers = upstream_servers(WRITTEN);
        let expected =
            ["127.0.0.1:8081", "127.0.0.1:8082"].map(|address| ("a".to_owned(), address.parse().unwrap()));
        assert_eq!(servers, BTreeSet::from(expected));
    }

    #[test]
    fn a_server_down_commented_out_or_removed_is_taken_out() {
        let edits = [
            (
                "server 127.0.0.1:8081 weight=1;",
                "server 127.0.0.1:8081 weight=1 down;",
            ),
            (
                "server 127.0.0.1:8081 weight=1;",
                "# server 127.0.0.1:8081 weight=1;",
            ),
            ("server 127.0.0.1:8081 weight=1;", ""),
            ("server 127.0.0.1:8081 weight=1;", "server 127.0.0.1:9 weight=1;"),
        ];
        for (from, to) in edits {
            let servers = upstream_servers(&WRITTEN.replace(from, to));
            let missing = upstream_servers(WRITTEN)
                .difference(&servers)
                .cloned()
                .collect::<Vec<_>>();
            assert_eq!(
                missing,
                [("a".to_owned(), "127.0.0.1:8081".parse().unwrap())],
                "{to}"
            );
        }
    }

    #[test]
    fn an_edit_of_other_lines_takes_no_server_out() {
        let edited = WRITTEN.replace("listen 8080", "listen 8080 backlog=9");
        assert_eq!(upstream_servers(&edited), upstream_servers(WRITTEN));
    }
}
