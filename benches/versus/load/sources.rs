//! Source addresses of clients.

use std::net::Ipv4Addr;

/// Loopback addresses from 127.16.0.1 on, in turn and without end.
pub(crate) struct Sources {
    next: u32,
    count: u32,
    uses: u32,
}

impl Sources {
    /// `count` addresses (at most 14 million), each used `uses` times in a row.
    pub(crate) const fn new(count: u32, uses: u32) -> Sources {
        Sources { next: 0, count, uses }
    }
}

impl Iterator for Sources {
    type Item = Ipv4Addr;

    fn next(&mut self) -> Option<Ipv4Addr> {
        let number = self.next / self.uses % self.count;
        self.next = self.next.wrapping_add(1);
        // Neither .0 nor .255, which some software takes for a network or a broadcast.
        let [_, high, middle, _] = (number / 250).to_be_bytes().map(u32::from).map(|it| it % 256);
        let low = number / 250 % 256;
        let second = 16 + (high * 256 + middle) % 200;
        let octet = |number: u32| u8::try_from(number).unwrap_or(1);
        Some(Ipv4Addr::new(
            127,
            octet(second),
            octet(low),
            octet(number % 250 + 1),
        ))
    }
}
