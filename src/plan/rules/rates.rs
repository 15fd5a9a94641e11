//! Limits that a balancer cannot enforce.

use super::{Case, Warning};

/// Only the built-in balancer counts messages per second inside raw TCP.
pub(in crate::plan) fn message_rate(case: &Case) -> Option<Warning> {
    let wanted = case.cluster.limits.per_ip.message_rate > 0;
    let why = case.plan.balancer.kind.facts().no_tcp_message_rate;
    let what = "messages per second are not limited on the TCP listener";
    why.filter(|_| wanted).and_then(|why| unlimited(case, what, why))
}

/// New connections per second outside HTTP.
pub(in crate::plan) fn connection_rate(case: &Case) -> Option<Warning> {
    let why = case.plan.balancer.kind.facts().no_tcp_connection_rate?;
    let what = "new connections per second are not limited on the TCP listener";
    unlimited(case, what, why)
}

// Private

/// The warning about a limit that is not kept on the TCP listener, if there is one.
fn unlimited(case: &Case, what: &str, why: &str) -> Option<Warning> {
    case.cluster.listen.tcp.is_some().then(|| Warning {
        what: what.to_owned(),
        why: why.to_owned(),
        fix: None,
        remedies: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use crate::plan::plan;
    use crate::plan::tests::{big_host, cluster};
    use crate::profile::BalancerKind;

    #[test]
    fn the_missing_limits_depend_on_the_balancer() {
        let rates = |kind| {
            let mut cluster = cluster().behind(kind);
            cluster.listen.unserved.clear();
            plan(&cluster, kind, &big_host()).warnings.len()
        };
        assert_eq!((rates(BalancerKind::Builtin), rates(BalancerKind::Nginx)), (0, 2));
    }
}
