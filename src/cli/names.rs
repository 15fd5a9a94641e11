//! Names that are not there, and the ones that were probably meant.

use super::failure::Failure;
use crate::api::Client;
use crate::profile::closest;

/// The usage error about a `name` that is none of the `known` ones of its `kind`.
pub(super) fn unknown<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.into_iter().collect();
    let failure = Failure::usage(format!("unknown {kind} `{name}`"));
    match closest(name, known.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None if known.is_empty() => failure,
        None => failure.hint(format!("there is {}", listed(&known))),
    }
}

/// Whether `name` is a node of the cluster that runs.
///
/// # Errors
/// When it is not: a usage error, with the name that was probably meant.
pub(super) async fn known_node(client: &Client, name: &str) -> Result<(), Failure> {
    let nodes = client.status().await?.nodes;
    if nodes.iter().any(|node| node.name == name) {
        return Ok(());
    }
    Err(unknown("node", name, nodes.iter().map(|node| node.name.as_str())))
}

// Private

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_near_one_is_suggested_or_all_are_told() {
        let hint = |name| unknown("node", name, ["erlmcp1", "erlmcp2"]).hint.unwrap();
        assert_eq!(hint("erlmcp3"), "did you mean `erlmcp2`?");
        assert_eq!(hint("zebra"), "there is `erlmcp1`, `erlmcp2`");
        assert_eq!(unknown("node", "zebra", ["a"]).text(), "unknown node `zebra`");
    }
}
