//! The gateway sessions that a restart can resume, in Redis.

use std::sync::Arc;

use common::redis::deadpool_redis::{
    Pool, PoolError,
    redis::{AsyncCommands, RedisError},
};
use serde::{Deserialize, Serialize};
use twilight_model::id::{Id, marker::ApplicationMarker};
use url::Url;

use crate::window::Position;

/// What a session needs for being resumed, apart from the sequence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GatewaySession {
    /// Discord's name of it.
    pub id: String,
    /// The address to resume it at; empty for the gateway's own.
    pub resume_url: String,
}

/// The sessions of one bot's shards, under `sharder:session:{bot}:{total}:{shard}`.
///
/// The total is part of the key because a session belongs to one way of sharding: after a change of it every shard
/// starts anew.
#[derive(Clone)]
pub struct Sessions {
    pool: Pool,
    bot: Id<ApplicationMarker>,
    total: u32,
}

/// The stored form.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Saved {
    session: String,
    sequence: u64,
    resume_url: String,
}

/// A session could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection to Redis.
    #[error("get a connection to Redis")]
    Connect(#[from] PoolError),
    /// Redis refused or the connection broke.
    #[error("use the stored session of shard {shard}")]
    Command {
        /// The shard.
        shard: u32,
        /// What Redis said.
        source: RedisError,
    },
}

impl Sessions {
    /// The sessions of this bot where it is sharded `total` ways.
    #[must_use]
    pub fn new(pool: Pool, bot: Id<ApplicationMarker>, total: u32) -> Self {
        Self { pool, bot, total }
    }

    /// Where to resume a shard. A value that cannot be read is the same as none: the shard then identifies.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn load(&self, shard: u32) -> Result<Option<Position>, Error> {
        let mut redis = self.pool.get().await?;
        let saved: Option<String> =
            redis.get(self.key(shard)).await.map_err(|source| Error::Command { shard, source })?;
        Ok(saved.and_then(|text| decode(shard, &text)))
    }

    /// Stores where to resume a shard, or that it cannot be resumed.
    ///
    /// # Errors
    ///
    /// When Redis does not answer.
    pub async fn save(&self, shard: u32, position: Option<&Position>) -> Result<(), Error> {
        let mut redis = self.pool.get().await?;
        let done: Result<(), _> = match position {
            Some(position) => redis.set(self.key(shard), encode(position)).await,
            None => redis.del(self.key(shard)).await,
        };
        done.map_err(|source| Error::Command { shard, source })
    }

    fn key(&self, shard: u32) -> String {
        format!("sharder:session:{}:{}:{shard}", self.bot, self.total)
    }
}

fn encode(position: &Position) -> String {
    let GatewaySession { id, resume_url } = position.session.as_ref();
    serde_json::json!({ "session": id, "sequence": position.sequence, "resume_url": resume_url }).to_string()
}

fn decode(shard: u32, text: &str) -> Option<Position> {
    match serde_json::from_str(text) {
        Ok(Saved { session, sequence, resume_url }) => {
            let resume_url = if is_gateway(&resume_url) { resume_url } else { String::new() };
            Some(Position { session: Arc::new(GatewaySession { id: session, resume_url }), sequence })
        }
        Err(error) => {
            tracing::warn!(shard, %error, "the stored session of shard {shard} cannot be read, it will identify");
            None
        }
    }
}

/// Whether twilight can connect to it; it panics at what is no address. The gateway's own stands in for another.
fn is_gateway(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let whole = url.has_host() && url.query().is_none() && url.fragment().is_none();
        // What this parser mends, twilight's does not.
        let as_is = url.as_str().trim_end_matches('/') == text.trim_end_matches('/');
        matches!(url.scheme(), "ws" | "wss") && whole && as_is
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_being_stored() {
        let session = GatewaySession { id: "s\"1".to_owned(), resume_url: "wss://resume.test/x".to_owned() };
        let position = Position { session: Arc::new(session), sequence: u64::MAX };
        let read = decode(0, &encode(&position)).unwrap();
        assert_eq!((read.session, read.sequence), (position.session, position.sequence));
    }

    #[test]
    fn a_stored_address_that_is_none_becomes_the_gateways_own() {
        let read = |url: &str| {
            let text = serde_json::json!({ "session": "s", "sequence": 1, "resume_url": url }).to_string();
            decode(0, &text).unwrap().session.resume_url.clone()
        };
        for url in ["wss://gateway-us-east1-b.discord.gg", "ws://127.0.0.1:8080/x/"] {
            assert_eq!(read(url), url);
        }
        for url in ["", "no address", "wss://", "https://a.b", "wss://a b", "wss://a/ü", "wss://a/ b", "wss://a?b"] {
            assert_eq!(read(url), "", "{url}");
        }
    }

    #[test]
    fn a_foreign_value_is_no_position() {
        assert!(decode(0, "").is_none());
        assert!(decode(0, r#"{"session":"a"}"#).is_none());
    }
}
