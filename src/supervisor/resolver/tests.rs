//! Rounds of look-ups, and what they change.

use super::*;

const HOST: &str = "web.test";

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn hosts(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn resolved(of: &[(&str, &[&str])]) -> Resolved {
    of.iter()
        .map(|(host, all)| ((*host).to_owned(), ips(all)))
        .collect()
}

fn round(resolver: &mut Resolver, answer: Answer) -> Vec<String> {
    let now = resolver.next().unwrap();
    assert_eq!(
        resolver.begin(now),
        Some(resolver.hosts.iter().cloned().collect())
    );
    let changes = resolver.end([(HOST.to_owned(), answer)].into(), |_| Ok(()), now);
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_round_begins_at_its_time_and_one_at_a_time() {
    let start = Instant::now();
    let mut resolver = Resolver::new(resolved(&[(HOST, &["10.0.0.1"])]), start);
    assert_eq!(resolver.next(), Some(start + INTERVAL));
    assert_eq!(resolver.begin(start), None);
    let due = start + INTERVAL;
    assert_eq!(resolver.begin(due), Some(vec![HOST.to_owned()]));
    assert_eq!((resolver.next(), resolver.begin(due + INTERVAL)), (None, None));
    resolver.end(Answers::new(), |_| Ok(()), due);
    assert_eq!(resolver.next(), Some(due + INTERVAL));
    let without = Resolver::new(Resolved::new(), start);
    assert_eq!(without.next(), None);
}

#[test]
fn an_answer_replaces_the_last_one_whatever_its_order() {
    let mut resolver = Resolver::new(resolved(&[(HOST, &["10.0.0.1"])]), Instant::now());
    let changes = round(
        &mut resolver,
        Ok(ips(&["::ffff:10.0.0.2", "10.0.0.1", "0.0.0.0", "10.0.0.2"])),
    );
    assert_eq!(changes, ["host web.test: 10.0.0.1, 10.0.0.2 (was 10.0.0.1)"]);
    assert_eq!(
        resolver.addresses(),
        &resolved(&[(HOST, &["10.0.0.1", "10.0.0.2"])])
    );
    assert!(round(&mut resolver, Ok(ips(&["10.0.0.2", "10.0.0.1"]))).is_empty());
}

#[test]
fn an_empty_failed_or_too_large_answer_keeps_what_was_and_is_noted_once() {
    let was = resolved(&[(HOST, &["10.0.0.1"])]);
    let mut resolver = Resolver::new(was.clone(), Instant::now());
    let many = (0..1_001u32).map(|n| IpAddr::from((0x0a01_0000 + n).to_be_bytes()));
    for (answer, why) in [
        (Err("no answer".to_owned()), "no answer"),
        (Ok(Vec::new()), "it has no address"),
        (
            Ok(ips(&["0.0.0.0", "fe80::1"])),
            "a balancer cannot connect to any of its addresses",
        ),
        (
            Ok(many.collect()),
            "with its 1001 addresses there would be 1001 nodes, and 1000 are possible",
        ),
    ] {
        let changes = round(&mut resolver, answer.clone());
        assert_eq!(
            changes,
            [format!(
                "host web.test: {why}; its last known addresses stay in use"
            )]
        );
        assert!(round(&mut resolver, answer).is_empty());
        assert_eq!(resolver.addresses(), &was);
    }
    assert_eq!(
        round(&mut resolver, Ok(ips(&["10.0.0.1"]))),
        ["host web.test: found again"]
    );
}

#[test]
fn a_profile_with_other_hosts_begins_with_the_addresses_that_run() {
    let mut resolver = Resolver::new(resolved(&[(HOST, &["10.0.0.1"])]), Instant::now());
    round(&mut resolver, Ok(ips(&["10.0.0.9"])));
    let running = resolved(&[(HOST, &["10.0.0.1"]), ("b.test", &["10.0.0.2"])]);
    resolver.follow(hosts(&[HOST, "b.test"]), &running);
    let expected = resolved(&[(HOST, &["10.0.0.9"]), ("b.test", &["10.0.0.2"])]);
    assert_eq!(resolver.addresses(), &expected, "a newer answer stays");
    resolver.follow(hosts(&["b.test"]), &running);
    assert_eq!(resolver.addresses(), &resolved(&[("b.test", &["10.0.0.2"])]));
    // An answer for a host that the profile no longer has.
    assert!(round(&mut resolver, Ok(ips(&["10.0.0.5"]))).is_empty());
    resolver.follow(BTreeSet::new(), &running);
    assert_eq!((resolver.next(), resolver.addresses().len()), (None, 0));
}

fn words(changes: &[HostChange]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_host_that_fails_is_a_warning_until_it_is_found() {
    let mut resolver = Resolver::new(resolved(&[(HOST, &["10.0.0.1"])]), Instant::now());
    assert_eq!(resolver.warnings().count(), 0);
    round(&mut resolver, Err("no answer".to_owned()));
    let warnings: Vec<String> = resolver.warnings().collect();
    let expected = "host web.test: no answer; its last known addresses stay in use";
    assert_eq!(warnings, [expected]);
    round(&mut resolver, Ok(ips(&["10.0.0.1"])));
    assert_eq!(resolver.warnings().count(), 0);
    assert!(resolver.refuse("why".to_owned()) && !resolver.refuse("why".to_owned()));
    let warnings: Vec<String> = resolver.warnings().collect();
    assert_eq!(warnings, ["the new addresses of host names are not used: why"]);
    resolver.accept();
    assert_eq!(resolver.warnings().count(), 0);
}

#[test]
fn an_answer_that_a_cluster_cannot_have_keeps_no_other_host_back() {
    let now = Instant::now();
    let was = resolved(&[("a", &["10.0.0.1"]), ("b", &["10.0.0.2"]), ("c", &["10.0.0.3"])]);
    let mut resolver = Resolver::new(was, now);
    let check = |resolved: &Resolved| {
        let all: Vec<&IpAddr> = resolved.values().flatten().collect();
        let different: BTreeSet<&IpAddr> = all.iter().copied().collect();
        let is_valid = all.len() == different.len();
        is_valid
            .then_some(())
            .ok_or_else(|| "two nodes have one address".to_owned())
    };
    let mut end = |answers: &[(&str, &[&str])]| {
        let answers = answers
            .iter()
            .map(|(host, all)| ((*host).to_owned(), Ok(ips(all))));
        words(&resolver.end(answers.collect(), check, now))
    };
    let answers: [(&str, &[&str]); 3] = [("a", &["10.0.0.1"]), ("b", &["10.0.0.1"]), ("c", &["10.0.0.4"])];
    let expected = [
        "host b: two nodes have one address; its last known addresses stay in use",
        "host c: 10.0.0.4 (was 10.0.0.3)",
    ];
    assert_eq!(end(&answers), expected);
    assert!(end(&answers).is_empty());
    // Two hosts change their addresses with each other.
    let expected = [
        "host b: found again",
        "host a: 10.0.0.2 (was 10.0.0.1)",
        "host b: 10.0.0.1 (was 10.0.0.2)",
    ];
    assert_eq!(end(&[("a", &["10.0.0.2"]), ("b", &["10.0.0.1"])]), expected);
}

#[tokio::test]
async fn names_that_hang_keep_no_other_name_waiting_forever() {
    let find = |host: &str| {
        while host.starts_with("hanging") {
            thread::park();
        }
        Ok(ips(&["10.0.0.1"]))
    };
    let hanging: Vec<String> = (0..MAX_THREADS).map(|n| format!("hanging{n}")).collect();
    let all = hanging.iter().cloned().chain(["z.test".to_owned()]);
    let running: Resolved = all.map(|host| (host, ips(&["10.0.0.9"]))).collect();
    let now = Instant::now();
    let mut resolver = Resolver::new(running, now);
    for (first, expected) in [("hanging0", "10.0.0.9"), ("z.test", "10.0.0.1")] {
        let hosts = resolver.begin(resolver.next().unwrap()).unwrap();
        assert_eq!(hosts[0], first);
        let answers = lookup_with(find, &hosts, Duration::from_secs(1)).await;
        resolver.end(answers, |_| Ok(()), now);
        assert_eq!(resolver.addresses()["z.test"], ips(&[expected]));
    }
}

#[tokio::test]
async fn only_hosts_without_known_addresses_are_looked_up() {
    let known = resolved(&[("known.invalid", &["10.0.0.1"]), ("gone.invalid", &["10.0.0.2"])]);
    let found = resolve_missing(&hosts(&["known.invalid", "localhost"]), &known)
        .await
        .unwrap();
    assert_eq!(found["known.invalid"], ips(&["10.0.0.1"]));
    assert!(found["localhost"].iter().all(IpAddr::is_loopback));
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_named() {
    let error = resolve_missing(&hosts(&["no-such-host.invalid"]), &Resolved::new())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("cannot find the host `no-such-host.invalid` of `nodes.members`: "),
        "{text}"
    );
    assert!(error.hint().contains("getent hosts no-such-host.invalid"));
}
