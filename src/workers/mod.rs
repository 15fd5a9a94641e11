//! Threads with their own runtime and their own descriptor table.
