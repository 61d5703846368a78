//! Where the database is.

use common::config::{Env, FromEnv, Invalid};
use secrecy::SecretString;

/// Where the database is.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `DATABASE_URI`: `postgres://user:password@host:port/database`.
    pub uri: SecretString,
    /// `DATABASE_THREADS`: how many connections to hold at most.
    pub threads: u32,
}

impl FromEnv for DatabaseConfig {
    fn from_env(env: &mut Env) -> Result<Self, Invalid> {
        let uri = env
            .var("DATABASE_URI")
            .about("the ticket database")
            .example("postgres://tickets:secret@127.0.0.1:5432/tickets")
            .secret();
        // A setup holds one connection while it uses another.
        let threads = env
            .var("DATABASE_THREADS")
            .about("connections to the ticket database")
            .default("8")
            .required_as("a number from 2 to 1000", |text| {
                text.parse().ok().filter(|threads| (2..=1_000).contains(threads))
            });
        Ok(Self { uri: uri?, threads: threads? })
    }
}
