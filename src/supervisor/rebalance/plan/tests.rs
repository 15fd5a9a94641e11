use proptest::prelude::*;

use super::*;

fn loads(counts: &[u64]) -> Vec<Load> {
    let load = |(index, count): (usize, &u64)| Load {
        node: format!("n{}", index + 1),
        weight: 1,
        connections: *count,
    };
    counts.iter().enumerate().map(load).collect()
}

/// One group of one connection for each of the nodes' connections; the first ones were idle longest.
fn singles(loads: &[Load], to: Destination) -> Vec<Group> {
    let mut groups = Vec::new();
    for (from, load) in loads.iter().enumerate() {
        for _ in 0..load.connections {
            let index = groups.len();
            groups.push(Group {
                from,
                to,
                idle: Duration::from_secs(1_000_000 - index as u64),
                connections: vec![index],
            });
        }
    }
    groups
}

fn percent(text: &str) -> Percent {
    text.parse().unwrap()
}

#[test]
fn a_node_that_came_back_gets_its_share() {
    let loads = loads(&[134, 133, 133, 0]);
    for to in [
        Destination::Assigned,
        Destination::LeastConnections,
        Destination::Node(3),
    ] {
        let plan = plan(&loads, &singles(&loads, to), percent("0"), &[]);
        assert_eq!((plan.after, plan.total), (vec![100; 4], 100), "{to:?}");
        let known = (to != Destination::LeastConnections).then_some(3);
        assert!(plan.closes.iter().all(|close| close.to == known));
        let is_assigned = to == Destination::Assigned;
        assert!(plan.closes.iter().all(|close| close.is_assigned == is_assigned));
    }
}

#[test]
fn it_ends_as_soon_as_the_nodes_are_even() {
    let loads = loads(&[134, 133, 133, 0]);
    let plan = plan(
        &loads,
        &singles(&loads, Destination::Assigned),
        percent("5%"),
        &[],
    );
    assert!(plan.becomes_even && plan.total < 100, "{:?}", plan.after);
    assert!(is_even(&self::loads(&plan.after), percent("5%")));
}

#[test]
fn by_turns_most_clients_come_back_to_full_nodes() {
    let loads = loads(&[134, 133, 133, 0]);
    let plan = plan(
        &loads,
        &singles(&loads, Destination::RoundRobin),
        percent("5%"),
        &[],
    );
    assert!(plan.becomes_even, "{:?}", plan.after);
    assert!((250..=450).contains(&plan.total), "{}", plan.total);
    assert!(plan.closes.len() as u64 <= plan.total);
}

#[test]
fn those_that_were_idle_longest_come_first() {
    let loads = loads(&[4, 0]);
    let mut groups = singles(&loads, Destination::Assigned);
    for (group, idle) in groups.iter_mut().zip([3, 9, 1, 7]) {
        group.idle = Duration::from_secs(idle);
    }
    let plan = plan(&loads, &groups, percent("0"), &[]);
    let closed: Vec<usize> = plan.closes.iter().map(|close| close.connection).collect();
    assert_eq!(closed, [1, 3]);
}

#[test]
fn an_address_moves_as_a_whole_or_not_at_all() {
    let loads = loads(&[100, 0]);
    let group = |connections: std::ops::Range<usize>| Group {
        from: 0,
        to: Destination::Assigned,
        idle: Duration::ZERO,
        connections: connections.collect(),
    };
    let stuck = plan(&loads, &[group(0..100)], percent("5%"), &[]);
    assert_eq!((stuck.closes.len(), stuck.becomes_even), (0, false));
    let halves = plan(&loads, &[group(0..50), group(50..100)], percent("5%"), &[]);
    assert_eq!((halves.after, halves.becomes_even), (vec![50, 50], true));
}

#[test]
fn clients_that_are_on_their_way_back_count() {
    // 400 clients, 10 of which were just closed.
    let loads = loads(&[100, 100, 100, 90]);
    let groups = singles(&loads, Destination::Assigned);
    assert_eq!(plan(&loads, &groups, percent("5%"), &[0, 0, 0, 10]).total, 0);
    assert!(plan(&loads, &groups, percent("5%"), &[]).total > 0);
    // A node that gets too many is not closed before they are there.
    let loads = self::loads(&[50, 40, 0]);
    let groups = singles(&loads, Destination::Assigned);
    let plan = plan(&loads, &groups, percent("0"), &[0, 40, 0]);
    assert_eq!((plan.total, plan.after), (7, vec![43, 80, 7]));
}

#[test]
fn one_node_alone_is_not_even() {
    for counts in [&[100][..], &[]] {
        let loads = loads(counts);
        let plan = plan(
            &loads,
            &singles(&loads, Destination::RoundRobin),
            percent("5%"),
            &[],
        );
        assert_eq!((plan.total, plan.becomes_even), (0, false));
        assert!(!is_even(&loads, percent("5%")));
    }
}

#[test]
fn nodes_stay_even_if_any_of_them_may_get_the_returning_clients() {
    let loads = loads(&[100, 102]);
    assert!(stays_even(&loads, 3, percent("5%")));
    assert!(!stays_even(&loads, 4, percent("5%")));
    assert!(!stays_even(&self::loads(&[51, 0]), 49, percent("5%")));
}

