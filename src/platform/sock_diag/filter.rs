//! A filter that the kernel runs for each socket: the bytecode of `linux/inet_diag.h`.
//!
//! An instruction has four bytes: code, the distance to jump on yes (`u8`), and on no (`u16`), in
//! bytes from its start. A comparison is followed by four bytes that hold the port in place of the
//! distance on no. A socket that arrives exactly at the end has passed; one that jumps beyond it
//! has not.

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The end of this socket.
    Local,
    /// The other end.
    Peer,
}

/// With more ranges, the jumps, which are 16 bits wide, do not reach the end.
const MAX_RANGES: usize = 3_000;

const JUMP: u8 = 1;
const INSTRUCTION: u8 = 4;
const COMPARISON: u8 = 8;
/// The length of two comparisons and a jump.
const BLOCK: u16 = 20;

/// Passes sockets whose port on `side` is one of `ports`. With no ports or too many of them the
/// filter is empty, and so passes every socket.
pub(super) fn port_filter(side: Side, ports: &[u16]) -> Vec<u8> {
    let ranges = ranges(ports);
    if ranges.is_empty() || ranges.len() > MAX_RANGES {
        return Vec::new();
    }
    let (at_least, at_most) = match side {
        Side::Local => (2, 3),
        Side::Peer => (4, 5),
    };
    let mut code = Vec::new();
    // The length of what follows a range: the blocks of the other ranges, the last of which needs
    // no jump.
    let mut rest = 0;
    for (index, (from, to)) in ranges.iter().rev().enumerate() {
        let mut block = Vec::new();
        if index == 0 {
            compare(&mut block, at_least, 16 + 4, *from);
            compare(&mut block, at_most, 8 + 4, *to);
        } else {
            compare(&mut block, at_least, BLOCK, *from);
            compare(&mut block, at_most, BLOCK - 8, *to);
            instruction(&mut block, JUMP, INSTRUCTION, 4 + rest);
        }
        rest += if index == 0 { 16 } else { BLOCK };
        code.splice(0..0, block);
    }
    code
}

/// Sorted ranges, with adjacent ports joined.
fn ranges(ports: &[u16]) -> Vec<(u16, u16)> {
    let mut ports = ports.to_vec();
    ports.sort_unstable();
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for port in ports {
        match ranges.last_mut() {
            Some((_, to)) if port <= to.saturating_add(1) => *to = port,
            _ => ranges.push((port, port)),
        }
    }
    ranges
}

fn compare(code: &mut Vec<u8>, operation: u8, no: u16, port: u16) {
    instruction(code, operation, COMPARISON, no);
    instruction(code, 0, 0, port);
}

fn instruction(code: &mut Vec<u8>, operation: u8, yes: u8, no: u16) {
    code.extend([operation, yes]);
    code.extend(no.to_ne_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a filter as `inet_diag_bc_run` does.
    fn passes(code: &[u8], local: u16, peer: u16) -> bool {
        let mut at = 0;
        while at < code.len() {
            let no = usize::from(u16::from_ne_bytes([code[at + 2], code[at + 3]]));
            let port = || u16::from_ne_bytes([code[at + 6], code[at + 7]]);
            let yes = match code[at] {
                1 => false,
                2 => local >= port(),
                3 => local <= port(),
                4 => peer >= port(),
                5 => peer <= port(),
                other => panic!("{other}"),
            };
            at += if yes { usize::from(code[at + 1]) } else { no };
        }
        at == code.len()
    }

    #[test]
    fn neighbours_become_one_range() {
        assert_eq!(
            ranges(&[9003, 9001, 8081, 9002, 9001]),
            [(8081, 8081), (9001, 9003)]
        );
        assert_eq!(ranges(&[u16::MAX, u16::MAX, 0]), [(0, 0), (u16::MAX, u16::MAX)]);
        assert!(port_filter(Side::Local, &[]).is_empty());
    }

    proptest! {
        #[test]
        fn exactly_the_ports_pass(ports in proptest::collection::vec(0..60_u16, 1..20), port in 0..60_u16) {
            let wanted = ports.contains(&port);
            prop_assert_eq!(passes(&port_filter(Side::Local, &ports), port, 99), wanted);
            prop_assert_eq!(passes(&port_filter(Side::Peer, &ports), 99, port), wanted);
        }
    }
}
