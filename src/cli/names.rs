//! Names that are not there, and the ones that were probably meant.

use super::failure::Failure;
use crate::api::Client;

/// Nearer than that (1 is the same) two names are probably one, mistyped.
const NEAR: f64 = 0.8;

/// The usage error about a `name` that is none of the `known` ones of its `kind`.
pub(super) fn unknown<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.into_iter().collect();
    let failure = Failure::usage(format!("unknown {kind} `{name}`"));
    match nearest(name, &known) {
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

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    let scored = known
        .iter()
        .map(|near| (strsim::jaro_winkler(near, &name), *near));
    // Of names that are equally near, the last one: who types `erlmcp5` has counted too far.
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 > NEAR).then_some(best.1)
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        let known = ["erlmcp1", "erlmcp2", "erlmcp3", "erlmcp4"];
        assert_eq!(nearest("erlmcp5", &known), Some("erlmcp4"));
        assert_eq!(nearest("ERLMCP2", &known), Some("erlmcp2"));
        assert_eq!(nearest("zebra", &known), None);
        assert_eq!(nearest("zebra", &[]), None);
    }

    #[test]
    fn without_a_near_one_all_are_told() {
        let failure = unknown("node", "zebra", ["a", "b"]);
        assert_eq!(failure.text(), "unknown node `zebra`");
        assert_eq!(failure.hint.unwrap(), "there is `a`, `b`");
    }
}
