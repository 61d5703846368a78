//! What a client asked Discord for, because it was not known here.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use twilight_model::id::{
    Id,
    marker::{GuildMarker, UserMarker},
};

use super::{
    Answering,
    answer::{EPOCH, bad, not_right},
};
use crate::{
    entity::{Member, Whole},
    news::{self, News},
    store::{Error, Refill},
    wire,
};

/// Header of a refill: when Discord was asked, in milliseconds since 1970.
pub const READ_MS: &str = "x-cache-read-ms";

/// 204 where it is taken, 409 where something happened since the epoch that was named.
pub(super) async fn member(
    State(cx): State<Arc<Answering>>,
    Path((guild, user)): Path<(Id<GuildMarker>, Id<UserMarker>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(memory) = cx.hot.memory() else { return not_right() };
    let (bot, epoch, read_ms, member) = match (cx.bot.of(&headers, memory), read::<Member>(&headers, &body)) {
        (Ok(bot), Ok((epoch, read_ms, member))) => (bot, epoch, read_ms, member),
        (Err(refusal), _) => return *refusal,
        (_, Err(why)) => return bad(why),
    };
    if member.id() != Some(user) {
        return bad("the member is another one than the path says");
    }
    let refill = Refill { member, epoch, read_ms };
    match cx.db.refill(bot, guild, &refill).await {
        Ok(true) => tell(&cx, News::refilled(bot, guild, &refill)).await,
        Ok(false) => StatusCode::CONFLICT.into_response(),
        Err(error) => failed(error),
    }
}

/// The same for a guild of which nothing was known.
pub(super) async fn guild(
    State(cx): State<Arc<Answering>>,
    Path(guild): Path<Id<GuildMarker>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(memory) = cx.hot.memory() else { return not_right() };
    let (bot, epoch, read_ms, whole) = match (cx.bot.of(&headers, memory), read::<Whole>(&headers, &body)) {
        (Ok(bot), Ok((epoch, read_ms, whole))) => (bot, epoch, read_ms, whole),
        (Err(refusal), _) => return *refusal,
        (_, Err(why)) => return bad(why),
    };
    if whole.guild.id != guild || !whole.guild.is_known() {
        return bad("the guild is another one than the path says, or has no owner");
    }
    match cx.db.refill_guild(bot, whole.sorted(), epoch, read_ms).await {
        Ok(Some(version)) => tell(&cx, News::Reread.about(bot, Some(guild), version)).await,
        Ok(None) => StatusCode::CONFLICT.into_response(),
        Err(error) => failed(error),
    }
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<(u64, i64, T), String> {
    let number = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let epoch = number(EPOCH).ok_or_else(|| format!("{EPOCH} is missing: name the one of the 404"))?;
    let read_ms = number(READ_MS).ok_or_else(|| format!("{READ_MS} is missing"))?;
    let value = wire::decode(body).map_err(|error| error.to_string())?;
    Ok((epoch, read_ms.cast_signed(), value))
}

/// The truth has it; who is not told learns of it when it is told of something else, or asks Discord once more.
async fn tell(cx: &Answering, change: model::topics::CacheChange) -> Response {
    match news::tell(&cx.producer, vec![change]).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            tracing::warn!("a refill is not told to the other processes: {error}");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

fn failed(error: Error) -> Response {
    let status = if error.is_transient() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
    tracing::warn!("a refill is not taken: {:#}", anyhow::Error::from(error));
    status.into_response()
}
