//! One customer's bot, from the moment it is wanted until it is not.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use anyhow::Context;
use common::{
    backoff, clock::Clock, crypto::Vault, discord::Discord, redis::deadpool_redis::Pool, service::Dependency,
};
use database::{Database, SealedToken};
use event_stream::Producer;
use futures_util::FutureExt;
use secrecy::ExposeSecret;
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use twilight_gateway::ConfigBuilder;
use twilight_model::id::{Id, marker::ApplicationMarker};

use super::{Timing, metrics::Metrics, refusal::Refused};
use crate::{
    budget::Budget,
    gateway::{self, GatewayInfo},
    identify::{self, Line, Settings},
    presence::Presence,
    sessions::Sessions,
    shard,
};

/// A bot that ran for this long was well: its next failure is a first one.
const WELL: Duration = Duration::from_secs(60);

/// The longest wait before a bot that failed starts again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the bots of a process share.
#[derive(Clone)]
pub(super) struct Cx {
    pub(super) vault: Vault,
    pub(super) db: Database,
    pub(super) producer: Producer,
    pub(super) redis: Pool,
    /// Discord for nobody: each bot's own is made of it.
    pub(super) discord: Discord,
    pub(super) identify: Settings,
    pub(super) budget: Budget,
    pub(super) clock: Clock,
    pub(super) shard_metrics: crate::metrics::Metrics,
    pub(super) metrics: Metrics,
    pub(super) timing: Timing,
    /// How many bots may be starting at once.
    pub(super) starts: Arc<Semaphore>,
    /// Somebody is to be told; `None` where there is no public bot to do it.
    pub(super) notices: Option<Arc<Notify>>,
    pub(super) kafka: Dependency,
    pub(super) redis_health: Dependency,
}

/// What a bot is to do.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) token: SealedToken,
    pub(super) token_version: i32,
    pub(super) message_content: bool,
    pub(super) presence: Option<Presence>,
}

/// How a bot's time with one token ended.
enum End {
    /// It is wished otherwise, or the process stops.
    Changed,
    /// Discord will not have it.
    Refused(Refused),
    /// Something else went wrong.
    Failed(anyhow::Error),
}

