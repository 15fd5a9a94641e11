//! Settings of HTTP that a balancer does not support.

use super::{Case, Warning};
use crate::profile::BalancerKind;

/// Nodes that stay in use although they answer with errors.
pub(in crate::plan) fn error_ejection(case: &Case) -> Option<Warning> {
    let why = case.plan.balancer.kind.facts().no_error_ejection?;
    case.cluster.health.eject?;
    let able = |kind: &BalancerKind| kind.facts().no_error_ejection.is_none();
    case.cluster.has_http().then(|| Warning {
        what: "`health.eject` has no effect".to_owned(),
        why: why.to_owned(),
        fix: other(able).map(|kind| format!("`clusterctl start {kind}` takes such a node out")),
        remedies: Vec::new(),
    })
}

/// Requests that are not logged.
pub(in crate::plan) fn access_log(case: &Case) -> Option<Warning> {
    let file = case.cluster.access_log.as_ref()?;
    let why = case.plan.balancer.kind.facts().no_access_log?;
    let able = |kind: &BalancerKind| kind.facts().no_access_log.is_none();
    case.cluster.has_http().then(|| Warning {
        what: format!("requests are not logged to `{}`", file.display()),
        why: why.to_owned(),
        fix: other(able).map(|kind| format!("`clusterctl start {kind}` writes it")),
        remedies: Vec::new(),
    })
}

// Private

fn other(able: impl Fn(&BalancerKind) -> bool) -> Option<BalancerKind> {
    BalancerKind::ALL.into_iter().find(able)
}

#[cfg(test)]
mod tests {
    use crate::plan::plan;
    use crate::plan::tests::{big_host, cluster};
    use crate::profile::BalancerKind;

    #[test]
    fn settings_without_effect_are_reported() {
        let warnings = |kind, set: bool| -> Vec<String> {
            let mut cluster = cluster().behind(kind);
            cluster.listen.tcp = None;
            cluster.listen.unserved.clear();
            if set {
                cluster.health.eject = Some(5);
                cluster.access_log = Some("/var/log/mcp.json".into());
            }
            let warnings = plan(&cluster, kind, &big_host()).warnings;
            warnings.iter().map(ToString::to_string).collect()
        };
        let log = |why| format!("requests are not logged to `/var/log/mcp.json`: {why}");
        assert_eq!(
            warnings(BalancerKind::Haproxy, true),
            [log("haproxy logs to a system log only")]
        );
        assert_eq!(
            warnings(BalancerKind::Nginx, true),
            [
                "`health.eject` has no effect: nginx counts 5xx only where it sends the request to another node"
                    .to_owned(),
                log("nginx logs to `logs/nginx-access.log`")
            ]
        );
        for kind in BalancerKind::ALL {
            assert!(warnings(kind, false).is_empty(), "{kind}");
        }
        assert!(warnings(BalancerKind::Builtin, true).is_empty());
    }
}
