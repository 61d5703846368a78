//! The guilds of the measures, as the events that tell of them.

use anyhow::{Context, ensure};
use bytes::Bytes;
use cache::{
    change::{Change, Update},
    entity::Whole,
    fold::{Folded, fold},
};
use discord_sim::load::{guild_id, reference_guild};
use model::topics::GatewayEvent;
use time::OffsetDateTime;
use twilight_model::id::{Id, marker::ApplicationMarker};

/// Guilds in a transaction, as `cache-sync-service` has at most.
pub(super) const BATCH: usize = 64;

/// One of the guilds of the load's only shard.
pub(super) fn id(number: u64) -> u64 {
    guild_id((0, 1), number)
}

/// The frame that tells of a guild.
pub(super) fn frame(number: u64) -> String {
    format!(r#"{{"t":"GUILD_CREATE","s":{},"op":0,"d":{}}}"#, number + 2, reference_guild(id(number)))
}

/// A session of a bot, in which all guilds come.
#[derive(Clone, Copy)]
pub(super) struct Session<'a> {
    pub(super) bot: Id<ApplicationMarker>,
    pub(super) name: &'a str,
    pub(super) began: OffsetDateTime,
}

impl Session<'_> {
    /// The frame as the sharder writes it.
    pub(super) fn event(&self, number: u64, frame: String) -> GatewayEvent {
        GatewayEvent {
            bot: self.bot,
            shard: 0,
            session: self.name.to_owned(),
            sequence: number + 2,
            kind: "GUILD_CREATE".to_owned(),
            guild: Id::new_checked(id(number)),
            received_at: self.began,
            trace: None,
            payload: Bytes::from(frame),
        }
    }

    /// What follows from a guild's frame.
    pub(super) fn update(&self, number: u64) -> anyhow::Result<Update> {
        match fold(&self.event(number, frame(number)))? {
            Folded::Guild(update) => Ok(update),
            other => anyhow::bail!("guild {number} means {other:?}"),
        }
    }
}

/// The guild in an update that tells all of it.
pub(super) fn whole(update: &Update) -> anyhow::Result<&Whole> {
    let whole = update.changes.iter().find_map(|change| match change {
        Change::Whole(whole) => Some(&**whole),
        _ => None,
    });
    let whole = whole.context("an update has no guild")?;
    ensure!(!whole.channels.is_empty(), "a guild has no channels");
    Ok(whole)
}
