use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;

const EXPIRE: Duration = Duration::from_secs(10);

fn four(client: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + client).into()
}

/// Uses `server` for `client`, whatever was remembered; returns the remembered server.
fn put(table: &StickyTable, client: IpAddr, server: u32, now: Instant) -> Option<u32> {
    table.assign(client, now, |remembered| Some((server, remembered)))?
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Settle(u32, Option<u32>),
    Wait(u64),
    Forget(u32),
    ForgetServer(u32),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0u32..30, prop::option::weighted(0.9, 1u32..5)).prop_map(|(client, server)| Step::Settle(client, server)),
        2 => (0u64..40).prop_map(|tenths| Step::Wait(tenths * 100)),
        1 => (0u32..30).prop_map(Step::Forget),
        1 => (1u32..5).prop_map(Step::ForgetServer),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 0..300)
}

fn clients() -> impl Strategy<Value = HashMap<IpAddr, u32>> {
    let client = any::<IpAddr>().prop_map(|client| client.to_canonical());
    prop::collection::hash_map(client, 1u32..9, 0..60)
}

proptest! {
    #[test]
    fn the_table_finds_the_same_entries_as_a_list(steps in steps(), size in 0usize..20) {
        let table = StickyTable::new(size as u64, EXPIRE);
        let mut now = table.birth;
        // The longest unused first.
        let mut list: Vec<(u32, u32, Instant)> = Vec::new();
        for step in steps {
            match step {
                Step::Settle(client, server) => {
                    let known = list.iter().position(|it| it.0 == client && it.2 > now);
                    let remembered = known.map(|at| list[at].1);
                    let chosen = table.assign(four(client), now, |found| {
                        assert_eq!(found, remembered);
                        server.map(|server| (server, server))
                    });
                    prop_assert_eq!(chosen, server);
                    // An expired client is removed when it is looked up, even if it gets no new
                    // server.
                    list.retain(|it| it.0 != client || it.2 > now);
                    if let Some(server) = server {
                        list.retain(|it| it.0 != client);
                        list.push((client, server, now + EXPIRE));
                        list.drain(..list.len().saturating_sub(size));
                    }
                }
                Step::Wait(millis) => now += Duration::from_millis(millis),
                Step::Forget(client) => {
                    let was = list.len();
                    list.retain(|it| it.0 != client);
                    prop_assert_eq!(table.forget(four(client)), list.len() < was);
                }
                Step::ForgetServer(server) => {
                    let was = list.len();
                    list.retain(|it| it.1 != server);
                    prop_assert_eq!(table.forget_servers(|it| it == server), was - list.len());
                }
                Step::Sweep => {
                    table.sweep(now);
                    list.retain(|it| it.2 > now);
                }
            }
            prop_assert_eq!(table.len(), list.len());
            let alive: Vec<_> =
                list.iter().filter(|it| it.2 > now).map(|it| (four(it.0), it.1, it.2 - now)).collect();
            prop_assert_eq!(table.entries(now), alive);
        }
    }

    #[test]
    fn exported_entries_can_be_imported(clients in clients()) {
        let (old, new) = (StickyTable::new(2_000, EXPIRE), StickyTable::new(2_000, EXPIRE * 2));
        let now = old.birth + EXPIRE;
        for (&client, &server) in &clients {
            put(&old, client, server, now);
        }
        new.import(old.entries(now), now);
        for (client, server) in clients {
            let (imported, left) = new.remembered(client, now).unwrap();
            prop_assert_eq!(imported, server);
            // Each table rounds to its own ticks.
            prop_assert!((EXPIRE..=EXPIRE + Duration::from_millis(100)).contains(&left), "{left:?}");
        }
    }
}

#[test]
fn a_client_is_one_however_it_came() {
    let table = StickyTable::new(10, EXPIRE);
    let now = table.birth;
    put(&table, four(1), 3, now);
    let mapped = "::ffff:10.0.0.1".parse().unwrap();
    assert_eq!(put(&table, mapped, 3, now), Some(3));
    assert_eq!(table.entries(now), [(four(1), 3, EXPIRE)]);
}

#[test]
fn a_client_expires_after_it_was_last_seen_and_not_before() {
    let table = StickyTable::new(10, EXPIRE);
    let first = table.birth + Duration::from_micros(12_345);
    put(&table, four(1), 3, first);
    let again = table.birth + EXPIRE;
    assert_eq!(put(&table, four(1), 3, again), Some(3));
    assert_eq!(table.remembered(four(1), again), Some((3, EXPIRE)));
    assert!(
        table
            .remembered(four(1), again + Duration::from_millis(9_999))
            .is_some()
    );
    assert_eq!(
        table.remembered(four(1), again + EXPIRE + Duration::from_millis(100)),
        None
    );
    assert_eq!(table.len(), 0);
}

#[test]
fn a_full_table_holds_its_bound_and_nearly_all_of_its_last_clients() {
    // Each table hashes differently, so the expected share is checked over several tables together.
    const TABLES: usize = 5;
    for (size, least) in [(100_u32, 100), (1_000, 980), (20_000, 19_600)] {
        let mut kept = 0;
        for _ in 0..TABLES {
            let table = StickyTable::new(size.into(), EXPIRE);
            let now = table.birth;
            // Whole networks, one address after the other, and three tables full of them.
            for client in 0..3 * size {
                put(&table, four(client), 1, now);
                assert!(client % 97 > 0 || table.len() <= size as usize);
            }
            assert!(table.len() <= size as usize, "{} held of {size}", table.len());
            let last = 2 * size..3 * size;
            kept += last
                .filter(|&client| table.remembered(four(client), now).is_some())
                .count();
        }
        assert!(kept >= TABLES * least, "{kept} of {TABLES} times {size}");
    }
}

#[test]
fn lookups_do_not_count_as_changes() {
    let table = StickyTable::new(10_000, EXPIRE);
    let now = table.birth;
    let mut seen = vec![table.changed()];
    put(&table, four(1), 1, now);
    seen.push(table.changed());
    put(&table, four(1), 1, now);
    seen.push(table.changed());
    table.forget(four(1));
    seen.push(table.changed());
    assert!(seen.is_sorted_by(|one, other| one < other), "{seen:?}");
    assert_eq!(table.assign(four(1), now, |_| None::<(u32, ())>), None);
    table.sweep(now);
    assert_eq!(table.changed(), seen[3]);
}

#[test]
fn first_connections_of_one_client_at_once_get_one_server() {
    const THREADS: u32 = 4;
    const CLIENTS: u32 = 2_000;
    let table = StickyTable::new(100_000, EXPIRE);
    let (turns, start) = (AtomicU32::new(0), Barrier::new(THREADS as usize));
    let all: Vec<HashMap<u32, u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    (0..CLIENTS)
                        .map(|client| {
                            let server = table.assign(four(client), table.birth, |remembered| {
                                let server =
                                    remembered.unwrap_or_else(|| turns.fetch_add(1, Ordering::Relaxed));
                                Some((server, server))
                            });
                            (client, server.unwrap())
                        })
                        .collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|it| *it == all[0]));
    assert_eq!(turns.into_inner(), CLIENTS);
}

#[test]
fn a_table_without_room_still_lets_clients_through() {
    let table = StickyTable::new(0, EXPIRE);
    assert_eq!(put(&table, four(1), 1, table.birth), None);
    assert_eq!(table.assign(four(1), table.birth, |it| Some((2, it))), Some(None));
    assert_eq!((table.len(), table.size()), (0, 0));
}
