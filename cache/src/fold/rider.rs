//! Members that ride in something else.

use serde::{Deserialize, de::IgnoredAny};

use super::{Folded, Frame, Unreadable};
use crate::{
    change::Change,
    entity::{Member, User},
};

/// Who writes a message is a member, and is so now.
pub(super) fn of_message(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Message {
        author: Option<Box<User>>,
        member: Option<Box<Member>>,
        /// Its author is nobody.
        webhook_id: Option<IgnoredAny>,
    }
    if frame.0.guild.is_none() {
        return Ok(Folded::Nothing);
    }
    let Message { author, member, webhook_id } = frame.data()?;
    Ok(match member {
        Some(mut member) if webhook_id.is_none() => {
            member.user = author;
            rider(frame, member)
        }
        _ => Folded::Nothing,
    })
}

/// Who clicks is a member, and is so now.
pub(super) fn of_interaction(frame: &Frame<'_>) -> Result<Folded, Unreadable> {
    #[derive(Deserialize)]
    struct Interaction {
        member: Option<Box<Member>>,
    }
    let Interaction { member } = frame.data()?;
    Ok(member.map_or(Folded::Nothing, |member| rider(frame, member)))
}

fn rider(frame: &Frame<'_>, member: Box<Member>) -> Folded {
    match frame.0.guild {
        Some(guild) if member.user.is_some() => Folded::Rider(frame.update(guild, vec![Change::Member(member)])),
        _ => Folded::Nothing,
    }
}
