//! A cluster and its plan, as configuration text. A view model decides, a template prints.

mod build;
mod haproxy;
mod per_ip;
mod pool;
mod templates;

pub use build::HaproxyBuild;
pub use haproxy::haproxy;
pub use pool::{HealthTarget, health_targets};
pub use templates::{RenderError, Templates};
