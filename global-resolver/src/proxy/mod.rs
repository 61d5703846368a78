//! The proxy: takes a call as Discord would, sends it when the limiter lets it, and gives Discord's answer back.

mod answer;
mod outgoing;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, Uri, header, request::Parts, response::Parts as Head},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use common::{backoff, discord::gate::Refused, http::Transparent};
use futures_util::TryStreamExt;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use self::{
    answer::{Fault, answer},
    outgoing::Outgoing,
};
use crate::{
    fleet::{FORWARDED, Fleet, Forwarded, Leave, Place, There, UNKNOWN_OWNER},
    limiter::{Breaker, Call, Lesson, Limiter, No, Pass},
    metrics::Metrics,
};

/// How much of a refusal is read, which is held to be learnt from.
const REFUSAL: usize = 256 * 1024;
/// So often a request without lasting effect is sent again after a server error or a broken connection.
const MOST_RETRIES: usize = 3;

/// The gate: the limiter with the way out.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    client: Transparent,
    /// Scheme, host and port of Discord.
    origin: Uri,
    limiter: Limiter,
    fleet: Fleet,
    metrics: Metrics,
}

impl Gate {
    /// A gate to the Discord at that address.
    ///
    /// # Errors
    ///
    /// When the address names no server, or the system's certificate authorities cannot be loaded.
    pub fn new(upstream: &Url, limiter: Limiter, fleet: Fleet, metrics: Metrics) -> anyhow::Result<Self> {
        let origin = upstream.origin().ascii_serialization();
        let origin = origin.parse().with_context(|| format!("{upstream} names no server"))?;
        Ok(Self(Arc::new(Inner { client: Transparent::new()?, origin, limiter, fleet, metrics })))
    }
}

/// Every route is Discord's.
pub fn router(gate: Gate) -> Router {
    Router::new().fallback(pass_on).with_state(gate)
}

async fn pass_on(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    gate.exchange(parts, body).await.unwrap_or_else(Fault::into_response)
}

impl Gate {
    async fn exchange(&self, parts: Parts, body: Body) -> Result<Response, Fault> {
        let Inner { fleet, metrics, .. } = &*self.0;
        let forwarded = parts.headers.contains_key(&FORWARDED);
        let (mut call, mut request) = Outgoing::new(parts, body).await?;
        let whose = fleet.whose(&mut call);
        let call = Arc::new(call);
        let mut retries = backoff::exponential(Duration::from_millis(100), Duration::from_secs(2)).take(MOST_RETRIES);
        let mut moves = backoff::exponential(Duration::from_millis(25), Duration::from_millis(500));
        loop {
            let place = fleet.place(whose.as_ref(), call.deadline, forwarded).await;
            let attempt = match place.inspect_err(|no| metrics.refused(no))? {
                Place::Here(leave) => self.send(&call, &mut request, &leave).await?,
                Place::There(there) => self.forward(&call, &mut request, &there).await?,
            };
            let pause = match attempt {
                Attempt::Done(response) => return Ok(response),
                Attempt::Limited(wait) if !request.is_held() => {
                    return Err(No::Wait { wait, why: Refused::Limit }.into());
                }
                // The limiter knows how long, and whether that is too long.
                Attempt::Limited(_) => continue,
                Attempt::Failed(answer) if !request.may_be_repeated() => return Ok(answer),
                Attempt::Unsent(answer) if !request.is_held() => return Ok(answer),
                Attempt::Failed(answer) | Attempt::Unsent(answer) => match retries.next() {
                    Some(pause) if Instant::now() + pause < call.deadline => pause,
                    _ => return Ok(answer),
                },
                Attempt::Moved => match moves.next().filter(|_| !request.is_spent()) {
                    Some(pause) if Instant::now() + pause < call.deadline => pause,
                    _ => {
                        metrics.refused(&UNKNOWN_OWNER);
                        return Err(UNKNOWN_OWNER.into());
                    }
                },
            };
            sleep(pause).await;
        }
    }

    /// Sends the request once, when its turn comes, while the leave holds.
    async fn send(&self, call: &Arc<Call>, request: &mut Outgoing, leave: &Leave) -> Result<Attempt, Fault> {
        let Inner { limiter, fleet, metrics, .. } = &*self.0;
        let asked = Instant::now();
        let entered = tokio::select! {
            entered = limiter.enter(call.clone()) => entered,
            () = leave.ended() => return Ok(Attempt::Moved),
        };
        let mut pass = entered.inspect_err(|no| metrics.refused(no))?;
        metrics.waited(asked.elapsed());
        if !fleet.note(leave, &mut pass, call.deadline).await {
            fleet.unsent(leave, pass);
            return Ok(Attempt::Moved);
        }
        self.attempt(call, request, pass, leave).await
    }