#[test]
fn a_share_is_that_of_the_weight() {
    let mut loads = loads(&[90, 0]);
    loads[0].weight = 2;
    let plan = plan(
        &loads,
        &singles(&loads, Destination::LeastConnections),
        percent("0"),
        &[],
    );
    assert_eq!(plan.after, [60, 30]);
}

#[test]
fn a_second_closes_its_part() {
    let pace = Pace {
        total: 100,
        over: Duration::from_secs(20),
    };
    let due = |pace: Pace, seconds, closed| pace.due(Duration::from_secs(seconds), closed, 0);
    assert_eq!((pace.per_second(), due(pace, 0, 0)), (6, 5));
    assert_eq!((due(pace, 1, 9), due(pace, 1, 0)), (1, 6));
    assert!(pace.spacing() * 6 <= Duration::from_secs(1));
    let slow = Pace {
        total: 2,
        over: Duration::from_secs(20),
    };
    assert_eq!((slow.per_second(), due(slow, 0, 0), due(slow, 9, 0)), (1, 0, 1));
}

#[test]
fn more_than_planned_is_closed_only_when_all_clients_are_back() {
    let pace = Pace {
        total: 100,
        over: Duration::from_secs(20),
    };
    let due = |closed, returning| pace.due(Duration::from_secs(30), closed, returning);
    assert_eq!((due(90, 1), due(98, 1), due(100, 1)), (6, 2, 0));
    assert_eq!((due(100, 0), due(154, 0), due(156, 0)), (6, 2, 0));
    assert_eq!(pace.most(), 156);
}

fn cases() -> impl Strategy<Value = (Vec<Load>, Vec<Group>)> {
    let node = (
        1_u64..4,
        0_u64..60,
        proptest::collection::vec((0_u64..100, 0_u8..4, 1_usize..6), 0..30),
    );
    proptest::collection::vec(node, 1..6).prop_map(|nodes| {
        let count = nodes.len();
        let (mut loads, mut groups, mut next) = (Vec::new(), Vec::new(), 0);
        for (from, (weight, fixed, held)) in nodes.into_iter().enumerate() {
            let mut connections = fixed;
            for (idle, to, size) in held {
                let to = match to {
                    0 => Destination::RoundRobin,
                    1 => Destination::LeastConnections,
                    2 => Destination::Assigned,
                    _ => Destination::Node(usize::try_from(idle).unwrap() % count),
                };
                let size = if to == Destination::Assigned { size } else { 1 };
                groups.push(Group {
                    from,
                    to,
                    idle: Duration::from_secs(idle),
                    connections: (next..next + size).collect(),
                });
                next += size;
                connections += size as u64;
            }
            loads.push(Load {
                node: format!("n{from}"),
                weight,
                connections,
            });
        }
        (loads, groups)
    })
}

proptest! {
    #[test]
    fn a_plan_keeps_its_promises(
        (loads, groups) in cases(),
        to in 0_u32..50,
        returning in proptest::collection::vec(0_u64..20, 6),
    ) {
        let to = percent(&to.to_string());
        let returning = &returning[..loads.len()];
        let plan = plan(&loads, &groups, to, returning);
        let shares = shares(&loads, returning.iter().sum());
        let all = loads.iter().map(|load| load.connections).chain(returning.iter().copied());
        prop_assert_eq!(plan.after.iter().sum::<u64>(), all.sum::<u64>());
        // No node that had its share is left with less than the mean, rounded down.
        for (node, after) in plan.after.iter().enumerate() {
            let before = float(loads[node].connections);
            let left = float(after - returning[node]);
            prop_assert!(left >= shares[node].floor().min(before), "{:?}", plan);
        }
        // Each connection is closed at most once, and belongs to a node with more than its share.
        let mut closed: Vec<usize> = plan.closes.iter().map(|close| close.connection).collect();
        let count = closed.len();
        prop_assert!(count as u64 <= plan.total);
        closed.sort_unstable();
        closed.dedup();
        prop_assert_eq!(closed.len(), count);
        for close in &plan.closes {
            prop_assert!(close.to.is_none_or(|node| node < loads.len()));
        }
        let with = |counts: Vec<u64>| -> Vec<Load> {
            let loads = loads.iter().zip(counts);
            loads.map(|(load, connections)| Load { connections, ..load.clone() }).collect()
        };
        prop_assert_eq!(plan.becomes_even, is_even(&with(plan.after), to));
        let expected = loads.iter().zip(returning).map(|(load, returning)| load.connections + returning);
        if is_even(&with(expected.collect()), to) {
            prop_assert_eq!(plan.total, 0);
        }
    }

    #[test]
    fn no_second_closes_more_than_planned(total in 0_u64..10_000, over in 1_u64..300, start in 0_u64..900) {
        let pace = Pace { total, over: Duration::from_secs(over) };
        let (mut closed, mut elapsed) = (0, Duration::from_millis(start));
        while elapsed < pace.over {
            let due = pace.due(elapsed, closed, 0);
            prop_assert!(due <= pace.per_second());
            closed += due;
            elapsed += Duration::from_secs(1);
        }
        prop_assert!(closed <= total + pace.per_second());
    }
}
