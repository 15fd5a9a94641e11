//! YAML in, a consistent `Cluster` out.
