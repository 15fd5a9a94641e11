//! The capabilities that nodes announce in the handshake.

/// A set of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(pub(super) u64);

impl Flags {
    /// A call is one message: OTP 23 and newer.
    pub(super) const SPAWN: Flags = Flags(1 << 32);
    /// A request, not a capability: the peer assigns a name. OTP 24 and newer.
    pub(super) const NAME_ME: Flags = Flags(1 << 33);

    /// The capabilities of this client: all that any version up to OTP 28 requires, and little
    /// else. Without the others there are no fragments and no atom cache, and this client is
    /// hidden: it is not in the list of nodes, and not part of the mesh.
    ///
    /// | bit | | since, or required from |
    /// | --- | --- | --- |
    /// | 2, 8 | references, pids and ports of full size | always |
    /// | 3, 5 | process monitors, by name too | |
    /// | 4, 7, 9 | funs, and `fun m:f/a` | required from 23 |
    /// | 10, 11 | bit strings, binary floats | required from 23 |
    /// | 12 | a group leader that takes Unicode | |
    /// | 14, 16 | short and UTF-8 atoms | required from 20 |
    /// | 17, 18 | maps, 32 bits of creation | required from 23 |
    /// | 22 | an exit reason is a message's payload | 22 |
    /// | 24 | handshake of version 6 | 23, required from 25 |
    /// | 25 | unlinking by number | 23.3, required from 26 |
    /// | 26 | all that 25 requires | 25, required from 27 |
    /// | 32 | [spawning](Flags::SPAWN) | 23 |
    /// | 34 | pids, ports and references of 24 | 24, required from 26 |
    pub(super) const OURS: Flags = Flags(bits(&[
        2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 16, 17, 18, 22, 24, 25, 26, 32, 34,
    ]));

    /// Whether all of `others` are set.
    pub(super) const fn has(self, others: Flags) -> bool {
        self.0 & others.0 == others.0
    }

    /// The union of both.
    pub(super) const fn and(self, others: Flags) -> Flags {
        Flags(self.0 | others.0)
    }

    /// The lower half, which fits into a message of version 5.
    pub(super) const fn low(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }

    /// The upper half.
    pub(super) const fn high(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

// Private

const fn bits(numbers: &[u8]) -> u64 {
    let mut set = 0;
    let mut index = 0;
    while index < numbers.len() {
        set |= 1 << numbers[index];
        index += 1;
    }
    set
}
