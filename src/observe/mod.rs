//! What is measured: connections, latency, alerts.
