//! Asks the worker for the answer to an interaction.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use model::routes;
use reqwest::{StatusCode, header};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use twilight_model::id::{Id, marker::ApplicationMarker};
use url::Url;

/// The worker, by its HTTP route.
#[derive(Clone)]
pub struct Worker {
    http: reqwest::Client,
    url: Arc<str>,
    /// Whether the last one asked did not answer: a change is logged once, not every click of an outage.
    silent: Arc<AtomicBool>,
}

impl Worker {
    /// The worker at this address.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be made.
    pub fn new(name: &str, address: &Url) -> Result<Self, reqwest::Error> {
        let url = format!("{}{}", address.as_str().trim_end_matches('/'), routes::INTERACTIONS);
        Ok(Self { http: common::http::client(name)?, url: url.into(), silent: Arc::default() })
    }

    /// The worker's answer, or `None` where it is not ready, away, or has not answered `until` then.
    ///
    /// A worker that is late finds its connection closed: its answer would reach nobody.
    pub async fn ask(
        &self,
        bot: Id<ApplicationMarker>,
        received_at: OffsetDateTime,
        interaction: Bytes,
        until: Instant,
    ) -> Option<Bytes> {
        let asked = async {
            let response = self
                .http
                .post(&*self.url)
                .header(header::CONTENT_TYPE, "application/json")
                .header(routes::BOT_ID, bot.get())
                .header(routes::RECEIVED_AT_MS, (received_at.unix_timestamp_nanos() / 1_000_000).to_string())
                .body(interaction)
                .send()
                .await?;
            if response.status() != StatusCode::OK {
                return Err(Silence::Refused(response.status()));
            }
            let answer = response.bytes().await?;
            // Discord takes nothing else, and a proxy's page must not become an answer.
            if answer.first() != Some(&b'{') { Err(Silence::NoJson) } else { Ok(answer) }
        };
        let answer = timeout_at(until, asked).await.unwrap_or(Err(Silence::Late));
        self.note(answer.as_ref().err());
        answer.ok()
    }

    fn note(&self, silence: Option<&Silence>) {
        let was_silent = self.silent.swap(silence.is_some(), Ordering::Relaxed);
        match silence {
            Some(silence) if !was_silent => {
                tracing::warn!("the worker does not answer clicks, they are deferred: {silence}");
            }
            None if was_silent => tracing::info!("the worker answers clicks again"),
            _ => {}
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
enum Silence {
    Late,
    Away(reqwest::Error),
    Refused(StatusCode),
    NoJson,
}

impl From<reqwest::Error> for Silence {
    fn from(error: reqwest::Error) -> Self {
        Self::Away(error)
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("it took longer than its budget"),
            Self::Refused(status) => write!(f, "it answered {status}"),
            Self::NoJson => f.write_str("its answer is no JSON object"),
            Self::Away(error) => {
                write!(f, "{error}")?;
                let mut source = std::error::Error::source(error);
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
        }
    }
}
