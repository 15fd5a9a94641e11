//! The version that nodes run: a profile, its templates, and the variables of
//! `nodes.environment_file`. The version before a change is the way back from it.

use super::Remains;
use crate::api::{ChangeOrder, RolloutKind, Target};
use crate::profile::{Source, difference};
use crate::supervisor::node_environment::NodeEnvironment;
use crate::supervisor::spec::Spec;
use crate::supervisor::state_file::{Launch, Previous};

/// The way back from a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WayBack {
    /// The version before it; `None` if none is known.
    pub(super) previous: Option<Previous>,
    /// Whether the change leads away from that version, so that it goes back there if it fails.
    pub(super) is_of_change: bool,
}

impl WayBack {
    /// The way back from the change from `base` to `target`.
    pub(super) fn new(base: &Spec, target: &Spec, order: &ChangeOrder, left: &Remains) -> WayBack {
        let kept = |is_of_change| WayBack {
            previous: base.launch.previous.clone(),
            is_of_change,
        };
        match order.target {
            Target::Undo if takes_back(order, left) => kept(false),
            // What is undone is not a version to go back to.
            Target::Undo | Target::Resume if leads_back(order, left) => WayBack {
                previous: None,
                is_of_change: false,
            },
            // The way back leads to what was last known to serve.
            _ if !runs_one_version(base, left) => kept(true),
            _ if is_same(base, target) => kept(false),
            _ => WayBack {
                previous: Some(Previous {
                    source: base.launch.source.clone(),
                    templates: base.launch.templates.clone(),
                    environment: Some(base.node_environment.clone()),
                }),
                is_of_change: true,
            },
        }
    }
}

/// The variables of the version that the order leads to; `None` for those that the file has now. Only
/// the order to apply a profile reads the file again.
pub(super) fn environment(base: &Spec, order: &ChangeOrder, left: &Remains) -> Option<NodeEnvironment> {
    match order.target {
        Target::Profile { .. } => None,
        Target::Undo if takes_back(order, left) => Some(base.node_environment.clone()),
        Target::Undo if !stays(left) => base.launch.previous.as_ref()?.environment.clone(),
        Target::Undo | Target::Resume if left.pending.is_some() => left.pending.as_ref()?.environment.clone(),
        _ => Some(base.node_environment.clone()),
    }
}

/// Whether an undo only takes a change back that the balancer has not applied yet.
pub(super) fn takes_back(order: &ChangeOrder, left: &Remains) -> bool {
    order.target == Target::Undo && left.pending.is_some() && !stays(left)
}

/// Whether an undo leads to the version that is the target already: another attempt to go back, or the
/// end of a restart.
pub(super) fn stays(left: &Remains) -> bool {
    is_restart(left) || left_kind(left) == Some(RolloutKind::Undo)
}

/// Whether only the variables were different in the previous version, and their values are not known
/// any more.
pub(super) fn is_lost(now: &Launch, previous: &Previous) -> bool {
    previous.environment.is_none()
        && previous.source.has_same_content_as(&now.source)
        && previous.templates == now.templates
}

// Private

fn left_kind(left: &Remains) -> Option<RolloutKind> {
    left.order.as_ref().map(|(order, _)| order.kind)
}

fn is_restart(left: &Remains) -> bool {
    left_kind(left) == Some(RolloutKind::Restart)
}

/// Whether the order leads to a former version, or goes on with that.
fn leads_back(order: &ChangeOrder, left: &Remains) -> bool {
    match order.target {
        Target::Undo => !is_restart(left),
        _ => left_kind(left) == Some(RolloutKind::Undo),
    }
}

/// Whether all nodes run the same version, and no rollout to another one has stopped on its way.
fn runs_one_version(base: &Spec, left: &Remains) -> bool {
    let leaves_it = |kind: RolloutKind| !matches!(kind, RolloutKind::Restart | RolloutKind::Resolve);
    let has_left_it = left.pending.is_none() && left_kind(left).is_some_and(leaves_it);
    !has_left_it && base.others.values().all(|other| is_same(base, other))
}

/// Whether both are the same version: a comment in the profile makes no difference.
fn is_same(one: &Spec, other: &Spec) -> bool {
    let (one_launch, other_launch) = (&one.launch, &other.launch);
    one_launch.templates == other_launch.templates
        && one.node_environment == other.node_environment
        && has_same_values(&one_launch.source, &other_launch.source)
}

