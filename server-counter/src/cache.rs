//! Asks the cache how many guilds there are.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use common::http::shared_key;
use model::routes::{self, Count};
use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use twilight_model::id::{Id, marker::ApplicationMarker};

use crate::Config;

/// How long the cache may take: it looks up one number.
const PATIENCE: Duration = Duration::from_secs(5);

/// The cache, by its HTTP route.
#[derive(Clone)]
pub struct Cache {
    http: reqwest::Client,
    url: Arc<str>,
    /// The shared key, marked as a secret.
    key: Option<HeaderValue>,
    bot: Option<Id<ApplicationMarker>>,
}

/// Why there is no count. The text holds no address, for one may have a password in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It wants another key.
    #[error("it answers 401: CACHE_SHARED_KEY must be the same here and there")]
    Key,
    /// It does not know the count itself.
    #[error("it answers 503: it is not ready")]
    NotReady,
    /// No guild of the bot was ever told to it: the bot did not identify yet, or is another.
    #[error("it knows of no guild of the bot yet: is the sharder up, and is PUBLIC_BOT_ID right?")]
    NoGuild,
    /// It answers something else.
    #[error("it answers {0}: does CACHE_URI lead to the cache?")]
    Status(StatusCode),
    /// It was not reached, or the connection broke.
    #[error("no answer")]
    Transport(#[source] reqwest::Error),
    /// What it answered is no count.
    #[error("its answer is not a count: does CACHE_URI lead to the cache?")]
    Unreadable(#[source] reqwest::Error),
}

impl Cache {
    /// The cache that the configuration names.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be made, or the key cannot be sent in a header.
    pub fn new(name: &str, config: &Config) -> anyhow::Result<Self> {
        let url = format!("{}{}", config.cache.as_str().trim_end_matches('/'), routes::GUILD_COUNT);
        let key = config.shared_key.as_ref().map(shared_key::bearer).transpose();
        let key = key.context("CACHE_SHARED_KEY holds what no header can")?;
        Ok(Self { http: common::http::client(name)?, url: url.into(), key, bot: config.bot })
    }

    /// How many guilds the bot is in.
    ///
    /// # Errors
    ///
    /// Every variant of [`Error`].
    pub async fn count(&self) -> Result<u64, Error> {
        let mut request = self.http.get(&*self.url).timeout(PATIENCE);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key);
        }
        if let Some(bot) = self.bot {
            request = request.header(routes::BOT_ID, bot.get());
        }
        let response = request.send().await.map_err(|error| Error::Transport(error.without_url()))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(Error::Key),
            StatusCode::SERVICE_UNAVAILABLE => return Err(Error::NotReady),
            StatusCode::NOT_FOUND => return Err(Error::NoGuild),
            status => return Err(Error::Status(status)),
        }
        let answer = response.json::<Count>().await.map_err(|error| Error::Unreadable(error.without_url()))?;
        Ok(answer.count)
    }
}
