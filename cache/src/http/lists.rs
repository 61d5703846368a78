//! What belongs to a guild and is no member.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use serde::Serialize;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, ChannelMarker, GuildMarker, RoleMarker},
};

use super::{
    Answering,
    answer::{answer, not_right, unknown},
};
use crate::store::Seen;

type Cx = State<Arc<Answering>>;
type Guild = Path<Id<GuildMarker>>;

pub(super) async fn channels(State(cx): Cx, Path(guild): Guild, headers: HeaderMap) -> Response {
    show(&cx, guild, &headers, |seen, show| show.some(seen.channels()))
}

pub(super) async fn threads(State(cx): Cx, Path(guild): Guild, headers: HeaderMap) -> Response {
    show(&cx, guild, &headers, |seen, show| show.some(seen.threads()))
}

pub(super) async fn roles(State(cx): Cx, Path(guild): Guild, headers: HeaderMap) -> Response {
    show(&cx, guild, &headers, |seen, show| show.some(seen.roles()))
}

pub(super) async fn emojis(State(cx): Cx, Path(guild): Guild, headers: HeaderMap) -> Response {
    show(&cx, guild, &headers, |seen, show| show.some(seen.emojis()))
}

pub(super) async fn channel(
    State(cx): Cx,
    Path((guild, channel)): Path<(Id<GuildMarker>, Id<ChannelMarker>)>,
    headers: HeaderMap,
) -> Response {
    show(&cx, guild, &headers, |seen, show| show.maybe(seen.channel(channel)))
}

pub(super) async fn thread(
    State(cx): Cx,
    Path((guild, thread)): Path<(Id<GuildMarker>, Id<ChannelMarker>)>,
    headers: HeaderMap,
) -> Response {
    show(&cx, guild, &headers, |seen, show| show.maybe(seen.thread(thread)))
}

pub(super) async fn role(
    State(cx): Cx,
    Path((guild, role)): Path<(Id<GuildMarker>, Id<RoleMarker>)>,
    headers: HeaderMap,
) -> Response {
    show(&cx, guild, &headers, |seen, show| show.maybe(seen.role(role)))
}

/// Writes an answer of a guild.
pub(super) struct Show<'a> {
    /// The bot that is meant.
    pub(super) bot: Id<ApplicationMarker>,
    /// Whether Discord tells the bot of every change of a member.
    pub(super) told: bool,
    headers: &'a HeaderMap,
    epoch: u64,
}

impl Show<'_> {
    pub(super) fn some<T: Serialize + ?Sized>(&self, value: &T) -> Response {
        answer(self.headers, value)
    }

    pub(super) fn maybe<T: Serialize>(&self, value: Option<T>) -> Response {
        value.map_or_else(|| unknown(self.epoch), |value| self.some(&value))
    }
}

/// What `write` makes of a guild whose lists are known.
pub(super) fn show(
    cx: &Answering,
    guild: Id<GuildMarker>,
    headers: &HeaderMap,
    write: impl FnOnce(&Seen<'_>, Show<'_>) -> Response,
) -> Response {
    let Some(memory) = cx.hot.memory() else { return not_right() };
    let bot = match cx.bot.of(headers, memory) {
        Ok(bot) => bot,
        Err(refusal) => return *refusal,
    };
    let told = cx.members.told && cx.bot.is(bot, memory);
    let shown = memory.look(bot, guild, |seen| {
        let show = Show { bot, told, headers, epoch: seen.epoch() };
        if seen.guild().is_known() { write(seen, show) } else { unknown(seen.epoch()) }
    });
    shown.unwrap_or_else(|| unknown(memory.epoch(bot, guild)))
}