    /// Gives the request once to the instance that sends for its bot.
    async fn forward(&self, call: &Call, request: &mut Outgoing, there: &There) -> Result<Attempt, Fault> {
        let label = &call.route.label;
        let forwarded = match there.owner.parse() {
            Ok(owner) => self.0.fleet.forward(there, request.for_owner(&owner)?, call.deadline).await,
            Err(_) => Forwarded::Refused,
        };
        Ok(match forwarded {
            Forwarded::Answered(sent) => {
                let (head, body) = sent.into_parts();
                Attempt::Done(answer(head.status, head.headers, body))
            }
            Forwarded::Refused => Attempt::Moved,
            Forwarded::Broken => {
                tracing::debug!(route = label, "no answer to {label} from {}", there.owner);
                let message = "no answer from the instance that sends for the bot";
                Attempt::Failed(Fault::Failed(StatusCode::BAD_GATEWAY, Refused::Unanswered, message).into_response())
            }
            Forwarded::Late => {
                let message = "no answer from the instance that sends for the bot within the deadline";
                return Err(Fault::Failed(StatusCode::GATEWAY_TIMEOUT, Refused::Unanswered, message));
            }
        })
    }

    /// Sends the request once, now.
    async fn attempt(&self, call: &Call, request: &mut Outgoing, pass: Pass, leave: &Leave) -> Result<Attempt, Fault> {
        let Inner { client, origin, metrics, .. } = &*self.0;
        let label = &call.route.label;
        let sent = match timeout_at(call.deadline, client.send(request.for_discord(origin)?)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                metrics.sent(label, "none");
                let why = if error.is_connect() { Refused::Unsent } else { Refused::Unanswered };
                tracing::debug!(route = label, "no answer from Discord to {label}: {error}");
                let fault = Fault::Failed(StatusCode::BAD_GATEWAY, why, "no answer from Discord");
                return Ok(match why {
                    Refused::Unsent => Attempt::Unsent(fault.into_response()),
                    _ => Attempt::Failed(fault.into_response()),
                });
            }
            Err(_) => {
                metrics.sent(label, "none");
                let message = "no answer from Discord within the deadline";
                return Err(Fault::Failed(StatusCode::GATEWAY_TIMEOUT, Refused::Unanswered, message));
            }
        };
        let (Head { status, mut headers, .. }, body) = sent.into_parts();
        metrics.sent(label, status.as_str());
        if !status.is_client_error() {
            let lesson = Lesson::read(status, &headers, b"");
            self.learn(call, pass, leave, status, &lesson, &Bytes::new());
            let response = answer(status, headers, body);
            return Ok(if status.is_server_error() { Attempt::Failed(response) } else { Attempt::Done(response) });
        }
        let body = match timeout_at(call.deadline, held(body)).await {
            Ok(Ok(body)) => body,
            // What the headers say is known.
            _ => Bytes::new(),
        };
        let lesson = Lesson::read(status, &headers, &body);
        self.learn(call, pass, leave, status, &lesson, &body);
        Ok(match lesson.refusal {
            Some((limit, wait)) => {
                metrics.limited(limit);
                tracing::debug!(route = label, ?limit, "Discord limits {label} for {} ms", wait.as_millis());
                Attempt::Limited(wait)
            }
            None => {
                // The body may have been cut.
                headers.remove(header::CONTENT_LENGTH);
                Attempt::Done(answer(status, headers, Body::from(body)))
            }
        })
    }

    fn learn(&self, call: &Call, pass: Pass, leave: &Leave, status: StatusCode, lesson: &Lesson, body: &Bytes) {
        let label = &call.route.label;
        let learnt = pass.answered(status, lesson, body);
        if status == StatusCode::UNAUTHORIZED && call.uses_a_token() {
            tracing::error!(bot = %call.bot, "Discord does not accept a bot's token: nothing more is sent with it");
        }
        match learnt.breaker {
            Some(Breaker::Warning) => {
                tracing::warn!("Discord refused 2,000 requests within 10 minutes; the last was {label}");
            }
            Some(Breaker::Bulk) => tracing::error!(
                "Discord refused 5,000 requests within 10 minutes, of which 10,000 get the address banned: what nobody \
                 waits for is not sent until they are fewer; the last was {label}"
            ),
            Some(Breaker::All) => tracing::error!(
                "Discord refused 8,000 requests within 10 minutes, of which 10,000 get the address banned: nothing is \
                 sent until they are fewer; the last was {label}"
            ),
            Some(Breaker::Closed) | None => {}
        }
        self.0.fleet.learnt(leave, learnt);
    }
}

/// How sending once went.
enum Attempt {
    /// This is the answer.
    Done(Response),
    /// Discord said to wait.
    Limited(Duration),
    /// It may go better the next time; else this is the answer.
    Failed(Response),
    /// The same, and it had no effect.
    Unsent(Response),
    /// Nothing was sent: another may send for the bot now.
    Moved,
}

async fn held(body: Body) -> Result<Bytes, axum::Error> {
    let (mut held, mut chunks) = (Vec::new(), body.into_data_stream());
    while let Some(chunk) = chunks.try_next().await? {
        let room = REFUSAL - held.len();
        held.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(held.into())
}
