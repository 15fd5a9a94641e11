//! `switch`: what it changes, and how it ended.

use super::numbers;
use crate::api::{FormerBalancer, Switched};
use crate::base::units::Period;

/// The plan of a switch that was not carried out: its sentences below a heading.
#[must_use]
pub fn switch_plan(planned: &Switched) -> String {
    let heading = format!("switch from {} to {}:", planned.from, planned.to);
    if planned.plan.is_empty() {
        return format!("{heading} nothing changes for clients and limits");
    }
    let lines = planned.plan.iter().map(|sentence| format!("\n  {sentence}"));
    format!("{heading}{}", lines.collect::<String>())
}

/// The result of a switch. `former` are all former balancer processes, and `deadline` is the time
/// that their connections have.
#[must_use]
pub fn switched(switched: &Switched, former: &[FormerBalancer], deadline: Option<Period>) -> String {
    let Switched { from, to, .. } = switched;
    let result = format!("switched from {from} to {to}");
    if switched.former.is_empty() {
        return result;
    }
    let left = former.iter().filter(|it| switched.former.contains(&it.pid));
    // Processes that have ended in the meantime had their last connection closed.
    let counts: Vec<Option<u64>> = left.map(|it| it.connections).collect();
    let connections = match counts.iter().copied().sum::<Option<u64>>() {
        Some(1) => "1 connection finishes".to_owned(),
        Some(count) if count > 0 => format!("{} connections finish", numbers::grouped(count)),
        Some(_) | None => "established connections finish".to_owned(),
    };
    let within = deadline.map_or_else(String::new, |deadline| format!(" within {deadline}"));
    format!(
        "{result}: {connections} at {from} ({}){within}",
        numbers::pids(&switched.former)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::BalancerKind;

    fn haproxy_to_nginx(former: Vec<u32>) -> Switched {
        Switched {
            from: BalancerKind::Haproxy,
            to: BalancerKind::Nginx,
            pids: vec![20],
            former,
            plan: Vec::new(),
        }
    }

    fn former(pid: u32, connections: Option<u64>) -> FormerBalancer {
        FormerBalancer {
            kind: BalancerKind::Haproxy,
            pid,
            connections,
        }
    }

    #[test]
    fn a_plan_is_a_list_of_sentences() {
        let mut planned = haproxy_to_nginx(Vec::new());
        assert_eq!(
            switch_plan(&planned),
            "switch from haproxy to nginx: nothing changes for clients and limits"
        );
        planned.plan = vec!["one changes".into(), "another changes".into()];
        insta::assert_snapshot!(switch_plan(&planned), @r"
        switch from haproxy to nginx:
          one changes
          another changes
        ");
    }

    #[test]
    fn connections_that_finish_at_the_former_balancer_are_counted() {
        let text =
            |pids: &[u32], all: &[FormerBalancer]| switched(&haproxy_to_nginx(pids.to_vec()), all, None);
        assert_eq!(text(&[], &[former(9, Some(3))]), "switched from haproxy to nginx");
        assert_eq!(
            text(&[12], &[former(9, Some(3)), former(12, Some(1_234))]),
            "switched from haproxy to nginx: 1,234 connections finish at haproxy (pid 12)"
        );
        assert_eq!(
            text(&[12, 13], &[former(12, Some(1)), former(13, Some(0))]),
            "switched from haproxy to nginx: 1 connection finishes at haproxy (pids 12, 13)"
        );
        assert_eq!(
            text(&[12], &[former(12, None)]),
            "switched from haproxy to nginx: established connections finish at haproxy (pid 12)"
        );
        let within = switched(
            &haproxy_to_nginx(vec![12]),
            &[former(12, Some(5))],
            Some("5m".parse().unwrap()),
        );
        assert_eq!(
            within,
            "switched from haproxy to nginx: 5 connections finish at haproxy (pid 12) within 5m"
        );
    }
}
