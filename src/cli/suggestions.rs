//! Unknown names, and suggestions of the names that were probably meant.

use super::failure::Failure;
use crate::api::{Client, ClientError, GetStatus};
use crate::base::units::excerpt;
use crate::profile::closest;

/// The most names that a hint lists; more would not be read.
const MAX_LISTED: usize = 20;

/// The usage error for a `name` that is not among the `known` names of its `kind`.
pub(super) fn unknown<'a>(kind: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.into_iter().collect();
    let failure = Failure::usage(format!("unknown {kind} `{}`", excerpt(name)));
    match closest(name, known.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None if known.is_empty() => failure,
        None => failure.hint(format!("available: {}", listed(&known))),
    }
}

/// The failure of an order about the node `name`: when the supervisor refused the order and the
/// cluster has no such node, a usage error with the name that was probably meant.
pub(super) async fn about_node(client: &Client, name: &str, error: ClientError) -> Failure {
    if let ClientError::Refused(_) = error
        && let Ok(status) = client.call(&GetStatus).await
        && !status.nodes.iter().any(|node| node.name == name)
    {
        return unknown("node", name, status.nodes.iter().map(|node| node.name.as_str()));
    }
    error.into()
}

// Private

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .take(MAX_LISTED)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = match names.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    quoted.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_suggested_or_all_are_listed() {
        let hint = |name| unknown("node", name, ["erlmcp1", "erlmcp2"]).hint.unwrap();
        assert_eq!(hint("erlmcp3"), "did you mean `erlmcp2`?");
        assert_eq!(hint("zebra"), "available: `erlmcp1`, `erlmcp2`");
        assert_eq!(unknown("node", "zebra", ["a"]).text(), "unknown node `zebra`");
        let long = "z".repeat(200_000);
        assert!(unknown("node", &long, ["a"]).text().len() < 200);
        let many: Vec<String> = (0..1_000).map(|n| format!("n{n}")).collect();
        let hint = unknown("node", "zebra", many.iter().map(String::as_str))
            .hint
            .unwrap();
        assert!(hint.ends_with("`n19` and 980 more"), "{hint}");
    }
}
