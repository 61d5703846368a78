//! The variables of the gate.

use std::{collections::HashMap, net::SocketAddr};

use common::{
    config::{Env, FromEnv, Invalid},
    redis::RedisConfig,
};
use url::Url;

use crate::{
    fleet::{self, FleetConfig},
    limiter::Settings,
};

/// The configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `SERVER_ADDR`: where to listen.
    pub server_addr: SocketAddr,
    /// What is behind the gate.
    pub upstream: Upstream,
    /// `RESOLVER_URL`: this instance among several; none where it is the only one.
    pub fleet: Option<FleetConfig>,
}

/// Discord itself, and what it does not tell of its limits.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `DISCORD_API_URL`: where Discord is; the path is that of each request.
    pub api_url: Url,
    /// `GLOBAL_RATE_LIMIT`: requests of a bot in a second.
    pub global: u32,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let server_addr = env
            .var("SERVER_ADDR")
            .about("where to listen for the calls of our services")
            .default("127.0.0.1:8086")
            .required();
        let upstream = Upstream::from_env(env);
        let fleet = fleet(env);
        Ok(Self { server_addr: server_addr?, upstream: upstream?, fleet: fleet? })
    }
}

impl FromEnv for Upstream {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let api_url = env
            .var("DISCORD_API_URL")
            .about("where Discord is; the path is that of each request")
            .default("https://discord.com/api/v10")
            .required();
        let global = env
            .var("GLOBAL_RATE_LIMIT")
            .about("requests of one bot in a second; Discord gives more than 50 to large bots")
            .default("50")
            .required_as("a whole number from 1 to 10000", |text| {
                text.parse().ok().filter(|limit| (1..=10_000).contains(limit))
            });
        Ok(Self { api_url: api_url?, global: global? })
    }
}

/// Redis counts only with an address for the others.
fn fleet(env: &mut Env) -> Result<Option<FleetConfig>, Invalid> {
    let url = env
        .var("RESOLVER_URL")
        .about("how the other instances reach this one; unset: it is the only one, and needs no Redis")
        .example("http://resolver-1:8086")
        .optional();
    let redis = RedisConfig::from_env(env);
    let (url, redis) = (url?, redis?);
    Ok(url.map(|url| FleetConfig { url, redis, settings: fleet::Settings::default() }))
}

impl Upstream {
    /// Discord at that address, with the limits of most bots.
    #[must_use]
    pub fn at(api_url: Url) -> Self {
        Self { api_url, global: 50 }
    }

    /// What the limiter is to know.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings { global: self.global, global_of: HashMap::new() }
    }
}
