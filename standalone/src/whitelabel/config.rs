//! What the commands need to know.

use common::{
    config::{Env, FromEnv, Invalid},
    crypto::Vault,
    redis::RedisConfig,
};
use database::DatabaseConfig;
use global_resolver::config::Upstream;
use secrecy::SecretString;

/// The variables of the commands.
pub struct Config {
    /// `DATABASE_URI`, `DATABASE_THREADS`: where the bots are.
    pub database: DatabaseConfig,
    /// `REDIS_ADDR` and its kin: over it the sharder is woken.
    pub redis: RedisConfig,
}

/// The variables of the commands that take a token, too.
pub(super) struct WithToken {
    pub(super) config: Config,
    /// `ENCRYPTION_KEYS`: seals the token.
    pub(super) vault: Vault,
    /// `DISCORD_API_URL`: asked whose token it is.
    pub(super) discord: Upstream,
    /// `WHITELABEL_TOKEN`: the bot's token; read from standard input where it is unset.
    pub(super) token: Option<SecretString>,
}

/// The variables of the command that seals tokens anew.
pub(super) struct WithVault {
    pub(super) config: Config,
    pub(super) vault: Vault,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let database = DatabaseConfig::from_env(env);
        let redis = RedisConfig::from_env(env);
        Ok(Self { database: database?, redis: redis? })
    }
}

impl FromEnv for WithToken {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let token = env
            .var("WHITELABEL_TOKEN")
            .about("the customer's bot's token; read from standard input when unset")
            .optional_secret();
        let vault = Vault::from_env(env);
        let discord = Upstream::from_env(env);
        let config = Config::from_env(env);
        Ok(Self { config: config?, vault: vault?, discord: discord?, token: token? })
    }
}

impl FromEnv for WithVault {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let vault = Vault::from_env(env);
        let config = Config::from_env(env);
        Ok(Self { config: config?, vault: vault? })
    }
}
