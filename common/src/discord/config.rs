use url::Url;

use crate::config::{Env, FromEnv, Invalid};

/// Where Discord is: behind the gate.
#[derive(Debug, Clone)]
pub struct DiscordConfig {
    /// `GLOBAL_RESOLVER_URL`: the base of every REST call, with a path if it has one.
    pub api_url: Url,
}

impl FromEnv for DiscordConfig {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let api_url = env
            .var("GLOBAL_RESOLVER_URL")
            .about("base of Discord's REST API at global-resolver, which alone asks Discord")
            .default("http://127.0.0.1:8086/api/v10")
            .required();
        Ok(DiscordConfig { api_url: api_url? })
    }
}
