use std::{
    fmt::{self, Write},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use prometheus::{IntCounterVec, Opts, Registry};
use reqwest::{StatusCode, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tokio::sync::SetOnce;
use twilight_http::{
    Response,
    request::{Method, Request, RequestBuilder, TryIntoRequest},
    response::marker::{EmptyBody, ListBody},
};
use twilight_model::id::{Id, marker::GuildMarker};

use super::{
    DiscordConfig, Error, Priority,
    send::{self, Prepared},
};
use crate::http;

/// How long a call may take in all: waits, attempts, and the reading of the answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// Discord's limit of an audit log reason.
const LONGEST_REASON: usize = 512;

/// Discord as one bot sees it. Clones share what is known about limits.
///
/// The gate waits where Discord said to wait, if the call's deadline allows, and repeats what may be repeated: server
/// errors and broken connections up to three times for GET, PUT and DELETE; so a DELETE may answer 404 for what its own
/// first attempt deleted. While the gate is not there a call waits for it. A 401 kills the token: every later call gets
/// the same answer and nothing is sent.
#[derive(Clone)]
pub struct Discord {
    pub(super) shared: Arc<Shared>,
    pub(super) deadline: Duration,
    pub(super) reason: Option<HeaderValue>,
    pub(super) priority: Priority,
    pub(super) guild: Option<Id<GuildMarker>>,
}

pub(super) struct Shared {
    pub(super) http: reqwest::Client,
    /// Without a slash at the end.
    pub(super) base: String,
    pub(super) authorization: HeaderValue,
    /// The answer that said that the token is not valid.
    pub(super) dead: SetOnce<DeadToken>,
    pub(super) requests: IntCounterVec,
    builders: twilight_http::Client,
}

pub(super) struct DeadToken {
    pub(super) code: u64,
    pub(super) message: String,
    pub(super) route: String,
}

impl DeadToken {
    /// The answer to a call on `route`.
    pub(super) fn refusal(&self, route: &str) -> Error {
        Error::Api {
            status: StatusCode::UNAUTHORIZED.as_u16(),
            code: self.code,
            message: self.message.clone(),
            errors: None,
            route: route.to_owned(),
        }
    }
}

impl Discord {
    /// A client for the bot of that token, over the gate at the base URL, which may be `http://` and have a path.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] when the token has characters that no header can have, or the system's certificate
    /// authorities cannot be loaded.
    pub fn new(config: &DiscordConfig, token: SecretString) -> Result<Discord, Error> {
        let authorization = authorization(&token)?;
        let http = http::builder()
            // Discord's API redirects nowhere, and a redirect would carry a body elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::Request(error.into()))?;
        let opts = Opts::new("discord_requests_total", "Requests sent to Discord, by route and HTTP status");
        let requests = IntCounterVec::new(opts, &["route", "status"]).map_err(|error| Error::Request(error.into()))?;
        Ok(Discord {
            shared: Arc::new(Shared {
                http,
                base: config.api_url.as_str().trim_end_matches('/').to_owned(),
                authorization,
                dead: SetOnce::new(),
                requests,
                builders: builders(),
            }),
            deadline: DEADLINE,
            reason: None,
            priority: Priority::Interactive,
            guild: None,
        })
    }

    /// Another bot, over the same connections, counted in the same metric.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] when the token has characters that no header can have.
    pub fn with_token(&self, token: &SecretString) -> Result<Discord, Error> {
        let Shared { http, base, requests, .. } = self.shared.as_ref();
        Ok(Discord {
            shared: Arc::new(Shared {
                http: http.clone(),
                base: base.clone(),
                authorization: authorization(token)?,
                dead: SetOnce::new(),
                requests: requests.clone(),
                builders: builders(),
            }),
            deadline: self.deadline,
            reason: None,
            priority: self.priority,
            guild: None,
        })
    }

    /// The same bot with another deadline for each call; the default is 15 s.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Discord {
        self.deadline = deadline;
        self
    }

    /// The same bot, where nobody waits for the answers: others go first.
    #[must_use]
    pub fn in_bulk(&self) -> Discord {
        Discord { priority: Priority::Bulk, ..self.clone() }
    }

    /// The same bot, in the turns of this guild, for calls whose path does not name it.
    #[must_use]
    pub fn for_guild(&self, guild: Id<GuildMarker>) -> Discord {
        Discord { guild: Some(guild), ..self.clone() }
    }

    /// The same bot, giving this reason in the guild's audit log (`X-Audit-Log-Reason`, at most 512 characters).
    #[must_use]
    pub fn with_reason(&self, reason: &str) -> Discord {
        let encoded =
            reason.chars().take(LONGEST_REASON).collect::<String>().bytes().fold(String::new(), |mut encoded, byte| {
                if byte.is_ascii_alphanumeric() {
                    encoded.push(char::from(byte));
                } else {
                    let _ = write!(encoded, "%{byte:02X}");
                }
                encoded
            });
        // Percent-encoding leaves only characters that a header can have.
        Discord { reason: HeaderValue::try_from(encoded).ok(), ..self.clone() }
    }

    /// Counts this bot's requests in `discord_requests_total{route, status}` of the registry.
    ///
    /// # Errors
    ///
    /// When the registry has a metric of that name already.
    pub fn register_metrics(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.shared.requests.clone()))
    }

    /// The builders of requests, to be given to [`call`](Self::call), [`list`](Self::list) or [`send`](Self::send).
    /// Awaiting one directly fails.
    #[must_use]
    pub fn requests(&self) -> &twilight_http::Client {
        &self.shared.builders
    }

    /// Sends a request that is answered with one object.
    ///
    /// # Errors
    ///
    /// Every variant of [`Error`].
    pub fn call<R, T>(&self, request: R) -> impl Future<Output = Result<T, Error>> + Send + use<R, T>
    where
        R: TryIntoRequest + IntoFuture<Output = Result<Response<T>, twilight_http::Error>>,
        T: DeserializeOwned,
    {
        let exchange = self.exchange(request);
        async move { exchange.await?.decode() }
    }

    /// Sends a request that is answered with a list.
    ///
    /// # Errors
    ///
    /// Every variant of [`Error`].
    pub fn list<R, T>(&self, request: R) -> impl Future<Output = Result<Vec<T>, Error>> + Send + use<R, T>
    where
        R: TryIntoRequest + IntoFuture<Output = Result<Response<ListBody<T>>, twilight_http::Error>>,
        T: DeserializeOwned,
    {
        let exchange = self.exchange(request);
        async move { exchange.await?.decode() }
    }

    /// Sends a request that is answered with nothing.
    ///
    /// # Errors
    ///
    /// Every variant of [`Error`] but [`Error::Decode`].
    pub fn send<R>(&self, request: R) -> impl Future<Output = Result<(), Error>> + Send + use<R>
    where
        R: TryIntoRequest + IntoFuture<Output = Result<Response<EmptyBody>, twilight_http::Error>>,
    {
        let exchange = self.exchange(request);
        async move { exchange.await.map(drop) }
    }

    /// Reads an object that no builder is for, or that the model knows only in part. `path` follows the base URL:
    /// "applications/@me".
    ///
    /// # Errors
    ///
    /// Every variant of [`Error`].
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let request = RequestBuilder::raw(Method::Get, path.trim_start_matches('/').to_owned()).build();
        self.prepared(request).await?.decode()
    }

    /// Sends a request that was built by hand, and returns the answer as it came.
    ///
    /// # Errors
    ///
    /// Every variant of [`Error`] but [`Error::Decode`].
    pub async fn raw(&self, request: Request) -> Result<Bytes, Error> {
        Ok(self.prepared(Ok(request)).await?.body)
    }

    /// Waits until Discord does not accept the bot's token (any more), and returns its answer.
    pub async fn token_refused(&self) -> Error {
        let dead = self.shared.dead.wait().await;
        dead.refusal(&dead.route)
    }

    /// Builds the request at once, so that the future owes nothing to the builder.
    fn exchange<R: TryIntoRequest>(
        &self,
        request: R,
    ) -> impl Future<Output = Result<send::Answer, Error>> + Send + use<R> {
        self.prepared(request.try_into_request())
    }

    fn prepared(
        &self,
        request: Result<Request, twilight_http::Error>,
    ) -> impl Future<Output = Result<send::Answer, Error>> + Send + use<> {
        let prepared =
            request.map_err(|error| Error::Request(error.into())).and_then(|request| Prepared::new(self, &request));
        let discord = self.clone();
        async move { send::send(&discord, &prepared?).await }
    }
}

fn authorization(token: &SecretString) -> Result<HeaderValue, Error> {
    let token = token.expose_secret().trim();
    let token = token.strip_prefix("Bot ").unwrap_or(token);
    let mut authorization =
        HeaderValue::try_from(format!("Bot {token}")).map_err(|error| Error::Request(error.into()))?;
    authorization.set_sensitive(true);
    Ok(authorization)
}

/// Builds requests only: it has no token, and what is awaited by mistake reaches nobody.
fn builders() -> twilight_http::Client {
    twilight_http::Client::builder().proxy("127.0.0.1:9".to_owned(), true).build()
}

impl fmt::Debug for Discord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discord")
            .field("base", &self.shared.base)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
