//! The rendered configuration, in the built-in balancer: what it does beyond what all balancers do.

mod drain;
mod live;
pub(crate) mod running;
mod streams;
