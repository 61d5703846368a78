//! Asks the worker for the answer to an interaction.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use bytes::Bytes;
use common::http::shared_key;
use model::{TraceParent, routes, trace};
use reqwest::{
    StatusCode,
    header::{self, HeaderValue},
};
use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use twilight_model::id::{Id, marker::ApplicationMarker};
use url::Url;

use crate::metrics::Metrics;

/// The worker, by its HTTP route.
#[derive(Clone)]
pub struct Worker {
    http: reqwest::Client,
    url: Arc<str>,
    /// The shared key, marked as a secret.
    key: Option<HeaderValue>,
    metrics: Metrics,
    /// Whether the last one asked did not answer: a change is logged once, not every click of an outage.
    silent: Arc<AtomicBool>,
}

impl Worker {
    /// The worker at this address, with the key that it demands.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be made, or the key cannot be sent in a header.
    pub fn new(name: &str, address: &Url, key: Option<&SecretString>, metrics: Metrics) -> anyhow::Result<Self> {
        let url = format!("{}{}", address.as_str().trim_end_matches('/'), routes::INTERACTIONS);
        let key = key.map(shared_key::bearer).transpose().context("WORKER_SHARED_KEY holds what no header can")?;
        Ok(Self { http: common::http::client(name)?, url: url.into(), key, metrics, silent: Arc::default() })
    }

    /// The worker's answer, or `None` where it puts the click off, is not ready, away, or has not answered `until` then.
    ///
    /// A worker that is late finds its connection closed: its answer would reach nobody.
    pub async fn ask(
        &self,
        bot: Id<ApplicationMarker>,
        received_at: OffsetDateTime,
        trace: TraceParent,
        interaction: Bytes,
        until: Instant,
    ) -> Option<Bytes> {
        let asked = async {
            let mut request = self.http.post(&*self.url);
            if let Some(key) = &self.key {
                request = request.header(header::AUTHORIZATION, key);
            }
            let response = request
                .header(header::CONTENT_TYPE, "application/json")
                .header(routes::BOT_ID, bot.get())
                .header(trace::HEADER, trace.encode(&mut [0; trace::LENGTH]))
                .header(routes::RECEIVED_AT_MS, (received_at.unix_timestamp_nanos() / 1_000_000).to_string())
                .body(interaction)
                .send()
                .await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::ACCEPTED => return Ok(None),
                status => return Err(Silence::Refused(status)),
            }
            let answer = response.bytes().await?;
            // Discord takes nothing else, and a proxy's page must not become an answer.
            if answer.first() != Some(&b'{') { Err(Silence::NoJson) } else { Ok(Some(answer)) }
        };
        let answer = timeout_at(until, asked).await.unwrap_or(Err(Silence::Late));
        self.note(answer.as_ref().err());
        answer.ok().flatten()
    }

    fn note(&self, silence: Option<&Silence>) {
        if let Some(silence) = silence {
            self.metrics.silent(silence.label());
        }
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

impl Silence {
    /// The label of the metric.
    fn label(&self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Away(_) => "away",
            Self::Refused(_) => "refused",
            Self::NoJson => "no_json",
        }
    }
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
            Self::Refused(StatusCode::UNAUTHORIZED) => {
                f.write_str("it answered 401: WORKER_SHARED_KEY must be the same for both")
            }
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

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[test]
    fn a_key_that_no_header_can_carry_is_refused_at_the_start_and_not_shown() {
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let address = Url::parse("http://worker:8081").unwrap();
        let key = SecretString::from("hush\n");
        let error = Worker::new("test", &address, Some(&key), metrics).err().unwrap();
        let text = format!("{error:#}");
        assert!(text.contains("WORKER_SHARED_KEY") && !text.contains("hush"), "{text}");
    }
}
