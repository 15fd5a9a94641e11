//! The source addresses of a load test.

use std::net::{IpAddr, Ipv4Addr};

use super::{Demand, Warning};
use crate::profile::PerIp;

/// The number of addresses from 127.16.0.0 to 127.239.255.255; the other addresses of 127.0.0.0/8
/// belong to the nodes, the balancer and the probes.
pub const POOL: u32 = 0x00e0_0000;

/// The number of source addresses; 0 for the kernel's choice.
pub(super) fn planned(demand: &Demand) -> u32 {
    if demand.on_loopback { count(demand) } else { 0 }
}

/// The number of source addresses, where the kernel's choice counts as one.
pub(super) fn count(demand: &Demand) -> u32 {
    if demand.on_loopback {
        available(demand).min(demand.connections).max(1)
    } else {
        1
    }
}

/// The number of source addresses that are available for any number of connections.
pub(super) fn available(demand: &Demand) -> u32 {
    match demand.sources {
        _ if !demand.on_loopback => 1,
        Some(asked) => asked.clamp(1, POOL),
        None => POOL,
    }
}

/// Whether the whole pool is exempt from `limits`.
pub(super) fn exempt(limits: &PerIp) -> bool {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    limits
        .exempt
        .iter()
        .any(|network| network.prefix() <= 8 && network.contains(localhost))
}

/// A number of addresses as text.
pub(super) fn counted(addresses: u32) -> String {
    match addresses {
        1 => "1 source address".to_owned(),
        many => format!("{many} source addresses"),
    }
}

/// Several source addresses are possible only on IPv4 loopback.
pub(super) fn obtainable(demand: &Demand) -> Result<(), Warning> {
    match demand.sources {
        Some(asked) if asked > 1 && !demand.on_loopback => Err(Warning {
            what: format!("cannot use {asked} source addresses"),
            why: "the target is not on IPv4 loopback, so all connections come from the 1 address that the kernel chooses".to_owned(),
            fix: Some("leave `--sources` out, or test a target on 127.0.0.1".to_owned()),
            remedies: Vec::new(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::demand;
    use super::*;

    #[test]
    fn loopback_gives_one_address_for_each_connection_or_the_requested_number() {
        assert_eq!(planned(&demand(7)), 7);
        let asked = |sources| Demand {
            sources: Some(sources),
            ..demand(7)
        };
        assert_eq!(
            (planned(&asked(3)), planned(&asked(9)), planned(&asked(0))),
            (3, 7, 1)
        );
        let elsewhere = Demand {
            on_loopback: false,
            ..asked(3)
        };
        assert_eq!((planned(&elsewhere), count(&elsewhere)), (0, 1));
        assert!(obtainable(&elsewhere).is_err());
        assert!(obtainable(&asked(3)).is_ok());
    }

    #[test]
    fn only_networks_that_cover_the_whole_pool_exempt_the_test() {
        let limits = |network: &str| PerIp {
            exempt: [network.parse().unwrap()].into(),
            ..demand(1).per_ip.unwrap()
        };
        assert!(exempt(&limits("127.0.0.0/8")) && exempt(&limits("0.0.0.0/0")));
        assert!(!exempt(&limits("127.0.0.0/16")) && !exempt(&limits("10.0.0.0/8")));
    }
}
