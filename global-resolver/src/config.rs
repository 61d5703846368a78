//! The variables of the gate.

use std::{collections::HashMap, net::SocketAddr};

use common::{
    config::{Env, FromEnv, Invalid},
    discord::DiscordConfig,
};
use url::Url;

use crate::limiter::Settings;

/// The configuration.
pub struct Config {
    /// `SERVER_ADDR`: where to listen.
    pub server_addr: SocketAddr,
    /// `DISCORD_API_URL`: where Discord is; the path is that of each request.
    pub upstream: Url,
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
        let upstream = DiscordConfig::from_env(env);
        let global = env
            .var("GLOBAL_RATE_LIMIT")
            .about("requests of one bot in a second; Discord gives more than 50 to large bots")
            .default("50")
            .required_as("a whole number from 1 to 10000", |text| {
                text.parse().ok().filter(|limit| (1..=10_000).contains(limit))
            });
        Ok(Self { server_addr: server_addr?, upstream: upstream?.api_url, global: global? })
    }
}

impl Config {
    /// What the limiter is to know.
    #[must_use]
    pub fn limits(&self) -> Settings {
        Settings { global: self.global, global_of: HashMap::new() }
    }
}
