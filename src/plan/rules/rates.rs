//! Limits that a balancer cannot keep.

use super::{Case, Warning};
use crate::profile::BalancerKind;

/// Messages per second inside raw TCP are counted by nobody but the built-in balancer.
pub(in crate::plan) fn message_rate(case: &Case) -> Option<Warning> {
    let kind = case.plan.balancer.kind;
    let wanted = case.cluster.limits.per_ip.message_rate > 0 && case.cluster.listen.tcp.is_some();
    (kind != BalancerKind::Builtin && wanted).then(|| Warning {
        what: "messages per second are not limited on the TCP listener".to_owned(),
        why: format!("{kind} sees no messages inside a TCP connection; HTTP requests are limited"),
        fix: None,
        remedies: Vec::new(),
    })
}

/// nginx has no limit on new connections per second outside HTTP.
pub(in crate::plan) fn connection_rate(case: &Case) -> Option<Warning> {
    let nginx = case.plan.balancer.kind == BalancerKind::Nginx;
    (nginx && case.cluster.listen.tcp.is_some()).then(|| Warning {
        what: "new connections per second are not limited on the TCP listener".to_owned(),
        why: "nginx's stream module limits connections at the same time only".to_owned(),
        fix: None,
        remedies: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::plan::tests::{big_host, cluster};

    #[test]
    fn what_a_balancer_cannot_limit_depends_on_the_balancer() {
        let rates = |kind| {
            let mut cluster = cluster().behind(kind);
            cluster.listen.unserved.clear();
            plan(&cluster, kind, &big_host()).warnings.len()
        };
        assert_eq!((rates(BalancerKind::Builtin), rates(BalancerKind::Nginx)), (0, 2));
    }
}
