//! The kernel: limits, sockets, processes. The only place with `unsafe`.
