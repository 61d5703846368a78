//! What a gateway event changes.
//!
//! Each file is about one kind of thing; `ALL` lists the events that are read. Every other is passed over undecoded.

mod channel;
mod guild;
mod member;
mod rider;
mod role;
mod session;
mod thread;

use common::clock::unix_ms;
use model::topics::GatewayEvent;
use serde::Deserialize;
use twilight_model::id::{
    Id,
    marker::{ApplicationMarker, GuildMarker},
};

pub use self::session::Ready;
use crate::{
    change::{Change, Position, Update},
    entity::User,
};

/// What an event means for the cache.
#[derive(Clone, Debug, PartialEq)]
pub enum Folded {
    /// Nothing.
    Nothing,
    /// A guild changes.
    Guild(Update),
    /// A member rides in something else: nothing changes where it is known to be so.
    Rider(Update),
    /// A session began, and with it everything that its shard knows.
    Ready(Ready),
    /// A user is so now.
    User(User),
}

/// An event that is not what Discord describes.
#[derive(Debug, thiserror::Error)]
#[error("{kind} of sequence {sequence} does not parse: {reason}")]
pub struct Unreadable {
    kind: String,
    sequence: u64,
    /// Without what somebody wrote: the text of an error of serde's quotes values.
    reason: String,
}

/// An event that is read, and how.
struct Reader {
    kind: &'static str,
    read: fn(&Frame<'_>) -> Result<Folded, Unreadable>,
}

/// Every event that changes the cache.
static ALL: &[Reader] = &[
    Reader { kind: "READY", read: session::ready },
    Reader { kind: "USER_UPDATE", read: session::user },
    Reader { kind: "GUILD_CREATE", read: guild::created },
    Reader { kind: "GUILD_UPDATE", read: guild::updated },
    Reader { kind: "GUILD_DELETE", read: guild::deleted },
    Reader { kind: "GUILD_EMOJIS_UPDATE", read: guild::emojis },
    Reader { kind: "CHANNEL_CREATE", read: channel::put },
    Reader { kind: "CHANNEL_UPDATE", read: channel::put },
    Reader { kind: "CHANNEL_DELETE", read: channel::gone },
    Reader { kind: "THREAD_CREATE", read: thread::put },
    Reader { kind: "THREAD_UPDATE", read: thread::put },
    Reader { kind: "THREAD_DELETE", read: thread::gone },
    Reader { kind: "THREAD_LIST_SYNC", read: thread::list },
    Reader { kind: "GUILD_ROLE_CREATE", read: role::put },
    Reader { kind: "GUILD_ROLE_UPDATE", read: role::put },
    Reader { kind: "GUILD_ROLE_DELETE", read: role::gone },
    Reader { kind: "GUILD_MEMBER_ADD", read: member::added },
    Reader { kind: "GUILD_MEMBER_UPDATE", read: member::updated },
    Reader { kind: "GUILD_MEMBER_REMOVE", read: member::removed },
    Reader { kind: "GUILD_MEMBERS_CHUNK", read: member::chunk },
    Reader { kind: "MESSAGE_CREATE", read: rider::of_message },
    Reader { kind: "INTERACTION_CREATE", read: rider::of_interaction },
];

/// The names (`t`) of all events that change the cache.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|reader| reader.kind)
}

/// Reads an event.
///
/// # Errors
///
/// When it is one of those that change the cache, and is not what Discord describes.
pub fn fold(event: &GatewayEvent) -> Result<Folded, Unreadable> {
    match ALL.iter().find(|reader| reader.kind == event.kind) {
        Some(reader) => (reader.read)(&Frame(event)),
        None => Ok(Folded::Nothing),
    }
}

/// An event, as the readers see it.
struct Frame<'a>(&'a GatewayEvent);

impl Frame<'_> {
    fn bot(&self) -> Id<ApplicationMarker> {
        self.0.bot
    }

    /// What the event carries (`d`).
    fn data<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Unreadable> {
        #[derive(Deserialize)]
        struct Payload<T> {
            d: T,
        }
        let unreadable = |reason| Unreadable { kind: self.0.kind.clone(), sequence: self.0.sequence, reason };
        // That all of it is UTF-8 is found sooner than that each of its texts is.
        let text = str::from_utf8(&self.0.payload).map_err(|error| unreadable(error.to_string()))?;
        serde_json::from_str::<Payload<T>>(text).map(|payload| payload.d).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            unreadable(format!("{:?} at line {line}, column {column}", error.classify()))
        })
    }

    fn position(&self) -> Position {
        Position {
            session: self.0.session.clone(),
            sequence: self.0.sequence,
            received_ms: unix_ms(self.0.received_at),
        }
    }

    /// These changes of the event's guild; nothing where it is about none (a direct message's channel).
    fn changes(&self, changes: Vec<Change>) -> Folded {
        match self.0.guild {
            Some(guild) => Folded::Guild(self.update(guild, changes)),
            None => Folded::Nothing,
        }
    }

    fn update(&self, guild: Id<GuildMarker>, changes: Vec<Change>) -> Update {
        Update { bot: self.bot(), guild, position: self.position(), changes }
    }
}
