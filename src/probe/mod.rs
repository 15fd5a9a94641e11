//! One health check, and the rise and fall of its outcomes.
