//! What a thread is called, and which signals it takes.

use std::ffi::CString;
use std::io;

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, signal};

/// Names the calling thread; in the main thread that names the process in `ps` and `top`. The kernel keeps 15 bytes.
pub fn name(name: &str) {
    if let Ok(name) = CString::new(name) {
        // Only an invalid address fails.
        let _named = nix::sys::prctl::set_name(&name);
    }
}

/// Leaves all signals that are sent to this process to its other threads. Faults of this thread's own stay deadly.
///
/// # Errors
/// When the kernel refuses.
pub fn block_signals() -> io::Result<()> {
    let mut blocked = SigSet::all();
    for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL] {
        blocked.remove(fault);
    }
    Ok(pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None)?)
}

/// Lets a write that would make a file larger than this process may fail, instead of killing the process.
///
/// # Errors
/// When the kernel refuses.
#[expect(unsafe_code, reason = "handlers are unsafe; ignoring is no handler")]
pub fn survive_large_files() -> io::Result<()> {
    // SAFETY: no handler is installed, so nothing is ever run in one.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }?;
    Ok(())
}