fn has_same_values(one: &Source, other: &Source) -> bool {
    one.has_same_content_as(other) || difference(one, other).is_ok_and(|changes| changes.is_empty())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use tempfile::TempDir;

    use super::super::target::launch;
    use super::*;
    use crate::platform::RunDir;
    use crate::profile::{BalancerKind, NodeId};
    use crate::supervisor::core::model::spec_of;
    use crate::supervisor::rollout::state::{RolloutOrder, RolloutSettings};
    use crate::supervisor::rollout::steps::Batches;

    /// A profile with a file of variables.
    struct Deployed(TempDir);

    impl Deployed {
        fn new() -> Deployed {
            Deployed(tempfile::tempdir().unwrap())
        }

        /// The version with this command and this value of the variable in the file.
        fn version(&self, command: &str, value: &str) -> Spec {
            let file = self.0.path().join("secrets.env");
            fs::write(&file, format!("KEY={value}\n")).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            let sets = [
                "limits.maxconn=1000".to_owned(),
                "nodes.maxconn=1000".to_owned(),
                "nodes.target=300".to_owned(),
                "nodes.runtime=command".to_owned(),
                format!("nodes.command=[sleep, '{command}']"),
                format!("nodes.environment_file={}", file.display()),
            ];
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            spec_of(BalancerKind::Builtin, RunDir::at("/run/x"), &sets)
        }
    }

    fn order(target: Target) -> ChangeOrder {
        ChangeOrder {
            target,
            dry_run: false,
            close: false,
            deadline: None,
            force: false,
            by: String::new(),
        }
    }

    fn reload(to: &Spec) -> ChangeOrder {
        order(Target::Profile {
            source: to.launch.source.clone(),
            templates: None,
        })
    }

    /// What is left of a rollout of this kind that has stopped.
    fn stopped(kind: RolloutKind) -> Remains {
        let order = RolloutOrder {
            kind,
            by: String::new(),
            since: SystemTime::UNIX_EPOCH,
        };
        let settings = RolloutSettings {
            batches: Batches { canary: 0, batch: 1 },
            close_after: None,
            start_timeout: Duration::ZERO,
            hold: Duration::ZERO,
        };
        Remains {
            order: Some((order, settings)),
            ..Remains::default()
        }
    }

    fn version_of(spec: &Spec) -> Previous {
        Previous {
            source: spec.launch.source.clone(),
            templates: None,
            environment: Some(spec.node_environment.clone()),
        }
    }

    /// The target, with its way back.
    fn changed(base: &Spec, mut target: Spec, left: &Remains) -> (Spec, bool) {
        let order = reload(&target);
        let way_back = WayBack::new(base, &target, &order, left);
        target.launch.previous = way_back.previous;
        (target, way_back.is_of_change)
    }

    #[test]
    fn other_variables_alone_make_another_version() {
        let deployed = Deployed::new();
        let [first, second] = ["1", "2"].map(|command| deployed.version(command, "old"));
        let clean = Remains::default();
        let (second, _) = changed(&first, second, &clean);
        assert_eq!(second.launch.previous, Some(version_of(&first)));
        let (third, goes_back) = changed(&second, deployed.version("2", "new"), &clean);
        assert_eq!(
            (&third.launch.previous, goes_back),
            (&Some(version_of(&second)), true)
        );
        let undo = environment(&third, &order(Target::Undo), &clean);
        assert_eq!(undo, Some(second.node_environment));
    }

    #[test]
    fn a_later_change_keeps_the_variables_of_the_one_before() {
        let deployed = Deployed::new();
        let clean = Remains::default();
        let (deployed_before, _) = changed(
            &deployed.version("1", "revoked"),
            deployed.version("1", "new"),
            &clean,
        );
        let (later, _) = changed(&deployed_before, deployed.version("2", "new"), &clean);
        let undo = environment(&later, &order(Target::Undo), &clean);
        assert_eq!(undo, Some(deployed_before.node_environment));
    }

    #[test]
    fn the_same_version_keeps_the_way_back_and_is_not_left_by_a_failure() {
        let deployed = Deployed::new();
        let clean = Remains::default();
        let (now, _) = changed(&deployed.version("1", "a"), deployed.version("2", "a"), &clean);
        let (again, goes_back) = changed(&now, deployed.version("2", "a"), &clean);
        assert_eq!((&again.launch.previous, goes_back), (&now.launch.previous, false));
    }

    #[test]
    fn other_words_for_the_same_values_keep_the_way_back() {
        let deployed = Deployed::new();
        let clean = Remains::default();
        let (now, _) = changed(&deployed.version("1", "a"), deployed.version("2", "a"), &clean);
        let mut commented = deployed.version("2", "a");
        commented.launch.source.text.push_str("\n# A comment.\n");
        let (again, goes_back) = changed(&now, commented, &clean);
        assert_eq!((&again.launch.previous, goes_back), (&now.launch.previous, false));
    }

    #[test]
    fn a_restart_is_undone_with_the_present_variables() {
        let deployed = Deployed::new();
        let before = deployed.version("1", "revoked");
        let (now, _) = changed(&before, deployed.version("1", "new"), &Remains::default());
        let restart = stopped(RolloutKind::Restart);
        let undo = order(Target::Undo);
        assert_eq!(
            environment(&now, &undo, &restart),
            Some(now.node_environment.clone())
        );
        // The way back from the version stays.
        let way_back = WayBack::new(&now, &now, &undo, &restart);
        assert_eq!(way_back.previous, Some(version_of(&before)));
        let finished = WayBack::new(&now, &now, &undo, &Remains::default());
        assert_eq!(finished.previous, None);
    }

    #[test]
    fn what_has_not_served_is_no_version_to_go_back_to() {
        let deployed = Deployed::new();
        let first = deployed.version("1", "a");
        let (mut second, _) = changed(&first, deployed.version("2", "a"), &Remains::default());
        for left in [stopped(RolloutKind::Reload), stopped(RolloutKind::Undo)] {
            let (third, goes_back) = changed(&second, deployed.version("3", "a"), &left);
            assert_eq!(
                (third.launch.previous, goes_back),
                (Some(version_of(&first)), true)
            );
        }
        // A node that has not been started again by a restart runs the same version.
        second.others.insert(NodeId(1), Arc::new(second.clone()));
        let restart = stopped(RolloutKind::Restart);
        let (third, _) = changed(&second, deployed.version("3", "a"), &restart);
        assert_eq!(third.launch.previous, Some(version_of(&second)));
        second.others.insert(NodeId(2), Arc::new(first.clone()));
        let (third, _) = changed(&second, deployed.version("3", "a"), &restart);
        assert_eq!(third.launch.previous, Some(version_of(&first)));
    }

    #[test]
    fn only_a_reload_reads_the_file_again() {
        let deployed = Deployed::new();
        let now = deployed.version("1", "a");
        let clean = Remains::default();
        assert_eq!(environment(&now, &reload(&now), &clean), None);
        for target in [
            Target::Count(5),
            Target::Add(Vec::new()),
            Target::Remove(Vec::new()),
            Target::Restart { batch: 1 },
            Target::Resume,
        ] {
            let read = environment(&now, &order(target.clone()), &clean);
            assert_eq!(read, Some(now.node_environment.clone()), "{target:?}");
        }
    }

    #[test]
    fn values_are_in_no_state_file() {
        let deployed = Deployed::new();
        let (now, _) = changed(
            &deployed.version("1", "hunter2"),
            deployed.version("1", "hunter3"),
            &Remains::default(),
        );
        let text = serde_json::to_string(&now.launch).unwrap();
        assert!(!text.contains("hunter") && !text.contains("***"), "{text}");
        let read: Launch = serde_json::from_str(&text).unwrap();
        assert!(is_lost(&read, &read.previous.clone().unwrap()));
        assert!(!is_lost(&now.launch, &now.launch.previous.clone().unwrap()));
    }

    #[test]
    fn a_change_that_is_not_in_force_yet_is_gone_on_with_or_taken_back() {
        let deployed = Deployed::new();
        let (one, two) = (deployed.version("1", "a"), deployed.version("2", "a"));
        let pending = Previous {
            source: two.launch.source.clone(),
            templates: None,
            environment: Some(two.node_environment.clone()),
        };
        let left = Remains {
            pending: Some(pending),
            ..stopped(RolloutKind::Reload)
        };
        for (wanted, version, is_of_change) in [(Target::Resume, &two, true), (Target::Undo, &one, false)] {
            let order = order(wanted);
            let launch = launch(&one, &order, None, &left).unwrap();
            assert!(
                launch.source.has_same_content_as(&version.launch.source),
                "{order:?}"
            );
            assert_eq!(
                WayBack::new(&one, version, &order, &left).is_of_change,
                is_of_change
            );
        }
    }
}