/// Holds a bot's shard as it is wished, until it is wished no longer, Discord refuses it, or the process stops.
pub(super) async fn run(
    cx: Cx,
    bot: Id<ApplicationMarker>,
    mut wishes: watch::Receiver<Option<Wish>>,
    shutdown: CancellationToken,
) {
    let mut waits = None;
    while !shutdown.is_cancelled() {
        let Some(wish) = wishes.borrow_and_update().clone() else { return };
        let began = Instant::now();
        let running = cx.metrics.stay("running");
        let end = caught(hold(&cx, bot, &wish, &mut wishes, &shutdown)).await;
        drop(running);
        // What a shard that is no more said of them holds no longer.
        cx.kafka.part(bot).up();
        cx.redis_health.part(bot).up();
        match end {
            End::Changed => waits = None,
            End::Refused(refused) => return note(&cx, bot, &wish, &refused, &mut wishes, &shutdown).await,
            End::Failed(error) => {
                cx.metrics.failures.inc();
                if began.elapsed() >= WELL {
                    waits = None;
                }
                let waits = waits.get_or_insert_with(|| backoff::exponential(cx.timing.restart, LONGEST_WAIT));
                let wait = waits.next().unwrap_or(LONGEST_WAIT);
                tracing::error!(%bot, "whitelabel bot {bot} failed, it starts again in {} s: {error:#}", wait.as_secs());
                let _waiting = cx.metrics.stay("waiting");
                tokio::select! {
                    () = sleep(wait) => {}
                    () = until_other(&mut wishes, &wish, None) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }
}

/// A panic ends this bot's shard and nothing else.
async fn caught(holding: impl Future<Output = End>) -> End {
    let caught = AssertUnwindSafe(holding).catch_unwind().await;
    caught.unwrap_or_else(|_| End::Failed(anyhow::anyhow!("its task panicked")))
}

/// Holds the shard with this token.
async fn hold(
    cx: &Cx,
    bot: Id<ApplicationMarker>,
    wish: &Wish,
    wishes: &mut watch::Receiver<Option<Wish>>,
    shutdown: &CancellationToken,
) -> End {
    let presence = watch::Sender::new(wish.presence.clone());
    let starting = tokio::select! {
        started = start(cx, bot, wish, presence.subscribe()) => started,
        () = until_other(wishes, wish, Some(&presence)) => return End::Changed,
        () = shutdown.cancelled() => return End::Changed,
    };
    let ended = match starting {
        Ok((shard, position)) => {
            let stop = shutdown.child_token();
            let changed = async {
                until_other(wishes, wish, Some(&presence)).await;
                // The connection is closed so that it can be resumed, and what it received goes to Kafka first.
                stop.cancel();
                std::future::pending().await
            };
            tokio::select! {
                ended = shard::run(shard, 0, position, stop.clone()) => ended,
                never = changed => never,
            }
        }
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => End::Changed,
        Err(error) => Refused::of(&error).map_or_else(|| End::Failed(error), End::Refused),
    }
}

/// Makes what a shard needs: its token, the gateway's address and limits, and where it stopped.
async fn start(
    cx: &Cx,
    bot: Id<ApplicationMarker>,
    wish: &Wish,
    presence: watch::Receiver<Option<Presence>>,
) -> anyhow::Result<(shard::Cx, Option<crate::window::Position>)> {
    // Hundreds of bots start with a process.
    let _turn = cx.starts.acquire().await?;
    let token = wish.token.open(&cx.vault)?;
    let discord = cx.discord.with_token(&token).context("make its Discord client")?;
    let info: GatewayInfo = discord.get_json("gateway/bot").await.context("ask where the gateway is")?;
    let sessions = Sessions::new(cx.redis.clone(), bot, 1);
    let position = sessions.load(0).await.context("read where it stopped")?;
    let line = identify::Bot { id: bot, discord, buckets: None, sole: true, alone: false };
    let identify = Line::new(cx.redis.clone(), line, cx.identify, cx.shard_metrics.clone());
    identify.allowance().tell(info.session_start_limit.clone()).await;
    let shard = shard::Cx {
        bot,
        total: 1,
        // What customers enabled for their bots are no members.
        config: ConfigBuilder::new(token.expose_secret().to_owned(), gateway::intents(wish.message_content, false))
            .proxy_url(info.base_url())
            .build(),
        identify,
        presence,
        producer: cx.producer.clone(),
        sessions,
        budget: cx.budget.clone(),
        clock: cx.clock.clone(),
        metrics: cx.shard_metrics.clone(),
        // One bot that is not connected says nothing of the process.
        gateway: Dependency::unheeded("gateway"),
        kafka: cx.kafka.clone(),
        redis: cx.redis_health.clone(),
    };
    Ok((shard.part(bot), position))
}

/// Waits until the bot is to have another token, or none; hands on its presence meanwhile.
async fn until_other(
    wishes: &mut watch::Receiver<Option<Wish>>,
    wish: &Wish,
    presence: Option<&watch::Sender<Option<Presence>>>,
) {
    loop {
        {
            let wished = wishes.borrow_and_update();
            let Some(wished) = wished.as_ref().filter(|wished| wished.token_version == wish.token_version) else {
                return;
            };
            if let Some(presence) = presence {
                presence.send_if_modified(|shown| {
                    let other = *shown != wished.presence;
                    if other {
                        shown.clone_from(&wished.presence);
                    }
                    other
                });
            }
        }
        if wishes.changed().await.is_err() {
            return;
        }
    }
}

/// Writes down that Discord refused the bot: until it is written, or of no interest any more.
async fn note(
    cx: &Cx,
    bot: Id<ApplicationMarker>,
    wish: &Wish,
    refused: &Refused,
    wishes: &mut watch::Receiver<Option<Wish>>,
    shutdown: &CancellationToken,
) {
    let code = refused.code;
    tracing::warn!(%bot, code, "Discord refuses whitelabel bot {bot} with {code}, it stays off: {}", refused.reason());
    let writing = async {
        for wait in backoff::exponential(Duration::from_millis(200), Duration::from_secs(10)) {
            match cx.db.whitelabel_bots().mark_refused(bot, wish.token_version, code, &refused.reason()).await {
                Ok(news) => return news,
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    tracing::warn!(%bot, "the refusal of bot {bot} is not written down yet: {error:#}");
                }
            }
            sleep(wait).await;
        }
        false
    };
    let news = tokio::select! {
        news = writing => news,
        () = until_other(wishes, wish, None) => false,
        () = shutdown.cancelled() => false,
    };
    if news {
        cx.metrics.refusals.with_label_values(&[&code.to_string()]).inc();
        match &cx.notices {
            Some(notices) => notices.notify_one(),
            None => cx.metrics.notices.with_label_values(&["no_token"]).inc(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_of_its_bot() {
        let end = caught(async { panic!("at a shard") }).await;
        assert!(matches!(end, End::Failed(_)));
    }
}
