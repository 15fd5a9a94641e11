//! How fast a load test can connect and send, where the cluster has limits per address.

use super::{Demand, Warning, addresses};

/// Connections that one client over SSE makes while it joins: the stream, and one for each of two
/// messages.
const SIDE_REQUESTS_OF_JOINING: f64 = 3.0;
/// Messages of a client that joins: `initialize` and `notifications/initialized`.
const MESSAGES_OF_JOINING: f64 = 2.0;

/// The default number of messages per second.
const USUAL: f64 = 1_000.0;

/// Messages per second: at most half of what each address is allowed to send; over SSE a message is
/// a new connection, too.
pub(super) fn messages(demand: &Demand) -> Result<f64, Warning> {
    let wanted = demand.messages_per_second.unwrap_or(USUAL);
    let Some(limits) = demand.limits() else {
        return Ok(wanted);
    };
    let addresses = addresses::count(demand);
    let side_requests = demand
        .side_requests
        .then_some(("connection_rate", limits.connection_rate));
    let tightest = [Some(("message_rate", limits.message_rate)), side_requests]
        .into_iter()
        .flatten()
        .filter_map(|(key, limit)| Some((key, limit, half(limit)?)))
        .min_by(|one, other| one.2.total_cmp(&other.2));
    let Some((key, limit, each)) = tightest else {
        return Ok(wanted);
    };
    let most = each * f64::from(addresses);
    if wanted <= most || demand.messages_per_second.is_none() {
        return Ok(wanted.min(most));
    }
    let needed = (wanted / f64::from(addresses) * 2.0).ceil();
    Err(Warning {
        what: format!("{wanted} messages per second are too many"),
        why: format!(
            "{} may send {limit} each (limits.per_ip.{key}), and a test uses half of that: {most} in all",
            addresses::counted(addresses)
        ),
        fix: Some(format!(
            "`--messages-per-second {most}`, or `clusterctl start --set limits.per_ip.{key}={needed}`"
        )),
        remedies: Vec::new(),
    })
}

/// New connections per second: the requested number, or as many as keep each address within half of
/// its limit.
pub(super) fn openings(demand: &Demand) -> Result<Option<f64>, Warning> {
    let Some(most) = most_openings(demand) else {
        return Ok(demand.rate);
    };
    match demand.rate {
        None => Ok(Some(most)),
        Some(asked) if asked <= most => Ok(Some(asked)),
        Some(asked) => Err(Warning {
            what: format!("{asked} new connections per second are too many"),
            why: format!(
                "{} may make {} in all within half of limits.per_ip.connection_rate and limits.per_ip.message_rate",
                addresses::counted(addresses::count(demand)),
                rate_text(most)
            ),
            fix: Some(format!("`--rate {}`, or more `--sources`", rate_text(most))),
            remedies: Vec::new(),
        }),
    }
}

// Private

/// The most new connections per second; `None` where all connections can be made at once.
fn most_openings(demand: &Demand) -> Option<f64> {
    let limits = demand.limits()?;
    let connections = if demand.side_requests {
        SIDE_REQUESTS_OF_JOINING
    } else {
        1.0
    };
    let addresses = addresses::count(demand);
    let clients = demand.connections.div_ceil(addresses);
    // A client with its own address joins once, however fast the others do.
    let each = [
        half(limits.connection_rate).map(|half| half / connections),
        half(limits.message_rate).map(|half| half / MESSAGES_OF_JOINING),
    ]
    .into_iter()
    .flatten()
    .min_by(f64::total_cmp)?;
    (clients > 1 && each < f64::from(clients)).then(|| each * f64::from(addresses))
}

/// Half of a limit per second, but at least one if it allows any; `None` where there is no limit.
fn half(limit: u32) -> Option<f64> {
    (limit > 0).then(|| f64::from(limit / 2).max(1.0))
}

/// A rate as text, rounded down.
fn rate_text(rate: f64) -> String {
    if rate >= 1.0 {
        rate.floor().to_string()
    } else {
        ((rate * 100.0).floor() / 100.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::demand;
    use super::*;
    use crate::profile::PerIp;

    /// Two addresses that are each allowed 40 connections and 100 messages per second.
    fn two(connections: u32) -> Demand {
        Demand {
            sources: Some(2),
            per_ip: Some(PerIp {
                connections: 1_000,
                connection_rate: 40,
                ..demand(1).per_ip.unwrap()
            }),
            ..demand(connections)
        }
    }

    #[test]
    fn each_address_makes_half_of_the_allowed_connections() {
        assert_eq!(openings(&two(1_000)).unwrap(), Some(40.0));
        // All connections at once stay within the limit.
        assert_eq!(openings(&two(40)).unwrap(), None);
        assert_eq!(openings(&demand(100_000)).unwrap(), None);
        let side_requests = Demand {
            side_requests: true,
            ..two(1_000)
        };
        let rate = openings(&side_requests).unwrap().unwrap();
        assert!((rate - 40.0 / 3.0).abs() < 1e-9, "{rate}");
    }

    #[test]
    fn a_requested_rate_is_kept_or_refused() {
        let asked = |rate| Demand {
            rate: Some(rate),
            ..two(1_000)
        };
        assert_eq!(openings(&asked(7.0)).unwrap(), Some(7.0));
        let warning = openings(&asked(5_000.0)).unwrap_err();
        insta::assert_snapshot!(warning, @"5000 new connections per second are too many: 2 source addresses may make 40 in all within half of limits.per_ip.connection_rate and limits.per_ip.message_rate");
        assert_eq!(warning.fix.as_deref(), Some("`--rate 40`, or more `--sources`"));
        assert_eq!(
            (rate_text(40.0 / 3.0), rate_text(2.0 / 3.0)),
            ("13".to_owned(), "0.66".to_owned())
        );
    }

    #[test]
    fn each_address_sends_half_of_the_allowed_messages() {
        let demanding = |messages| Demand {
            messages_per_second: Some(messages),
            ..two(10)
        };
        assert!(messages(&demanding(100.0)).is_ok());
        insta::assert_snapshot!(messages(&demanding(101.0)).unwrap_err(), @"101 messages per second are too many: 2 source addresses may send 100 each (limits.per_ip.message_rate), and a test uses half of that: 100 in all");
        let side_requests = Demand {
            side_requests: true,
            ..demanding(100.0)
        };
        insta::assert_snapshot!(messages(&side_requests).unwrap_err(), @"100 messages per second are too many: 2 source addresses may send 40 each (limits.per_ip.connection_rate), and a test uses half of that: 40 in all");
        let endless = Demand {
            per_ip: None,
            ..demanding(1e9)
        };
        assert!(messages(&endless).is_ok());
    }
}
