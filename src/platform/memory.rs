//! The memory that the allocator keeps.

/// Gives memory that is allocated no more back to the system. The allocator keeps what lies between
/// pieces in use. It takes some milliseconds for 100 MB.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "no crate offers this call")]
    // SAFETY: It only frees memory that no caller holds, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
