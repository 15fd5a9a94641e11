//! The daemon that keeps a cluster as its profile wants it.
