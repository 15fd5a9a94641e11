//! What a balancer does not do with connections that have reached `routing.max_age`.

use super::{Case, Warning};
use crate::profile::BalancerKind;

/// Connections over TCP that stay.
pub(in crate::plan) fn age_of_tcp(case: &Case) -> Option<Warning> {
    case.cluster.routing.max_age?;
    let why = case.plan.balancer.kind.facts().no_tcp_max_age?;
    let able = |kind: &BalancerKind| kind.facts().no_tcp_max_age.is_none();
    let other = BalancerKind::ALL.into_iter().find(able);
    case.cluster.listen.tcp.is_some().then(|| Warning {
        what: "`routing.max_age` has no effect on the TCP listener".to_owned(),
        why: why.to_owned(),
        fix: other.map(|kind| format!("`clusterctl start {kind}` ends them while they are quiet")),
        remedies: Vec::new(),
    })
}

/// Connections over HTTP that end together.
pub(in crate::plan) fn jitter_of_ages(case: &Case) -> Option<Warning> {
    case.cluster.routing.max_age?;
    let why = case.plan.balancer.kind.facts().no_max_age_jitter?;
    let able = |kind: &BalancerKind| kind.facts().no_max_age_jitter.is_none();
    let other = BalancerKind::ALL.into_iter().find(able);
    case.cluster.has_http().then(|| Warning {
        what: "connections over HTTP that began together reach `routing.max_age` together".to_owned(),
        why: why.to_owned(),
        fix: other.map(|kind| format!("`clusterctl start {kind}` spreads their ends")),
        remedies: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::plan::plan;
    use crate::plan::tests::{big_host, cluster};
    use crate::profile::BalancerKind;

    #[test]
    fn what_a_balancer_does_not_do_is_reported() {
        let warnings = |kind, max_age: Option<u64>| -> Vec<String> {
            let mut cluster = cluster().behind(kind);
            cluster.routing.max_age = max_age.map(|seconds| Duration::from_secs(seconds).into());
            let warnings = plan(&cluster, kind, &big_host()).warnings;
            let lines = warnings.iter().map(ToString::to_string);
            lines.filter(|it| it.contains("max_age")).collect()
        };
        let on_tcp = |why| format!("`routing.max_age` has no effect on the TCP listener: {why}");
        assert_eq!(
            warnings(BalancerKind::Haproxy, Some(60)),
            [on_tcp("haproxy ends only connections over HTTP by their age")]
        );
        assert_eq!(
            warnings(BalancerKind::Nginx, Some(60)),
            [
                on_tcp("nginx ends only connections over HTTP by their age"),
                "connections over HTTP that began together reach `routing.max_age` together: nginx has one age for \
                 all connections, and before 1.19.10 it has none"
                    .to_owned()
            ]
        );
        assert!(warnings(BalancerKind::Builtin, Some(60)).is_empty());
        for kind in BalancerKind::ALL {
            assert!(warnings(kind, None).is_empty(), "{kind}");
        }
    }
}
