//! A balancer that does not serve, or that others have changed.

use super::{Case, about_all};
use crate::api::{Alert, AlertKind, BalancerState};

/// Balancer processes that do not serve; the balancer, if no process is known.
pub(super) fn down(case: &Case) -> Vec<Alert> {
    let alert = |text| about_all(AlertKind::BalancerDown, text);
    let processes = &case.facts.balancers;
    if !processes.is_empty() {
        let alerts = processes.iter().map(|(name, why)| alert(format!("{name} {why}")));
        return alerts.collect();
    }
    let failed = case.status.balancer.as_ref();
    let failed = failed.filter(|balancer| balancer.state == BalancerState::Failed);
    failed
        .map(|balancer| alert(format!("{} does not run", balancer.kind)))
        .into_iter()
        .collect()
}

/// Changes that others made to the balancer itself.
pub(super) fn set_outside(case: &Case) -> Vec<Alert> {
    let changes = case.facts.outside.iter().cloned();
    changes
        .map(|what| about_all(AlertKind::BalancerSetOutside, what))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::node;
    use super::super::Facts;
    use super::super::testing::alerts_of;
    use crate::api::NodeState;

    #[test]
    fn a_balancer_process_that_does_not_serve_is_named() {
        let facts = Facts {
            balancers: vec![("haproxy-2".into(), "runs but does not answer".into())],
            ..Facts::default()
        };
        assert_eq!(
            alerts_of(vec![node(NodeState::Up, 0)], &facts),
            ["balancer-down - haproxy-2 runs but does not answer"]
        );
    }
}
