//! HAProxy's runtime API, spoken over its stats socket.
