//! Changes that fix a finding and that a program can make: the counterpart of `fix`, which is text
//! for people. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use super::fix;
use crate::platform::Host;

/// A change of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Remedy {
    /// A kernel parameter gets another value.
    Sysctl {
        /// Its name, with dots.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// Ports are reserved, in addition to those that are already: the kernel gives them to no
    /// outgoing connection.
    Reserve {
        /// The ports.
        ports: Vec<u16>,
    },
    /// Users get a higher limit on descriptors.
    Descriptors {
        /// The hard limit of each process.
        limit: u64,
    },
}

impl Remedy {
    /// Sets each parameter of `settings`, and reserves `ports` if there are any.
    pub(super) fn sysctls(settings: Vec<(&'static str, String)>, ports: Vec<u16>) -> Vec<Remedy> {
        let reserve = (!ports.is_empty()).then_some(Remedy::Reserve { ports });
        let settings = settings
            .into_iter()
            .map(|(key, value)| Remedy::Sysctl { key, value });
        reserve.into_iter().chain(settings).collect()
    }

    /// The kernel parameter that is set, and its value; `None` for other remedies.
    #[must_use]
    pub fn setting(&self, host: &Host) -> Option<(&'static str, String)> {
        match self {
            Remedy::Sysctl { key, value } => Some((key, value.clone())),
            Remedy::Reserve { ports } => Some(fix::reserved(host, ports)),
            Remedy::Descriptors { .. } => None,
        }
    }
}

/// The `remedies` of several findings as one list, in the order in which they are applied: each
/// setting once, and ports are reserved before the range of ephemeral ports grows.
#[must_use]
pub fn gathered<'a>(remedies: impl IntoIterator<Item = &'a Remedy>) -> Vec<Remedy> {
    let mut reserved = BTreeSet::new();
    let mut descriptors = None;
    let mut sysctls: Vec<Remedy> = Vec::new();
    for remedy in remedies {
        match remedy {
            Remedy::Reserve { ports } => reserved.extend(ports),
            Remedy::Descriptors { limit } => descriptors = descriptors.max(Some(*limit)),
            Remedy::Sysctl { .. } if sysctls.contains(remedy) => {}
            Remedy::Sysctl { .. } => sysctls.push(remedy.clone()),
        }
    }
    let reserve = (!reserved.is_empty()).then(|| Remedy::Reserve {
        ports: reserved.into_iter().collect(),
    });
    let descriptors = descriptors.map(|limit| Remedy::Descriptors { limit });
    reserve.into_iter().chain(sysctls).chain(descriptors).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::big_host;
    use super::*;

    #[test]
    fn remedies_of_several_findings_become_one_list() {
        let widen = Remedy::Sysctl {
            key: "net.ipv4.ip_local_port_range",
            value: "6000 65535".to_owned(),
        };
        let reserve = |ports: &[u16]| Remedy::Reserve {
            ports: ports.to_vec(),
        };
        let descriptors = |limit| Remedy::Descriptors { limit };
        let all = gathered(&[
            descriptors(1_024),
            widen.clone(),
            descriptors(2_048),
            reserve(&[9_001, 9_002]),
            widen.clone(),
            reserve(&[8_000, 9_002]),
        ]);
        assert_eq!(all, [reserve(&[8_000, 9_001, 9_002]), widen, descriptors(2_048)]);
        assert_eq!(gathered(&[]), []);
    }

    #[test]
    fn ports_are_reserved_in_addition_to_the_reserved_ones() {
        let host = Host {
            reserved: vec![5_000..=5_001],
            ..big_host()
        };
        let reserve = Remedy::Reserve {
            ports: vec![5_002, 8_000],
        };
        assert_eq!(
            reserve.setting(&host),
            Some(("net.ipv4.ip_local_reserved_ports", "5000-5002,8000".to_owned()))
        );
        assert_eq!(Remedy::Descriptors { limit: 1 }.setting(&host), None);
    }
}
