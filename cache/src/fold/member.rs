//! Members, with the privileged intent GUILD_MEMBERS; without it Discord tells of the bot's own alone.

use serde::Deserialize;

use super::{Folded, Frame, Unreadable};
use crate::{
    change::Change,
    entity::{Member, User, in_order},
};

pub(super) fn added(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    Ok(frame.changes(vec![Change::Member(frame.data()?), Change::Count(1)]))
}

pub(super) fn updated(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    Ok(frame.changes(vec![Change::Member(frame.data()?)]))
}

pub(super) fn removed(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Removed {
        user: User,
    }
    let Removed { user } = frame.data()?;
    Ok(frame.changes(vec![Change::MemberGone(user.id), Change::Count(-1)]))
}

pub(super) fn chunk(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Chunk {
        members: Vec<Member>,
    }
    let Chunk { mut members } = frame.data()?;
    in_order(&mut members, Member::id);
    Ok(frame.changes(members.into_iter().map(|member| Change::Member(Box::new(member))).collect()))
}
