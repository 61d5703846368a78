//! The gate to Discord for the services of one process.

use std::net::Ipv4Addr;

use anyhow::Context;
use common::{discord::DiscordConfig, service::Service};
use global_resolver::config::Upstream;
use tokio::net::TcpListener;

/// Starts it on a loopback port of its own, and tells where that is. It stops when all other tasks of `service` have: they
/// finish their work through it.
///
/// # Errors
///
/// When there is no port.
pub async fn start(upstream: Upstream, service: &Service) -> anyhow::Result<DiscordConfig> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("bind the gate's address")?;
    let addr = listener.local_addr()?;
    let mut api_url = upstream.api_url.clone();
    let at = api_url.set_scheme("http").and_then(|()| api_url.set_ip_host(addr.ip()));
    at.and_then(|()| api_url.set_port(Some(addr.port())))
        .map_err(|()| anyhow::anyhow!("DISCORD_API_URL has no host"))?;
    let config = global_resolver::Config { server_addr: addr, upstream, fleet: None };
    service.spawn_lasting("global-resolver", |child| global_resolver::run(config, child.with_listener(listener)));
    Ok(DiscordConfig { api_url })
}
