//! One event.
//!
//! Idempotent: an event that stands before what is folded already changes nothing, whether it comes again after a crash or out
//! of the dead letters. It is told once more that its guild changed, as the crash may have come before that.

use cache::{
    change::Update,
    fold::{self, Folded, Ready},
    news::{self, News},
    store::Postgres,
};
use common::clock::unix_ms;
use event_stream::{Failure, Producer};
use futures_util::{StreamExt, TryStreamExt, stream};
use model::topics::GatewayEvent;

use crate::{failure::failed, metrics::Metrics, riders::Riders, writer::Writer};

/// Guilds that a session does not name are taken out so many at once.
const LEFT_AT_ONCE: usize = 64;

/// What a handler is given.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) db: Postgres,
    pub(crate) writer: Writer,
    pub(crate) producer: Producer,
    pub(crate) riders: Riders,
    pub(crate) metrics: Metrics,
}

/// Folds an event: into Postgres, then to all who follow.
pub(crate) async fn handle(cx: &Context, event: &GatewayEvent, assignment: u64) -> Result<(), Failure> {
    match fold::fold(event).map_err(Failure::discard)? {
        Folded::Nothing => Ok(()),
        Folded::Guild(update) => {
            let noted = cx.riders.note(assignment, &update);
            write(cx, update).await?;
            noted.keep();
            Ok(())
        }
        Folded::Rider(update) => {
            if cx.riders.knows(assignment, &update) {
                cx.metrics.count("known");
                return Ok(());
            }
            let noted = cx.riders.note(assignment, &update);
            write(cx, update).await?;
            noted.keep();
            Ok(())
        }
        Folded::Ready(ready) => begin(cx, event, ready).await,
        Folded::User(user) => tell_user(cx, event, user).await,
    }
}

/// A session begins: the bot left what it does not name.
async fn begin(cx: &Context, event: &GatewayEvent, ready: Ready) -> Result<(), Failure> {
    let (shard, of) = ready.shard;
    let known = cx.db.guilds_of_shard(ready.bot, shard, of).await.map_err(failed)?;
    let left: Vec<Update> =
        known.into_iter().filter(|guild| !ready.guilds.contains(guild)).map(|guild| ready.left(guild)).collect();
    if !left.is_empty() {
        tracing::info!("bot {} left {} guilds of shard {shard} while nobody listened", ready.bot, left.len());
    }
    stream::iter(left.into_iter().map(|update| write(cx, update)))
        .buffer_unordered(LEFT_AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    tell_user(cx, event, ready.user).await
}

async fn tell_user(cx: &Context, event: &GatewayEvent, user: cache::entity::User) -> Result<(), Failure> {
    let told_ms = unix_ms(event.received_at);
    cx.db.tell_user(&user, told_ms).await.map_err(failed)?;
    let change = News::User(told_ms, Box::new(user)).about(event.bot, None, 0);
    news::tell(&cx.producer, vec![change]).await.map_err(Failure::wait)
}

async fn write(cx: &Context, update: Update) -> Result<(), Failure> {
    cx.writer.write(update).await
}
