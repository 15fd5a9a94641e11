//! A cluster and its plan, as configuration text.
