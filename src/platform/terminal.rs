//! The terminal.

use std::os::fd::AsFd;

/// How many lines the terminal at `stream` shows; `None` when it is none, or does not tell.
#[must_use]
#[expect(
    unsafe_code,
    reason = "TIOCGWINSZ has no wrapper in std, and in nix only a macro that is as unsafe"
)]
pub fn lines(stream: &impl AsFd) -> Option<usize> {
    use std::os::fd::AsRawFd;

    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel writes a `winsize` where there is one.
    let told = unsafe { libc::ioctl(stream.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (told == 0 && size.ws_row > 0).then_some(size.ws_row.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_no_terminal() {
        assert_eq!(lines(&tempfile::tempfile().unwrap()), None);
    }
}
