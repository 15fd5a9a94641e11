//! The supervisor's wire types and its client.
