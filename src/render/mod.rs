//! Renders a cluster and its plan as configuration text. A view model decides, a template prints.

mod beam;
mod build;
mod builtin;
mod container;
pub(crate) mod errors;
pub(crate) mod forwarded;
mod haproxy;
mod nginx;
pub(crate) mod paths;
mod per_ip;
mod pool;
mod reconnect_rules;
pub(crate) mod redirects;
pub(crate) mod revision;
mod state_files;
mod sticky;
mod streams;
mod systemd;
mod templates;

pub use beam::cluster_config;
pub use build::HaproxyBuild;
pub use builtin::{chosen_by_builtin, dataplane};
pub use container::{Image, ImageFile};
pub use haproxy::{haproxy, pages as haproxy_pages};
pub use nginx::{
    ComputedNodes, NGINX_ACCESS_LOG, NginxBuild, NginxInstallation, NginxPlace, StreamModule,
    chosen_by_nginx, nginx,
};
pub use pool::{
    HealthTarget, Server, backend_behind, chosen_by_haproxy, frontend_behind, hash_key, health_targets,
    servers, sticks_by_address,
};
pub use reconnect_rules::{BackendRule, Held, ReconnectRule, reconnect_rules};
pub use state_files::{
    down_names, drained_ids, drained_names, server_entries, server_states, states_for_successor, stopping,
};
pub use systemd::Service;
pub use templates::{RenderError, Templates};
