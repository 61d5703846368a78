use url::Url;

use crate::config::{Env, FromEnv, Invalid};

/// Where Discord is.
#[derive(Debug, Clone)]
pub struct DiscordConfig {
    /// `DISCORD_API_URL`: the base of every REST call, with a path if it has one.
    pub api_url: Url,
}

impl FromEnv for DiscordConfig {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let api_url = env
            .var("DISCORD_API_URL")
            .about("base of Discord's REST API; the gateway's address is asked there")
            .default("https://discord.com/api/v10")
            .required();
        Ok(DiscordConfig { api_url: api_url? })
    }
}
