//! HTTP clients for everything but Discord, which has [its own](crate::discord).

pub mod shared_key;
mod transparent;

use std::time::Duration;

pub use self::transparent::{NoAnswer, Transparent};

/// What we call ourselves; Discord demands this form and answers 40333 to others.
pub const USER_AGENT: &str =
    concat!("DiscordBot (https://github.com/tickets-rs/tickets, ", env!("CARGO_PKG_VERSION"), ")");

const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);

/// A client with time limits for connecting (5 s) and for a whole request (30 s); `name` says in the User-Agent who
/// calls. Cheap to clone; make one per purpose.
///
/// # Errors
///
/// When the system's certificate authorities cannot be loaded.
pub fn client(name: &str) -> Result<reqwest::Client, reqwest::Error> {
    builder().user_agent(format!("{USER_AGENT} {name}")).build()
}

/// What this crate's clients have in common.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    crate::tls::install_provider();
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT)
        .timeout(Duration::from_secs(30))
        .pool_idle_timeout(IDLE)
}
