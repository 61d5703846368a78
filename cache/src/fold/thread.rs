//! Threads. An archived one leaves the list, as it is in none of Discord's.

use serde::Deserialize;
use twilight_model::id::{Id, marker::ChannelMarker};

use super::{Folded, Frame, Unreadable, channel};
use crate::{
    change::{Change, Parent, Threads},
    entity::{Channel, in_order},
    wire,
};

pub(super) fn put(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    Ok(frame.changes(vec![channel::thread(frame.data()?)]))
}

pub(super) fn gone(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Gone {
        #[serde(with = "wire::id")]
        id: Id<ChannelMarker>,
    }
    Ok(frame.changes(vec![Change::ThreadGone(frame.data::<Gone>()?.id)]))
}

/// The bot sees a channel again, and is told which threads it has now.
pub(super) fn list(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct List {
        /// The channels; all where it is missing.
        channel_ids: Option<Vec<Parent>>,
        #[serde(default)]
        threads: Vec<Channel>,
    }
    let List { channel_ids, mut threads } = frame.data()?;
    threads.retain(|thread| !thread.is_archived());
    in_order(&mut threads, |thread| thread.id);
    Ok(frame.changes(vec![Change::Threads(Threads { parents: channel_ids, threads })]))
}
