//! A client's address as a number: the key of tables and the input of hashes.

use std::net::{IpAddr, Ipv6Addr};

/// `address` with IPv4 mapped into IPv6, so that a client is the same one with either form.
pub(super) fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped(),
        IpAddr::V6(six) => six,
    }
}

/// A hash of `address` in which every bit depends on every bit of the address and of `seed`
/// (`SplitMix64`'s finalizer over each half). It is the same in every process and on every machine;
/// where clients must not be able to predict it, `seed` is a secret.
pub(super) fn hash(address: Ipv6Addr, seed: u64) -> u64 {
    let [high, low] = halves(address);
    mix(mix(mix(seed) ^ high) ^ low)
}

// Private

#[expect(clippy::cast_possible_truncation, reason = "a half at a time is wanted")]
const fn halves(address: Ipv6Addr) -> [u64; 2] {
    let bits = address.to_bits();
    [(bits >> 64) as u64, bits as u64]
}

/// `SplitMix64` (Steele, Lea, Flood 2014): a bijection; on a change of one input bit, half of the
/// output bits change.
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_one_however_it_came() {
        let four: IpAddr = "10.1.2.3".parse().unwrap();
        let six: IpAddr = "::ffff:10.1.2.3".parse().unwrap();
        assert_eq!(mapped(four), mapped(six));
        assert_eq!(hash(mapped(four), 7), hash(mapped(six), 7));
    }

    #[test]
    fn hashes_stay_what_they_are() {
        // Clients stay with their servers over restarts and releases.
        assert_eq!(hash("::ffff:10.1.2.3".parse().unwrap(), 1), 0x80d8_2587_b887_5479);
        assert_eq!(hash("2001:db8::1".parse().unwrap(), 1), 0x5601_dbdc_6b4d_7b7d);
    }

    #[test]
    fn every_bit_of_the_address_and_of_the_seed_counts() {
        let base = 0x2001_0db8_0000_0000_0000_0000_0000_0001_u128;
        let of = |bits: u128, seed| hash(Ipv6Addr::from(bits), seed);
        let flipped = (0..128).map(|bit| of(base ^ (1 << bit), 1));
        let seeded = (0..64).map(|bit| of(base, 1 ^ (1 << bit)));
        for other in flipped.chain(seeded) {
            let changed = (other ^ of(base, 1)).count_ones();
            assert!((12..=52).contains(&changed), "{changed} bits changed");
        }
    }
}
