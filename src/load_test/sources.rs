//! Which address each client connects from.

use std::net::{IpAddr, Ipv4Addr};

use crate::plan::CLIENT_SOURCES;

/// The first of the loopback addresses that clients have, 127.16.0.0.
const FIRST: u32 = 0x7f10_0000;
const COUNT: u32 = CLIENT_SOURCES;

/// The source addresses of a load test. Clients take them in turn, so that those with the same
/// address connect as far apart as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// 0: the kernel chooses.
    count: u32,
    /// The offset of the first one in the block.
    from: u32,
}

impl Sources {
    /// The kernel's choice.
    pub const NONE: Sources = Sources { count: 0, from: 0 };

    /// `count` loopback addresses, at most 14,680,064, from a position in the block that `seed`
    /// decides: another test, running or just ended, which stuck to nodes by its addresses, most
    /// likely has different ones.
    #[must_use]
    pub const fn loopback(count: u32, seed: u32) -> Sources {
        Sources {
            count: if count > COUNT { COUNT } else { count },
            from: seed % COUNT,
        }
    }

    /// The number of addresses; 0 for the kernel's choice.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The address of the client with this number; `None` for the kernel's choice.
    #[must_use]
    pub fn of(self, client: u32) -> Option<IpAddr> {
        let turn = client.checked_rem(self.count)?;
        let place = (u64::from(self.from) + u64::from(turn)) % u64::from(COUNT);
        let bits = FIRST + u32::try_from(place).unwrap_or(0);
        Some(Ipv4Addr::from_bits(bits).into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::PROBE_SOURCE;

    proptest! {
        #[test]
        fn clients_take_them_in_turn(count in 1u32..2_000, seed: u32) {
            let sources = Sources::loopback(count, seed);
            let all: BTreeSet<_> = (0..count).map(|client| sources.of(client)).collect();
            prop_assert_eq!(all.len(), count as usize);
            prop_assert_eq!(sources.of(count), sources.of(0));
            for address in all.into_iter().flatten() {
                prop_assert!(address.is_loopback() && address != PROBE_SOURCE);
                prop_assert!(address >= "127.16.0.0".parse::<IpAddr>().unwrap());
            }
        }
    }

    #[test]
    fn the_kernel_may_choose() {
        assert_eq!(Sources::NONE.of(7), None);
        assert_eq!(Sources::loopback(u32::MAX, 0).count(), COUNT);
    }
}
