//! Listeners that a balancer does not serve.

use super::{Case, Warning};
use crate::profile::BalancerKind;

/// Ports of the profile that the balancer does not serve.
pub(in crate::plan) fn unserved(case: &Case) -> Option<Warning> {
    let ports: Vec<String> = case
        .cluster
        .listen
        .unserved
        .iter()
        .map(ToString::to_string)
        .collect();
    let http = BalancerKind::ALL
        .into_iter()
        .find(|kind| kind.facts().serves_http);
    (!ports.is_empty()).then(|| Warning {
        what: format!("the HTTP listeners ({}) are not served", ports.join(", ")),
        why: format!(
            "the {} balancer serves TCP only",
            case.plan.balancer.kind.facts().title
        ),
        fix: http.map(|kind| format!("`clusterctl start {kind}` serves them")),
        remedies: Vec::new(),
    })
}
