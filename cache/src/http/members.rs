//! Members, and what they may do.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use twilight_model::{
    guild::Permissions,
    id::{
        Id,
        marker::{ChannelMarker, GuildMarker, UserMarker},
    },
};

use super::{
    Answering,
    answer::{answer, bad, not_right},
    guilds::{Ids, MOST, Many, Missing},
    lists::{Show, show},
};
use crate::{entity::Member, store::Seen, wire};

/// A member, and what the member may do in a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permitted {
    /// The member.
    pub member: Member,
    /// In the channel.
    #[serde(with = "wire::permissions")]
    pub permissions: Permissions,
    /// In the guild, without the channel's overwrites.
    #[serde(with = "wire::permissions")]
    pub guild_permissions: Permissions,
}

/// Members of a guild that are asked for together.
#[derive(Deserialize)]
pub(super) struct Which {
    /// These.
    ids: Option<String>,
    /// Else all behind this one,
    after: Option<Id<UserMarker>>,
    /// at most so many.
    limit: Option<usize>,
}

/// Those that are known: by their ids, or page by page.
pub(super) async fn list(
    State(cx): State<Arc<Answering>>,
    Path(guild): Path<Id<GuildMarker>>,
    Query(Which { ids, after, limit }): Query<Which>,
    headers: HeaderMap,
) -> Response {
    if ids.is_none() {
        let most = limit.unwrap_or(MOST).min(MOST);
        return show(&cx, guild, &headers, |seen, show| {
            let counting = |member: &Member| member.id().is_some_and(|user| counts(&cx, seen, &show, user));
            show.some(&seen.members(after).filter(counting).take(most).collect::<Vec<_>>())
        });
    }
    let ids = match (Ids { ids }).read::<UserMarker>() {
        Ok(ids) => ids,
        Err(why) => return bad(why),
    };
    show(&cx, guild, &headers, |seen, show| {
        let mut many = Many { found: Vec::new(), missing: Vec::new() };
        for user in ids {
            match fresh(&cx, seen, &show, user) {
                Some(member) => many.found.push(member),
                None => many.missing.push(Missing(user.cast())),
            }
        }
        show.some(&many)
    })
}

pub(super) async fn one(
    State(cx): State<Arc<Answering>>,
    Path((guild, user)): Path<(Id<GuildMarker>, Id<UserMarker>)>,
    headers: HeaderMap,
) -> Response {
    show(&cx, guild, &headers, |seen, show| show.maybe(fresh(&cx, seen, &show, user)))
}

/// A thread's permissions are those of its channel.
pub(super) async fn in_channel(
    State(cx): State<Arc<Answering>>,
    Path((guild, channel, user)): Path<(Id<GuildMarker>, Id<ChannelMarker>, Id<UserMarker>)>,
    headers: HeaderMap,
) -> Response {
    let now = cx.clock.now();
    show(&cx, guild, &headers, |seen, show| {
        let thread = seen.thread(channel);
        let asked = thread.map_or(Some(channel), |thread| thread.parent_id).and_then(|channel| seen.channel(channel));
        let permitted = asked.and_then(|channel| {
            let member = fresh(&cx, seen, &show, user)?;
            let standing = seen.standing(user)?;
            Some(Permitted {
                member,
                permissions: standing.in_channel(channel, thread.is_some(), now),
                guild_permissions: standing.in_guild(now),
            })
        });
        show.maybe(permitted)
    })
}

/// A user who is, or was, a member somewhere.
pub(super) async fn user(
    State(cx): State<Arc<Answering>>,
    Path(user): Path<Id<UserMarker>>,
    headers: HeaderMap,
) -> Response {
    let Some(memory) = cx.hot.memory() else { return not_right() };
    match memory.user(user) {
        Some(user) => answer(&headers, &user),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A member of whom is known that it is so now, and who is used by that.
fn fresh(cx: &Answering, seen: &Seen<'_>, show: &Show<'_>, user: Id<UserMarker>) -> Option<Member> {
    if !counts(cx, seen, show, user) {
        return None;
    }
    if seen.use_member(user, cx.clock.now_ms()) {
        // Nobody waits for that, and what does not fit is noted another day.
        let _ = cx.uses.try_send((show.bot, seen.guild().id, user));
    }
    seen.member(user)
}

/// Whether what is known of a member counts: Discord tells of changes, or told of the member a moment ago. Of itself a bot is
/// always told.
fn counts(cx: &Answering, seen: &Seen<'_>, show: &Show<'_>, user: Id<UserMarker>) -> bool {
    let Some(seen_s) = seen.seen_s(user) else { return false };
    let max_age_s = u32::try_from(cx.members.max_age.as_secs()).unwrap_or(u32::MAX);
    let too_old = i64::from(seen_s.saturating_add(max_age_s)) * 1_000 < cx.clock.now_ms();
    !too_old || show.told || show.bot.cast() == user
}
