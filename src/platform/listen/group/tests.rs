use std::io::Read;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::*;

const MEMBERS: u16 = 3;

fn group(address: &str) -> Group {
    Group::open(address.parse().unwrap(), MEMBERS).unwrap()
}

fn connect(group: &Group, host: u16) -> TcpStream {
    let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let [high, low] = host.to_be_bytes();
    let source = SocketAddr::from((Ipv4Addr::new(127, 9, high, low), 0));
    socket.bind(&source.into()).unwrap();
    socket.connect(&group.address().into()).unwrap();
    socket.into()
}

/// The member that gets the next connection; the connection is closed.
fn accepted(group: &Group) -> u16 {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let taken = (0..group.members()).find(|member| {
            group
                .listener(*member)
                .is_some_and(|listener| listener.accept().is_ok())
        });
        if let Some(member) = taken {
            return member;
        }
        assert!(Instant::now() < deadline, "no process got it");
        std::thread::yield_now();
    }
}

/// Detaches the program, if there is one. Returns whether there was.
fn has_program(group: &Group) -> bool {
    detach(group.any().unwrap()).unwrap()
}

/// Copies of the listeners.
fn copies(group: &Group) -> Vec<TcpListener> {
    let listeners = group.listeners.iter().flatten();
    listeners.map(|listener| listener.try_clone().unwrap()).collect()
}

/// Ends the listening, as if the last copy of the listener was closed. A child that another test has
/// just forked may have one until it runs its program.
fn end(listener: &TcpListener) {
    SockRef::from(listener).shutdown(Shutdown::Both).unwrap();
}

fn homes(group: &Group) -> Vec<u16> {
    let home = |host| {
        let _client = connect(group, host);
        accepted(group)
    };
    (0..300).map(home).collect()
}

fn count(homes: &[u16], member: u16) -> usize {
    homes.iter().filter(|home| **home == member).count()
}

#[test]
fn clients_are_spread_and_always_reach_the_same_member() {
    let group = group("127.0.0.1:0");
    let first = homes(&group);
    for member in 0..3 {
        let clients = count(&first, member);
        assert!((60..=140).contains(&clients), "{member} has {clients} of 300");
    }
    assert_eq!(homes(&group), first);
}

#[test]
fn clients_of_a_dead_member_are_divided_and_no_others_move() {
    let mut group = group("127.0.0.1:0");
    let first = homes(&group);
    group.steer(&[true, false, true], Spread::ByClient).unwrap();
    let without = homes(&group);
    for (before, now) in first.iter().zip(&without) {
        assert!(
            *now != 1 && (now == before || *before == 1),
            "from {before} to {now}"
        );
    }
    let moved = |member| count(&without, member) - count(&first, member);
    assert!(moved(0) > 15 && moved(2) > 15, "{} and {}", moved(0), moved(2));
    group.steer(&[false, false, true], Spread::ByClient).unwrap();
    assert_eq!(count(&homes(&group), 2), 300);
    group.steer(&[true; 3], Spread::ByClient).unwrap();
    assert_eq!(homes(&group), first);
}

