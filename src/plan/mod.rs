//! What this host can hold: a pure function of the cluster and the host.
