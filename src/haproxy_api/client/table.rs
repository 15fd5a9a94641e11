//! The entries of tables of sticky clients.

use std::net::{IpAddr, Ipv6Addr};

use super::error::RuntimeError;
use super::socket::Socket;

impl Socket {
    /// Makes `client` belong to the server with the number `server_id` in a table of type `ipv6`.
    ///
    /// # Errors
    /// When the command fails, or the balancer does not have the table.
    pub async fn stick(&self, table: &str, client: IpAddr, server_id: &str) -> Result<(), RuntimeError> {
        let client = key(client);
        // An entry that HAProxy made also has the server's name, which would come before the number.
        self.order(&format!("clear table {table} key {client}")).await?;
        self.order(&format!(
            "set table {table} key {client} data.server_id {server_id}"
        ))
        .await
    }
}

// Private

/// A table of type `ipv6` has IPv4 addresses as mapped ones.
fn key(client: IpAddr) -> Ipv6Addr {
    match client {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
