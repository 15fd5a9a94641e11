//! The name of a thread, and the signals that it receives.

use std::ffi::CString;
use std::io;

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, signal};

/// Names the calling thread; in the main thread this is the name of the process in `ps` and `top`.
/// The kernel keeps 15 bytes.
pub fn name(name: &str) {
    if let Ok(name) = CString::new(name) {
        // Only an invalid address fails.
        let _named = nix::sys::prctl::set_name(&name);
    }
}

/// Leaves all signals that are sent to this process to its other threads. Faults of this thread
/// still end the process.
pub fn block_signals() -> io::Result<()> {
    let mut blocked = SigSet::all();
    for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL] {
        blocked.remove(fault);
    }
    Ok(pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None)?)
}

/// Makes a write that would exceed the file size limit of this process fail instead of killing the
/// process.
#[expect(unsafe_code, reason = "handlers are unsafe; ignoring installs none")]
pub fn survive_large_files() -> io::Result<()> {
    // SAFETY: no handler is installed, so no code ever runs in one.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }?;
    Ok(())
}
