use common::config::{Env, FromEnv, Invalid};
use database::DatabaseConfig;
use secrecy::SecretString;

/// Where the cache's schema is.
#[derive(Clone, Debug)]
pub struct CacheDatabase {
    /// `CACHE_DATABASE_URI`, else `DATABASE_URI`.
    pub uri: SecretString,
    /// `CACHE_DATABASE_THREADS`: how many connections to hold at most.
    pub threads: u32,
}

impl CacheDatabase {
    /// The same as the database crate knows it.
    pub(super) fn database(&self) -> DatabaseConfig {
        DatabaseConfig { uri: self.uri.clone(), threads: self.threads }
    }
}

impl FromEnv for CacheDatabase {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let uri = env
            .var("CACHE_DATABASE_URI")
            .or("DATABASE_URI")
            .about("the database with the schema `cache`; it may be the tickets' or its own")
            .example("postgres://tickets:secret@127.0.0.1:5432/tickets")
            .secret();
        let threads = env
            .var("CACHE_DATABASE_THREADS")
            .or("DATABASE_THREADS")
            .about("connections to the cache's database")
            .default("4")
            .required_as("a number from 1 to 1000", |text| {
                text.parse().ok().filter(|threads| (1..=1_000).contains(threads))
            });
        Ok(Self { uri: uri?, threads: threads? })
    }
}
