use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Barrier;

use proptest::prelude::*;

use super::*;

fn limits(connections: u32, connection_rate: u32, message_rate: u32) -> PerIp {
    PerIp {
        connections,
        connection_rate,
        message_rate,
        exempt: ["127.0.0.0/8", "fd00::/8"]
            .map(|network| network.parse().unwrap())
            .into(),
    }
}

fn four(client: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + client).into()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn connections_at_once_are_limited_until_their_lease_is_dropped() {
    let table = ClientLimits::new(limits(2, 0, 0));
    let now = Instant::now();
    let first = table.enter(four(1), now).unwrap();
    let second = table.enter(four(1), now).unwrap();
    assert_eq!(table.enter(four(1), now).unwrap_err(), Refused::TooMany);
    let _other = table.enter(four(2), now).unwrap();
    std::thread::spawn(move || drop(first)).join().unwrap();
    let third = table.enter(four(1), now).unwrap();
    assert_eq!(table.enter(four(1), now).unwrap_err(), Refused::TooMany);
    drop((second, third));
    let figures = table.entries(now);
    let of = |client| figures.iter().find(|it| it.client == client).unwrap().connections;
    assert_eq!((of(four(1)), of(four(2))), (0, 1));
}

#[test]
fn new_connections_a_second_are_limited_and_refused_ones_do_not_count() {
    let table = ClientLimits::new(limits(0, 10, 0));
    let birth = table.limits.birth;
    // One per millisecond, for ten seconds: slowed down, not refused.
    let entered: Vec<u64> = (0..10_000)
        .filter(|&ms| table.enter(four(1), birth + Duration::from_millis(ms)).is_ok())
        .collect();
    assert_eq!(entered.iter().filter(|ms| **ms < 1_000).count(), 10);
    assert!((95..=101).contains(&entered.len()), "{}", entered.len());
    let at_the_end = table.entries(birth + Duration::from_secs(10))[0];
    assert!((9..=10).contains(&at_the_end.connection_rate), "{at_the_end:?}");
}

#[test]
fn messages_a_second_are_limited_over_all_connections_of_a_client() {
    let table = ClientLimits::new(limits(0, 0, 10));
    let birth = table.limits.birth;
    let [one, two] = [(); 2].map(|()| table.enter(four(1), birth).unwrap());
    assert!(one.counts_messages());
    assert_eq!(
        one.admit(7, birth),
        Admitted {
            passed: 7,
            again_at: None
        }
    );
    let Admitted { passed, again_at } = two.admit(7, birth);
    assert_eq!(passed, 3);
    let again_at = again_at.unwrap();
    assert_eq!(two.admit(4, birth + Duration::from_secs(1)).passed, 0);
    assert_eq!(two.admit(4, again_at).passed, 1);
    let other = table.enter(four(2), birth).unwrap();
    assert_eq!(other.admit(10, birth).passed, 10);
}

#[test]
fn a_client_is_one_however_it_came_and_ipv6_clients_are_one_by_64_bits() {
    let table = ClientLimits::new(limits(1, 0, 0));
    let now = Instant::now();
    let held = ["10.0.0.1", "2001:db8:0:1::1"].map(|client| table.enter(ip(client), now).unwrap());
    for same in ["::ffff:10.0.0.1", "2001:db8:0:1:ffff::2"] {
        assert_eq!(table.enter(ip(same), now).unwrap_err(), Refused::TooMany);
    }
    for other in ["10.0.0.2", "2001:db8:0:2::1"] {
        assert!(table.enter(ip(other), now).is_ok());
    }
    drop(held);
    let mut clients: Vec<IpAddr> = table.entries(now).iter().map(|it| it.client).collect();
    clients.sort();
    let expected = ["10.0.0.1", "10.0.0.2", "2001:db8:0:1::", "2001:db8:0:2::"];
    assert_eq!(clients, expected.map(ip));
}

