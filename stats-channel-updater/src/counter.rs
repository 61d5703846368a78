//! Reads the count.

use std::time::Duration;

use model::routes::Total;
use reqwest::StatusCode;
use url::Url;

/// How long the counter may take: it answers from memory.
const PATIENCE: Duration = Duration::from_secs(5);
/// A count that the counter itself could not renew is shown so long.
const LONGEST_STALE: Duration = Duration::from_secs(60 * 60);

/// Who tells the count.
#[derive(Clone)]
pub struct Counter {
    http: reqwest::Client,
    url: Url,
}

/// Why there is no count to show. The text holds no address, for one may have a password in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not tell, as before it has learnt a count itself.
    #[error("it answers {0}")]
    Status(StatusCode),
    /// Its own source is away for too long.
    #[error("what it tells is {} minutes old", age.as_secs() / 60)]
    Old {
        /// How old.
        age: Duration,
    },
    /// It was not reached, or the connection broke.
    #[error("no answer")]
    Transport(#[source] reqwest::Error),
    /// What it answered is no count.
    #[error("its answer is not a count: does SERVER_COUNTER_URL lead to server-counter's /total?")]
    Unreadable(#[source] reqwest::Error),
}

impl Counter {
    /// The counter at that address.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be made.
    pub fn new(name: &str, url: Url) -> anyhow::Result<Self> {
        Ok(Self { http: common::http::client(name)?, url })
    }

    /// How many guilds there are.
    ///
    /// # Errors
    ///
    /// Every variant of [`Error`].
    pub async fn read(&self) -> Result<u64, Error> {
        let request = self.http.get(self.url.clone()).timeout(PATIENCE);
        let response = request.send().await.map_err(|error| Error::Transport(error.without_url()))?;
        if response.status() != StatusCode::OK {
            return Err(Error::Status(response.status()));
        }
        let answer = response.json::<Total>().await.map_err(|error| Error::Unreadable(error.without_url()))?;
        let age = Duration::from_secs(answer.age_seconds);
        if answer.stale && age >= LONGEST_STALE { Err(Error::Old { age }) } else { Ok(answer.count) }
    }
}
