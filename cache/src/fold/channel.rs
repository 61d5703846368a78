//! Channels.

use serde::Deserialize;
use twilight_model::id::{Id, marker::ChannelMarker};

use super::{Folded, Frame, Unreadable};
use crate::{change::Change, entity::Channel, wire};

pub(super) fn put(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    Ok(frame.changes(vec![Change::Channel(frame.data()?)]))
}

pub(super) fn gone(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Gone {
        #[serde(with = "wire::id")]
        id: Id<ChannelMarker>,
    }
    Ok(frame.changes(vec![Change::ChannelGone(frame.data::<Gone>()?.id)]))
}

/// Which lists a channel object belongs to: Discord lists archived threads nowhere.
pub(super) fn thread(thread: Channel) -> Change {
    if thread.is_archived() { Change::ThreadGone(thread.id) } else { Change::Thread(thread) }
}