#[test]
fn exempt_clients_have_no_limits_and_are_not_counted() {
    let table = ClientLimits::new(limits(1, 1, 1));
    let now = Instant::now();
    for client in ["127.0.0.1", "::ffff:127.0.0.1", "fd00::1"] {
        let client_leases = [(); 3].map(|()| table.enter(ip(client), now).unwrap());
        assert!(!client_leases[0].counts_messages());
        assert_eq!(client_leases[0].admit(50, now).passed, 50);
    }
    assert_eq!(table.entries(now), []);
}

#[test]
fn other_limits_find_what_was_counted() {
    let table = ClientLimits::new(limits(5, 0, 0));
    let now = Instant::now();
    let client_leases = [(); 3].map(|()| table.enter(four(1), now).unwrap());
    assert!(!client_leases[0].counts_messages());
    table.set_limits(limits(3, 0, 2));
    assert_eq!(table.enter(four(1), now).unwrap_err(), Refused::TooMany);
    assert!(client_leases[0].counts_messages());
    assert_eq!(client_leases[0].admit(5, now).passed, 2);
    table.set_limits(PerIp {
        exempt: [].into(),
        ..limits(0, 0, 0)
    });
    assert!(table.enter(four(1), now).is_ok());
    assert_eq!(client_leases[0].admit(5, now).passed, 5);
}

#[test]
fn clients_that_come_and_go_leave_no_entries() {
    let table = ClientLimits::new(limits(10, 10, 10));
    let mut now = table.limits.birth;
    for client in 0..60_000 {
        // 1,000 per second.
        now += Duration::from_millis(1);
        drop(table.enter(four(client), now).unwrap());
        assert!(
            client % 1_000 > 0 || table.len() <= 2 * (2_000 + SHARDS * MIN_SWEPT),
            "{}",
            table.len()
        );
    }
    let stays = table.enter(four(1), now).unwrap();
    table.sweep(now + Duration::from_secs(2));
    assert_eq!(table.len(), 1);
    drop(stays);
    table.sweep(now + Duration::from_secs(2));
    assert_eq!((table.len(), table.entries(now).len()), (0, 0));
}

#[test]
fn threads_together_never_pass_a_limit() {
    const THREADS: usize = 4;
    let table = ClientLimits::new(limits(7, 0, 0));
    let (now, start) = (Instant::now(), Barrier::new(THREADS));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                for nth in 0..5_000 {
                    let client_leases = [(); 4].map(|()| table.enter(four(nth % 3), now));
                    let most = table.entries(now).iter().map(|it| it.connections).max();
                    assert!(nth % 100 > 0 || most.unwrap_or_default() <= 7, "{most:?}");
                    drop(client_leases);
                }
            });
        }
    });
    assert!(table.entries(now).iter().all(|it| it.connections == 0));
}

proptest! {
    #[test]
    fn visits_are_counted_as_a_list_counts_them(
        steps in prop::collection::vec((0u32..4, any::<bool>(), 0usize..8), 0..200), most in 1u32..5,
    ) {
        let table = ClientLimits::new(limits(most, 0, 0));
        let now = Instant::now();
        let mut list: Vec<(u32, ClientLease)> = Vec::new();
        for (client, enters, leaves) in steps {
            if enters {
                let held = list.iter().filter(|it| it.0 == client).count();
                match table.enter(four(client), now) {
                    Ok(client_lease) => list.push((client, client_lease)),
                    Err(refused) => prop_assert_eq!((refused, held), (Refused::TooMany, most as usize)),
                }
            } else if leaves < list.len() {
                list.swap_remove(leaves);
            }
            let mut counted: HashMap<IpAddr, u32> = HashMap::new();
            for (client, _) in &list {
                *counted.entry(four(*client)).or_default() += 1;
            }
            let entries = table.entries(now).into_iter().filter(|it| it.connections > 0);
            prop_assert_eq!(entries.map(|it| (it.client, it.connections)).collect::<HashMap<_, _>>(), counted);
        }
    }
}
