//! What can happen to a supervisor.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;

/// The number of nodes in the beginning.
pub(super) const NODES: usize = 3;
/// The number of steps of a case.
const STEPS: Range<usize> = 1..60;

/// One thing that happens. A number chooses one of the processes that live, or of the orders' nodes.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A process ends.
    Die(u8),
    /// A process that has not answered yet answers.
    Answer(u8),
    /// Another program answers at the ports of a process that has not answered yet.
    AnsweredByAnother(u8),
    /// A process answers nothing any more, or answers again.
    Hang(u8, bool),
    /// The processes that an ended process has left end.
    DescendantsEnd,
    /// Time passes; the supervisor takes its turns, and what runs answers probes.
    Elapse(u16),
    /// Time passes, and the supervisor does not run meanwhile.
    Stall(u16),
    /// Everything works for a while.
    Calm(u8),
    /// The next starts of processes fail.
    FailSpawns(u8),
    /// Another program takes the ports, or gives them back.
    TakePorts(bool),
    /// The check of taken ports ends.
    PortsChecked(bool),
    /// The balancer accepts what it is sent, or does not.
    Deaf(bool),
    /// The balancer is inspected.
    Inspected,
    /// A step of a reload ends well, or fails.
    Reloading(bool),
    /// The connections of a node are counted.
    Counted(u8, u8),
    Drain {
        node: u8,
        stop: bool,
        close: bool,
        force: bool,
    },
    Ready(u8),
    Restart(Option<u8>),
    Start,
    Stop,
    /// A reload of a changed profile, or of the same one.
    Reload(bool),
    /// A reload of a profile with so many nodes.
    Resize(u8),
    /// The supervisor is killed, and another one started.
    SupervisorDies,
}

/// Random steps, those that are frequent in life more often than others.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), STEPS)
}

fn step() -> impl Strategy<Value = Step> {
    let orders = prop_oneof![
        6 => (0..4u8, any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(node, stop, close, force)| Step::Drain { node, stop, close, force }),
        4 => (0..4u8).prop_map(Step::Ready),
        3 => proptest::option::of(0..4u8).prop_map(Step::Restart),
        1 => Just(Step::Start),
        1 => Just(Step::Stop),
        4 => any::<bool>().prop_map(Step::Reload),
        3 => (1..5u8).prop_map(Step::Resize),
    ];
    let troubles = prop_oneof![
        4 => any::<u8>().prop_map(Step::Die),
        1 => any::<u8>().prop_map(Step::AnsweredByAnother),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(which, hung)| Step::Hang(which, hung)),
        1 => (0..6u8).prop_map(Step::FailSpawns),
        1 => any::<bool>().prop_map(Step::TakePorts),
        1 => any::<bool>().prop_map(Step::Deaf),
        1 => (0..8_000u16).prop_map(Step::Stall),
        2 => Just(Step::SupervisorDies),
    ];
    let courses = prop_oneof![
        4 => any::<u8>().prop_map(Step::Answer),
        2 => Just(Step::DescendantsEnd),
        6 => (0..12_000u16).prop_map(Step::Elapse),
        2 => (1..20u8).prop_map(Step::Calm),
        1 => any::<bool>().prop_map(Step::PortsChecked),
        2 => Just(Step::Inspected),
        3 => any::<bool>().prop_map(Step::Reloading),
        2 => (0..4u8, 0..3u8).prop_map(|(node, count)| Step::Counted(node, count)),
    ];
    prop_oneof![3 => orders, 3 => troubles, 5 => courses]
}
