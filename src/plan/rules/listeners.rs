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
    let https = BalancerKind::ALL
        .into_iter()
        .find(|kind| kind.facts().serves_https);
    (!ports.is_empty()).then(|| Warning {
        what: format!("the HTTPS listener ({}) is not served", ports.join(", ")),
        why: format!(
            "the {} balancer has no TLS",
            case.plan.balancer.kind.facts().title
        ),
        fix: https.map(|kind| format!("`clusterctl start {kind}` serves it")),
        remedies: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use crate::plan::plan;
    use crate::plan::tests::{big_host, cluster};
    use crate::profile::BalancerKind;

    #[test]
    fn https_without_tls_is_reported() {
        for kind in BalancerKind::ALL {
            let mut cluster = cluster();
            cluster.listen.https = Some(8443);
            let cluster = cluster.behind(kind);
            let warnings = plan(&cluster, kind, &big_host()).warnings;
            let warned = warnings.iter().find(|warning| warning.what.contains("8443"));
            let text = warned.map(ToString::to_string);
            let expected = "the HTTPS listener (8443) is not served: the built-in balancer has no TLS";
            assert_eq!(
                text.as_deref(),
                (kind == BalancerKind::Builtin).then_some(expected)
            );
        }
    }
}