#[test]
fn clients_that_wait_for_a_dead_member_are_closed() {
    let mut group = group("127.0.0.1:0");
    group.steer(&[false, true, false], Spread::ByClient).unwrap();
    let mut waiting: Vec<TcpStream> = (0..5).map(|host| connect(&group, host)).collect();
    assert_eq!((group.turn_away(0).unwrap(), group.turn_away(9).unwrap()), (0, 0));
    let mut turned_away = 0;
    let deadline = Instant::now() + Duration::from_secs(30);
    while turned_away < waiting.len() {
        turned_away += group.turn_away(1).unwrap();
        assert!(Instant::now() < deadline, "{turned_away}");
    }
    for client in &mut waiting {
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}

#[test]
fn an_ipv6_client_reaches_the_same_member_too() {
    let mut group = group("[::1]:0");
    let home = |group: &Group| {
        let _client = TcpStream::connect(group.address()).unwrap();
        accepted(group)
    };
    let first = home(&group);
    for _ in 0..20 {
        assert_eq!(home(&group), first);
    }
    let living: Vec<bool> = (0..MEMBERS).map(|member| member != first).collect();
    group.steer(&living, Spread::ByClient).unwrap();
    assert_ne!(home(&group), first);
}

#[test]
fn the_rest_of_a_group_is_regained_and_its_clients_reach_their_members() {
    let mut group = group("127.0.0.1:0");
    let first = homes(&group);
    let inodes = group.inodes();
    // Member 0 dies with its listener; the kernel moves the last one.
    let mut places = group.places().clone();
    let ended = group.listeners[0].take().unwrap();
    let _copy_of_another_child = ended.try_clone().unwrap();
    end(&ended);
    drop(ended);
    places.lose(0);
    let mut left = copies(&group);
    left.reverse();
    let address = group.address();
    drop(group);
    let mut regained = Group::regain(address, left, places, &inodes).unwrap();
    assert_eq!(regained.inodes()[1..], inodes[1..]);
    assert_eq!(regained.places().of(0), Some(2));
    let without = homes(&regained);
    assert_eq!(count(&without, 0), 0, "not steered to yet");
    regained.steer(&[true; 3], Spread::ByClient).unwrap();
    assert_eq!(homes(&regained), first);
}

#[test]
fn a_listener_that_only_a_process_has_is_replaced_when_that_ends() {
    let mut group = group("127.0.0.1:0");
    let first = homes(&group);
    let elsewhere = group.listeners[1].take().unwrap();
    let _copy_of_another_child = elsewhere.try_clone().unwrap();
    group.member_gone(0).unwrap();
    end(&elsewhere);
    drop(elsewhere);
    group.member_gone(1).unwrap();
    group.steer(&[true; 3], Spread::ByClient).unwrap();
    assert_eq!(homes(&group), first);
}

#[test]
fn an_address_in_use_is_refused() {
    let group = group("127.0.0.1:0");
    let error = Group::open(group.address(), 2).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn sockets_of_unknown_inode_get_the_free_members() {
    let group = Group::open("127.0.0.1:0".parse().unwrap(), 4).unwrap();
    let inodes = group.inodes();
    let places = group.places().clone();
    // The process of member 1 keeps its socket. The second copies count once.
    let mut left = copies(&group);
    left.extend(copies(&group));
    left.retain(|socket| inode(socket).ok() != inodes[1]);
    let known = [None, inodes[1], inodes[2], None];
    let regained = Group::regain(group.address(), left, places, &known).unwrap();
    assert_eq!(regained.inodes(), [inodes[0], None, inodes[2], inodes[3]]);
    // Without any knowledge, they are numbered in their order.
    let regained = Group::regain(group.address(), copies(&group), Places::default(), &[]).unwrap();
    assert_eq!(regained.inodes(), inodes);
    assert_eq!(regained.places(), group.places());
    let error = Group::regain(group.address(), Vec::new(), Places::default(), &[]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn clients_of_fewer_instances_than_members_move_only_from_dead_ones() {
    let mut group = Group::open("127.0.0.1:0".parse().unwrap(), 6).unwrap();
    group.steer(&[true; 3], Spread::ByClient).unwrap();
    let first = homes(&group);
    for member in 0..3 {
        assert!(count(&first, member) > 60, "{member}");
    }
    group.steer(&[true, false, true], Spread::ByClient).unwrap();
    for (before, now) in first.iter().zip(homes(&group)) {
        assert!(
            now != 1 && now < 3 && (now == *before || *before == 1),
            "{before} to {now}"
        );
    }
}

#[test]
fn connections_are_spread_evenly_over_the_living_members() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut group = group(address);
        let spread = |group: &Group| -> Vec<usize> {
            let members: Vec<u16> = (0..600)
                .map(|_| {
                    let _client = TcpStream::connect(group.address()).unwrap();
                    accepted(group)
                })
                .collect();
            (0..group.members())
                .map(|member| count(&members, member))
                .collect()
        };
        let is_even = |counts: &[usize]| counts.iter().all(|count| (100..=300).contains(count));
        group.steer(&[true; 3], Spread::ByConnection).unwrap();
        let counts = spread(&group);
        assert!(is_even(&counts), "by the kernel's hash: {counts:?}");
        group.steer(&[true, false, true], Spread::ByConnection).unwrap();
        let counts = spread(&group);
        assert!(counts[1] == 0 && (200..=400).contains(&counts[0]), "{counts:?}");
        group.steer(&[false; 3], Spread::ByConnection).unwrap();
        assert!(is_even(&spread(&group)));
        group.steer(&[false, true], Spread::ByConnection).unwrap();
        assert_eq!(spread(&group), [0, 600, 0]);
        // As on a kernel that cannot detach a program.
        group.attach(&[true; 3], Spread::ByConnection).unwrap();
        let counts = spread(&group);
        assert!(is_even(&counts), "by random numbers: {counts:?}");
    }
}

#[test]
fn one_member_needs_no_program_and_can_grow() {
    let mut group = Group::open("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    assert!(!has_program(&group));
    for living in [true, false] {
        group.steer(&[living], Spread::ByClient).unwrap();
        assert_eq!(count(&homes(&group), 0), 300);
    }
    group.grow(3).unwrap();
    group.grow(2).unwrap();
    assert_eq!((group.members(), group.inodes().len()), (3, 3));
    assert_eq!(
        count(&homes(&group), 0),
        300,
        "new members are not steered to yet"
    );
    group.steer(&[true; 3], Spread::ByClient).unwrap();
    let homes = homes(&group);
    for member in 0..3 {
        assert!(count(&homes, member) > 60, "{member}");
    }
}

#[test]
fn new_members_get_nothing_whatever_was_decided_before() {
    for spread in [Spread::ByClient, Spread::ByConnection] {
        for living in [[true, true], [true, false], [false, false]] {
            let mut group = Group::open("127.0.0.1:0".parse().unwrap(), 2).unwrap();
            group.steer(&living, spread).unwrap();
            group.grow(4).unwrap();
            let homes = homes(&group);
            assert!(homes.iter().all(|home| *home < 2), "{spread:?} {living:?}");
        }
    }
}

#[test]
fn the_program_of_many_members_is_loaded() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut group = Group::open(address.parse().unwrap(), 64).unwrap();
        for spread in [Spread::ByClient, Spread::ByConnection] {
            group.steer(&[true; 63], spread).unwrap();
            group.steer(&[true; 64], spread).unwrap();
        }
        group.grow(256).unwrap();
        group.steer(&[true; 256], Spread::ByClient).unwrap();
    }
}

#[test]
fn a_listener_without_reuseport_serves_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let mut group = Group::regain(address, vec![listener], Places::default(), &[]).unwrap();
    for spread in [Spread::ByClient, Spread::ByConnection] {
        group.steer(&[true], spread).unwrap();
    }
    let error = group.grow(2).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("without SO_REUSEPORT"), "{error}");
    assert_eq!(group.members(), 1);
    assert_eq!(count(&homes(&group), 0), 300);
}

#[test]
fn a_group_that_cannot_grow_serves_on() {
    let mut group = Group::open("127.0.0.1:0".parse().unwrap(), 2).unwrap();
    group.steer(&[true; 2], Spread::ByConnection).unwrap();
    // No listener can be opened on an address that this host does not have.
    let address = std::mem::replace(&mut group.address, "192.0.2.1:80".parse().unwrap());
    group.grow(4).unwrap_err();
    group.address = address;
    assert_eq!((group.members(), has_program(&group)), (2, false));
    let homes = homes(&group);
    assert!(count(&homes, 0) > 60 && count(&homes, 1) > 60);
}
