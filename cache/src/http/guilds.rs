//! Guilds without their lists, and how many there are.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use model::routes::Count;
use serde::{Deserialize, Serialize};
use twilight_model::id::{Id, marker::GuildMarker};

use super::{
    Answering,
    answer::{answer, bad, not_right, nothing, unknown},
};
use crate::{entity::Guild, wire};

/// So many ids one request may name.
pub(super) const MOST: usize = 1_000;

/// Some of many that were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Many<T> {
    /// Those that are known.
    pub found: Vec<T>,
    /// The ids of the others.
    pub missing: Vec<Missing>,
}

/// An id of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Missing(#[serde(with = "wire::id")] pub Id<twilight_model::id::marker::GenericMarker>);

pub(super) async fn count(State(cx): State<Arc<Answering>>, headers: HeaderMap) -> Response {
    let Some(memory) = cx.hot.memory() else { return not_right() };
    match cx.bot.of(&headers, memory) {
        Ok(bot) => match memory.count_of(bot) {
            Some(count) => answer(&headers, &Count { count }),
            None => nothing(format_args!("no guild of bot {bot} is known yet")),
        },
        Err(refusal) => *refusal,
    }
}

pub(super) async fn one(
    State(cx): State<Arc<Answering>>,
    Path(guild): Path<Id<GuildMarker>>,
    headers: HeaderMap,
) -> Response {
    let Some(memory) = cx.hot.memory() else { return not_right() };
    match cx.bot.of(&headers, memory) {
        Ok(bot) => memory
            .look(bot, guild, |seen| answer(&headers, seen.guild()))
            .unwrap_or_else(|| unknown(memory.epoch(bot, guild))),
        Err(refusal) => *refusal,
    }
}

/// Ids, comma separated.
#[derive(Deserialize)]
pub(super) struct Ids {
    pub(super) ids: Option<String>,
}

impl Ids {
    /// The ids, or why there are none.
    pub(super) fn read<M>(&self) -> Result<Vec<Id<M>>, String> {
        let Some(text) = &self.ids else { return Err("name them: ?ids=1,2,3".to_owned()) };
        let ids: Option<Vec<Id<M>>> =
            text.split(',').map(|id| id.trim().parse().ok().and_then(Id::new_checked)).collect();
        match ids {
            None => Err("ids are numbers, comma separated: ?ids=1,2,3".to_owned()),
            Some(ids) if ids.len() > MOST => Err(format!("at most {MOST} ids at once")),
            Some(ids) => Ok(ids),
        }
    }
}

pub(super) async fn many(State(cx): State<Arc<Answering>>, Query(ids): Query<Ids>, headers: HeaderMap) -> Response {
    let Some(memory) = cx.hot.memory() else { return not_right() };
    let (bot, ids) = match (cx.bot.of(&headers, memory), ids.read::<GuildMarker>()) {
        (Ok(bot), Ok(ids)) => (bot, ids),
        (Err(refusal), _) => return *refusal,
        (_, Err(why)) => return bad(why),
    };
    let mut many = Many::<Guild> { found: Vec::new(), missing: Vec::new() };
    for id in ids {
        match memory.look(bot, id, |seen| seen.guild().clone()) {
            Some(guild) => many.found.push(guild),
            None => many.missing.push(Missing(id.cast())),
        }
    }
    answer(&headers, &many)
}
