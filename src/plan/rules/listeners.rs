//! Listeners that a balancer does not serve.

use super::{Case, Warning};

/// Ports on which nobody listens, although the profile wants it.
pub(in crate::plan) fn unserved(case: &Case) -> Option<Warning> {
    let ports: Vec<String> = case
        .cluster
        .listen
        .unserved
        .iter()
        .map(ToString::to_string)
        .collect();
    (!ports.is_empty()).then(|| Warning {
        what: format!("the HTTP listeners ({}) are not served", ports.join(", ")),
        why: "the built-in balancer serves TCP only".to_owned(),
        fix: Some("`clusterctl start haproxy` serves them".to_owned()),
        remedies: Vec::new(),
    })
}
