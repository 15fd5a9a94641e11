//! HAProxy's stats-socket dialect, spoken by HAProxy and by our own data plane.
