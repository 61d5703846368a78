//! Roles.

use serde::Deserialize;
use twilight_model::id::{Id, marker::RoleMarker};

use super::{Folded, Frame, Unreadable};
use crate::{change::Change, entity::Role, wire};

pub(super) fn put(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Put {
        role: Role,
    }
    Ok(frame.changes(vec![Change::Role(frame.data::<Put>()?.role)]))
}

pub(super) fn gone(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Gone {
        #[serde(with = "wire::id")]
        role_id: Id<RoleMarker>,
    }
    Ok(frame.changes(vec![Change::RoleGone(frame.data::<Gone>()?.role_id)]))
}
