//! Renders a cluster and its plan as configuration text. A view model decides, a template prints.

mod beam;
mod build;
mod builtin;
mod errors;
mod forwarded;
mod haproxy;
mod nginx;
mod paths;
mod per_ip;
mod pool;
mod redirects;
mod revision;
mod state_files;
mod sticky;
mod streams;
mod templates;

pub use beam::cluster_config;
pub use build::HaproxyBuild;
pub use builtin::{chosen_by_builtin, dataplane};
pub use haproxy::{haproxy, pages as haproxy_pages};
pub use nginx::{NGINX_ACCESS_LOG, NginxBuild, NginxInstallation, StreamModule, chosen_by_nginx, nginx};
pub use pool::{
    HealthTarget, Server, backend_behind, chosen_by_haproxy, frontend_behind, health_targets, servers,
};
pub use state_files::{down_names, drained_ids, drained_names, server_states};
pub use templates::{RenderError, Templates};
